//! The contract of [`Broker`](super::Broker), held by each implementation.
//!
//! A behaviour is a function of a [`Trial`]; `contract!` makes it a test of each kind of broker. What
//! only some kinds promise stands in `reopening`, `local`, `handover` and `shared`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod handover;
mod keys;
mod local;
#[cfg(feature = "nats")]
mod nats;
mod order;
mod places;
mod recovery;
#[cfg(feature = "redis")]
mod redis;
mod reopening;
mod shared;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use openline_engine::{Draft, History, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Publication, Reason};

use super::texts::*;
use super::{Answer, Broker, BrokerError, Published, Tail};
use places::{Embedded, InMemory, Memory};

/// Long enough for any machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long brokers under test remember a key.
const WINDOW: Duration = Duration::from_secs(300);

const CHANNELS_MAX: usize = 100;

const NO_HISTORY: History = History { size: 0, ttl_ms: 0 };

/// Brokers of one kind. What one kept, the next one opened finds, if that kind keeps anything.
trait Place: Send + Sync {
    fn open(&self, tail: Arc<dyn Tail>) -> Box<dyn Broker>;

    /// Has the time of its brokers go on.
    fn let_pass(&self, time: Duration);

    /// Whether its brokers hand on only what is listened to.
    fn is_shared(&self) -> bool {
        false
    }
}

/// Channels that a tail hears that has to listen; those of the tests that look at it.
const HEARD: [&str; 3] = ["room", "room:a", "room:b"];

/// A broker, and what it handed on.
struct Trial {
    place: Box<dyn Place>,
    broker: Box<dyn Broker>,
    tail: Arc<Recorder>,
}

impl Trial {
    fn new(place: impl Place + 'static) -> Self {
        Self::with(Box::new(place))
    }

    fn with(place: Box<dyn Place>) -> Self {
        let tail = Arc::new(Recorder::default());
        let broker = place.open(tail.clone());
        if place.is_shared() {
            HEARD.iter().for_each(|channel| {
                tail.hear(channel);
                wait(broker.listen(&name(channel))).unwrap();
            });
        }
        Self { place, broker, tail }
    }

    /// The broker is dropped, and another one opened where it was.
    fn reopen(self) -> Self {
        drop(self.broker);
        Self::with(self.place)
    }

    async fn publish(&self, draft: Draft) -> Published {
        soon(self.broker.publish(draft, None)).await.unwrap()
    }

    /// Publishes and returns the position.
    async fn put(&self, channel: &str, text: &str) -> Position {
        self.publish(draft(channel, text)).await.position.unwrap()
    }

    /// Publishes `0`, `1` and so on.
    async fn put_numbers(&self, channel: &str, count: usize) -> Vec<Position> {
        let mut positions = Vec::new();
        for number in 0..count {
            positions.push(self.put(channel, &number.to_string()).await);
        }
        positions
    }

    async fn query(&self, channel: &str, query: Query) -> Result<Page, Reason> {
        soon(self.broker.query(&name(channel), &query, &LIMITS)).await.unwrap()
    }

    /// All that is kept.
    async fn all(&self, channel: &str) -> Page {
        self.query(channel, Query::default()).await.unwrap()
    }

    async fn head(&self, channel: &str) -> Position {
        self.all(channel).await.head
    }

    async fn recover(&self, channel: &str, since: Position) -> Recovery {
        soon(self.broker.recover(&name(channel), since, &LIMITS)).await.unwrap()
    }

    /// What a reader missed, as texts.
    async fn missed(&self, channel: &str, since: Position) -> Result<Vec<String>, Reason> {
        self.recover(channel, since).await.missed.map(|missed| texts(&missed))
    }
}

/// A tail that remembers.
#[derive(Default)]
struct Recorder {
    got: Mutex<Vec<HandedOn>>,
    heard: Mutex<BTreeSet<ChannelName>>,
    /// What was lost, and what had come before.
    lost: Mutex<Vec<(ChannelName, usize)>>,
}

/// A publication, and who does not get it.
type HandedOn = (Arc<Publication>, Option<Arc<str>>);

impl Tail for Recorder {
    fn is_heard(&self, channel: &ChannelName) -> bool {
        self.heard.lock().unwrap().contains(channel)
    }

    fn lost(&self, channel: &ChannelName, _: Position) {
        self.lost.lock().unwrap().push((channel.clone(), self.len()));
    }

    fn publish(&self, publication: Arc<Publication>, except: Option<Arc<str>>) {
        self.got.lock().unwrap().push((publication, except));
    }
}

