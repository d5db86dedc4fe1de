//! What a backend is asked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName};
use serde::Serialize;
use serde_json::value::RawValue;

use super::QuestionKind;

/// What a message carries: the text of one JSON value, or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data<'a> {
    Json(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
}

/// May this client do that? Made by one of the functions; what they do not ask for is filled in
/// where it is known.
#[derive(Debug, Clone)]
pub(crate) struct Question<'a> {
    pub(super) kind: QuestionKind,
    pub(super) client: &'a str,
    pub(super) channel: Option<&'a str>,
    pub(super) event: Option<&'a str>,
    pub(super) data: Option<Data<'a>>,
    pub(crate) user: Option<&'a str>,
    /// What the client brought to prove who it is, or that it may subscribe.
    pub(crate) token: Option<&'a str>,
    pub(crate) address: Option<IpAddr>,
    /// Of the request that opened the line. Only those that the options name are passed on.
    pub(crate) headers: Option<&'a HeaderMap>,
}

impl<'a> Question<'a> {
    /// May it be here, and as whom?
    pub(crate) fn connect(client: &'a str) -> Self {
        Self {
            kind: QuestionKind::Connect,
            client,
            channel: None,
            event: None,
            data: None,
            user: None,
            token: None,
            address: None,
            headers: None,
        }
    }

    /// May it subscribe to this channel?
    pub(crate) fn subscribe(client: &'a str, channel: &'a str) -> Self {
        Self { kind: QuestionKind::Subscribe, channel: Some(channel), ..Self::connect(client) }
    }

    /// May it publish this there?
    pub(crate) fn publish(
        client: &'a str,
        channel: &'a str,
        event: Option<&'a str>,
        data: Data<'a>,
    ) -> Self {
        Self {
            kind: QuestionKind::Publish,
            event,
            data: Some(data),
            ..Self::subscribe(client, channel)
        }
    }

    /// What is the answer to this message, whose type is `event`?
    pub(crate) fn request(client: &'a str, event: &'a str, data: Option<Data<'a>>) -> Self {
        Self { kind: QuestionKind::Request, event: Some(event), data, ..Self::connect(client) }
    }

    /// The body of the post.
    ///
    /// # Errors
    /// When [`Data::Json`] is not one JSON value.
    pub(super) fn encode(
        &self,
        id: &str,
        unix_ms: u64,
        forward: &[HeaderName],
    ) -> Result<Vec<u8>, serde_json::Error> {
        let encoded;
        let (data, encoding) = match &self.data {
            None => (None, None),
            Some(Data::Json(text)) => (Some(serde_json::from_str::<&RawValue>(text)?), None),
            Some(Data::Binary(bytes)) => {
                encoded = serde_json::value::to_raw_value(&BASE64.encode(bytes))?;
                (Some(&*encoded), Some("base64"))
            }
        };
        serde_json::to_vec(&Body {
            kind: self.kind.as_str(),
            id,
            time: unix_ms,
            client: self.client,
            user: self.user,
            channel: self.channel,
            event: self.event,
            data,
            encoding,
            token: self.token,
            address: self.address,
            headers: self.headers.map(|headers| forwarded(headers, forward)),
        })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    time: u64,
    client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<&'a str, String>>,
}

/// Headers that came more than once are joined as RFC 9110 §5.3 and, for cookies, RFC 9113 §8.2.3
/// say.
fn forwarded<'a>(headers: &HeaderMap, forward: &'a [HeaderName]) -> BTreeMap<&'a str, String> {
    let mut found = BTreeMap::new();
    for name in forward {
        let values: Vec<Cow<'_, str>> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        if !values.is_empty() {
            found.insert(name.as_str(), values.join(if name == COOKIE { "; " } else { ", " }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{ACCEPT, AUTHORIZATION};

    use super::*;

    fn text(question: &Question<'_>) -> String {
        String::from_utf8(question.encode("q", 7, &[COOKIE, ACCEPT]).unwrap()).unwrap()
    }

    #[test]
    fn a_question_carries_what_belongs_to_its_kind() {
        let data = Data::Json(r#"{"a": 1.0}"#.into());
        assert_eq!(
            text(&Question::publish("c", "news", Some("note"), data)),
            concat!(
                r#"{"type":"publish","id":"q","time":7,"client":"c","channel":"news","#,
                r#""event":"note","data":{"a": 1.0}}"#
            )
        );
        assert_eq!(
            text(&Question { user: Some("ann"), ..Question::subscribe("c", "news") }),
            r#"{"type":"subscribe","id":"q","time":7,"client":"c","user":"ann","channel":"news"}"#
        );
    }

    #[test]
    fn bytes_go_as_base64() {
        let data = Data::Binary([0xff, 0].as_slice().into());
        assert_eq!(
            text(&Question::request("c", "sum", Some(data))),
            concat!(
                r#"{"type":"request","id":"q","time":7,"client":"c","event":"sum","#,
                r#""data":"/wA=","encoding":"base64"}"#
            )
        );
    }

    #[test]
    fn only_named_headers_are_passed_on() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        let question = Question {
            token: Some("t"),
            address: Some([192, 0, 2, 1].into()),
            headers: Some(&headers),
            ..Question::connect("c")
        };
        assert_eq!(
            text(&question),
            concat!(
                r#"{"type":"connect","id":"q","time":7,"client":"c","token":"t","#,
                r#""address":"192.0.2.1","headers":{"cookie":"a=1; b=2"}}"#
            )
        );
    }

    #[test]
    fn data_that_is_not_one_json_value_is_refused() {
        let question = Question::request("c", "sum", Some(Data::Json(r#"1},{"x":2"#.into())));
        assert!(question.encode("q", 7, &[]).is_err());
    }
}
