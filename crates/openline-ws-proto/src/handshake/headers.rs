//! Header values that are lists (RFC 9110 §5.6): tokens, and extensions with parameters.

use http::HeaderMap;
use http::header::AsHeaderName;

/// One entry of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    pub(crate) parameters: Vec<Parameter<'a>>,
}

/// A parameter of an extension.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Option<String>,
}

/// All values of a header as one list: a header that stands twice means the same as one with both
/// values (RFC 9110 §5.3). `None` when one is not visible ASCII: to leave it out would be to answer a
/// list that nobody sent.
pub(crate) fn joined(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let values: Option<Vec<&str>> =
        headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    Some(values?.join(", "))
}

/// The elements of a list. Empty ones do not count (RFC 9110 §5.6.1).
pub(crate) fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|e| !e.is_empty())
}

/// Whether the list has the token, in any case.
pub(crate) fn has_token(list: &str, token: &str) -> bool {
    elements(list).any(|element| element.eq_ignore_ascii_case(token))
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Parses `Sec-WebSocket-Extensions`; `None` when it breaks the grammar.
pub(crate) fn extensions(value: &str) -> Option<Vec<Extension<'_>>> {
    split_outside_quotes(value, ',')
        .filter(|element| !element.is_empty())
        .map(|element| {
            let mut parts = split_outside_quotes(element, ';');
            let name = parts.next().filter(|name| is_token(name))?;
            let parameters = parts.map(parameter).collect::<Option<_>>()?;
            Some(Extension { name, parameters })
        })
        .collect()
}

fn parameter(text: &str) -> Option<Parameter<'_>> {
    let (name, value) = match text.split_once('=') {
        None => (text, None),
        Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start())?)),
    };
    is_token(name).then_some(Parameter { name, value })
}

/// RFC 6455 §9.1: a quoted value has to be a token once it is unquoted; here the reader of the
/// parameter decides that, so that it can say what is wrong with the value.
fn unquoted(value: &str) -> Option<String> {
    match value.strip_prefix('"') {
        None => Some(value.to_owned()),
        Some(rest) => {
            let inner = rest.strip_suffix('"')?;
            let mut text = String::with_capacity(inner.len());
            let mut characters = inner.chars();
            while let Some(character) = characters.next() {
                text.push(if character == '\\' { characters.next()? } else { character });
            }
            Some(text)
        }
    }
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if escaped {
            escaped = false;
        } else if quoted && character == '\\' {
            escaped = true;
        } else if character == '"' {
            quoted = !quoted;
        }
        character == separator && !quoted
    })
    .map(|part| part.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_with_parameters_of_every_form() {
        let parsed = extensions("a; x; y=1 ;z=\"q,\\\";\" , , b").unwrap();
        let parameter =
            |name, value: Option<&str>| Parameter { name, value: value.map(str::to_owned) };
        assert_eq!(
            parsed,
            [
                Extension {
                    name: "a",
                    parameters: vec![
                        parameter("x", None),
                        parameter("y", Some("1")),
                        parameter("z", Some("q,\";")),
                    ],
                },
                Extension { name: "b", parameters: vec![] },
            ]
        );
    }

    #[test]
    fn broken_grammar_is_not_guessed_at() {
        for bad in ["a b", "a; =1", "a;", ";x", "a; x=\"1", "a; x\u{7f}"] {
            assert_eq!(extensions(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_token_is_found_in_any_case_among_others() {
        assert!(has_token("keep-alive, Upgrade", "upgrade"));
        assert!(!has_token("upgrade-insecure", "upgrade"));
    }
}
