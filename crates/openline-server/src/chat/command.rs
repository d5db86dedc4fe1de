//! What a chat client says, read from JSON.
//!
//! Parameters stand at the top level or under `data`; fields that are not known are ignored.

use serde_json::{Map, Value};

use super::reply::json_len;

/// The longest text, in bytes of JSON. What is said goes out with the text in it twice, and is to stay
/// below the 1 MiB that many clients take as one message.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;
/// The longest id of a request, in bytes of JSON.
const ID_BYTES_MAX: usize = 128;
/// The longest name of a person, in bytes.
const USERNAME_BYTES_MAX: usize = 64;
/// The longest status, in bytes.
const STATUS_BYTES_MAX: usize = 32;
/// The most that a client may have kept for it, as JSON.
const STATE_BYTES_MAX: usize = 64 * 1024;

/// A message of a client, with the id that its answer is to carry.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) id: Option<Value>,
    pub(super) command: Command,
}

#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Join {
        username: Option<String>,
        room: Option<String>,
    },
    /// `echo: false` keeps the message from its sender.
    Chat {
        text: String,
        username: Option<String>,
        echo: bool,
    },
    Typing {
        is_typing: bool,
    },
    SetPresence {
        status: String,
    },
    /// As JSON.
    SaveState {
        data: String,
    },
    Ping,
    History {
        room: Option<String>,
        limit: Option<usize>,
    },
    UserInfo {
        user_id: String,
    },
}

/// Why a message is not taken. The line stays open.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) id: Option<Value>,
    /// For programs.
    pub(super) code: &'static str,
    /// The sentence.
    pub(super) text: &'static str,
    /// What exactly was wrong, and what would be right.
    pub(super) detail: String,
}

impl Request {
    /// Reads a message.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |id, code, text, detail| Err(Refusal { id, code, text, detail });
        let message = match serde_json::from_str(text) {
            Ok(Value::Object(message)) => message,
            Ok(_) => {
                let detail = "A message is one JSON object.".to_owned();
                return refuse(None, "invalid_json", "Invalid JSON", detail);
            }
            Err(error) => return refuse(None, "invalid_json", "Invalid JSON", error.to_string()),
        };
        let id = message.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
        if id.as_ref().is_some_and(|id| id.to_string().len() > ID_BYTES_MAX) {
            let Invalid { code, detail } =
                invalid("id", &format!("has at most {ID_BYTES_MAX} bytes as JSON"));
            return refuse(None, code, "Invalid field", detail);
        }
        let Some(kind) = message.get("type").and_then(Value::as_str) else {
            let detail = "A message has a \"type\", a string.".to_owned();
            return refuse(id, "missing_field", "Missing field", detail);
        };
        match Parameters::of(&message).command(kind) {
            Ok(Some(command)) => Ok(Self { id, command }),
            Ok(None) => {
                let kind: String = kind.chars().take(64).collect();
                let detail = format!("{kind:?} is not one of {}.", KINDS.join(", "));
                refuse(id, "unknown_type", "Unknown message type", detail)
            }
            Err(Invalid { code, detail }) => {
                let text = if code == "missing_field" { "Missing field" } else { "Invalid field" };
                refuse(id, code, text, detail)
            }
        }
    }
}

const KINDS: [&str; 8] =
    ["join", "chat", "typing", "setPresence", "saveState", "ping", "getHistory", "getUserInfo"];

struct Invalid {
    code: &'static str,
    detail: String,
}

struct Parameters<'a> {
    top: &'a Map<String, Value>,
    data: Option<&'a Map<String, Value>>,
}

impl<'a> Parameters<'a> {
    fn of(message: &'a Map<String, Value>) -> Self {
        Self { top: message, data: message.get("data").and_then(Value::as_object) }
    }

    fn command(&self, kind: &str) -> Result<Option<Command>, Invalid> {
        Ok(Some(match kind {
            "join" => Command::Join { username: self.username()?, room: self.room()? },
            "chat" => Command::Chat {
                text: self.required("text", self.said()?)?,
                username: self.username()?,
                echo: self.flag("echo")?.unwrap_or(true),
            },
            "typing" => {
                Command::Typing { is_typing: self.required("isTyping", self.flag("isTyping")?)? }
            }
            "setPresence" => Command::SetPresence {
                status: self.required("status", self.text("status", STATUS_BYTES_MAX)?)?,
            },
            "saveState" => Command::SaveState { data: self.state()? },
            "ping" => Command::Ping,
            "getHistory" => Command::History { room: self.room()?, limit: self.limit()? },
            "getUserInfo" => Command::UserInfo {
                user_id: self.required("userId", self.text("userId", USERNAME_BYTES_MAX)?)?,
            },
            _ => return Ok(None),
        }))
    }

    fn find(&self, name: &str) -> Option<&'a Value> {
        let found = |fields: &'a Map<String, Value>| fields.get(name).filter(|v| !v.is_null());
        self.data.and_then(found).or_else(|| found(self.top))
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Invalid> {
        value.ok_or_else(|| Invalid {
            code: "missing_field",
            detail: format!("\"{name}\" is missing."),
        })
    }

