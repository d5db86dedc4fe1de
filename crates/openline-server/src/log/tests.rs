use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::*;

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `say` writes.
fn lines(level: LogLevel, format: LogFormat, say: impl FnOnce(&Log)) -> Vec<String> {
    let memory = Memory::default();
    let log = Log::to(memory.clone(), level, format);
    say(&log);
    drop(log);
    let bytes = memory.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.strip_suffix('\n').map_or(Vec::new(), |text| text.split('\n').map(str::to_owned).collect())
}

/// What follows the time of day.
fn said(level: LogLevel, say: impl FnOnce(&Log)) -> Vec<String> {
    let lines = lines(level, LogFormat::Text, say);
    lines.iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

/// Each event that has text in it, with this for the text; returns how many.
fn say_everywhere(log: &Log, text: &str, code: &'static str) -> usize {
    let address = IpAddr::from(Ipv4Addr::LOCALHOST);
    let damaged = Opened {
        set_aside: Some(PathBuf::from(text)),
        damage: Some(text.to_owned()),
        ..Opened::default()
    };
    let events: [&dyn Fn(); 15] = [
        &|| log.started(SocketAddr::new(address, 80), false, text),
        &|| log.stopping(text),
        &|| log.doubtful(text),
        &|| log.store_opened(&damaged),
        &|| log.auth_refused(text, text),
        &|| log.turned_away(address, code),
        &|| log.accept_failed(&io::Error::other(text.to_owned())),
        &|| log.panicked(text),
        &|| log.webhook_failed(text),
        &|| log.broker_ailing(text),
        &|| log.session_opened(text, code, address),
        &|| log.session_closed(text, text),
        &|| log.request_refused(text, ErrorCode::BadChannel, text),
        &|| log.api_request(code, 200),
        &|| log.command(text, text),
    ];
    events.iter().for_each(|event| event());
    events.len()
}

#[test]
fn an_event_is_one_line_for_people() {
    let lines =
        lines(LogLevel::Info, LogFormat::Text, |log| log.auth_refused("c1", "no key \"a\""));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(rest, r#"WARN  a token was refused client="c1" detail="no key \"a\"""#);
    assert_eq!((time.len(), &time[10..11], &time[23..]), (24, "T", "Z"));
}

#[test]
fn an_event_is_one_object_for_programs() {
    let lines = lines(LogLevel::Info, LogFormat::Json, |log| {
        log.store_opened(&Opened { records: 7, clean: true, ..Opened::default() });
    });
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let mut read: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(read["time"].take().as_str().unwrap().len(), 24);
    let expected = serde_json::json!({
        "time": null, "level": "info", "event": "store_opened", "message": "the store is open",
        "records": 7, "clean": true,
    });
    assert_eq!(read, expected);
}

#[test]
fn what_weighs_less_than_the_level_is_not_said() {
    let count = |level| {
        said(level, |log| {
            say_everywhere(log, "x", "x");
        })
        .len()
    };
    assert_eq!(count(LogLevel::Error), 2);
    assert_eq!(count(LogLevel::Warn), 8);
    assert_eq!(count(LogLevel::Info), 10);
    assert_eq!(count(LogLevel::Debug), 14);
    assert_eq!(count(LogLevel::Trace), 15);
}

#[test]
fn a_quiet_log_is_quiet() {
    say_everywhere(&Log::quiet(), "x", "x");
    Log::quiet().stopped();
}

#[test]
fn no_text_of_anyone_ends_a_line_or_steers_a_terminal() {
    const HOSTILE: &str =
        "a\r\n2026-01-01T00:00:00.000Z INFO  forged\x1b[2K\u{9b}31m\u{202e}\0\" b=\"";
    for format in [LogFormat::Text, LogFormat::Json] {
        let mut count = 0;
        let lines = lines(LogLevel::Trace, format, |log| {
            count = say_everywhere(log, HOSTILE, HOSTILE);
            log.random_api_key(&Secret::new(HOSTILE));
            count += 1;
        });
        assert_eq!(lines.len(), count, "one line for each event");
        for line in &lines {
            assert!(line.chars().all(|character| (' '..='~').contains(&character)), "{line:?}");
            if format == LogFormat::Json {
                let read: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(read.as_object().unwrap().get("b").is_none());
            }
        }
    }
}

#[test]
fn a_token_in_a_text_is_not_shown() {
    const TOKENS: &str = "eyJhbGciOiJIUzI1NiJ9.canary.canary {\"token\":\"canary\"} ?token=canary \
                          Bearer canary";
    for format in [LogFormat::Text, LogFormat::Json] {
        let lines = lines(LogLevel::Trace, format, |log| {
            log.auth_refused(TOKENS, TOKENS);
            log.webhook_failed(TOKENS);
            log.session_closed(TOKENS, TOKENS);
            log.request_refused(TOKENS, ErrorCode::BadRequest, TOKENS);
            log.command(TOKENS, TOKENS);
            log.panicked(TOKENS);
        });
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| !line.contains("canary")), "{lines:?}");
    }
}

#[test]
fn a_long_text_is_cut() {
    let lines = said(LogLevel::Info, |log| log.auth_refused("c", &"x".repeat(100_000)));
    assert_eq!(lines[0].matches('x').count(), 253);
}

#[test]
fn the_key_of_a_server_that_keeps_nothing_is_said_at_every_level() {
    let lines = said(LogLevel::Error, |log| log.random_api_key(&Secret::new("s3cret")));
    assert_eq!(lines, [r#"ERROR the API's key, until the server stops key="s3cret""#]);
}

#[test]
fn what_the_store_found_is_worth_a_warning_when_it_is_not_all_well() {
    let torn = Opened { torn_bytes: 12, records: 3, ..Opened::default() };
    let aside = Opened {
        set_aside: Some("data/aside".into()),
        damage: Some("segment 2".into()),
        ..Opened::default()
    };
    let lines = said(LogLevel::Warn, |log| {
        log.store_opened(&Opened { clean: true, ..Opened::default() });
        log.store_opened(&torn);
        log.store_opened(&aside);
    });
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("records=3 torn_bytes=12"));
    assert!(lines[1].ends_with(r#"moved_to="data/aside" damage="segment 2""#));
}

#[test]
fn a_flood_of_refusals_is_cut_short_and_the_rest_is_counted() {
    let lines = said(LogLevel::Info, |log| {
        (0..1_000).for_each(|_| log.auth_refused("c", "d"));
        log.webhook_failed("another kind is not held back");
        log.stopped();
    });
    let refusals: Vec<_> = lines.iter().filter(|line| line.contains("detail=")).collect();
    let told: u64 = lines.iter().filter_map(|line| line.split_once("unsaid=")).map(unsaid).sum();
    assert_eq!(refusals.len() as u64 + told, 1_000);
    assert!(refusals.len() < 100, "{}", refusals.len());
    assert!(lines.iter().any(|line| line.contains("another kind")));
    assert!(lines.last().unwrap().ends_with("stopped"));
}

fn unsaid((_, count): (&str, &str)) -> u64 {
    count.parse().unwrap()
}
