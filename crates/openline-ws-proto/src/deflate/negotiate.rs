//! The parameters of permessage-deflate (RFC 7692 §7.1): offers, the server's choice, the client's
//! check of it.

use super::{DeflateOptions, DeflateParams, WINDOW_BITS_MAX, WINDOW_BITS_MIN};
use crate::handshake::headers::{Extension, Parameter};

const NAME: &str = "permessage-deflate";

/// Parameters as they stand in one offer or response. Both use the same names; only
/// `client_max_window_bits` may lack a value, and only in an offer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<Option<u8>>,
}

/// Chooses the first offer that can be met (RFC 7692 §5.1: offers stand in order of preference);
/// returns the terms and the response's header value.
pub(crate) fn accept_offer(
    offers: &[Extension<'_>],
    options: &DeflateOptions,
) -> Option<(DeflateParams, String)> {
    if !options.enabled {
        return None;
    }
    let offer =
        offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| parse(offer).ok())?;
    let server_bits = offer.server_max_window_bits.unwrap_or(WINDOW_BITS_MAX);
    let params = DeflateParams {
        server_no_context_takeover: offer.server_no_context_takeover || !options.takeover,
        client_no_context_takeover: offer.client_no_context_takeover || !options.peer_takeover,
        server_max_window_bits: server_bits.min(options.window_bits()),
        client_max_window_bits: offer.client_max_window_bits.flatten().unwrap_or(WINDOW_BITS_MAX),
    };
    let mut response = NAME.to_owned();
    if params.server_no_context_takeover {
        response.push_str("; server_no_context_takeover");
    }
    if params.client_no_context_takeover {
        response.push_str("; client_no_context_takeover");
    }
    // RFC 7692 §7.1.2.1: an offer that names the server's window is answered by naming it.
    if params.server_max_window_bits < WINDOW_BITS_MAX || offer.server_max_window_bits.is_some() {
        response.push_str(&format!("; server_max_window_bits={}", params.server_max_window_bits));
    }
    // RFC 7692 §7.1.2.2: the client's window may be named only if the offer did.
    if params.client_max_window_bits < WINDOW_BITS_MAX {
        response.push_str(&format!("; client_max_window_bits={}", params.client_max_window_bits));
    }
    Some((params, response))
}

/// The header value with which a client offers compression.
pub(crate) fn offer(options: &DeflateOptions) -> Option<String> {
    if !options.enabled {
        return None;
    }
    let mut offer = NAME.to_owned();
    if !options.peer_takeover {
        offer.push_str("; server_no_context_takeover");
    }
    if !options.takeover {
        offer.push_str("; client_no_context_takeover");
    }
    match options.window_bits() {
        WINDOW_BITS_MAX => offer.push_str("; client_max_window_bits"),
        bits => offer.push_str(&format!("; client_max_window_bits={bits}")),
    }
    Some(offer)
}

/// Checks the server's answer to [`offer`].
///
/// # Errors
/// A sentence about what the answer has that was not offered or does not exist (RFC 7692 §7.1: the
/// client fails the connection).
pub(crate) fn accept_response(
    response: &[Extension<'_>],
    options: &DeflateOptions,
) -> Result<Option<DeflateParams>, String> {
    let [extension] = response else {
        return match response {
            [] => Ok(None),
            _ => Err("server agreed to more than one extension".to_owned()),
        };
    };
    if extension.name != NAME || !options.enabled {
        return Err(format!(
            "server agreed to extension {:?}, which was not offered",
            extension.name
        ));
    }
    let agreed = parse(extension)?;
    let client_max_window_bits = match agreed.client_max_window_bits {
        None => WINDOW_BITS_MAX,
        Some(Some(bits)) => bits,
        Some(None) => return Err("client_max_window_bits needs a value in a response".to_owned()),
    };
    if !options.peer_takeover && !agreed.server_no_context_takeover {
        // RFC 7692 §7.1.1.1: a server that accepts the offer must say so.
        return Err("server did not agree to server_no_context_takeover".to_owned());
    }
    Ok(Some(DeflateParams {
        server_no_context_takeover: agreed.server_no_context_takeover,
        client_no_context_takeover: agreed.client_no_context_takeover || !options.takeover,
        server_max_window_bits: agreed.server_max_window_bits.unwrap_or(WINDOW_BITS_MAX),
        client_max_window_bits: client_max_window_bits.min(options.window_bits()),
    }))
}

/// RFC 7692 §7.1: an unknown parameter, a repeated one, or a value out of range makes the whole
/// offer or response unacceptable.
fn parse(extension: &Extension<'_>) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    for parameter in &extension.parameters {
        let repeated = match parameter.name {
            "server_no_context_takeover" => {
                without_value(parameter)?;
                std::mem::replace(&mut parsed.server_no_context_takeover, true)
            }
            "client_no_context_takeover" => {
                without_value(parameter)?;
                std::mem::replace(&mut parsed.client_no_context_takeover, true)
            }
            "server_max_window_bits" => {
                let bits = window_bits(parameter)?
                    .ok_or_else(|| "server_max_window_bits needs a value".to_owned())?;
                parsed.server_max_window_bits.replace(bits).is_some()
            }
            "client_max_window_bits" => {
                let bits = window_bits(parameter)?;
                parsed.client_max_window_bits.replace(bits).is_some()
            }
            other => return Err(format!("unknown parameter {other:?} of {NAME}")),
        };
        if repeated {
            return Err(format!("parameter {} of {NAME} stands twice", parameter.name));
        }
    }
    Ok(parsed)
}

