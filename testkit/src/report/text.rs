//! The verdict in a few lines.

use std::fmt::Write;

use crate::history::Run;
use crate::verdict::{Counts, Finding, Verdict};

/// So many findings are shown.
const SHOWN_MAX: usize = 20;

/// The verdict of a run in a few lines, with how to make the run again.
pub fn text(run: &Run, verdict: &Verdict) -> String {
    let mut out = String::new();
    let Counts { acknowledged, retried, failed, unknown, seen, lost, recovered, signals, .. } =
        &verdict.counts;
    let faults = verdict.counts.faults;
    let signals: Vec<String> =
        signals.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let signals = if signals.is_empty() { "none".to_owned() } else { signals.join(", ") };
    let Run { seed, broker, nodes, seconds, .. } = run;
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "seed {seed}: {broker}, {nodes} node(s), {seconds} s, faults: {}",
        run.faults
    );
    let _ = writeln!(
        out,
        "published {acknowledged} ({retried} sent again), refused {failed}, unknown {unknown}; \
         seen {seen}; lines lost {lost}, recovered {recovered}; told of gaps: {signals}; \
         faults {faults}"
    );
    for (kind, why) in &verdict.counts.not_run {
        let _ = writeln!(out, "not run: {kind}: {why}");
    }
    for finding in verdict.findings.iter().take(SHOWN_MAX) {
        let _ = writeln!(out, "  {}", line(finding));
    }
    let told = verdict.findings.len().min(SHOWN_MAX);
    let total: usize = verdict.broken.values().sum();
    if total > told {
        let _ = writeln!(out, "  … and {} more", total - told);
    }
    if verdict.is_clean() {
        let _ = writeln!(out, "clean");
    } else {
        let rules = verdict.broken.iter().map(|(rule, count)| format!("{rule} {count}"));
        let _ = writeln!(out, "broken: {}", rules.collect::<Vec<_>>().join(", "));
    }
    let _ = writeln!(out, "again: {}", again(run));
    out
}

/// The command that makes the run again.
fn again(run: &Run) -> String {
    let Run { seed, broker, nodes, seconds, faults, clients, .. } = run;
    let needs_sdk = clients.iter().any(|client| client == "typescript");
    let sdk = if needs_sdk { " --sdk sdk/typescript" } else { "" };
    format!(
        "openline-check run --broker {broker} --nodes {nodes} --seed {seed} --seconds {seconds} \
         --faults {faults} --clients {}{sdk}",
        clients.join(",")
    )
}

fn line(Finding { rule, at, who, channel, text, part }: &Finding) -> String {
    let seconds = *at as f64 / 1e6;
    let part = part.map_or(String::new(), |part| format!(" ({part:?})").to_lowercase());
    format!("{seconds:8.3} s  {rule}{part}: {who} in {channel}: {text}")
}
