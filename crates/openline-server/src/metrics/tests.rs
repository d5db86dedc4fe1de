use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use openline_protocol::{Format, parse_request};

use super::families::{Family, Kind, Present, Values};
use super::{Gauges, Metrics, Process, Transport, page};
use crate::broker::{BrokerError, BrokerHealth};
use crate::cluster::{NotAnswered, Talk};
use crate::exchange::Delivered;
use crate::store::{COMMIT_BOUNDS, Health, State};
use crate::uploads;
use crate::webhook::Counters;
use openline_protocol::{ErrorCode, Reason, close};

/// A sample's name and labels, and its value.
type Series = BTreeMap<(String, Vec<(String, String)>), f64>;

/// What the text says, held to the format more strictly than collectors do.
#[derive(Debug, Default)]
struct Parsed {
    /// Kind and help by name, in order of the text.
    families: Vec<(String, String, String)>,
    series: Series,
}

impl Parsed {
    fn of(text: &str) -> Self {
        let mut parsed = Self::default();
        assert!(text.ends_with('\n'));
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, help) = line.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty() && !help.contains('\\'), "{line}");
            let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            let kind = kind.strip_prefix(name).unwrap().strip_prefix(' ').unwrap();
            assert!(parsed.families.iter().all(|(other, ..)| other != name), "{name} twice");
            parsed.families.push((name.to_owned(), kind.to_owned(), help.to_owned()));
            assert!(lines.peek().is_some_and(|line| !line.starts_with('#')), "{name} is empty");
            while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
                parsed.sample(sample, name, kind);
            }
        }
        parsed
    }

    fn sample(&mut self, line: &str, family: &str, kind: &str) {
        let (head, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = match head.split_once('{') {
            None => (head, Vec::new()),
            Some((name, labels)) => (name, labels_of(labels)),
        };
        let suffix = name.strip_prefix(family).unwrap();
        let suffixes: &[&str] =
            if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite() && value >= 0.0, "{line}");
        let before = self.series.insert((name.to_owned(), labels), value);
        assert!(before.is_none(), "{line} twice");
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let key = (name.to_owned(), labels);
        *self.series.get(&key).unwrap_or_else(|| panic!("no {key:?}"))
    }

    fn names(&self) -> Vec<&str> {
        self.families.iter().map(|(name, ..)| name.as_str()).collect()
    }
}

/// What follows `{`.
fn labels_of(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(is_name(name) && !name.contains(':'));
        let mut value = String::new();
        let mut characters = after.chars();
        loop {
            match characters.next().unwrap() {
                '"' => break,
                '\\' => value.push(match characters.next().unwrap() {
                    'n' => '\n',
                    escaped @ ('"' | '\\') => escaped,
                    other => panic!("\\{other} is no escape"),
                }),
                other => value.push(other),
            }
        }
        labels.push((name.to_owned(), value));
        match characters.as_str() {
            "}" => return labels,
            more => rest = more.strip_prefix(',').unwrap(),
        }
    }
}

fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_lowercase())
}

