//! The journal: what a session that comes back missed, whatever happened meanwhile.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{
    Broadcast, Hub, Journal, JournalLimits, Missed, Post, Receivers, Returning, SessionKey,
};
use openline_protocol::{ChannelName, Data, Position, Publication};

const LIMITS: JournalLimits = JournalLimits { bytes_max: 1 << 20, age_max_ms: 1000 };

fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

fn says(channel: &str, text: &str, offset: Option<u64>) -> Broadcast {
    let position = offset.map(|offset| Position { epoch: 1, offset, tag: offset });
    Broadcast::Publication(Arc::new(Publication {
        channel: name(channel),
        event: None,
        data: Data::Json(ByteString::from(text)),
        position,
        prev_tag: 0,
        timestamp: 0,
        from: None,
    }))
}

fn post(journal: &mut Journal<String>, now: u64, channel: &str, text: &str) -> u64 {
    let broadcast = says(channel, text, None);
    journal.post(now, &name(channel), &[Post { broadcast, except: None }])
}

fn text(missed: &Missed<'_, String>) -> String {
    match missed {
        Missed::Broadcast(Broadcast::Publication(publication)) => match &publication.data {
            Data::Json(text) => text.to_string(),
            Data::Binary(_) => unreachable!(),
        },
        Missed::Broadcast(_) => unreachable!(),
        Missed::Direct(text) => (*text).clone(),
    }
}

/// Sessions of clients `c0`, `c1`, …
fn sessions(count: usize) -> Vec<SessionKey> {
    let mut hub: Hub<()> = Hub::default();
    (0..count).map(|index| hub.open((), format!("c{index}").into(), 0)).collect()
}

fn missed(
    journal: &Journal<String>,
    who: (SessionKey, &str),
    channels: &[&str],
    since: u64,
) -> Option<Vec<String>> {
    let (session, client) = who;
    let channels = channels.iter().copied().map(name).collect();
    let who = Returning { session, client, encoding: 7, channels };
    let missed = journal.missed(&who, since)?;
    assert!(missed.is_sorted_by_key(|(number, _)| *number));
    assert!(missed.iter().all(|(number, _)| *number > since));
    Some(missed.iter().map(|(_, missed)| text(missed)).collect())
}

#[test]
fn a_session_gets_what_its_channels_got_and_what_was_for_it_in_one_order() {
    let keys = sessions(2);
    let mut journal = Journal::new(LIMITS);
    let since = journal.last();
    post(&mut journal, 0, "a", "1");
    journal.direct(0, keys[0], "2".into(), 1);
    journal.direct(0, keys[1], "not for it".into(), 1);
    post(&mut journal, 0, "b", "elsewhere");
    let number = post(&mut journal, 0, "a", "3");
    let it = (keys[0], "c0");
    assert_eq!(missed(&journal, it, &["a"], since).unwrap(), ["1", "2", "3"]);
    assert_eq!(missed(&journal, it, &["a"], 2).unwrap(), ["3"]);
    assert_eq!(missed(&journal, it, &["a"], number).unwrap(), [""; 0]);
}

#[test]
fn what_a_client_sent_itself_does_not_come_back_to_it() {
    let keys = sessions(2);
    let mut journal = Journal::new(LIMITS);
    let broadcast = says("a", "1", None);
    journal.post(0, &name("a"), &[Post { broadcast, except: Some("c0".into()) }]);
    assert_eq!(missed(&journal, (keys[0], "c0"), &["a"], 0).unwrap(), [""; 0]);
    assert_eq!(missed(&journal, (keys[1], "c1"), &["a"], 0).unwrap(), ["1"]);
}

#[test]
fn what_was_for_many_is_for_those_that_it_was_for() {
    let keys = sessions(2);
    let mut journal = Journal::new(LIMITS);
    let everybody = |encoding, except: &[&str]| {
        let except = except.iter().map(|client| Arc::from(*client)).collect();
        Receivers::Everybody { encoding, except }
    };
    journal.mail(0, everybody(7, &[]), &says("x", "all", None));
    journal.mail(0, everybody(8, &[]), &says("x", "others", None));
    journal.mail(0, everybody(7, &["c0"]), &says("x", "all but it", None));
    journal.mail(0, Receivers::Chosen(keys[..1].into()), &says("x", "chosen", None));
    assert_eq!(missed(&journal, (keys[0], "c0"), &[], 0).unwrap(), ["all", "chosen"]);
    assert_eq!(missed(&journal, (keys[1], "c1"), &[], 0).unwrap(), ["all", "all but it"]);
}

