//! Matching as spec/vectors/README.md says.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// What placeholders kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(HashMap<String, Value>);

const HOUR_MS: u64 = 3_600_000;

impl Kept {
    /// With the text that `${run}` stands for.
    pub(crate) fn new(run: &str) -> Self {
        Self(HashMap::from([("run".to_owned(), run.into())]))
    }

    /// The value with what was kept in place of its names.
    pub(crate) fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.fill_text(text),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| {
                    let name = self.fill_text(name).as_str().expect("names are text").to_owned();
                    (name, self.fill(value))
                });
                fields.collect()
            }
            other => other.clone(),
        }
    }

    /// A text that is nothing but a name stands for what was kept, whatever that is.
    fn fill_text(&self, text: &str) -> Value {
        let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        if let Some(kept) = name.and_then(|name| self.0.get(name)) {
            return kept.clone();
        }
        let mut filled = text.to_owned();
        for (name, kept) in &self.0 {
            if let Some(kept) = kept.as_str() {
                filled = filled.replace(&format!("${{{name}}}"), kept);
            }
        }
        assert!(!filled.contains("${"), "nothing was kept under the name in {filled}");
        filled.into()
    }

    /// Whether what came (none: the field is not there) matches; what was kept on the way is only
    /// kept if it does.
    pub(crate) fn matches(&mut self, pattern: &Value, came: Option<&Value>) -> bool {
        let mut kept = self.clone();
        let matched = kept.match_one(pattern, came);
        if matched {
            *self = kept;
        }
        matched
    }

    /// Whether the patterns match the values one to one, in any order.
    pub(crate) fn matches_set(&mut self, patterns: &[Value], came: &[&Value]) -> bool {
        let Some((first, rest)) = patterns.split_first() else { return came.is_empty() };
        (0..came.len()).any(|index| {
            let mut kept = self.clone();
            let mut others = came.to_vec();
            let one = others.remove(index);
            let matched = kept.matches(first, Some(one)) && kept.matches_set(rest, &others);
            if matched {
                *self = kept;
            }
            matched
        })
    }

    fn match_one(&mut self, pattern: &Value, came: Option<&Value>) -> bool {
        if let Value::Object(fields) = pattern {
            if let Some(kind) = fields.get("$any") {
                let kind = kind.as_str().expect("a kind is text");
                return came.is_some_and(|came| self.match_any(kind, fields, came));
            }
            if fields.contains_key("$absent") {
                return came.is_none();
            }
            if let Some(patterns) = fields.get("$or").and_then(Value::as_array) {
                return patterns.iter().any(|pattern| self.matches(pattern, came));
            }
        }
        let Some(came) = came else { return false };
        match (pattern, came) {
            (Value::Object(fields), came) => self.match_object(fields, came),
            (Value::Array(patterns), Value::Array(items)) => {
                patterns.len() == items.len()
                    && patterns
                        .iter()
                        .zip(items)
                        .all(|(pattern, item)| self.match_one(pattern, Some(item)))
            }
            (Value::String(text), came) => self.fill_text(text) == *came,
            (Value::Number(wanted), Value::Number(number)) => {
                wanted == number || wanted.as_f64() == number.as_f64()
            }
            (pattern, came) => pattern == came,
        }
    }

    fn match_object(&mut self, fields: &Map<String, Value>, came: &Value) -> bool {
        if let Some(pattern) = fields.get("$has") {
            let items = came.as_array();
            return items.is_some_and(|items| items.iter().any(|i| self.matches(pattern, Some(i))));
        }
        if let Some(patterns) = fields.get("$set").and_then(Value::as_array) {
            let items = came.as_array();
            return items.is_some_and(|items| {
                self.matches_set(patterns, &items.iter().collect::<Vec<_>>())
            });
        }
        if fields.contains_key("$bytes") {
            return came.get("$bytes") == fields.get("$bytes");
        }
        let Value::Object(found) = came else { return false };
        let mut fields: Vec<_> = fields.iter().collect();
        fields.sort_by_key(|(name, _)| *name);
        fields.into_iter().all(|(name, pattern)| {
            let name = self.fill_text(name);
            self.match_one(pattern, found.get(name.as_str().expect("names are text")))
        })
    }

    fn match_any(&mut self, kind: &str, fields: &Map<String, Value>, came: &Value) -> bool {
        let is_kind = match kind {
            "text" => came.as_str().is_some_and(|text| {
                let part = fields.get("contains").and_then(Value::as_str).unwrap_or_default();
                !text.is_empty() && text.contains(part)
            }),
            "position" => came.as_str().is_some_and(|text| {
                let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                (16..=27).contains(&text.len()) && text.bytes().all(letters)
            }),
            "number" => came.is_number(),
            "time" => came.as_u64().is_some_and(|time| time.abs_diff(now_ms()) < HOUR_MS),
            other => panic!("there is no placeholder for any {other}"),
        };
        let name = |field: &str| fields.get(field).and_then(Value::as_str);
        if !is_kind || name("not").is_some_and(|other| self.0.get(other) == Some(came)) {
            return false;
        }
        if let Some(name) = name("as") {
            self.0.insert(name.to_owned(), came.clone());
        }
        true
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(since.as_millis()).expect("it is before the end of time")
}
