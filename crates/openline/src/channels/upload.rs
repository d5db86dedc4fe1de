//! `--upload`: a file, over as many lines as it takes, and where the program ended before that, over as
//! many runs.

use std::io;
use std::path::Path;
use std::time::Duration;

use openline_client::{Client, Error, ErrorCode, StoredFile, Upload};
use ring::digest::{Context, Digest, SHA256, digest};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::failure::Stop;
use super::json::Object;
use super::line::LINE_WAIT;
use super::output::{Output, printable};
use super::progress::Progress;
use crate::cli::Channels;
use crate::connect::hex;
use crate::exit::{Exit, Failure};

/// How often the bar is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

/// Bytes that are read at once for the sum.
const READ_MAX: usize = 1024 * 1024;

pub(super) async fn run(
    client: &Client,
    path: &Path,
    url: &str,
    channels: &Channels,
    output: Output,
) -> Result<(), Stop> {
    let wrong = |what: String| Failure::new(Exit::Config, format!("{}: {what}", path.display()));
    let mut file = File::open(path).await.map_err(|error| wrong(error.to_string()))?;
    let known = file.metadata().await.map_err(|error| wrong(error.to_string()))?;
    let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| known.is_file())
    else {
        return Err(wrong("it is not a file with a name in UTF-8".to_owned()).into());
    };
    let (size, sum) = sum(&mut file).await.map_err(|error| wrong(error.to_string()))?;
    let own = hex::encode(sum.as_ref());
    let key = channels.upload_key.clone().unwrap_or_else(|| key(name, &sum));
    let upload = client.upload(file, name).seekable().size(size).key(key).sha256(&own);
    let stored = send(client, upload, (name, size), output).await;
    output.clear_bar();
    let stored = stored?;
    // What was complete before this run is not compared by the server.
    if stored.sha256 != own {
        let what = format!("the server has another file, with the SHA-256 {}", stored.sha256);
        return Err(other(what));
    }
    let url = address(url, &stored.url);
    output.result(|| object(&stored, &url), || text(&stored, &url))?;
    Ok(())
}

/// How many bytes the file has, and their SHA-256.
async fn sum(file: &mut File) -> io::Result<(u64, Digest)> {
    let (mut size, mut context) = (0, Context::new(&SHA256));
    let mut bytes = vec![0; READ_MAX];
    loop {
        let read = file.read(&mut bytes).await?;
        if read == 0 {
            return Ok((size, context.finish()));
        }
        size += read as u64;
        context.update(&bytes[..read]);
    }
}

/// The same for the same bytes under the same name, so that a run goes on where another ended, and
/// nothing but what the file is decides: not its time, which is the same for two changes in a moment.
fn key(name: &str, sum: &Digest) -> String {
    hex::encode(digest(&SHA256, &[sum.as_ref(), name.as_bytes()].concat()).as_ref())
}

/// Sends it, and draws how far it is.
async fn send(
    client: &Client,
    upload: Upload<File>,
    (name, size): (&str, u64),
    output: Output,
) -> Result<StoredFile, Stop> {
    let mut stored = upload.control().stored();
    let mut sending = upload.into_future();
    let mut ticks = tokio::time::interval(DRAWN_EVERY);
    // When it began, and behind what earlier runs have stored.
    let mut began = None;
    let mut had_line = Instant::now();
    loop {
        tokio::select! {
            sent = &mut sending => return sent.map_err(refused),
            Ok(()) = stored.changed(), if began.is_none() => {
                began = Some((Instant::now(), *stored.borrow_and_update()));
            }
            _ = ticks.tick() => {
                if client.status().borrow().is_online() {
                    had_line = Instant::now();
                } else if had_line.elapsed() > LINE_WAIT {
                    return Err(no_line().into());
                }
                let stored = *stored.borrow();
                let (began, before) = began.unwrap_or((Instant::now(), stored));
                let progress = Progress { name, stored, before, size, took: began.elapsed() };
                output.bar(|| progress.to_string());
            }
        }
    }
}

fn no_line() -> Failure {
    let what = format!("there was no line for {} s", LINE_WAIT.as_secs());
    Failure::new(Exit::Unavailable, what).hint("run it again: it goes on where it stopped")
}

fn refused(error: Error) -> Stop {
    if error.code() == ErrorCode::ChecksumMismatch.as_str() {
        return other("what arrived is not what was read before".to_owned());
    }
    error.into()
}

/// The server has not this file but another.
fn other(what: String) -> Stop {
    let hint = "was it changed meanwhile, or the --upload-key used for another?";
    let failure = Failure::new(Exit::Io, what).hint(hint);
    Stop::Failed { code: ErrorCode::ChecksumMismatch.as_str().to_owned(), failure }
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
    fn a_key_is_of_the_bytes_and_the_name() {
        let of = |name: &str, bytes: &[u8]| key(name, &digest(&SHA256, bytes));
        assert_eq!(of("a", b"1"), of("a", b"1"));
        assert_ne!(of("a", b"1"), of("b", b"1"));
        assert_ne!(of("a", b"1"), of("a", b"2"));
        assert_eq!(of("a", b"1").len(), 64, "a key has 64 bytes at most");
    }

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