/// With everything in it that there can be.
fn gauges() -> Gauges {
    Gauges {
        version: "1.2.3",
        lines: 3,
        lines_max: Some(100),
        overload_level: 2,
        overload_used_bytes: 870,
        overload_bytes_max: 1_000,
        broker: BrokerHealth { channels: 2, entries: 5, bytes: 600, ..BrokerHealth::default() },
        history_bytes_max: Some(1_000),
        store: Some(Health {
            state: State::Ok,
            queued_records: 1,
            queued_bytes: 10,
            records_written: 7,
            bytes_written: 700,
            records: 5,
            disk_bytes: 4_096,
            commits: 3,
            commit_times: std::array::from_fn(|index| u64::from(index < 3)),
            commit_time_sum: COMMIT_BOUNDS[3],
            damage: None,
        }),
        store_queue_bytes_max: Some(64 << 20),
        webhooks: Some(Counters::default()),
        cluster: Some(Talk::default()),
        uploads: Some(uploads::Counters::default()),
        tls_expiry: Some(UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
        process: Process {
            cpu_seconds: Some(1.5),
            resident_bytes: Some(1 << 20),
            threads: Some(3),
            open_fds: Some(9),
            max_fds: Some(1_024),
            start_time_seconds: Some(1.7e9),
        },
        ..Gauges::default()
    }
}

fn command(metrics: &Metrics, json: &str) {
    let request = parse_request(Format::Json, &Bytes::copy_from_slice(json.as_bytes())).unwrap();
    metrics.command(&request.command, request.unknown_fields);
}

/// Does everything once that a client, a backend or a disk can cause.
fn once(metrics: &Metrics, text: &str, number: u16) {
    let transports = [Transport::WebSocket, Transport::Sse, Transport::Poll];
    for transport in transports {
        metrics.session_opened(transport);
        metrics.session_closed(transport);
    }
    metrics.line_closed(Some(number));
    metrics.line_closed(None);
    metrics.turned_away("connection_limit");
    metrics.forwarded(Some(NotAnswered::Lost));
    metrics.panicked();
    metrics.received(text.len());
    command(metrics, &format!(r#"{{"type":"subscribe","channels":["{text}"],"{text}":1}}"#));
    command(metrics, &format!(r#"{{"type":"{text}","id":1}}"#));
    for code in ErrorCode::ALL {
        metrics.refused(*code);
    }
    metrics.authenticated(number.is_multiple_of(2));
    metrics.recovered(Ok(number.into()));
    for reason in Reason::ALL {
        metrics.recovered(Err(reason));
    }
    metrics.published(Ok(false));
    metrics.published(Err(&BrokerError::Conflict { key: text.to_owned(), age_ms: 1 }));
    metrics.published(Err(&BrokerError::StorageFailed(text.to_owned())));
    metrics.delivered(&Delivered { taken: 2, full: 1, messages: 2 });
    metrics.delivery_latency(number.into());
    metrics.api_request("/api/v1/publish", if number.is_multiple_of(3) { 404 } else { 200 });
}

#[test]
fn the_text_is_what_the_format_says() {
    let metrics = Metrics::default();
    once(&metrics, "news", 1_000);
    let parsed = Parsed::of(&metrics.encode(&gauges()));
    for (name, kind, _) in &parsed.families {
        assert!(name.starts_with("openline_") || name.starts_with("process_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
    }
}

#[test]
fn what_clients_send_makes_no_series() {
    let metrics = Metrics::default();
    for number in 0..6 {
        once(&metrics, "first", number);
    }
    let before: Vec<_> = Parsed::of(&metrics.encode(&gauges())).series.into_keys().collect();
    for number in 0..100_000_u32 {
        once(&metrics, &format!("room:{number}-{}", number % 7), (number % 65_536) as u16);
    }
    let after: Vec<_> = Parsed::of(&metrics.encode(&gauges())).series.into_keys().collect();
    assert_eq!(before, after);
}

#[test]
fn what_is_not_known_is_other() {
    let metrics = Metrics::default();
    metrics.line_closed(Some(4_999));
    metrics.line_closed(Some(0));
    metrics.turned_away("no such code");
    metrics.api_request("/metrics", 299);
    let parsed = Parsed::of(&metrics.encode(&gauges()));
    assert_eq!(parsed.value("openline_lines_closed_total", &[("code", "other")]), 2.0);
    assert_eq!(parsed.value("openline_turned_away_total", &[("code", "other")]), 1.0);
    let labels = [("route", "/metrics"), ("status", "other")];
    assert_eq!(parsed.value("openline_api_requests_total", &labels), 1.0);
}

#[test]
fn routes_are_bounded_even_if_a_caller_makes_them_up() {
    let metrics = Metrics::default();
    for number in 0..1_000_u16 {
        metrics.api_request(Box::leak(format!("/{number}").into_boxed_str()), number);
    }
    let parsed = Parsed::of(&metrics.encode(&gauges()));
    let requests =
        parsed.series.iter().filter(|((name, _), _)| name == "openline_api_requests_total");
    let (labels, counts): (Vec<_>, Vec<f64>) =
        requests.map(|((_, labels), count)| (labels, count)).unzip();
    assert_eq!(counts.iter().sum::<f64>(), 1_000.0);
    let routes: BTreeSet<_> = labels.iter().map(|labels| &labels[0].1).collect();
    assert!(routes.len() <= 65 && labels.len() < 200, "{}", labels.len());
}

#[test]
fn each_call_counts_under_its_own_name() {
    let metrics = Metrics::default();
    for (index, code) in ErrorCode::ALL.iter().enumerate() {
        (0..=index).for_each(|_| metrics.refused(*code));
        (0..=index).for_each(|_| metrics.turned_away(code.as_str()));
    }
    for (index, reason) in Reason::ALL.iter().enumerate() {
        (0..=index).for_each(|_| metrics.recovered(Err(reason)));
    }
    let codes = [close::NORMAL, close::NO_AUTHENTICATION, 1006];
    codes.iter().for_each(|code| metrics.line_closed(Some(*code)));
    metrics.recovered(Ok(12));
    metrics.delivered(&Delivered { taken: 4, full: 5, messages: 9 });
    metrics.session_opened(Transport::Sse);
    metrics.session_opened(Transport::Sse);
    metrics.session_closed(Transport::Sse);
    metrics.authenticated(false);
    metrics.forwarded(None);
    let not_answered = [NotAnswered::Gone, NotAnswered::Overloaded, NotAnswered::Lost];
    for (index, not_answered) in not_answered.into_iter().enumerate() {
        (0..index + 2).for_each(|_| metrics.forwarded(Some(not_answered)));
    }
    let parsed = Parsed::of(&metrics.encode(&gauges()));
    for (index, code) in ErrorCode::ALL.iter().enumerate() {
        let expected = (index + 1) as f64;
        let labels = [("code", code.as_str())];
        assert_eq!(parsed.value("openline_errors_total", &labels), expected);
        assert_eq!(parsed.value("openline_turned_away_total", &labels), expected);
    }
    for (index, result) in ["answered", "gone", "overloaded", "lost"].iter().enumerate() {
        let value = parsed.value("openline_forwarded_requests_total", &[("result", result)]);
        assert_eq!(value, (index + 1) as f64);
    }
    for (index, reason) in Reason::ALL.iter().enumerate() {
        let value = parsed.value("openline_unrecovered_total", &[("reason", reason.as_str())]);
        assert_eq!(value, (index + 1) as f64);
    }
    for code in codes {
        let labels = [("code", &*code.to_string())];
        assert_eq!(parsed.value("openline_lines_closed_total", &labels), 1.0);
    }
    assert_eq!(parsed.value("openline_recovered_publications_total", &[]), 12.0);
    assert_eq!(parsed.value("openline_sent_messages_total", &[]), 9.0);
    assert_eq!(parsed.value("openline_line_batches_total", &[("result", "taken")]), 4.0);
    assert_eq!(parsed.value("openline_line_batches_total", &[("result", "full")]), 5.0);
    assert_eq!(parsed.value("openline_sessions", &[("transport", "sse")]), 1.0);
    assert_eq!(parsed.value("openline_authentications_total", &[("result", "refused")]), 1.0);
}

#[test]
fn commands_count_under_the_type_that_stands_on_the_wire() {
    let requests = [
        ("auth", r#","token":"t""#),
        ("subscribe", r#","channels":["a"]"#),
        ("unsubscribe", r#","channels":["a"]"#),
        ("publish", r#","channel":"a","data":1"#),
        ("presence", r#","channel":"a""#),
        ("history", r#","channel":"a""#),
        ("setPresence", r#","status":"away""#),
        ("typing", r#","channel":"a","isTyping":true"#),
        ("ping", ""),
        ("other", r#","data":1"#),
    ];
    for (kind, rest) in requests {
        let metrics = Metrics::default();
        command(&metrics, &format!(r#"{{"type":"{kind}","id":1{rest}}}"#));
        let parsed = Parsed::of(&metrics.encode(&gauges()));
        assert_eq!(parsed.value("openline_commands_total", &[("type", kind)]), 1.0, "{kind}");
    }
}

#[test]
fn a_histogram_ends_with_all_of_it() {
    let metrics = Metrics::default();
    [0, 30, 20_000].iter().for_each(|ms| metrics.delivery_latency(*ms));
    let parsed = Parsed::of(&metrics.encode(&gauges()));
    let bucket = |le| parsed.value("openline_delivery_latency_seconds_bucket", &[("le", le)]);
    assert_eq!(
        [bucket("0.001"), bucket("0.05"), bucket("10"), bucket("+Inf")],
        [1.0, 2.0, 2.0, 3.0]
    );
    assert_eq!(parsed.value("openline_delivery_latency_seconds_count", &[]), 3.0);
    assert_eq!(parsed.value("openline_delivery_latency_seconds_sum", &[]), 20.03);
    let commits = |le| parsed.value("openline_store_commit_seconds_bucket", &[("le", le)]);
    assert_eq!([commits("0.0001"), commits("0.001"), commits("+Inf")], [1.0, 3.0, 3.0]);
}

#[test]
fn what_is_not_configured_is_left_out() {
    let metrics = Metrics::default();
    metrics.api_request("/metrics", 200);
    let bare = Parsed::of(&metrics.encode(&Gauges::default()));
    let of = |present: &dyn Fn(&Family) -> bool| -> Vec<&str> {
        page::all().into_iter().filter(|family| present(family)).map(|family| family.name).collect()
    };
    assert_eq!(bare.names(), of(&|family| family.present == Present::Always));
    let whole = Parsed::of(&metrics.encode(&gauges()));
    assert_eq!(whole.names(), of(&|_| true));
}

#[test]
fn every_label_value_that_is_written_stands_in_the_table() {
    let metrics = Metrics::default();
    once(&metrics, "news", 1_000);
    let parsed = Parsed::of(&metrics.encode(&gauges()));
    for (name, labels) in parsed.series.keys() {
        let family = page::all().into_iter().find(|family| match family.kind {
            Kind::Histogram => name.starts_with(family.name),
            _ => name == family.name,
        });
        let table = family.unwrap().labels;
        for (name, value) in labels.iter().filter(|(name, _)| name != "le") {
            let label = table.iter().find(|label| label.name == name).unwrap();
            if let Values::Of(values) = label.values {
                assert!(values.contains(&value.as_str()), "{name} {value}");
            }
        }
    }
}

#[test]
fn the_page_about_the_metrics_is_up_to_date() {
    let page = page::markdown();
    for family in page::all() {
        assert_eq!(page.matches(&format!("\n| `{}` |", family.name)).count(), 1, "{}", family.name);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/metrics.md is not what the tables say; its end tells how to make it"
    );
}
