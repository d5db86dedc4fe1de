//! `openline token`: making a token to try things with, and looking into one.

use std::env;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use openline_server::tokens::{self, Claims, Inspection, Signer, TokenError};

use crate::cli::{InspectToken, MintToken, TokenCommand};
use crate::config;
use crate::exit::{Exit, Failure};

/// Longer text is no token.
const TOKEN_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn run(command: &TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Mint(arguments) => mint(arguments),
        TokenCommand::Inspect(arguments) => inspect(arguments),
    }
}

fn mint(arguments: &MintToken) -> Result<(), Failure> {
    let mut claims = Claims {
        user: arguments.user.clone(),
        lifetime: arguments.expires,
        channels: arguments.channels.clone(),
        info: arguments.info.clone(),
        id: arguments.id.clone(),
        audience: arguments.audience.clone(),
        issuer: arguments.issuer.clone(),
    };
    let signer = match &arguments.config {
        Some(file) => {
            let config = config::load(Some(file), &[])?;
            claims.audience = claims.audience.or_else(|| config.auth.audience.clone());
            claims.issuer = claims.issuer.or_else(|| config.auth.issuer.clone());
            Signer::of_config(&config, arguments.key_id.as_deref())
        }
        None => Signer::new(&arguments.algorithm, secret(arguments)?.as_bytes()),
    };
    let token = signer.and_then(|signer| tokens::mint(&signer, &claims)).map_err(unusable)?;
    print(&format!("{token}\n"))
}

fn inspect(arguments: &InspectToken) -> Result<(), Failure> {
    let token = match arguments.token.as_str() {
        "-" => read_input()?,
        token => token.to_owned(),
    };
    let config = config::load(arguments.config.as_deref(), &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, error))?;
    let inspection = runtime.block_on(tokens::inspect(&config, token.trim()));
    let Inspection { header, claims, verdict, .. } =
        inspection.map_err(|error| Failure::new(Exit::Data, error))?;
    print(&format!("header: {header}\nclaims: {claims}\n"))?;
    let is_checked = !config.auth.keys.is_empty() || config.auth.jwks_url.is_some();
    match verdict {
        Ok(()) => print("accepted: signature, time and claims are right\n"),
        Err(_) if !is_checked => print("not checked: --config names a file with keys in [auth]\n"),
        Err(why) => Err(Failure::new(Exit::Closed, format!("refused: {why}"))),
    }
}

/// The secret, which is no flag: other users see those.
fn secret(arguments: &MintToken) -> Result<String, Failure> {
    match (&arguments.secret_file, &arguments.secret_env) {
        (Some(file), _) => read_secret(file),
        (None, Some(name)) => env::var(name)
            .map_err(|_| Failure::new(Exit::Config, format!("the variable {name} is not text"))),
        (None, None) => Err(Failure::new(
            Exit::Usage,
            "a secret is needed: --config, --secret-file or --secret-env",
        )),
    }
}

fn read_secret(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn unusable(error: TokenError) -> Failure {
    Failure::new(Exit::Config, error)
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(|error| Failure::new(Exit::Io, error))
}

fn read_input() -> Result<String, Failure> {
    let mut token = String::new();
    let read = io::stdin().take(TOKEN_BYTES_MAX).read_to_string(&mut token);
    read.map_err(|error| Failure::new(Exit::Io, format!("standard input: {error}")))?;
    Ok(token)
}

/// `90s`, `15m`, `1h`, `30d`.
pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || "it has to be a number with s, m, h or d, such as 15m".to_owned();
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_mul(seconds) {
        // Ten years: who needs more needs no end, and a token has one.
        Some(seconds) if (1..=10 * 366 * 24 * 3600).contains(&seconds) => {
            Ok(Duration::from_secs(seconds))
        }
        _ => Err("it has to be from 1s to 3660d".to_owned()),
    }
}

/// `chat:*=subscribe,publish`; without actions all of them.
pub(crate) fn grant(text: &str) -> Result<(String, Vec<String>), String> {
    let (pattern, actions) = text.split_once('=').unwrap_or((text, "*"));
    if pattern.is_empty() {
        return Err("there is no channel before the =".to_owned());
    }
    Ok((pattern.to_owned(), actions.split(',').map(|action| action.trim().to_owned()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3600), ("30d", 2_592_000)] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in
            ["", "h", "1", "1.5h", "-1h", "1 h", "0s", "9999d", "1ü", "99999999999999999999d"]
        {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_grant_is_a_pattern_and_its_actions() {
        let actions = |list: &[&str]| list.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            grant("chat:*=subscribe, publish"),
            Ok(("chat:*".to_owned(), actions(&["subscribe", "publish"])))
        );
        assert_eq!(grant("news"), Ok(("news".to_owned(), actions(&["*"]))));
        assert!(grant("=subscribe").is_err());
    }
}
