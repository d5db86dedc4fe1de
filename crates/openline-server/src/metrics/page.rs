//! docs/metrics.md, made from the tables.

use super::families::{
    self, API_REQUESTS, DELIVERY_LATENCY, ERROR_CODES, Family, Label, Present, SESSIONS, Values,
};
use super::gauges;

const HEAD: &str = "\
# Metrics

<!-- Made from crates/openline-server/src/metrics by that crate's tests: see the end. -->

`GET /metrics` answers with all of this as text for Prometheus (version 0.0.4). With
`metrics.require_key`, which is the default, it wants a key of the API as
`Authorization: Bearer …`:

```yaml
scrape_configs:
  - job_name: openline
    authorization:
      credentials_file: /etc/prometheus/openline-api-key
    static_configs:
      - targets: [\"127.0.0.1:8000\"]
```

Counters begin at 0 when the server starts. Labels have the values that stand here and no others:
channels, users, clients and types of the application's own never become one, so the number of series
does not depend on what clients do. There are no metrics by channel; the API tells about one channel.

## Worth an alarm

| Expression | Says |
|---|---|
| `openline_broker_up == 0` | publications are refused; the log says why |
| `increase(openline_panics_total[1h]) > 0` | the server has a bug |
| `openline_store_damaged == 1` | a file of the store does not read back |
| `rate(openline_line_batches_total{result=\"full\"}[5m]) > 0` | clients do not keep up with what is sent |
| `rate(openline_turned_away_total[5m]) > 0` | a limit keeps clients out |
| `openline_overload_level >= 2` | memory is short: there are no new lines, and history gives way |
| `rate(openline_accept_errors_total{error!=\"aborted\"}[5m]) > 0` | connections cannot be accepted |
| `openline_tls_certificate_expiry_seconds - time() < 7 * 86400` | a certificate was not renewed |
| `openline_config_reload_failed == 1` | the configuration that was written last is not in force |
| `process_open_fds > 0.9 * process_max_fds` | soon no connection can be accepted |
| `histogram_quantile(0.99, rate(openline_delivery_latency_seconds_bucket[5m])) > 0.25` | publications are late |
";

const SECTIONS: [(&str, &[&str]); 10] = [
    ("Clients", &["sessions", "lines", "turned_away", "forwarded", "panics", "authentications"]),
    (
        "Messages",
        &[
            "received",
            "commands",
            "unknown_fields",
            "errors",
            "publications",
            "subscriptions",
            "channels",
            "recovered",
            "unrecovered",
            "sent",
            "line_batches",
            "shard",
            "delivery",
        ],
    ),
    ("History", &["broker", "history", "store"]),
    ("Overload", &["overload", "accept_errors"]),
    ("Other nodes", &["nodes", "cluster"]),
    ("TLS", &["tls", "acme"]),
    ("Files", &["uploads"]),
    ("Webhooks", &["webhook"]),
    ("HTTP", &["api"]),
    ("The program", &["build_info", "config", "draining", "upgrades", "upgrade"]),
];

const END: &str = "
---

This page is generated. After a change of a metric: `BLESS=1 cargo test -p openline-server metrics`.
";

/// All there are, as the page and the text have them.
pub(super) fn all() -> Vec<&'static Family> {
    [&SESSIONS]
        .into_iter()
        .chain(families::counted())
        .chain([&DELIVERY_LATENCY, &API_REQUESTS])
        .chain(gauges::ROWS.iter().map(|row| &row.family))
        .collect()
}

/// The page.
pub(super) fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for (section, begins) in SECTIONS {
        page += &format!("\n## {section}\n\n| Name | Kind | Labels | Says |\n|---|---|---|---|\n");
        for family in all().into_iter().filter(|family| belongs(family, section, begins)) {
            page += &row(family);
        }
    }
    page + END
}

/// Names of the process are of a standard, and not ours.
fn belongs(family: &Family, section: &str, begins: &[&str]) -> bool {
    match family.name.strip_prefix("openline_") {
        None => section == "The program",
        Some(name) => longest(name).is_some_and(|found| begins.contains(&found)),
    }
}

/// `line_batches` is not one of `lines`.
fn longest(name: &str) -> Option<&'static str> {
    let begins = SECTIONS.iter().flat_map(|(_, begins)| begins.iter().copied());
    begins.filter(|begin| name.starts_with(begin)).max_by_key(|begin| begin.len())
}

fn row(family: &Family) -> String {
    let labels: Vec<String> = family.labels.iter().map(label).collect();
    let present = match family.present {
        Present::Always => "",
        Present::WithStore => " With a store.",
        Present::WithWebhooks => " With webhooks.",
        Present::WithUploads => " Where files are taken.",
        Present::WithCluster => " Where nodes share a broker.",
        Present::WithTls => " Where the server speaks TLS and has a certificate.",
        Present::WithLimit => " Where there is such a limit.",
        Present::WithProc => " On Linux.",
    };
    let (name, kind, labels) = (family.name, family.kind.as_str(), labels.join("; "));
    format!("| `{name}` | {kind} | {labels} | {}{present} |\n", family.help)
}

fn label(label: &Label) -> String {
    match label.values {
        Values::Described(words) => format!("`{}`: {words}", label.name),
        Values::Of(values) if values == ERROR_CODES => {
            format!("`{}`: the [error codes](errors.md), or `other`", label.name)
        }
        Values::Of(values) => {
            let quoted: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("`{}`: {}", label.name, quoted.join(" "))
        }
    }
}
