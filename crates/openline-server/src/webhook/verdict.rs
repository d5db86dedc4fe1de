//! What a backend answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Data;

const USER_BYTES_MAX: usize = 255;
const CHANNELS_MAX: usize = 128;
const CODE_BYTES_MAX: usize = 64;
const MESSAGE_BYTES_MAX: usize = 1024;
/// In milliseconds this is 1973; in seconds it is thousands of years away.
const EXPIRES_AT_MIN: u64 = 100_000_000_000;

/// What the backend decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed(Answer),
    Denied(Denial),
}

/// What may come with a yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Who the client is (connect).
    pub(crate) user: Option<String>,
    /// What others see of it in presence: the text of one JSON value (connect, subscribe).
    pub(crate) info: Option<String>,
    /// What it is subscribed to at once (connect). The names are as the backend wrote them.
    pub(crate) channels: Vec<String>,
    /// What is published in place of what the client sent (publish), or the answer (request).
    pub(crate) data: Option<Data<'static>>,
    /// Until when this holds, in milliseconds since 1970 (connect, subscribe).
    pub(crate) expires_at: Option<u64>,
}

/// What comes with a no; the client may see both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    /// For programs: lower-case letters, digits and underscores.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
}

impl Verdict {
    /// Reads an answer. The error says what is wrong with it, for the operator.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Body =
            serde_json::from_slice(body).map_err(|error| shortened(error.to_string(), 300))?;
        if body.allow { body.answer().map(Self::Allowed) } else { Ok(Self::Denied(body.denial())) }
    }
}

/// A field that is not known here is an error: a misspelt `expiresAt` would let somebody stay for
/// ever.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    allow: bool,
    user: Option<String>,
    info: Option<Box<RawValue>>,
    channels: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    data: Option<Box<RawValue>>,
    encoding: Option<String>,
    expires_at: Option<u64>,
    code: Option<String>,
    message: Option<String>,
}

impl Body {
    fn answer(self) -> Result<Answer, String> {
        let user = self.user.filter(|user| !user.is_empty());
        if user.as_ref().is_some_and(|user| user.len() > USER_BYTES_MAX) {
            return Err(format!("user is longer than {USER_BYTES_MAX} bytes"));
        }
        let channels = self.channels.unwrap_or_default();
        if channels.len() > CHANNELS_MAX {
            return Err(format!("there are more than {CHANNELS_MAX} channels"));
        }
        if self.expires_at.is_some_and(|at| at < EXPIRES_AT_MIN) {
            return Err("expiresAt has to be in milliseconds since 1970".to_owned());
        }
        Ok(Answer {
            user,
            info: self.info.map(|info| info.get().to_owned()),
            channels,
            data: self.data.map(|data| read_data(&data, self.encoding.as_deref())).transpose()?,
            expires_at: self.expires_at,
        })
    }

    /// A no stays a no, whatever is wrong with its words.
    fn denial(self) -> Denial {
        let fits = |code: &String| {
            let character = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            (1..=CODE_BYTES_MAX).contains(&code.len()) && code.chars().all(character)
        };
        let message = self.message.filter(|message| !message.is_empty());
        Denial {
            code: self.code.filter(fits).unwrap_or_else(|| "forbidden".to_owned()),
            message: message.map_or_else(
                || "This is not allowed.".to_owned(),
                |message| shortened(message, MESSAGE_BYTES_MAX),
            ),
        }
    }
}

fn read_data(data: &RawValue, encoding: Option<&str>) -> Result<Data<'static>, String> {
    match encoding {
        None => Ok(Data::Json(data.get().to_owned().into())),
        Some("base64") => {
            let text: String = serde_json::from_str(data.get())
                .map_err(|_| "data is not text, as encoding says".to_owned())?;
            let bytes = BASE64.decode(text).map_err(|error| format!("data: {error}"))?;
            Ok(Data::Binary(bytes.into()))
        }
        Some(_) => Err("encoding has to be base64 if it is there".to_owned()),
    }
}

/// Tells `null`, which is data, from nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn shortened(text: String, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text;
    }
    let mut text = text;
    text.truncate(text.floor_char_boundary(bytes_max));
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Verdict, String> {
        Verdict::parse(text.as_bytes())
    }

    fn answer(text: &str) -> Answer {
        match parse(text) {
            Ok(Verdict::Allowed(answer)) => answer,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_yes_may_be_bare() {
        assert_eq!(answer(r#"{"allow":true}"#), Answer::default());
    }

    #[test]
    fn a_yes_carries_what_it_brings() {
        let text = r#"{"allow":true,"user":"ann","info":{"n": 1},"channels":["a","b"],
                       "data":[1, 2],"expiresAt":1700000000000}"#;
        assert_eq!(
            answer(text),
            Answer {
                user: Some("ann".to_owned()),
                info: Some(r#"{"n": 1}"#.to_owned()),
                channels: vec!["a".to_owned(), "b".to_owned()],
                data: Some(Data::Json("[1, 2]".into())),
                expires_at: Some(1_700_000_000_000),
            }
        );
    }

    #[test]
    fn null_is_data() {
        assert_eq!(answer(r#"{"allow":true,"data":null}"#).data, Some(Data::Json("null".into())));
    }

    #[test]
    fn data_may_be_bytes() {
        let data = answer(r#"{"allow":true,"data":"/wA=","encoding":"base64"}"#).data;
        assert_eq!(data, Some(Data::Binary(vec![0xff, 0].into())));
    }

    #[test]
    fn a_no_has_a_code_and_a_message() {
        let denied = |code: &str, message: &str| {
            Ok(Verdict::Denied(Denial { code: code.to_owned(), message: message.to_owned() }))
        };
        assert_eq!(parse(r#"{"allow":false}"#), denied("forbidden", "This is not allowed."));
        assert_eq!(
            parse(r#"{"allow":false,"code":"not_paid","message":"Pay first."}"#),
            denied("not_paid", "Pay first.")
        );
        assert_eq!(
            parse(r#"{"allow":false,"code":"Not Paid!","user":"x","expiresAt":1}"#),
            denied("forbidden", "This is not allowed.")
        );
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_said() {
        for (text, what) in [
            ("", "EOF"),
            ("<html>", "expected value"),
            ("{}", "missing field `allow`"),
            (r#"{"allow":"yes"}"#, "boolean"),
            (r#"{"allow":true,"expires_at":1}"#, "unknown field `expires_at`"),
            (r#"{"allow":true,"expiresAt":1700000000}"#, "milliseconds"),
            (r#"{"allow":true,"encoding":"hex","data":"00"}"#, "base64"),
            (r#"{"allow":true,"encoding":"base64","data":7}"#, "not text"),
            (r#"{"allow":true,"encoding":"base64","data":"?"}"#, "data: "),
            (r#"{"allow":true} x"#, "trailing"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
        let long = format!(r#"{{"allow":true,"user":"{}"}}"#, "x".repeat(256));
        assert!(parse(&long).unwrap_err().contains("255"));
        let many = format!(r#"{{"allow":true,"channels":[{}"a"]}}"#, r#""a","#.repeat(128));
        assert!(parse(&many).unwrap_err().contains("128"));
    }
}