    fn text(&self, name: &str, bytes_max: usize) -> Result<Option<String>, Invalid> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= bytes_max => Ok(Some(text.clone())),
            Some(Value::String(_)) => Err(invalid(name, &format!("has at most {bytes_max} bytes"))),
            Some(_) => Err(invalid(name, "is a string")),
        }
    }

    fn said(&self) -> Result<Option<String>, Invalid> {
        match self.text("text", TEXT_BYTES_MAX)? {
            Some(text) if json_len(&text) > TEXT_BYTES_MAX => {
                Err(invalid("text", &format!("has at most {TEXT_BYTES_MAX} bytes as JSON")))
            }
            text => Ok(text),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Invalid> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(invalid(name, "is true or false")),
        }
    }

    fn username(&self) -> Result<Option<String>, Invalid> {
        match self.text("username", USERNAME_BYTES_MAX)? {
            Some(name) if name.trim().is_empty() || name.chars().any(char::is_control) => {
                Err(invalid("username", "has visible characters and no others"))
            }
            name => Ok(name),
        }
    }

    fn room(&self) -> Result<Option<String>, Invalid> {
        match self.text("room", usize::MAX)? {
            Some(room) if !crate::endpoint::is_room_name(&room) => {
                Err(invalid("room", "has 1 to 100 bytes, control characters excepted"))
            }
            room => Ok(room),
        }
    }

    fn limit(&self) -> Result<Option<usize>, Invalid> {
        match self.find("limit") {
            None => Ok(None),
            Some(limit) => match limit.as_u64().and_then(|limit| usize::try_from(limit).ok()) {
                Some(limit) => Ok(Some(limit)),
                None => Err(invalid("limit", "is a number from 0")),
            },
        }
    }

    fn state(&self) -> Result<String, Invalid> {
        let data = self.required("data", self.top.get("data"))?.to_string();
        match data.len() <= STATE_BYTES_MAX {
            true => Ok(data),
            false => Err(invalid("data", &format!("has at most {STATE_BYTES_MAX} bytes as JSON"))),
        }
    }
}

fn invalid(name: &str, rule: &str) -> Invalid {
    Invalid { code: "invalid_field", detail: format!("\"{name}\" {rule}.") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn command(text: &str) -> Command {
        Request::parse(text).unwrap().command
    }

    #[test]
    fn parameters_stand_at_the_top_or_under_data() {
        let expected =
            Command::Chat { text: "hi".into(), username: Some("Ann".into()), echo: true };
        assert_eq!(command(r#"{"type":"chat","text":"hi","username":"Ann"}"#), expected);
        assert_eq!(command(r#"{"type":"chat","data":{"text":"hi","username":"Ann"}}"#), expected);
        let mixed = r#"{"type":"chat","text":"hi","data":{"text":null,"username":"Ann"}}"#;
        assert_eq!(command(mixed), expected);
    }

    #[test]
    fn a_request_keeps_its_id() {
        let request =
            Request::parse(r#"{"type":"getHistory","id":7,"room":"x","limit":2}"#).unwrap();
        assert_eq!(request.id, Some(json!(7)));
        let history = Command::History { room: Some("x".into()), limit: Some(2) };
        assert_eq!(request.command, history);
    }

    #[test]
    fn what_is_too_long_is_refused_by_its_length_as_json() {
        let refused =
            |message: Value| Request::parse(&message.to_string()).map_err(|refusal| refusal.detail);
        let chat = |text: String| json!({ "type": "chat", "text": text });
        assert!(refused(chat("a".repeat(TEXT_BYTES_MAX))).is_ok());
        assert!(refused(chat("\u{1}".repeat(TEXT_BYTES_MAX / 6 + 1))).is_err());
        let state = |len| json!({ "type": "saveState", "data": "a".repeat(len) });
        assert!(refused(state(STATE_BYTES_MAX - 2)).is_ok());
        assert!(refused(state(STATE_BYTES_MAX)).is_err());
        let ping = |len| json!({ "type": "ping", "id": "a".repeat(len) });
        assert!(refused(ping(ID_BYTES_MAX - 2)).is_ok());
        let detail = "\"id\" has at most 128 bytes as JSON.".to_owned();
        assert_eq!(refused(ping(ID_BYTES_MAX)), Err(detail));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, code, detail) in [
            ("{", "invalid_json", "EOF while parsing an object at line 1 column 1"),
            ("[1]", "invalid_json", "A message is one JSON object."),
            ("{} x", "invalid_json", "trailing characters at line 1 column 4"),
            ("{}", "missing_field", "A message has a \"type\", a string."),
            (r#"{"type":"chat"}"#, "missing_field", "\"text\" is missing."),
            (r#"{"type":"chat","text":1}"#, "invalid_field", "\"text\" is a string."),
            (
                r#"{"type":"typing","isTyping":"yes"}"#,
                "invalid_field",
                "\"isTyping\" is true or false.",
            ),
            (
                r#"{"type":"join","room":""}"#,
                "invalid_field",
                "\"room\" has 1 to 100 bytes, control characters excepted.",
            ),
            (
                r#"{"type":"join","username":" "}"#,
                "invalid_field",
                "\"username\" has visible characters and no others.",
            ),
            (
                r#"{"type":"dance"}"#,
                "unknown_type",
                "\"dance\" is not one of join, chat, typing, setPresence, saveState, ping, getHistory, getUserInfo.",
            ),
        ] {
            let refusal = Request::parse(text).unwrap_err();
            assert_eq!((refusal.code, refusal.detail.as_str()), (code, detail), "{text}");
        }
    }
}
