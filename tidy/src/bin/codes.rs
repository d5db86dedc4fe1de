//! Writes what is generated from spec/codes.toml: constants in Rust and TypeScript, and the tables in
//! spec/PROTOCOL.md.
//!
//! `cargo run -p tidy --bin codes` writes; with `--check` it writes nothing and fails when a file is
//! not what it would write.

use std::fmt::Write as _;
use std::process::ExitCode;

use tidy::generate::{self, Row, Source, camel, doc_comment, fill, sentence, text};

const SOURCE: &str = "spec/codes.toml";
const RUST: &str = "crates/openline-protocol/src/codes.rs";
const TYPESCRIPT: &str = "spec/codes.ts";
/// The SDK's own copy: what is published cannot import from outside of its package.
const SDK: &str = "sdk/typescript/src/codes.ts";
const DOCUMENT: &str = "spec/PROTOCOL.md";
const NOTE: &str =
    "Generated from spec/codes.toml by `cargo run -p tidy --bin codes`; do not edit.";

fn main() -> ExitCode {
    let codes = Codes::read();
    generate::run(
        "codes",
        &[
            (RUST, rust(&codes)),
            (TYPESCRIPT, typescript(&codes)),
            (SDK, typescript(&codes)),
            (DOCUMENT, document(&codes, &text(DOCUMENT))),
        ],
    )
}

struct Codes {
    errors: Vec<Row>,
    closes: Vec<Row>,
    policies: Vec<Row>,
    reasons: Vec<Row>,
    types: Vec<Row>,
}

impl Codes {
    fn read() -> Self {
        let mut source = Source::read(SOURCE);
        let codes = Self {
            errors: source.rows("error"),
            closes: source.rows("close"),
            policies: source.rows("policy"),
            reasons: source.rows("reason"),
            types: source.rows("type"),
        };
        source.end();
        codes
    }
}

fn rust(codes: &Codes) -> String {
    let mut out = format!("//! Error codes, close codes and reasons.\n//!\n//! {NOTE}\n\n");
    rust_errors(&mut out, &codes.errors);
    rust_reasons(&mut out, &codes.reasons);
    rust_types(&mut out, &codes.types);
    rust_closes(&mut out, codes);
    out
}

fn rust_enum(out: &mut String, name: &str, about: &str, rows: &[Row]) {
    let _ = write!(
        out,
        "/// {about}\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\npub enum {name} {{\n"
    );
    for row in rows {
        doc_comment(out, "    ", &sentence(row.str("meaning")));
        let _ = writeln!(out, "    {},", camel(row.str("code")));
    }
    out.push_str("}\n\n");
}

/// `ALL`, `as_str`, and what `more` adds to the impl; then `Display` and `FromStr`.
fn rust_impl(out: &mut String, name: &str, what: &str, rows: &[Row], more: &str) {
    let _ = write!(out, "impl {name} {{\n    /// All there are.\n    pub const ALL: &[Self] =");
    let variants: Vec<String> =
        rows.iter().map(|row| format!("Self::{}", camel(row.str("code")))).collect();
    let line = format!("        &[{}];", variants.join(", "));
    if line.len() <= 100 {
        let _ = write!(out, "\n{line}\n");
    } else {
        let _ = write!(out, " &[\n        {},\n    ];\n", variants.join(",\n        "));
    }
    out.push_str("\n    /// As it stands on the wire.\n");
    out.push_str("    pub const fn as_str(self) -> &'static str {\n        match self {\n");
    for row in rows {
        let code = row.str("code");
        let _ = writeln!(out, "            Self::{} => \"{code}\",", camel(code));
    }
    let _ = write!(out, "        }}\n    }}\n{more}}}\n\n");
    let _ = write!(
        out,
        "impl std::fmt::Display for {name} {{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{
        f.write_str(self.as_str())
    }}
}}

impl std::str::FromStr for {name} {{
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {{
        Self::ALL.iter().copied().find(|{what}| {what}.as_str() == text).ok_or(UnknownCode)
    }}
}}

"
    );
}

fn rust_errors(out: &mut String, rows: &[Row]) {
    rust_enum(out, "ErrorCode", "What was wrong, for programs.", rows);
    let mut more = String::from(
        "\n    /// The status of an HTTP answer that carries it.\n    \
         pub const fn http_status(self) -> u16 {\n        match self {\n",
    );
    let mut statuses: Vec<i64> = rows.iter().map(|row| row.number("status")).collect();
    statuses.dedup();
    assert!(statuses.is_sorted(), "{SOURCE}: errors are to be sorted by status");
    for status in statuses {
        let with: Vec<&Row> = rows.iter().filter(|row| row.number("status") == status).collect();
        arm(&mut more, &with, &status.to_string());
    }
    more.push_str(
        "        }\n    }\n\n    \
         /// Whether the same request may succeed later without being changed.\n    \
         pub const fn retryable(self) -> bool {\n        match self {\n",
    );
    let retryable: Vec<&Row> = rows.iter().filter(|row| row.flag("retry")).collect();
    arm(&mut more, &retryable, "true");
    let others: Vec<&Row> = rows.iter().filter(|row| !row.flag("retry")).collect();
    arm(&mut more, &others, "false");
    more.push_str("        }\n    }\n");
    rust_impl(out, "ErrorCode", "code", rows, &more);
}

