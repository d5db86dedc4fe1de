//! [`Refusal`]: why a request is not served, in the protocol's words.

use ::http::StatusCode;
use openline_ws::Rejection;

/// The protocol's errors; the number of each is its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadMethod,
    BadRequest,
    Forbidden,
    VersionUnsupported,
}

impl Refusal {
    fn message(self) -> &'static str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::VersionUnsupported => "Unsupported protocol version",
        }
    }

    pub(super) fn say(self, rejection: Rejection) -> Rejection {
        let message = serde_json::Value::from(rejection.message.as_str());
        let json = format!(r#"{{"code":{},"message":{message}}}"#, self as u8);
        rejection.json(json)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::BAD_REQUEST;
        refusal.say(Self::new(status, "bad_request", refusal.message()))
    }
}

/// What is no matter of the protocol: a page that may not ask, too many lines, a wrong token. The
/// status stays what it is.
pub(crate) fn forbidden(rejection: Rejection) -> Rejection {
    Refusal::Forbidden.say(rejection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_their_numbers() {
        for (refusal, body) in [
            (Refusal::TransportUnknown, r#"{"code":0,"message":"Transport unknown"}"#),
            (Refusal::SessionUnknown, r#"{"code":1,"message":"Session ID unknown"}"#),
            (Refusal::BadMethod, r#"{"code":2,"message":"Bad handshake method"}"#),
            (Refusal::BadRequest, r#"{"code":3,"message":"Bad request"}"#),
            (Refusal::Forbidden, r#"{"code":4,"message":"Forbidden"}"#),
            (Refusal::VersionUnsupported, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ] {
            let response = Rejection::from(refusal).response();
            assert_eq!((response.status(), &**response.body()), (StatusCode::BAD_REQUEST, body));
        }
    }

    #[test]
    fn what_else_stands_in_the_way_keeps_its_status() {
        let rejection = Rejection::new(StatusCode::TOO_MANY_REQUESTS, "connection_limit", "\"no\"");
        let response = forbidden(rejection).response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.body(), r#"{"code":4,"message":"\"no\""}"#);
    }
}
