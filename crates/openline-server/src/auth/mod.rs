//! Who someone is and what they may do: tokens, tickets, keys, revocations.
//!
//! Logic only: no sockets and no wall clock. `now` is always in seconds since 1970 and comes as an
//! argument; the one thing fetched, a set of public keys, comes through [`Fetch`].
//!
//! The way of a token: [`find_credential`] takes it out of a request, [`Verifier::verify`] checks
//! it and gives an [`Identity`], [`Grants::allows`] answers for each channel, [`Revocations`]
//! takes it all back.

mod api_keys;
mod claims;
#[cfg(test)]
mod claims_tests;
mod credential;
mod duplicates;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod grants;
mod jwks;
#[cfg(test)]
mod jwks_tests;
mod jws;
mod keys;
mod mint;
mod options;
mod public_key;
mod redacted;
mod revocation;
mod subscription;
#[cfg(test)]
mod test_keys;
mod ticket;
mod verifier;
#[cfg(test)]
mod verifier_tests;

pub(crate) use api_keys::{ApiKeyError, ApiKeys};
pub(crate) use claims::Identity;
pub(crate) use credential::find_credential;
pub(crate) use duplicates::{Duplicates, Entrance, UserLines, Yield};
pub(crate) use error::AuthError;
pub(crate) use grants::{Action, Actions, Grants};
pub(crate) use jwks::{Fetch, Fetched};
pub(crate) use keys::Algorithm;
pub(crate) use mint::{MintOptions, inspect, mint};
pub(crate) use options::{KeyMaterial, KeyOptions, Options, OptionsError};
pub(crate) use redacted::{Secret, Token};
pub(crate) use revocation::{Revocations, RevocationsFull, Subject};
pub(crate) use subscription::SubscriptionGrant;
pub(crate) use ticket::{TICKET_LIFETIME, Tickets};
pub(crate) use verifier::Verifier;
