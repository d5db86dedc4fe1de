//! The report: one page without anything to load.

use std::fmt::Write;

use super::text::text;
use super::timeline::timeline;
use crate::history::{Record, Run};
use crate::verdict::{Finding, Rule, Verdict};

/// The page of a run.
pub fn html(run: &Run, records: &[Record], verdict: &Verdict) -> String {
    let state = if verdict.is_clean() { "clean" } else { "broken" };
    let title = format!("Delivery check, seed {}: {state}", run.seed);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<style>{STYLE}</style>\n\
         <h1 class=\"{state}\">{title}</h1>\n<pre>{}</pre>\n{LEGEND}\n<div class=\"timeline\">{}</div>\n\
         {}\n{}\n</html>\n",
        escaped(&text(run, verdict)),
        timeline(run, records, verdict),
        rules(verdict),
        findings(verdict),
    )
}

const STYLE: &str = "
:root { color-scheme: light; font: 14px/1.5 system-ui, sans-serif; color: #1d232b; background: #fff }
body { margin: 24px }
h1 { font-size: 20px } h2 { font-size: 16px; margin-top: 28px }
h1.clean::before { content: '✓ '; color: #17803d } h1.broken::before { content: '✗ '; color: #c21f1f }
pre { background: #f4f6f8; padding: 12px; overflow-x: auto; border-radius: 6px }
.timeline { overflow-x: auto } svg { display: block } svg text { font: 11px system-ui, sans-serif; fill: #3b4654 }
table { border-collapse: collapse } th, td { text-align: left; padding: 3px 12px 3px 0; vertical-align: top }
th { border-bottom: 1px solid #c9d1d9 } .number { text-align: right; font-variant-numeric: tabular-nums }
.bad { color: #c21f1f; font-weight: 600 }
.legend span { margin-right: 18px; white-space: nowrap } .legend i { display: inline-block; width: 10px; height: 10px; margin-right: 5px }
";

const LEGEND: &str = r##"<p class="legend">
<span><i style="background:#2563a8"></i>seen</span>
<span><i style="background:#17803d"></i>acknowledged</span>
<span><i style="background:#b7791f"></i>refused, or not known</span>
<span><i style="background:#9aa5b1"></i>line lost</span>
<span><i style="background:#e8871e;border-radius:50%"></i>told of a gap</span>
<span><i style="background:#c21f1f;border-radius:50%"></i>finding</span>
<span><i style="background:#f3d9d9"></i>fault</span></p>"##;

fn rules(verdict: &Verdict) -> String {
    let mut out = String::from("<h2>The promise</h2>\n<table><tr><th>Rule<th>Says<th>Broken\n");
    for rule in Rule::ALL {
        let count = verdict.broken.get(&rule).copied().unwrap_or_default();
        let class = if count > 0 { "number bad" } else { "number" };
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "<tr><td>{rule}<td>{}<td class=\"{class}\">{count}",
            rule.sentence().replace('`', "")
        );
    }
    out.push_str("</table>");
    out
}

fn findings(verdict: &Verdict) -> String {
    if verdict.findings.is_empty() {
        return "<p>Nothing was found.</p>".to_owned();
    }
    let mut out = String::from("<h2>Findings</h2>\n<table>");
    out.push_str("<tr><th class=\"number\">Second<th>Rule<th>Who<th>Channel<th>What\n");
    for Finding { rule, at, who, channel, text, part } in &verdict.findings {
        let part = part.map_or(String::new(), |part| format!(" ({part:?})").to_lowercase());
        let _ = writeln!(
            out,
            "<tr><td class=\"number\">{:.3}<td>{rule}{part}<td>{}<td>{}<td>{}",
            *at as f64 / 1e6,
            escaped(who),
            escaped(channel),
            escaped(text)
        );
    }
    out.push_str("</table>");
    out
}

/// Text as it may stand in a page.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Event, Place};
    use crate::verdict::{Finding, Part};

    #[test]
    fn a_page_names_what_was_found_and_shows_no_tags_of_others() {
        let run = Run {
            seed: 5,
            subject: "openline".into(),
            broker: "redis".into(),
            nodes: 3,
            seconds: 1,
            faults: "all".into(),
            clients: vec!["json".into()],
            contiguous: true,
            recovery_max: 10,
            channels: Vec::new(),
        };
        let place = Some(Place { epoch: 1, offset: 1, tag: 1 });
        let (reader, channel) = ("s<1>".to_owned(), "c".to_owned());
        let seen = Event::Seen { reader, channel, value: "v".into(), place };
        let records = [
            Record { at: 0, event: Event::Run(run.clone()) },
            Record { at: 500_000, event: seen },
            Record { at: 1_000_000, event: Event::End },
        ];
        let mut verdict = Verdict::default();
        verdict.broken.insert(Rule::Gap, 1);
        verdict.findings.push(Finding {
            rule: Rule::Gap,
            at: 500_000,
            who: "s<1>".into(),
            channel: "c".into(),
            text: "a & b".into(),
            part: Some(Part::Middle),
        });
        let page = html(&run, &records, &verdict);
        for wanted in ["gap (middle)", "s&lt;1>", "a &amp; b", "--seed 5", "node-3", "<svg"] {
            assert!(page.contains(wanted), "{wanted}");
        }
        assert!(!page.contains("s<1>"));
    }
}