/// One arm of a match over variants, as rustfmt would have it.
fn arm(out: &mut String, rows: &[&Row], value: &str) {
    let variants: Vec<String> =
        rows.iter().map(|row| format!("Self::{}", camel(row.str("code")))).collect();
    let line = format!("            {} => {value},\n", variants.join(" | "));
    if line.len() <= 101 {
        out.push_str(&line);
    } else {
        let _ = writeln!(out, "            {} => {value},", variants.join("\n            | "));
    }
}

fn rust_reasons(out: &mut String, rows: &[Row]) {
    rust_enum(out, "Reason", "Why messages after a position cannot be given.", rows);
    rust_impl(out, "Reason", "reason", rows, "");
    out.push_str(
        "/// The text is none of the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCode;

impl std::fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(\"not a code of protocol v1\")
    }
}

impl std::error::Error for UnknownCode {}

",
    );
}

fn rust_types(out: &mut String, rows: &[Row]) {
    out.push_str("/// The built-in types. No event may have one of these names.\n");
    out.push_str("pub const BUILT_IN_TYPES: &[&str] = &[\n");
    for row in rows {
        let _ = writeln!(out, "    \"{}\",", row.str("name"));
    }
    out.push_str("];\n\n");
}

fn rust_closes(out: &mut String, codes: &Codes) {
    out.push_str(
        "/// Close codes, and what a client does about them.\npub mod close {\n    \
         /// What a client does about a line that the server ended.\n    \
         #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\n    pub enum Policy {\n",
    );
    for row in &codes.policies {
        doc_comment(out, "        ", &sentence(row.str("meaning")));
        let _ = writeln!(out, "        {},", camel(row.str("name")));
    }
    out.push_str("    }\n\n");
    for row in &codes.closes {
        let (code, name) = (row.number("code"), row.str("name").to_uppercase());
        doc_comment(out, "    ", &sentence(row.str("meaning")));
        let _ = writeln!(out, "    pub const {name}: u16 = {code};\n");
    }
    out.push_str(
        "    /// What a client does about a line that ended with this code, or without one.\n    \
         pub const fn policy(code: Option<u16>) -> Policy {\n        match code {\n",
    );
    for policy in codes.policies.iter().skip(1).map(|row| row.str("name")) {
        let with = closes_with(&codes.closes, policy);
        let line = format!("            Some({}) => Policy::{},\n", with, camel(policy));
        if line.len() <= 101 {
            out.push_str(&line);
        } else {
            let (pattern, value) = (with, camel(policy));
            let _ = write!(
                out,
                "            Some({pattern}) => {{\n                Policy::{value}\n            }}\n"
            );
        }
    }
    let rest = camel(codes.policies[0].str("name"));
    let _ = write!(out, "            _ => Policy::{rest},\n        }}\n    }}\n}}\n");
}

/// The close codes with this policy, neighbours drawn together: `1000 | 1002..=1003`.
fn closes_with(rows: &[Row], policy: &str) -> String {
    let codes = rows.iter().filter(|row| row.str("policy") == policy).map(|row| row.number("code"));
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for code in codes {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == code => *last = code,
            _ => ranges.push((code, code)),
        }
    }
    let texts = ranges.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}..={last}"),
    });
    texts.collect::<Vec<_>>().join(" | ")
}

fn typescript(codes: &Codes) -> String {
    let mut out = format!("// {NOTE}\n\n");
    typescript_object(&mut out, "ErrorCode", "What was wrong, for programs.", &codes.errors);
    let retryable: Vec<String> = codes
        .errors
        .iter()
        .filter(|row| row.flag("retry"))
        .map(|row| format!("  \"{}\",\n", row.str("code")))
        .collect();
    let _ = write!(
        out,
        "/** Errors after which the same request may succeed later without being changed. */\n\
         export const RETRYABLE: ReadonlySet<string> = new Set<ErrorCode>([\n{}]);\n\n",
        retryable.concat()
    );
    typescript_object(
        &mut out,
        "Reason",
        "Why messages after a position cannot be given.",
        &codes.reasons,
    );
    let types: Vec<String> =
        codes.types.iter().map(|row| format!("  \"{}\",\n", row.str("name"))).collect();
    let _ = write!(
        out,
        "/** The built-in types. No event may have one of these names. */\n\
         export const BUILT_IN_TYPES: ReadonlySet<string> = new Set([\n{}]);\n\n",
        types.concat()
    );
    typescript_closes(&mut out, codes);
    out
}

