//! The picture of a run: a row for each node, publisher and reader, time from left to right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::html::escaped;
use crate::history::{Event, Record, Run};
use crate::verdict::Verdict;

const LEFT: f64 = 90.0;
const WIDTH: f64 = 1_300.0;
const TOP: f64 = 46.0;
const ROW: f64 = 18.0;
/// What happens within so many pixels is one mark.
const BIN: f64 = 2.0;

/// What is marked in a row, in the order in which it is drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Lost,
    Seen,
    Acknowledged,
    Doubtful,
}

impl Mark {
    fn colour(self) -> &'static str {
        match self {
            Self::Lost => "#9aa5b1",
            Self::Seen => "#2563a8",
            Self::Acknowledged => "#17803d",
            Self::Doubtful => "#b7791f",
        }
    }

    /// From where to where it reaches in its row.
    fn reach(self) -> (f64, f64) {
        match self {
            Self::Lost => (1.0, ROW - 1.0),
            Self::Seen | Self::Acknowledged => (6.0, ROW - 5.0),
            Self::Doubtful => (3.0, ROW - 3.0),
        }
    }
}

/// The picture, as SVG.
pub(super) fn timeline(run: &Run, records: &[Record], verdict: &Verdict) -> String {
    let end = records.last().map_or(1, |record| record.at.max(1));
    let rows = rows(run, records, verdict);
    let picture = Picture { end: end as f64, rows, out: String::new() };
    picture.draw(records, verdict)
}

/// The rows by name, from top to bottom.
fn rows(run: &Run, records: &[Record], verdict: &Verdict) -> BTreeMap<(u8, String), usize> {
    let mut names = BTreeSet::new();
    names.extend((1..=run.nodes).map(|node| (1, format!("node-{node}"))));
    for Record { event, .. } in records {
        names.extend(row_of(event));
    }
    names.extend(verdict.findings.iter().map(|finding| named(&finding.who)));
    names.into_iter().enumerate().map(|(row, name)| (name, row)).collect()
}

/// The row that an event stands in.
fn row_of(event: &Event) -> Option<(u8, String)> {
    match event {
        Event::Invoke { process, .. } => Some((2, process.clone())),
        Event::Seen { reader, .. }
        | Event::Unrecovered { reader, .. }
        | Event::Asked { reader, .. } => Some((3, reader.clone())),
        Event::Opened { who, .. } | Event::Lost { who, .. } => Some(named(who)),
        Event::FaultBegan { target, .. } | Event::FaultEnded { target, .. } => Some(named(target)),
        _ => None,
    }
}

/// The row of whoever bears this name: what is broken on the way to a node stands with the node, and
/// a message with its publisher.
fn named(who: &str) -> (u8, String) {
    if let Some(number) =
        ["node-", "clients-", "link-", "network-"].iter().find_map(|of| who.strip_prefix(of))
    {
        return (1, format!("node-{number}"));
    }
    match who.as_bytes() {
        [b'p', b'0'..=b'9', ..] => (2, who.split('-').next().unwrap_or(who).to_owned()),
        [b's', b'0'..=b'9', ..] => (3, who.to_owned()),
        _ => (0, who.to_owned()),
    }
}

struct Picture {
    end: f64,
    rows: BTreeMap<(u8, String), usize>,
    out: String,
}

