//! `openline publish`: one message, through the HTTP API.

use std::env;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use openline_server::{Outgoing, Receipt, Remote, RemoteError};

use crate::cli::Publish;
use crate::exit::{Exit, Failure};

/// The variable with the key. Not a flag: other users see those.
const KEY_VARIABLE: &str = "OPENLINE_API_KEY";

/// The name of the key's file in the data directory.
const KEY_FILE: &str = "api-key";

/// More is no message of any server.
const DATA_BYTES_MAX: u64 = 64 << 20;

pub(crate) fn run(arguments: &Publish) -> Result<(), Failure> {
    let data = match arguments.data.as_str() {
        "-" => read_input()?,
        data => data.to_owned(),
    };
    let remote = Remote::new(&arguments.url, &key(arguments)?).map_err(|error| failed(&error))?;
    let outgoing = Outgoing {
        channel: &arguments.channel,
        data: &data,
        event: arguments.event.as_deref(),
        key: arguments.key.as_deref(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, error))?;
    let receipt = runtime.block_on(remote.publish(&outgoing)).map_err(|error| failed(&error))?;
    print(&receipt)
}

/// The position, which is what a program wants; one line, empty where there is none.
fn print(receipt: &Receipt) -> Result<(), Failure> {
    let mut out = io::stdout();
    let position = receipt.position.as_deref().unwrap_or_default();
    let printed = writeln!(out, "{position}").and_then(|()| out.flush());
    printed.map_err(|error| Failure::new(Exit::Io, error))
}

fn read_input() -> Result<String, Failure> {
    let mut data = String::new();
    let read = io::stdin().take(DATA_BYTES_MAX + 1).read_to_string(&mut data);
    read.map_err(|error| Failure::new(Exit::Io, format!("standard input: {error}")))?;
    if data.len() as u64 > DATA_BYTES_MAX {
        return Err(Failure::new(Exit::Data, "standard input has more than 64 MiB"));
    }
    Ok(data)
}

/// The key: of the file that is named, of the variable, of the data directory.
fn key(arguments: &Publish) -> Result<String, Failure> {
    if let Some(file) = &arguments.api_key_file {
        return read_key(file);
    }
    match env::var(KEY_VARIABLE) {
        Ok(key) if !key.is_empty() => Ok(key),
        _ => read_key(&arguments.data_dir.join(KEY_FILE)).map_err(|failure| {
            failure.hint(
                "a server makes it when it starts; --data-dir says where, or set OPENLINE_API_KEY",
            )
        }),
    }
}

fn read_key(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

fn failed(error: &RemoteError) -> Failure {
    let exit = match error {
        RemoteError::Usage(_) => Exit::Usage,
        RemoteError::Data(_) => Exit::Data,
        RemoteError::NotResolved(_) => Exit::NotResolved,
        RemoteError::Unreachable(_) => Exit::Unavailable,
        RemoteError::Tls(_) => Exit::Tls,
        RemoteError::NotOpenline(_) => Exit::Protocol,
        _ => Exit::Closed,
    };
    let failure = Failure::new(exit, error);
    match error {
        RemoteError::Data(_) => failure.hint("text has quotes of its own: '\"hello\"'"),
        RemoteError::Unreachable(_) => failure.hint("does the server run? --url says where"),
        RemoteError::Refused { status: 401, .. } => {
            failure.hint("each server has its own key, in its data directory")
        }
        _ => failure,
    }
}