impl Recorder {
    fn hear(&self, channel: &str) {
        self.heard.lock().unwrap().insert(name(channel));
    }

    fn len(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    /// What came of a channel, `skipped` publications of any channel left out.
    fn of(&self, channel: &str, skipped: usize) -> Vec<Arc<Publication>> {
        let got = self.got.lock().unwrap();
        let of_channel = got[skipped..].iter().filter(|(p, _)| p.channel.as_str() == channel);
        of_channel.map(|(publication, _)| publication.clone()).collect()
    }

    /// Waits until so many came of a channel: a broker elsewhere may hand on later than it acks.
    fn wait_for(&self, channel: &str, count: usize) -> Vec<Arc<Publication>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let got = self.of(channel, 0);
            if got.len() >= count {
                return got;
            }
            assert!(Instant::now() < until, "{} of {count} came", got.len());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Waits on this thread, which may be a runtime's: a broker that answers later does so on its own.
fn wait<T: Unpin>(answer: Answer<T>) -> Result<T, BrokerError> {
    let until = Instant::now() + PATIENCE;
    let mut answer = pin!(answer);
    loop {
        if let Poll::Ready(result) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
        assert!(Instant::now() < until, "it comes in time");
        std::thread::sleep(Duration::from_millis(1));
    }
}

async fn soon<T: Unpin>(answer: Answer<T>) -> Result<T, BrokerError> {
    tokio::time::timeout(PATIENCE, answer).await.expect("it comes in time")
}

fn positions(publications: &[Arc<Publication>]) -> Vec<Position> {
    publications.iter().map(|publication| publication.position.unwrap()).collect()
}

/// Each entry names the one before it, and stands behind it.
#[track_caller]
fn assert_chained(publications: &[Arc<Publication>]) {
    for pair in publications.windows(2) {
        let (before, after) = (pair[0].position.unwrap(), pair[1].position.unwrap());
        assert_eq!(after.epoch, before.epoch);
        assert!(after.offset > before.offset, "{before:?} {after:?}");
        assert_eq!(pair[1].prev_tag, before.tag, "{before:?} {after:?}");
    }
}

/// Tests of one kind of broker: what all promise, and of those that keep what they acked also that.
/// What is said of a shared broker has an attribute for each test, and `@timed` are those of whose
/// store the time can be had to go on.
macro_rules! contract {
    ($broker:ident, $place:expr) => {
        mod $broker {
            use super::*;

            contract! { @always $place; }
            contract! { @over_time $place; }
            contract! { @tests $place;
                recovery:
                    a_channel_that_was_idle_for_long_is_forgotten,
                    health_counts_what_is_kept;
            }
        }
    };
    (@keeping $broker:ident, $place:expr) => {
        mod $broker {
            use super::*;

            contract! { @kept_always $place; }
            contract! { @kept_over_time $place; }
            contract! { @tests $place;
                reopening:
                    a_channel_that_was_cleared_begins_anew,
                    a_channel_that_was_forgotten_begins_anew;
            }
        }
    };
    (@shared $broker:ident, $place:expr $(, #[$attribute:meta])*) => {
        mod $broker {
            use super::*;

            contract! { @always $place; $(#[$attribute])* }
            contract! { @kept_always $place; $(#[$attribute])* }
        }
    };
    (@timed $broker:ident, $place:expr $(, #[$attribute:meta])*) => {
        mod $broker {
            use super::*;

            contract! { @over_time $place; $(#[$attribute])* }
            contract! { @kept_over_time $place; $(#[$attribute])* }
        }
    };
    (@always $place:expr; $($attribute:tt)*) => {
        contract! { @tests $place; $($attribute)*
            order:
                entries_stand_in_the_order_of_calls,
                a_publication_has_its_effect_whether_or_not_the_answer_is_awaited,
                what_is_acked_can_be_read_and_is_handed_on,
                each_entry_names_the_one_before_it,
                who_subscribes_before_it_reads_misses_nothing,
                the_tail_is_told_who_is_left_out,
                without_history_there_is_no_position_and_nothing_to_read,
                what_is_not_kept_leaves_the_chain_whole;
            recovery:
                a_reader_gets_what_it_missed,
                a_reader_of_an_empty_channel_gets_all,
                what_is_beyond_the_size_is_trimmed,
                a_position_of_another_incarnation_is_told_epoch,
                a_position_of_another_history_is_told_fork,
                more_than_one_answer_holds_is_told_limit,
                history_is_read_in_pages,
                a_page_is_bound_by_bytes_and_never_empty,
                history_of_a_position_that_is_not_there_is_refused,
                a_channel_that_is_cleared_is_empty_and_goes_on;
            keys:
                a_retry_is_answered_as_the_first_try,
                retries_at_the_same_time_are_one_publication,
                channels_have_keys_of_their_own,
                a_retry_is_known_when_its_entry_is_trimmed,
                a_retry_without_history_is_known;
        }
    };
    (@over_time $place:expr; $($attribute:tt)*) => {
        contract! { @tests $place; $($attribute)*
            recovery:
                what_is_beyond_its_time_is_expired,
                history_is_read_from_a_time_on;
            keys:
                a_key_used_for_something_else_is_a_conflict,
                a_key_is_forgotten_after_its_window;
        }
    };
    (@kept_always $place:expr; $($attribute:tt)*) => {
        contract! { @tests $place; $($attribute)*
            reopening:
                dropping_a_broker_writes_what_it_was_given,
                positions_and_order_outlive_it,
                keys_of_trimmed_entries_outlive_it,
                an_empty_channel_keeps_its_beginning;
        }
    };
    (@kept_over_time $place:expr; $($attribute:tt)*) => {
        contract! { @tests $place; $($attribute)*
            reopening:
                keys_outlive_it,
                a_channel_of_which_all_expired_keeps_its_head;
        }
    };
    (@tests $place:expr; $(#[$attribute:meta])* $($file:ident: $($test:ident),+;)+) => {
        contract! { @each $place; [$(#[$attribute])*] $($($file $test,)+)+ }
    };
    (@each $place:expr; $attributes:tt $($file:ident $test:ident,)+) => {
        $(contract! { @test $place; $attributes $file $test })+
    };
    (@test $place:expr; [$(#[$attribute:meta])*] $file:ident $test:ident) => {
        #[tokio::test]
        $(#[$attribute])*
        async fn $test() {
            super::$file::$test(Trial::new($place)).await;
        }
    };
}

contract!(in_memory, InMemory::new());
contract!(embedded_os, Embedded::new(crate::store::Level::Os));
contract!(embedded_fsync, Embedded::new(crate::store::Level::Fsync));
contract!(@keeping embedded_os_reopened, Embedded::new(crate::store::Level::Os));
contract!(@keeping embedded_fsync_reopened, Embedded::new(crate::store::Level::Fsync));
#[cfg(feature = "redis")]
contract!(@shared on_redis, redis::Redis::new(), #[ignore = "needs redis-server"]);
#[cfg(feature = "nats")]
contract!(@shared on_nats, nats::Nats::new(), #[ignore = "needs nats-server"]);
#[cfg(feature = "nats")]
contract!(@timed on_nats_over_time, nats::Nats::new(), #[ignore = "needs nats-server"]);
contract!(@shared shared_memory, Memory::new());
contract!(@timed shared_memory_over_time, Memory::new());

/// Tests of one kind of store that nodes share, with an attribute for each.
macro_rules! shared_contract {
    ($store:ident, $site:expr $(, #[$attribute:meta])*) => {
        mod $store {
            use super::*;

            shared_contract! { @each $site; [$(#[$attribute])*]
                an_entry_reaches_the_listeners_of_every_node_once_and_in_order,
                who_listens_and_then_reads_misses_nothing,
                what_is_acked_at_one_node_is_read_at_the_other,
                retries_at_two_nodes_are_one_publication,
                a_node_gets_what_it_listens_to_and_nothing_else,
                nothing_is_heard_after_unlisten,
                a_channel_that_is_heard_still_stays,
                a_node_whose_link_was_cut_catches_up,
                a_lost_report_is_found_by_the_next_entry,
                a_lost_report_that_nothing_follows_is_found_by_the_probe,
                what_a_store_that_was_rolled_back_does_not_have_is_lost,
                what_is_said_reaches_others_and_not_oneself,
                what_is_said_stays_in_order;
            }
        }
    };
    (@each $site:expr; $attributes:tt $($test:ident),+;) => {
        $(shared_contract! { @test $site; $attributes $test })+
    };
    (@test $site:expr; [$(#[$attribute:meta])*] $test:ident) => {
        #[tokio::test]
        $(#[$attribute])*
        async fn $test() {
            super::shared::$test(shared::Nodes::new($site)).await;
        }
    };
}

shared_contract!(nodes_on_memory, Memory::new());
#[cfg(feature = "redis")]
shared_contract!(nodes_on_redis, redis::Redis::new(), #[ignore = "needs redis-server"]);
#[cfg(feature = "nats")]
shared_contract!(nodes_on_nats, nats::Nats::new(), #[ignore = "needs nats-server"]);
