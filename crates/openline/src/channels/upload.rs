//! `--upload`: a file, over as many lines as it takes.

use std::path::Path;
use std::time::Duration;

use openline_client::{Client, StoredFile};
use tokio::fs::File;
use tokio::time::Instant;

use super::failure::Stop;
use super::json::Object;
use super::output::{Output, printable};
use super::progress::Progress;
use crate::exit::{Exit, Failure};

/// How often the bar is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(
    client: &Client,
    path: &Path,
    url: &str,
    output: Output,
) -> Result<(), Stop> {
    let wrong = |what: String| Failure::new(Exit::Config, format!("{}: {what}", path.display()));
    let file = File::open(path).await.map_err(|error| wrong(error.to_string()))?;
    let known = file.metadata().await.map_err(|error| wrong(error.to_string()))?;
    let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| known.is_file())
    else {
        return Err(wrong("it is not a file with a name in UTF-8".to_owned()).into());
    };
    let size = known.len();
    let upload = client.upload(file, name).size(size);
    let stored = upload.control().stored();
    let (began, mut sending) = (Instant::now(), upload.into_future());
    let mut ticks = tokio::time::interval(DRAWN_EVERY);
    let file = loop {
        tokio::select! {
            sent = &mut sending => break sent?,
            _ = ticks.tick() => {
                let progress =
                    Progress { name, stored: *stored.borrow(), size, took: began.elapsed() };
                output.bar(|| progress.to_string());
            }
        }
    };
    output.clear_bar();
    let url = address(url, &file.url);
    output.result(|| object(&file, &url), || text(&file, &url))?;
    Ok(())
}

fn object(file: &StoredFile, url: &str) -> Object {
    Object::new("uploaded")
        .text("name", &file.name)
        .raw("size", file.size)
        .text("sha256", &file.sha256)
        .text("contentType", &file.content_type)
        .text("url", url)
        .raw("expiresAt", file.expires_at)
}

fn text(file: &StoredFile, url: &str) -> String {
    let (name, url) = (printable(&file.name), printable(url));
    format!("name    {name}\nsize    {}\nsha256  {}\nurl     {url}", file.size, file.sha256)
}

/// Where the file is to be fetched: what the server says is a path on it.
fn address(line: &str, url: &str) -> String {
    let (scheme, rest) = match line.split_once("://") {
        Some(("wss", rest)) => ("https", rest),
        Some((_, rest)) => ("http", rest),
        None => return url.to_owned(),
    };
    if !url.starts_with('/') {
        return url.to_owned();
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{url}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_an_address_on_the_same_server() {
        for (line, url, address_of_it) in [
            ("ws://127.0.0.1:8000/ws", "/uploads/u-1", "http://127.0.0.1:8000/uploads/u-1"),
            ("wss://me:x@host?a=/b", "/uploads/u-1", "https://host/uploads/u-1"),
            ("ws://host/ws", "https://files.example/u-1", "https://files.example/u-1"),
        ] {
            assert_eq!(address(line, url), address_of_it);
        }
    }
}
