//! `reload`: the configuration is loaded again.

use std::sync::Arc;

use ::http::StatusCode;
use openline_protocol::{ErrorCode, Fault};
use openline_ws::Rejection;
use serde::Serialize;

use super::{json, refusal};
use crate::config::{Change, ConfigError, Difference, Place};
use crate::node::Node;
use crate::reload::{ReloadError, Reloaded};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// None where the server was started without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    changed: Vec<Changed>,
    read: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    key: String,
    before: String,
    after: String,
    /// What keeps what it was opened with, if anything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    only_for: Option<String>,
}

#[derive(Debug, Serialize)]
struct Refused {
    error: Reason,
}

#[derive(Debug, Serialize)]
struct Reason {
    code: &'static str,
    message: String,
    docs: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Wrong>,
    /// Those that need a restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Changed>,
}

/// One thing that is wrong. Line and column are counted from 1.
#[derive(Debug, Serialize)]
struct Wrong {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: String,
}

/// Loads the configuration on a thread of its own, since files may take their time.
pub(super) async fn reload(node: &Arc<Node>) -> Result<String, Rejection> {
    let its = node.clone();
    let reloaded = tokio::task::spawn_blocking(move || its.reload()).await;
    match reloaded {
        Ok(Ok(reloaded)) => Ok(json(&Answer::of(reloaded))),
        Ok(Err(error)) => Err(refused(error)),
        Err(_) => Err(refusal(Fault::new(ErrorCode::Internal, "the reload did not end"))),
    }
}

impl Answer {
    fn of(reloaded: Reloaded) -> Self {
        let Reloaded { file, changed, read } = reloaded;
        Self {
            file: file.map(|file| file.display().to_string()),
            changed: changed.into_iter().map(Changed::of).collect(),
            read: read.into_iter().map(|file| file.display().to_string()).collect(),
        }
    }
}

impl Changed {
    fn of(difference: Difference) -> Self {
        let Difference { path, change, before, after } = difference;
        let only_for = match change {
            Change::LiveForNew(whom) => Some(whom.replace('_', " ")),
            Change::Live | Change::Restart => None,
        };
        Self { key: path, before, after, only_for }
    }
}

impl Wrong {
    fn of(error: ConfigError) -> Self {
        let message = error.to_string();
        let (file, line, column) = match error.place {
            Place::Line { file, line, column } => (Some(file), Some(line), Some(column)),
            Place::File(file) => (Some(file), None, None),
            _ => (None, None, None),
        };
        Self { file, line, column, message }
    }
}

fn refused(error: ReloadError) -> Rejection {
    let message = error.to_string();
    let (status, code, errors, keys) = match error {
        ReloadError::Invalid(errors) => {
            let errors = errors.into_iter().map(Wrong::of).collect();
            (StatusCode::UNPROCESSABLE_ENTITY, "config_invalid", errors, Vec::new())
        }
        ReloadError::NeedsRestart(keys) => {
            let keys = keys.into_iter().map(Changed::of).collect();
            (StatusCode::CONFLICT, "needs_restart", Vec::new(), keys)
        }
        ReloadError::Stopped => {
            return refusal(Fault::new(ErrorCode::ShuttingDown, message));
        }
    };
    let docs = format!("docs/errors.md#{code}");
    let reason = Reason { code, message: message.clone(), docs, errors, keys };
    Rejection::new(status, code, message).json(json(&Refused { error: reason }))
}
