//! The text that Prometheus reads, version 0.0.4: what every collector understands.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use super::families::Family;

/// What the text is, for the answer's head.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text in the making.
#[derive(Default)]
pub(super) struct Text {
    out: String,
}

/// The samples of one family.
pub(super) struct Samples<'a> {
    name: &'static str,
    out: &'a mut String,
}

impl Text {
    /// Adds a family; one without samples is left out.
    pub(super) fn family(&mut self, family: &Family, write: impl FnOnce(&mut Samples<'_>)) {
        let before = self.out.len();
        let (name, kind) = (family.name, family.kind.as_str());
        push(&mut self.out, format_args!("# HELP {name} {}\n# TYPE {name} {kind}\n", family.help));
        let head = self.out.len();
        write(&mut Samples { name, out: &mut self.out });
        if self.out.len() == head {
            self.out.truncate(before);
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

impl Samples<'_> {
    pub(super) fn value(&mut self, value: impl Display) {
        self.sample("", &[], value);
    }

    pub(super) fn labelled(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.sample("", labels, value);
    }

    /// `counts` are those of the buckets each for itself; the last has no bound.
    pub(super) fn histogram(
        &mut self,
        bounds: impl IntoIterator<Item = Duration>,
        counts: &[u64],
        sum: Duration,
    ) {
        let mut total = 0;
        let bounds = bounds.into_iter().map(|bound| bound.as_secs_f64().to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(counts) {
            total += count;
            self.sample("_bucket", &[("le", &bound)], total);
        }
        self.sample("_sum", &[], sum.as_secs_f64());
        self.sample("_count", &[], total);
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        push(self.out, format_args!("{}{suffix}", self.name));
        for (index, (label, text)) in labels.iter().enumerate() {
            self.out.push(if index == 0 { '{' } else { ',' });
            push(self.out, format_args!("{label}=\""));
            text.chars().for_each(|character| escape(character, self.out));
            self.out.push('"');
        }
        let close = if labels.is_empty() { "" } else { "}" };
        push(self.out, format_args!("{close} {value}\n"));
    }
}

fn escape(character: char, out: &mut String) {
    match character {
        '\\' => out.push_str("\\\\"),
        '"' => out.push_str("\\\""),
        '\n' => out.push_str("\\n"),
        other => out.push(other),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::super::families::{DELIVERY_LATENCY, SESSIONS};
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line() {
        let mut text = Text::default();
        text.family(&SESSIONS, |samples| samples.labelled(&[("a", "\"}\n\\b"), ("c", "")], 1));
        assert!(text.finish().ends_with("\nopenline_sessions{a=\"\\\"}\\n\\\\b\",c=\"\"} 1\n"));
    }

    #[test]
    fn a_family_without_samples_is_left_out() {
        let mut text = Text::default();
        text.family(&SESSIONS, |_| {});
        assert_eq!(text.finish(), "");
    }

    #[test]
    fn buckets_add_up() {
        let mut text = Text::default();
        let bounds = [Duration::from_micros(100), Duration::from_secs(1)];
        text.family(&DELIVERY_LATENCY, |samples| {
            samples.histogram(bounds, &[1, 0, 2], Duration::from_millis(2_500));
        });
        let name = DELIVERY_LATENCY.name;
        let expected = format!(
            "{name}_bucket{{le=\"0.0001\"}} 1\n{name}_bucket{{le=\"1\"}} 1\n\
             {name}_bucket{{le=\"+Inf\"}} 3\n{name}_sum 2.5\n{name}_count 3\n"
        );
        let text = text.finish();
        assert!(text.ends_with(&expected), "{text}");
    }
}
