//! Writes what is generated from spec/client-states.toml: the table of a client's states in Rust and
//! TypeScript, and the diagram and tables in docs/client-states.md.
//!
//! `cargo run -p tidy --bin states` writes; with `--check` it writes nothing and fails when a file is
//! not what it would write.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use tidy::generate::{self, Row, Source, camel, doc_comment, fill, sentence, text};

const SOURCE: &str = "spec/client-states.toml";
const RUST: &str = "crates/openline-client/src/machine/states.rs";
const TYPESCRIPT: &str = "sdk/typescript/src/machine/states.ts";
const DOCUMENT: &str = "docs/client-states.md";
const NOTE: &str =
    "Generated from spec/client-states.toml by `cargo run -p tidy --bin states`; do not edit.";

fn main() -> ExitCode {
    let machine = Machine::read();
    generate::run(
        "states",
        &[
            (RUST, rust(&machine)),
            (TYPESCRIPT, typescript(&machine)),
            (DOCUMENT, document(&machine, &text(DOCUMENT))),
        ],
    )
}

struct Machine {
    states: Vec<Row>,
    events: Vec<Row>,
    acts: Vec<Row>,
    transitions: Vec<Transition>,
}

/// What one event does in one state.
struct Transition {
    from: String,
    on: String,
    to: String,
    acts: Vec<String>,
}

impl Machine {
    fn read() -> Self {
        let mut source = Source::read(SOURCE);
        let states = source.rows("state");
        let events = source.rows("event");
        let acts = source.rows("act");
        let transitions = source.rows("transition").iter().flat_map(transitions).collect();
        source.end();
        let machine = Self { states, events, acts, transitions };
        machine.assert_known();
        machine
    }

    /// Every name is declared, every declaration is used, and no pair of state and event stands twice.
    fn assert_known(&self) {
        let mut pairs = BTreeSet::new();
        let (mut states, mut events, mut acts) = (names("idle"), names(""), names(""));
        for transition in &self.transitions {
            let Transition { from, on, to, acts: done } = transition;
            assert!(pairs.insert((from, on)), "{SOURCE}: {on} stands twice for {from}");
            states.extend([from.as_str(), to]);
            events.insert(on);
            acts.extend(done.iter().map(String::as_str));
        }
        for (kind, declared, used) in [
            ("state", &self.states, states),
            ("event", &self.events, events),
            ("act", &self.acts, acts),
        ] {
            let declared: BTreeSet<&str> = declared.iter().map(|row| row.str("name")).collect();
            let odd: Vec<_> = declared.symmetric_difference(&used).collect();
            assert!(odd.is_empty(), "{SOURCE}: {kind}s not declared, or not used: {odd:?}");
        }
    }

    /// The transitions from a state, in the order of the events.
    fn from(&self, state: &str) -> Vec<&Transition> {
        let mut found: Vec<&Transition> =
            self.transitions.iter().filter(|t| t.from == state).collect();
        let place = |event: &str| self.events.iter().position(|row| row.str("name") == event);
        found.sort_by_key(|transition| place(&transition.on));
        found
    }
}

/// A set with one name in it, or with none.
fn names(first: &str) -> BTreeSet<&str> {
    Some(first).filter(|name| !name.is_empty()).into_iter().collect()
}

/// One table of the source as a transition for each state that it is for.
fn transitions(row: &Row) -> Vec<Transition> {
    let acts: Vec<String> = row.list("do").into_iter().map(str::to_owned).collect();
    let transition = |from: &str| Transition {
        from: from.to_owned(),
        on: row.str("on").to_owned(),
        to: if row.str("to") == "same" { from } else { row.str("to") }.to_owned(),
        acts: acts.clone(),
    };
    row.list("from").into_iter().map(transition).collect()
}

fn rust(machine: &Machine) -> String {
    let mut out = format!(
        "//! The states of a client's line, and what leads from one to another.\n//!\n//! {NOTE}\n\n"
    );
    rust_enum(&mut out, "State", "What the line goes through.", &machine.states);
    rust_enum(&mut out, "Event", "What happened, classified.", &machine.events);
    rust_enum(&mut out, "Act", "What is done on the way.", &machine.acts);
    out.push_str(
        "/// Where an event leads, and what is done on the way, in this order. None: it changes nothing.\n\
         pub const fn transition(from: State, event: Event) -> Option<(State, &'static [Act])> {\n    \
         match from {\n",
    );
    for state in machine.states.iter().map(|row| row.str("name")) {
        let _ = writeln!(out, "        State::{} => from_{state}(event),", camel(state));
    }
    out.push_str("    }\n}\n");
    for state in machine.states.iter().map(|row| row.str("name")) {
        rust_transitions(&mut out, state, &machine.from(state));
    }
    out
}