/// An object of constants and the type of its values.
fn typescript_object(out: &mut String, name: &str, about: &str, rows: &[Row]) {
    let _ = write!(out, "/** {about} */\nexport const {name} = {{\n");
    for row in rows {
        let code = row.str("code");
        let _ = writeln!(out, "  /** {} */", sentence(row.str("meaning")));
        let _ = writeln!(out, "  {}: \"{code}\",", camel(code));
    }
    let _ = write!(
        out,
        "}} as const;\n\n/** {about} */\nexport type {name} = (typeof {name})[keyof typeof {name}];\n\n"
    );
}

fn typescript_closes(out: &mut String, codes: &Codes) {
    out.push_str("/** Close codes that a server sends. */\nexport const CloseCode = {\n");
    for row in &codes.closes {
        let (code, name) = (row.number("code"), camel(row.str("name")));
        let _ = write!(out, "  /** {} */\n  {name}: {code},\n", sentence(row.str("meaning")));
    }
    let names: Vec<String> =
        codes.policies.iter().map(|row| format!("\"{}\"", row.str("name"))).collect();
    out.push_str("} as const;\n\n/**\n * What a client does about a line that the server ended:\n");
    for row in &codes.policies {
        let _ = writeln!(out, " * `{}`: {}.", row.str("name"), row.str("meaning"));
    }
    let _ = write!(out, " */\nexport type ClosePolicy = {};\n\n", names.join(" | "));
    out.push_str(
        "const POLICIES: ReadonlyMap<number, ClosePolicy> = new Map<number, ClosePolicy>([\n",
    );
    for row in &codes.closes {
        let _ = writeln!(out, "  [{}, \"{}\"],", row.number("code"), row.str("policy"));
    }
    let _ = write!(
        out,
        "]);\n\n/** What a client does about a line that ended with this code, or without one. */\n\
         export function closePolicy(code?: number): ClosePolicy {{\n  \
         return (code === undefined ? undefined : POLICIES.get(code)) ?? {};\n}}\n",
        names[0]
    );
}

/// The document with its tables written anew.
fn document(codes: &Codes, old: &str) -> String {
    let mut text = old.to_owned();
    for (name, table) in [
        ("errors", errors_table(&codes.errors)),
        ("closes", closes_table(&codes.closes)),
        ("policies", policies_table(&codes.policies)),
        ("reasons", reasons_table(&codes.reasons)),
        ("types", types_table(&codes.types)),
    ] {
        fill(&mut text, (DOCUMENT, "codes.toml"), name, &table);
    }
    text
}

fn errors_table(rows: &[Row]) -> String {
    let mut out = "| Code | HTTP | Retry | Means | Do |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let retry = if row.flag("retry") { "yes" } else { "" };
        let (code, status) = (row.str("code"), row.number("status"));
        let (meaning, to_do) = (row.str("meaning"), row.str("do"));
        let _ = writeln!(out, "| `{code}` | {status} | {retry} | {meaning} | {to_do} |");
    }
    out
}

fn closes_table(rows: &[Row]) -> String {
    let mut out = "| Code | Name | Means | Policy |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let (code, name) = (row.number("code"), row.str("name"));
        let (meaning, policy) = (row.str("meaning"), row.str("policy"));
        let _ = writeln!(out, "| {code} | `{name}` | {meaning} | `{policy}` |");
    }
    out
}

fn policies_table(rows: &[Row]) -> String {
    let mut out = "| Policy | What the client does |\n|---|---|\n".to_owned();
    for row in rows {
        let _ = writeln!(out, "| `{}` | {} |", row.str("name"), row.str("meaning"));
    }
    out
}

fn reasons_table(rows: &[Row]) -> String {
    let mut out = "| Reason | Means | Do |\n|---|---|---|\n".to_owned();
    for row in rows {
        let (code, meaning, to_do) = (row.str("code"), row.str("meaning"), row.str("do"));
        let _ = writeln!(out, "| `{code}` | {meaning} | {to_do} |");
    }
    out
}

fn types_table(rows: &[Row]) -> String {
    let mut out = "| Type | Sent by | Means |\n|---|---|---|\n".to_owned();
    for row in rows {
        let (name, from, meaning) = (row.str("name"), row.str("from"), row.str("meaning"));
        let _ = writeln!(out, "| `{name}` | {from} | {meaning} |");
    }
    out
}