impl Picture {
    fn draw(mut self, records: &[Record], verdict: &Verdict) -> String {
        let (width, height) = (LEFT + WIDTH + 20.0, TOP + ROW * self.rows.len() as f64 + 24.0);
        self.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"What happened when\">"
        ));
        self.faults(records);
        self.names();
        self.marks(records);
        self.signals(records);
        for finding in &verdict.findings {
            let title = format!(
                "{}: {} in {}: {}",
                finding.rule, finding.who, finding.channel, finding.text
            );
            self.dot(finding.at, named(&finding.who), "#c21f1f", 5.0, &title);
        }
        self.out.push_str("</svg>");
        self.out
    }

    fn names(&mut self) {
        let bottom = TOP + ROW * self.rows.len() as f64;
        for ((_, name), row) in self.rows.clone() {
            let y = TOP + ROW * row as f64;
            self.add(format_args!(
                "<path d=\"M{LEFT} {y}h{WIDTH}\" stroke=\"#e3e8ed\"/><text x=\"{}\" y=\"{}\" \
                 text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 13.0,
                escaped(&name)
            ));
        }
        let seconds = self.end / 1e6;
        let step =
            [1.0, 2.0, 5.0, 10.0, 30.0, 60.0].into_iter().find(|step| seconds / step <= 20.0);
        let step = step.unwrap_or(300.0);
        let mut second = 0.0;
        while second <= seconds {
            let x = self.x((second * 1e6) as u64);
            self.add(format_args!(
                "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#eef1f4\"/><text x=\"{x:.1}\" y=\"{}\" \
                 text-anchor=\"middle\">{second} s</text>",
                bottom + 16.0
            ));
            second += step;
        }
    }

    /// Shades the time of each fault over all rows, and more in its own.
    fn faults(&mut self, records: &[Record]) {
        let mut open: Vec<(&str, &str, u64)> = Vec::new();
        let mut spans = Vec::new();
        for Record { at, event } in records {
            match event {
                Event::FaultBegan { kind, target, .. } => open.push((kind, target, *at)),
                Event::FaultEnded { kind, target } => {
                    let is_it = |(of, to, _): &(&str, &str, u64)| of == kind && to == target;
                    if let Some(index) = open.iter().position(is_it) {
                        let (kind, target, began) = open.remove(index);
                        spans.push((kind, target, began, *at));
                    }
                }
                Event::Healed => {
                    let x = self.x(*at);
                    let bottom = TOP + ROW * self.rows.len() as f64;
                    self.add(format_args!(
                        "<path d=\"M{x:.1} {}V{bottom}\" stroke=\"#17803d\" stroke-dasharray=\"4 3\"/>\
                         <text x=\"{x:.1}\" y=\"10\" text-anchor=\"middle\">all is whole</text>",
                        TOP - 30.0
                    ));
                }
                _ => {}
            }
        }
        spans.extend(
            open.into_iter().map(|(kind, target, began)| (kind, target, began, self.end as u64)),
        );
        for (index, (kind, target, began, ended)) in spans.into_iter().enumerate() {
            self.fault(index, kind, target, (began, ended));
        }
    }

    fn fault(&mut self, index: usize, kind: &str, target: &str, (began, ended): (u64, u64)) {
        let (x, height) = (self.x(began), ROW * self.rows.len() as f64);
        let width = (self.x(ended) - x).max(2.0);
        let row = self.rows.get(&named(target)).copied().unwrap_or_default();
        let (y, label) = (TOP + ROW * row as f64, TOP - 18.0 + 11.0 * (index % 2) as f64);
        let name = escaped(&format!("{kind} {target}"));
        self.add(format_args!(
            "<g><title>{name}</title><rect x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" \
             height=\"{height}\" fill=\"#f3d9d9\" opacity=\".45\"/><rect x=\"{x:.1}\" y=\"{y}\" \
             width=\"{width:.1}\" height=\"{ROW}\" fill=\"#dd8f8f\"/><text x=\"{x:.1}\" \
             y=\"{label}\">{name}</text></g>"
        ));
    }

    /// One path for each row and kind of mark.
    fn marks(&mut self, records: &[Record]) {
        let mut bins: BTreeSet<(usize, Mark, u64)> = BTreeSet::new();
        for Record { at, event } in records {
            let (mark, name) = match event {
                Event::Seen { reader, .. } => (Mark::Seen, (3, reader.clone())),
                Event::Lost { who, .. } => (Mark::Lost, named(who)),
                Event::Ok { value, .. } => (Mark::Acknowledged, named(value)),
                Event::Fail { value, .. } | Event::Unknown { value, .. } => {
                    (Mark::Doubtful, named(value))
                }
                _ => continue,
            };
            if let Some(row) = self.rows.get(&name) {
                bins.insert((*row, mark, ((self.x(*at) - LEFT) / BIN) as u64));
            }
        }
        let mut paths: BTreeMap<(Mark, usize), String> = BTreeMap::new();
        for (row, mark, bin) in bins {
            let (from, to) = mark.reach();
            let (x, y) = (LEFT + bin as f64 * BIN + 1.0, TOP + ROW * row as f64 + from);
            // Writing to a string does not fail.
            let _ = write!(paths.entry((mark, row)).or_default(), "M{x} {y}v{}", to - from);
        }
        for ((mark, _), path) in paths {
            let colour = mark.colour();
            self.add(format_args!(
                "<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"{BIN}\"/>"
            ));
        }
    }

    fn signals(&mut self, records: &[Record]) {
        for Record { at, event } in records {
            let (reader, channel, reason) = match event {
                Event::Unrecovered { reader, channel, reason, .. } => (reader, channel, reason),
                Event::Subscribed { reader, channel, reason: Some(reason), .. } => {
                    (reader, channel, reason)
                }
                _ => continue,
            };
            let title = format!("{reader} was told `{reason}` in {channel}");
            self.dot(*at, named(reader), "#e8871e", 3.5, &title);
        }
    }

    fn dot(&mut self, at: u64, name: (u8, String), colour: &str, radius: f64, title: &str) {
        let Some(row) = self.rows.get(&name) else { return };
        let (x, y) = (self.x(at), TOP + ROW * (*row as f64 + 0.5));
        let title = escaped(title);
        self.add(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"{radius}\" fill=\"{colour}\"><title>{title}</title></circle>"
        ));
    }

    fn x(&self, at: u64) -> f64 {
        LEFT + WIDTH * at as f64 / self.end
    }

    fn add(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.out.write_fmt(what);
        self.out.push('\n');
    }
}