fn rust_enum(out: &mut String, name: &str, about: &str, rows: &[Row]) {
    let _ = write!(
        out,
        "/// {about}\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\npub enum {name} {{\n"
    );
    for row in rows {
        doc_comment(out, "    ", &sentence(row.str("meaning")));
        let _ = writeln!(out, "    {},", camel(row.str("name")));
    }
    let _ = write!(
        out,
        "}}\n\nimpl {name} {{\n    /// All there are.\n    pub const ALL: &[Self] = &[\n"
    );
    for row in rows {
        let _ = writeln!(out, "        Self::{},", camel(row.str("name")));
    }
    out.push_str(
        "    ];\n\n    /// Its name in the table and in traces.\n    \
         pub const fn as_str(self) -> &'static str {\n        match self {\n",
    );
    for row in rows {
        let name = row.str("name");
        let _ = writeln!(out, "            Self::{} => \"{name}\",", camel(name));
    }
    out.push_str("        }\n    }\n}\n\n");
}

fn rust_transitions(out: &mut String, state: &str, transitions: &[&Transition]) {
    let _ = write!(
        out,
        "\nconst fn from_{state}(event: Event) -> Option<(State, &'static [Act])> {{\n    \
         let (to, acts): (State, &[Act]) = match event {{\n"
    );
    for Transition { on, to, acts, .. } in transitions {
        let acts: Vec<String> = acts.iter().map(|act| format!("Act::{}", camel(act))).collect();
        let value = format!("(State::{}, &[{}])", camel(to), acts.join(", "));
        let line = format!("        Event::{} => {value},", camel(on));
        if line.len() <= 100 {
            let _ = writeln!(out, "{line}");
        } else {
            let on = camel(on);
            let _ = write!(out, "        Event::{on} => {{\n            {value}\n        }}\n");
        }
    }
    out.push_str("        _ => return None,\n    };\n    Some((to, acts))\n}\n");
}

fn typescript(machine: &Machine) -> String {
    let mut out = format!("// {NOTE}\n\n");
    typescript_union(&mut out, "State", "What the line goes through.", &machine.states);
    typescript_union(&mut out, "Event", "What happened, classified.", &machine.events);
    typescript_union(&mut out, "Act", "What is done on the way.", &machine.acts);
    out.push_str(
        "/** Where an event leads from a state, and what is done on the way, in this order. A pair that is not\n \
         * here changes nothing. */\n\
         export const TRANSITIONS: {\n  readonly [S in State]: { readonly [E in Event]?: readonly [State, readonly Act[]] };\n} = {\n",
    );
    for state in machine.states.iter().map(|row| row.str("name")) {
        let _ = writeln!(out, "  {state}: {{");
        for Transition { on, to, acts, .. } in machine.from(state) {
            let acts: Vec<String> = acts.iter().map(|act| format!("\"{act}\"")).collect();
            let _ = writeln!(out, "    {on}: [\"{to}\", [{}]],", acts.join(", "));
        }
        out.push_str("  },\n");
    }
    out.push_str("};\n");
    out
}

fn typescript_union(out: &mut String, name: &str, about: &str, rows: &[Row]) {
    let _ = write!(out, "/**\n * {about}\n *\n");
    for row in rows {
        let _ = writeln!(out, " * - `{}`: {}.", row.str("name"), row.str("meaning"));
    }
    let _ = write!(out, " */\nexport type {name} =");
    for row in rows {
        let _ = write!(out, "\n  | \"{}\"", row.str("name"));
    }
    out.push_str(";\n\n");
}

/// The document with its diagram and its tables written anew.
fn document(machine: &Machine, old: &str) -> String {
    let mut text = old.to_owned();
    for (name, new) in [
        ("diagram", diagram(machine)),
        ("states", meanings("State", &machine.states)),
        ("events", meanings("Event", &machine.events)),
        ("acts", meanings("Act", &machine.acts)),
        ("transitions", transition_table(machine)),
    ] {
        fill(&mut text, (DOCUMENT, "client-states.toml"), name, &new);
    }
    text
}

/// What leads to another state, events with the same way drawn together.
fn diagram(machine: &Machine) -> String {
    let mut out = "```mermaid\nstateDiagram-v2\n    [*] --> idle\n".to_owned();
    let mut ways: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for state in &machine.states {
        for Transition { from, on, to, .. } in machine.from(state.str("name")) {
            if from == to {
                continue;
            }
            match ways.iter_mut().find(|way| way.0 == from && way.1 == to) {
                Some((_, _, events)) => events.push(on),
                None => ways.push((from, to, vec![on])),
            }
        }
    }
    for (from, to, events) in ways {
        let _ = writeln!(out, "    {from} --> {to}: {}", events.join(", "));
    }
    out.push_str("```\n");
    out
}

fn meanings(head: &str, rows: &[Row]) -> String {
    let mut out = format!("| {head} | Means |\n|---|---|\n");
    for row in rows {
        let _ = writeln!(out, "| `{}` | {} |", row.str("name"), row.str("meaning"));
    }
    out
}

fn transition_table(machine: &Machine) -> String {
    let mut out = "| State | Event | Next | Acts |\n|---|---|---|---|\n".to_owned();
    for state in &machine.states {
        for Transition { from, on, to, acts } in machine.from(state.str("name")) {
            let acts: Vec<String> = acts.iter().map(|act| format!("`{act}`")).collect();
            let _ = writeln!(out, "| `{from}` | `{on}` | `{to}` | {} |", acts.join(", "));
        }
    }
    out
}
