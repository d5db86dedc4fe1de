//! `openline connect`: a client for people and for pipes.
//!
//! [`session`] joins the line and the input; [`terminal`] and [`pipe`] are the two ways to use it.
//! [`render`], [`command`] and [`hex`] are pure.

mod command;
mod editor;
pub(crate) mod hex;
mod pipe;
mod render;
mod session;
mod terminal;
pub(crate) mod tls;

use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use http::{HeaderName, HeaderValue};
use openline_ws::{
    CloseCode, ConnectError, Connector, DeflateOptions, Error, Limits, Proxy, Timeouts,
};

use crate::cli::{Color, Connect};
use crate::exit::{Exit, Failure};
use editor::Editor;
use session::{End, Line};

/// What the server may send. More than a browser page would want, because whoever looks at a server
/// from a terminal wants to see what it does; still not for ever.
const LIMITS: Limits =
    Limits { frame_bytes_max: 16 << 20, message_bytes_max: 16 << 20, fragments_max: 70_000 };

pub(crate) fn run(arguments: &Connect) -> Result<(), Failure> {
    let connector = connector(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, error))?;
    runtime.block_on(async {
        let ws = connector.connect(&arguments.url).await.map_err(|error| not_opened(&error))?;
        let end = talk(ws, arguments).await?;
        end.map_or(Ok(()), |end| report(&end))
    })
}

/// Talks until the end; `None` when the end is nobody's concern any more.
async fn talk(ws: Line, arguments: &Connect) -> Result<Option<End>, Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        // A terminal that cannot move its cursor is used like a pipe.
        if let Ok((editor, typed)) = Editor::start() {
            let style = render::Style::new(is_coloured(arguments.color));
            let end = terminal::run(ws, editor, typed, &style, arguments).await;
            return end.map(Some);
        }
    }
    pipe::run(ws, arguments).await
}

fn is_coloured(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
    }
}

fn connector(arguments: &Connect) -> Result<Connector, Failure> {
    let ping_interval = Some(arguments.ping_interval).filter(|interval| !interval.is_zero());
    let mut connector = Connector::new()
        .limits(LIMITS)
        .timeout(arguments.timeout)
        .timeouts(Timeouts { ping_interval, ..Timeouts::default() });
    for protocol in &arguments.subprotocols {
        connector = connector.protocol(protocol);
    }
    for line in &arguments.headers {
        let (name, value) = header(line)?;
        connector = connector.header(name, value);
    }
    if arguments.no_deflate {
        connector = connector.deflate(DeflateOptions::disabled());
    }
    if arguments.no_proxy {
        connector = connector.no_proxy();
    }
    if let Some(url) = &arguments.proxy {
        let proxy = Proxy::parse(url).map_err(|error| Failure::new(Exit::Usage, error))?;
        connector = connector.proxy(proxy);
    }
    if arguments.insecure {
        note("warning: --insecure accepts any certificate; this line may be read and changed");
        connector = connector.tls(tls::any_certificate());
    }
    if let Some(file) = &arguments.ca {
        connector = connector.tls(tls::with_roots(file)?);
    }
    Ok(connector)
}

/// `Name: value`, as it stands in a request.
pub(crate) fn header(line: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let wrong = |what| Failure::new(Exit::Usage, format!("invalid header {line:?}: {what}"));
    let (name, value) = line.split_once(':').ok_or_else(|| wrong("it has no colon"))?;
    let name = name.trim().parse().map_err(|_| wrong("the name has characters it may not have"))?;
    let value = HeaderValue::from_str(value.trim())
        .map_err(|_| wrong("the value has characters it may not have"))?;
    Ok((name, value))
}

fn not_opened(error: &ConnectError) -> Failure {
    let exit = match error {
        ConnectError::Url(_) | ConnectError::Request(_) => Exit::Usage,
        ConnectError::Resolve { .. } => Exit::NotResolved,
        ConnectError::Connect { .. } | ConnectError::Proxy(_) | ConnectError::Timeout(_) => {
            Exit::Unavailable
        }
        ConnectError::Tls(_) => Exit::Tls,
        ConnectError::Head(_) | ConnectError::Response(_) => Exit::Protocol,
        ConnectError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Exit::Protocol,
        ConnectError::Io(_) => Exit::Io,
        // The enum may grow; until this table does too, the server is at least not available.
        _ => Exit::Unavailable,
    };
    let failure = Failure::new(exit, error);
    match error {
        ConnectError::Tls(error) => match tls::hint(error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        },
        ConnectError::Timeout(_) => failure.hint("--timeout waits longer"),
        _ => failure,
    }
}

/// Tells how the line ended. A close that means no error is told and well.
fn report(end: &End) -> Result<(), Failure> {
    let what = render::ended(end);
    match exit_of(end) {
        Some(exit) => Err(Failure::new(exit, what)),
        None => {
            note(&what);
            Ok(())
        }
    }
}

fn exit_of(end: &End) -> Option<Exit> {
    match end {
        End::ByUs { .. } => None,
        End::ByServer(reason) => match reason.code {
            CloseCode::NORMAL | CloseCode::GOING_AWAY | CloseCode::NO_STATUS => None,
            _ => Some(Exit::Closed),
        },
        End::Failed(Error::Protocol(_)) => Some(Exit::Protocol),
        End::Failed(Error::Timeout(_)) => Some(Exit::Unavailable),
        End::Failed(_) => Some(Exit::Io),
    }
}

/// Tells something on standard error, and does not mind if nobody listens.
pub(crate) fn note(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use openline_ws::CloseReason;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let (name, value) = header("X-Key:  a: b ").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-key", "a: b"));
        assert_eq!(header("X-Empty:").unwrap().1, "");
    }

    #[test]
    fn what_is_wrong_with_a_header_is_said() {
        for (line, what) in [
            ("X-Key", "it has no colon"),
            ("X Key: a", "the name has characters"),
            (": a", "the name has characters"),
            ("X-Key: a\nb", "the value has characters"),
        ] {
            let failure = header(line).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().contains(what), "{failure}");
        }
    }

    #[test]
    fn only_a_servers_code_for_an_error_is_one() {
        let by_server = |code: u16| exit_of(&End::ByServer(CloseReason::new(code, "")));
        for well in [1000, 1001, 1005] {
            assert_eq!(by_server(well), None, "{well}");
        }
        for error in [1002, 1006, 1008, 1011, 1012, 3000, 4001] {
            assert_eq!(by_server(error), Some(Exit::Closed), "{error}");
        }
        let ours = End::ByUs { reason: CloseReason::new(4001, ""), answered: true };
        assert_eq!(exit_of(&ours), None);
    }
}