#[test]
fn who_joined_or_left_meanwhile_gets_what_came_while_it_was_in() {
    let keys = sessions(1);
    let mut journal = Journal::new(LIMITS);
    post(&mut journal, 0, "a", "before");
    journal.joined(0, keys[0], &name("a"), None);
    post(&mut journal, 0, "a", "within");
    journal.left(0, keys[0], &name("a"));
    post(&mut journal, 0, "a", "between");
    journal.joined(0, keys[0], &name("a"), None);
    post(&mut journal, 0, "a", "again");
    let it = (keys[0], "c0");
    assert_eq!(missed(&journal, it, &["a"], 0).unwrap(), ["within", "again"]);
    assert_eq!(missed(&journal, it, &["a"], 4).unwrap(), ["again"]);
    journal.left(0, keys[0], &name("a"));
    assert_eq!(missed(&journal, it, &[], 0).unwrap(), ["within", "again"]);
}

#[test]
fn what_was_read_when_it_joined_is_not_missed() {
    let keys = sessions(1);
    let mut journal = Journal::new(LIMITS);
    let head = Position { epoch: 1, offset: 2, tag: 2 };
    journal.joined(0, keys[0], &name("a"), Some(head));
    for offset in 1..=3 {
        let broadcast = says("a", &offset.to_string(), Some(offset));
        journal.post(0, &name("a"), &[Post { broadcast, except: None }]);
    }
    assert_eq!(missed(&journal, (keys[0], "c0"), &["a"], 0).unwrap(), ["3"]);
}

#[test]
fn beyond_what_it_keeps_nothing_is_claimed() {
    let keys = sessions(1);
    let it = (keys[0], "c0");
    let mut journal = Journal::new(LIMITS);
    assert_eq!(missed(&journal, it, &["a"], 0).unwrap(), [""; 0]);
    assert_eq!(missed(&journal, it, &["a"], 1), None, "a number that was not given");
    assert_eq!(missed(&journal, it, &["a"], u64::MAX), None);
    post(&mut journal, 0, "a", "old");
    post(&mut journal, 900, "a", "1");
    post(&mut journal, 1001, "a", "2");
    assert_eq!(missed(&journal, it, &["a"], 0), None);
    assert_eq!(missed(&journal, it, &["a"], 1).unwrap(), ["1", "2"]);
    // Also when there is nothing left.
    journal.prune(10_000);
    assert_eq!(journal.bytes(), 0);
    assert_eq!(missed(&journal, it, &["a"], 2), None);
    assert_eq!(missed(&journal, it, &["a"], 3).unwrap(), [""; 0]);
}

#[test]
fn its_bytes_are_bounded() {
    let mut journal = Journal::new(JournalLimits { bytes_max: 10_000, age_max_ms: u64::MAX });
    for _ in 0..1000 {
        post(&mut journal, 0, "a", &"x".repeat(100));
        assert!(journal.bytes() <= 10_000);
    }
    post(&mut journal, 0, "a", &"x".repeat(20_000));
    assert_eq!(journal.bytes(), 0);
}

/// The next of a row of numbers below `below`, which the seed decides.
fn next(seed: &mut u64, below: u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from((*seed >> 33) % below).unwrap()
}

/// A model that hands everything to each session at once, against what the journal says later.
#[test]
fn what_is_missed_is_what_was_handed_over() {
    for seed in 0..2000 {
        handed_over_and_missed(seed);
    }
}

fn handed_over_and_missed(seed: u64) {
    const CHANNELS: [&str; 3] = ["a", "b", "c"];
    const CLIENTS: [&str; 3] = ["c0", "c1", "c2"];
    let random = &mut { seed };
    let keys = sessions(3);
    let mut journal = Journal::new(LIMITS);
    let mut is_in = [[false; 3]; 3];
    let mut since = [0; 3];
    let mut due: [Vec<String>; 3] = Default::default();
    for step in 0..next(random, 60) {
        let text = step.to_string();
        let (session, channel) = (next(random, 3), next(random, 3));
        match next(random, 8) {
            0..4 => {
                let except = CLIENTS.get(next(random, 6));
                let broadcast = says(CHANNELS[channel], &text, None);
                let post = Post { broadcast, except: except.map(|it| (*it).into()) };
                journal.post(0, &name(CHANNELS[channel]), &[post]);
                for index in 0..3 {
                    if is_in[index][channel] && except != Some(&CLIENTS[index]) {
                        due[index].push(text.clone());
                    }
                }
            }
            4 => {
                journal.direct(0, keys[session], text.clone(), 1);
                due[session].push(text);
            }
            5 | 6 => {
                let is_in = &mut is_in[session][channel];
                match *is_in {
                    true => journal.left(0, keys[session], &name(CHANNELS[channel])),
                    false => journal.joined(0, keys[session], &name(CHANNELS[channel]), None),
                }
                *is_in = !*is_in;
            }
            _ => {
                since[session] = journal.last();
                due[session].clear();
            }
        }
    }
    for session in 0..3 {
        let now: Vec<&str> =
            (0..3).filter(|it| is_in[session][*it]).map(|it| CHANNELS[it]).collect();
        let who = (keys[session], CLIENTS[session]);
        let missed = missed(&journal, who, &now, since[session]);
        assert_eq!(missed.as_ref(), Some(&due[session]), "seed {seed}, session {session}");
    }
}
