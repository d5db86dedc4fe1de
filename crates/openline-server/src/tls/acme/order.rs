//! One order: from the account to the certificate.

use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};

use super::Settings;
use super::challenge::Shown;
use super::http::Http;
use crate::tls::resolver::Resolver;

/// How long an order may take in all.
const TIMEOUT: Duration = Duration::from_secs(300);

/// How long the authority may take over each of its two parts of it.
const POLLS: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(90));

/// What an authority says when it has forgotten an account.
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// What the types of problems begin with.
const PROBLEM: &str = "urn:ietf:params:acme:error:";

/// Orders a certificate for the domain. Returns key and chain as PEM.
///
/// # Errors
/// Why there is none, for the log. It may hold text of the authority.
pub(super) async fn order(
    settings: &Settings,
    domain: &str,
    resolver: &Resolver,
) -> Result<String, String> {
    let ordered = async {
        let identifiers = [Identifier::Dns(domain.to_owned())];
        let new = NewOrder::new(&identifiers);
        let mut order = account(settings).await?.new_order(&new).await;
        if order.as_ref().is_err_and(is_forgotten) {
            settings.kept.forget_account().map_err(|error| error.to_string())?;
            order = account(settings).await?.new_order(&new).await;
        }
        let mut order = order.map_err(|error| said(&error))?;
        prove(&mut order, domain, resolver).await?;
        let key = order.finalize().await.map_err(|error| said(&error))?;
        let chain = order.poll_certificate(&POLLS).await.map_err(|error| said(&error))?;
        Ok(format!("{key}{chain}"))
    };
    let timeout = || Err(format!("the order took longer than {} s", TIMEOUT.as_secs()));
    tokio::time::timeout(TIMEOUT, ordered).await.unwrap_or_else(|_| timeout())
}

/// The account that is kept, or a new one.
async fn account(settings: &Settings) -> Result<Account, String> {
    let builder = Account::builder_with_http(Box::new(Http::new(settings)));
    let directory = &settings.directory;
    let unusable = |error: Error| match error {
        Error::Json(_) => format!("tls.acme_directory: what is at {directory} is no directory"),
        error => format!("tls.acme_directory {directory}: {}", said(&error)),
    };
    if let Some(kept) = settings.kept.account().map_err(|error| error.to_string())? {
        let kept: AccountCredentials = serde_json::from_str(&kept)
            .map_err(|error| format!("the account that was kept cannot be read: {error}"))?;
        return builder.from_credentials(kept).await.map_err(unusable);
    }
    let contact = settings.contact.as_ref().map(|address| format!("mailto:{address}"));
    let contact: Vec<&str> = contact.as_deref().into_iter().collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) =
        builder.create(&new, directory.clone(), None).await.map_err(unusable)?;
    let text = serde_json::to_string(&credentials).map_err(|error| error.to_string())?;
    settings.kept.keep_account(&text).map_err(|error| error.to_string())?;
    Ok(account)
}

/// Has the authority look whether the domain leads here.
async fn prove(order: &mut Order, domain: &str, resolver: &Resolver) -> Result<(), String> {
    let mut shown = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| said(&error))?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => return Err(format!("the authority holds the name for {status:?}")),
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err("the authority does not offer the challenge tls-alpn-01".to_owned());
        };
        let digest = challenge.key_authorization().digest();
        shown.push(Shown::new(resolver, domain, digest.as_ref())?);
        challenge.set_ready().await.map_err(|error| said(&error))?;
    }
    match order.poll_ready(&POLLS).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(status) => Err(failed_challenge(order)
            .await
            .unwrap_or_else(|| format!("the authority holds the order for {status:?}"))),
        Err(error) => Err(failed_challenge(order).await.unwrap_or_else(|| said(&error))),
    }
}

/// What the authority did not find, in its words.
async fn failed_challenge(order: &mut Order) -> Option<String> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        let state = authorization.refresh().await.ok()?;
        let mut challenges = state.challenges.iter();
        if let Some(problem) = challenges.find_map(|challenge| challenge.error.as_ref()) {
            let how = "it connects to port 443 of the name, which has to lead here";
            return Some(format!("{} ({how})", told(problem)));
        }
    }
    None
}

/// Whether the authority does not know the account.
fn is_forgotten(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if problem.r#type.as_deref() == Some(NO_ACCOUNT))
}

fn said(error: &Error) -> String {
    match error {
        Error::Api(problem) => told(problem),
        Error::Json(_) => "the authority's answer cannot be read".to_owned(),
        error => error.to_string(),
    }
}

fn told(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or("about:blank");
    let kind = kind.strip_prefix(PROBLEM).unwrap_or(kind);
    let mut text = format!("the authority says {kind}");
    let subproblems = problem.subproblems.iter().map(|part| part.detail.as_deref());
    for detail in std::iter::once(problem.detail.as_deref()).chain(subproblems).flatten() {
        text.push_str(": ");
        text.push_str(detail);
    }
    text
}
