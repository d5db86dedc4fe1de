//! The runs in spec/traces, which every client reproduces to the letter.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Act, Effect, Event, Input, Machine, Options, State, Status, Why, transition};

struct Trace {
    name: String,
    steps: Vec<Value>,
}

fn traces() -> Vec<Trace> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/traces");
    let mut traces: Vec<Trace> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let steps = serde_json::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            Trace { name, steps }
        })
        .collect();
    traces.sort_by(|a, b| a.name.cmp(&b.name));
    traces
}

impl Trace {
    /// Where the machine does something else than the trace says.
    fn differs(&self, table: super::Table) -> Option<String> {
        let head = &self.steps[0];
        assert!(head["about"].is_string(), "{}: what is it about?", self.name);
        let chances = head["random"].as_array().cloned().unwrap_or_default();
        let mut chances = chances.into_iter().map(|chance| chance.as_f64().unwrap());
        let asked_for_more = Cell::new(false);
        let mut random = || {
            chances.next().unwrap_or_else(|| {
                asked_for_more.set(true);
                0.0
            })
        };
        let mut machine = Machine::with_table(options(&head["options"]), table);
        for (number, step) in self.steps.iter().enumerate().skip(1) {
            let at = step["at"].as_u64().unwrap();
            let effects = machine.handle_input(at, input(&step["input"]), &mut random);
            let effects: Vec<Value> = effects.iter().map(effect).collect();
            if Value::from(effects.clone()) != step["effects"] {
                let effects = Value::from(effects);
                return Some(format!("step {number} {step}: {effects}"));
            }
            if let Some(deadline) = step.get("deadline")
                && json!(machine.deadline()) != *deadline
            {
                return Some(format!("step {number} {step}: {:?}", machine.deadline()));
            }
            if asked_for_more.get() {
                return Some(format!("step {number} asks for a chance that is not there"));
            }
        }
        let left = chances.count();
        (left > 0).then(|| format!("{left} chances were not asked for"))
    }
}

fn options(given: &Value) -> Options {
    let mut options = Options::default();
    for (name, value) in given.as_object().into_iter().flatten() {
        let number = value.as_u64();
        let field = match name.as_str() {
            "heartbeatInterval" => {
                options.heartbeat_interval = number;
                continue;
            }
            "attemptsMax" => {
                options.attempts_max = number.map(|number| u32::try_from(number).unwrap());
                continue;
            }
            "connectTimeout" => &mut options.connect_timeout,
            "heartbeatTimeout" => &mut options.heartbeat_timeout,
            "wakeTimeout" => &mut options.wake_timeout,
            "delayBase" => &mut options.delay_base,
            "delayMax" => &mut options.delay_max,
            "delayLater" => &mut options.delay_later,
            "stableAfter" => &mut options.stable_after,
            "nudgeInterval" => &mut options.nudge_interval,
            other => panic!("there is no option {other}"),
        };
        *field = number.unwrap();
    }
    options
}

fn input(input: &Value) -> Input {
    if let Some(name) = input.as_str() {
        return match name {
            "start" => Input::Start,
            "stop" => Input::Stop,
            "wake" => Input::Wake,
            "doubt" => Input::Doubt,
            "freeze" => Input::Freeze,
            "thaw" => Input::Thaw,
            "time" => Input::Time,
            other => panic!("there is no input {other}"),
        };
    }
    let fields = input.as_object().unwrap();
    let of = |name: &str| fields.get(name).and_then(Value::as_u64);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let flag = |name: &str| fields[name].as_bool().unwrap();
    let number = |name: &str| of(name);
    if let Some(generation) = of("token") {
        Input::Token { generation, given: flag("given") }
    } else if let Some(generation) = of("tokenFailed") {
        Input::TokenFailed { generation, reason: text("reason") }
    } else if let Some(generation) = of("tokenRefused") {
        Input::TokenRefused { generation, reason: text("reason") }
    } else if let Some(generation) = of("opened") {
        Input::Opened { generation }
    } else if let Some(generation) = of("welcome") {
        Input::Welcome {
            generation,
            authenticated: flag("authenticated"),
            ping_interval: number("pingInterval"),
            retry_spread: number("retrySpread"),
            expires_in: number("expiresIn"),
        }
    } else if let Some(generation) = of("authenticated") {
        Input::Authenticated { generation, expires_in: number("expiresIn") }
    } else if let Some(generation) = of("authFailed") {
        Input::AuthFailed { generation, code: text("code"), reason: text("reason") }
    } else if let Some(generation) = of("heard") {
        Input::Heard { generation, retry_spread: number("retrySpread") }
    } else if let Some(generation) = of("closing") {
        Input::Closing { generation, retry_after: number("retryAfter") }
    } else if let Some(generation) = of("drain") {
        let (closes_in, retry_after) = (number("closesIn"), number("retryAfter"));
        Input::Drain { generation, closes_in, retry_after }
    } else if let Some(generation) = of("closed") {
        let code = u16::try_from(number("code").unwrap()).unwrap();
        Input::Closed { generation, code, reason: text("reason") }
    } else {
        panic!("there is no input {input}")
    }
}

