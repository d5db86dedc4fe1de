//! The client's line: from the arguments to its opening, and its end.

use std::env;
use std::time::Duration;

use openline_client::{
    AuthContext, AuthError, Client, Error, Overflow, Proxy, Queue, State, Status, Why,
};

use super::failure::Stop;
use crate::cli::Connect;
use crate::connect::{header, note, tls};
use crate::exit::{Exit, Failure};

/// The variable with the token.
const TOKEN_VARIABLE: &str = "OPENLINE_TOKEN";

/// For how long a publish or a file may wait for a line to come back: as long as the client allows.
pub(super) const LINE_WAIT: Duration = Duration::from_secs(240);

pub(super) fn client(arguments: &Connect) -> Result<Client, Stop> {
    let queue = Queue::default().ttl(LINE_WAIT).overflow(Overflow::Wait);
    let mut builder =
        Client::builder(&arguments.url)?.connect_timeout(arguments.timeout).queue(queue);
    for line in &arguments.headers {
        let (name, value) = header(line)?;
        builder = builder.header(name, value);
    }
    if arguments.no_proxy {
        builder = builder.no_proxy();
    }
    if let Some(url) = &arguments.proxy {
        let proxy = Proxy::parse(url).map_err(|error| Failure::new(Exit::Usage, error))?;
        builder = builder.proxy(proxy);
    }
    if arguments.insecure {
        note("warning: --insecure accepts any certificate; this line may be read and changed");
        builder = builder.tls(tls::any_certificate());
    }
    if let Some(file) = &arguments.ca {
        builder = builder.tls(tls::with_roots(file)?);
    }
    if let Some(token) = token(arguments)? {
        builder = builder.auth(move |context| {
            let given = given(&context, &token);
            async move { given }
        });
    }
    Ok(builder.build()?)
}

fn token(arguments: &Connect) -> Result<Option<String>, Failure> {
    if let Some(token) = &arguments.channels.token {
        return Ok(Some(token.clone()));
    }
    match env::var(TOKEN_VARIABLE) {
        Ok(token) if token.is_empty() => Ok(None),
        Ok(token) => Ok(Some(token)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Failure::new(Exit::Config, format!("the variable {TOKEN_VARIABLE} is not text")))
        }
    }
}

/// There is one token, which does as long as it lasts.
fn given(context: &AuthContext, token: &str) -> Result<Option<String>, AuthError> {
    match context.why {
        Why::Expired => Err(AuthError::fatal("the token has run out")),
        _ => Ok(Some(token.to_owned())),
    }
}

/// Waits until the line is open for the first time. It is not tried twice: whoever mistyped the
/// address is to be told.
pub(super) async fn open(client: &Client) -> Result<(), Stop> {
    let mut status = client.status();
    let settled = status.wait_for(|status| status.state == State::Waiting);
    tokio::select! {
        biased;
        opened = client.connect() => Ok(opened?),
        waiting = settled => match waiting {
            Ok(status) => Err(not_opened(&status)),
            Err(_) => Err(Error::ConnectionLost.into()),
        },
    }
}

fn not_opened(status: &Status) -> Stop {
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty());
    let what = match (reason, status.code) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(code)) => format!("the server closed the line with {code}"),
        (None, None) => "there is no line".to_owned(),
    };
    Failure::new(Exit::Unavailable, what).hint("does an Openline server run at this URL?").into()
}