fn without_value(parameter: &Parameter<'_>) -> Result<(), String> {
    match &parameter.value {
        None => Ok(()),
        Some(value) => Err(format!("{} takes no value, got {value:?}", parameter.name)),
    }
}

/// RFC 7692 §7.1.2: 8 to 15, decimal, no leading zero.
fn window_bits(parameter: &Parameter<'_>) -> Result<Option<u8>, String> {
    let Some(value) = &parameter.value else { return Ok(None) };
    match value.as_bytes() {
        [b'8' | b'9'] | [b'1', b'0'..=b'5'] => {
            let bits = value.parse().map_err(|_| format!("{} is not a number", parameter.name))?;
            debug_assert!((WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits));
            Ok(Some(bits))
        }
        _ => Err(format!("{} must be 8 to 15, got {value:?}", parameter.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::headers::extensions;

    fn served(offer: &str, options: &DeflateOptions) -> Option<String> {
        let offers = extensions(offer).unwrap();
        accept_offer(&offers, options).map(|(_, response)| response)
    }

    fn taken(response: &str, options: &DeflateOptions) -> Result<Option<DeflateParams>, String> {
        accept_response(&extensions(response).unwrap(), options)
    }

    #[test]
    fn a_server_holds_no_window_for_a_line_by_default() {
        assert_eq!(
            served("permessage-deflate; client_max_window_bits", &DeflateOptions::default())
                .as_deref(),
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
        );
    }

    #[test]
    fn window_bits_out_of_range_are_refused_in_both_roles() {
        for bits in ["7", "16", "0", "08", "015", "-9", "abc", "\"\"", "9.0", "255", "4294967304"] {
            for side in ["server", "client"] {
                let value = format!("permessage-deflate; {side}_max_window_bits={bits}");
                assert_eq!(served(&value, &DeflateOptions::default()), None, "{value}");
                assert!(taken(&value, &DeflateOptions::client()).is_err(), "{value}");
            }
        }
    }

    #[test]
    fn every_window_in_range_is_agreed_on() {
        for bits in 8..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let response = served(&offer, &DeflateOptions::default()).unwrap();
            assert!(response.ends_with(&format!("server_max_window_bits={bits}")), "{response}");
            let params = taken(&response, &DeflateOptions::client()).unwrap().unwrap();
            assert_eq!(params.server_max_window_bits, bits);
        }
    }

    #[test]
    fn an_option_out_of_range_is_brought_into_it_and_never_sent() {
        // 7 went out as it was, and 16 counted as a window of its own.
        let named = |bits| {
            let options = DeflateOptions { window_bits_max: bits, ..DeflateOptions::client() };
            (offer(&options).unwrap(), served(NAME, &options).unwrap())
        };
        for bits in 0..=9 {
            let (offer, response) = named(bits);
            assert_eq!(offer, "permessage-deflate; client_max_window_bits=9");
            assert_eq!(response, "permessage-deflate; server_max_window_bits=9");
        }
        for bits in 15..=u8::MAX {
            let (offer, response) = named(bits);
            assert_eq!(offer, "permessage-deflate; client_max_window_bits");
            assert_eq!(response, NAME);
        }
        let options = DeflateOptions { window_bits_max: 7, ..DeflateOptions::client() };
        let params = taken(NAME, &options).unwrap().unwrap();
        assert_eq!(params.client_max_window_bits, 9);
    }

    #[test]
    fn of_several_offers_the_first_that_can_be_met_is_taken() {
        let offer = "x-other, permessage-deflate; server_max_window_bits=99, \
                     permessage-deflate; server_max_window_bits=\"10\", permessage-deflate";
        assert_eq!(
            served(offer, &DeflateOptions::client()).as_deref(),
            Some("permessage-deflate; server_max_window_bits=10")
        );
    }

    #[test]
    fn repeated_and_unknown_parameters_are_refused() {
        for tail in [
            "server_no_context_takeover; server_no_context_takeover",
            "shrink",
            "server_no_context_takeover=1",
            "server_max_window_bits",
        ] {
            let value = format!("permessage-deflate; {tail}");
            assert_eq!(served(&value, &DeflateOptions::default()), None, "{value}");
            assert!(taken(&value, &DeflateOptions::client()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_client_refuses_what_it_did_not_offer() {
        assert!(taken("x-shrink", &DeflateOptions::client()).is_err());
        assert!(taken("permessage-deflate", &DeflateOptions::disabled()).is_err());
        assert!(
            taken("permessage-deflate; client_max_window_bits", &DeflateOptions::client()).is_err()
        );
        assert!(
            taken("permessage-deflate, permessage-deflate", &DeflateOptions::client()).is_err()
        );
        let strict = DeflateOptions { peer_takeover: false, ..DeflateOptions::client() };
        assert!(taken("permessage-deflate", &strict).is_err());
        assert_eq!(taken("", &strict), Ok(None));
    }
}