fn effect(effect: &Effect) -> Value {
    match effect {
        Effect::AskToken { generation, why } => {
            let why = match why {
                Why::Connect => "connect",
                Why::Expired => "expired",
                Why::Refresh => "refresh",
            };
            json!({"askToken": generation, "why": why})
        }
        Effect::Open { generation } => json!({"open": generation}),
        Effect::Auth { generation } => json!({"auth": generation}),
        Effect::Ready { generation } => json!({"ready": generation}),
        Effect::Unready { generation } => json!({"unready": generation}),
        Effect::Move { generation, from, linger } => {
            json!({"move": generation, "from": from, "linger": linger})
        }
        Effect::Ping { generation } => json!({"ping": generation}),
        Effect::Abandon { generation, code } => json!({"abandon": generation, "code": code}),
        Effect::Status(Status { state, attempt, delay, code, reason }) => {
            let mut fields = Map::new();
            fields.insert("status".to_owned(), state.as_str().into());
            fields.insert("attempt".to_owned(), json!(attempt));
            if *state == State::Waiting {
                fields.insert("delay".to_owned(), json!(delay));
            }
            if let (Some(code), Some(reason)) = (code, reason) {
                fields.insert("code".to_owned(), json!(code));
                fields.insert("reason".to_owned(), json!(reason));
            }
            Value::Object(fields)
        }
    }
}

#[test]
fn the_machine_does_what_every_trace_says() {
    let findings: Vec<String> = traces()
        .iter()
        .filter_map(|trace| Some(format!("{}: {}", trace.name, trace.differs(transition)?)))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

thread_local! {
    /// The row of the table that is wrong, and what stands there instead.
    static WRONG: Cell<Option<(State, Event, Row)>> = const { Cell::new(None) };
}

type Row = Option<(State, &'static [Act])>;

fn wrong_table(state: State, event: Event) -> Row {
    match WRONG.get() {
        Some((from, on, row)) if from == state && on == event => row,
        _ => transition(state, event),
    }
}

/// Every way in which one row can be wrong: not there, without one of its acts, leading elsewhere.
fn mutations(row: (State, &'static [Act])) -> Vec<Row> {
    let (to, acts) = row;
    let mut rows: Vec<Row> = vec![None];
    for left_out in 0..acts.len() {
        let kept: Vec<Act> =
            (0..acts.len()).filter(|at| *at != left_out).map(|at| acts[at]).collect();
        rows.push(Some((to, Box::leak(kept.into_boxed_slice()))));
    }
    rows.extend(State::ALL.iter().filter(|other| **other != to).map(|other| Some((*other, acts))));
    rows
}

/// An open line is lost and told to have expired only when it has ended by itself. Then there is nothing
/// to abandon, as long as no other input leads there.
fn is_the_same(state: State, event: Event, (to, acts): (State, &[Act]), wrong: Row) -> bool {
    let ends_by_itself = matches!(
        (state, event),
        (State::Online, Event::Lost) | (State::Online | State::Probing, Event::Expired)
    );
    let without: Vec<Act> = acts.iter().copied().filter(|act| *act != Act::Abandon).collect();
    ends_by_itself && wrong.is_some_and(|(wrong_to, acts)| wrong_to == to && acts == without)
}

#[test]
fn some_trace_fails_for_every_change_of_the_table() {
    let traces = traces();
    let mut unnoticed = Vec::new();
    for &state in State::ALL {
        for &event in Event::ALL {
            let Some(row) = transition(state, event) else { continue };
            for wrong in
                mutations(row).into_iter().filter(|wrong| !is_the_same(state, event, row, *wrong))
            {
                WRONG.set(Some((state, event, wrong)));
                if traces.iter().all(|trace| trace.differs(wrong_table).is_none()) {
                    unnoticed.push(format!("{} on {}: {wrong:?}", state.as_str(), event.as_str()));
                }
            }
        }
    }
    WRONG.set(None);
    assert!(unnoticed.is_empty(), "no trace notices these:\n{}", unnoticed.join("\n"));
}
