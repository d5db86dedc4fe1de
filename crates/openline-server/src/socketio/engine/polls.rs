//! [`Polling`]: what waits for a client's polls, and what its requests are about just now.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use openline_ws::Sender;

use super::Ended;
use super::packet;
use super::payload::Letter;
use crate::exchange::NotTaken;

/// What one answer may hold, unless a single message is longer. The rest is for the next.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A connection over polling.
pub(super) struct Polling {
    letters: VecDeque<Letter>,
    bytes: usize,
    bytes_max: usize,
    poll: Attendance,
    is_posting: bool,
    post: Post,
    work: Work,
    probe: Option<Probe>,
    /// When the client last sent something.
    pub(super) heard_ms: u64,
    lingers_until: Option<u64>,
}

/// Whether a poll is there.
enum Attendance {
    Absent,
    /// With whom to wake when something comes, once it waits.
    Present(Option<Waker>),
}

/// How it stands with what a POST brought: it is worked on while there is room for what comes of it.
#[derive(Default)]
struct Post {
    /// Who works on it and waits for room.
    worker: Option<Waker>,
    /// Who answers it.
    answerer: Option<Waker>,
    /// It was answered, and is worked on still.
    is_answered: bool,
}

/// Events that handlers are at work on: what they answer may be as long, and does not wait here yet.
#[derive(Default)]
struct Work {
    bytes: usize,
    /// Who waits until it is less.
    worker: Option<Waker>,
}

/// A WebSocket that may come to carry the connection.
struct Probe {
    sender: Sender,
    is_answered: bool,
}

impl Polling {
    pub(super) fn new(bytes_max: usize, now_ms: u64) -> Self {
        Self {
            letters: VecDeque::new(),
            bytes: 0,
            bytes_max,
            poll: Attendance::Absent,
            is_posting: false,
            post: Post::default(),
            work: Work::default(),
            probe: None,
            heard_ms: now_ms,
            lingers_until: None,
        }
    }

    /// Puts letters in, all or none.
    pub(super) fn put(&mut self, letters: Vec<Letter>) -> Result<(), NotTaken> {
        let bytes: usize = letters.iter().map(Letter::cost).sum();
        // What is larger than the whole bound passes when nothing else waits.
        if self.bytes > 0 && self.bytes + bytes > self.bytes_max {
            return Err(NotTaken::Full);
        }
        self.bytes += bytes;
        self.letters.extend(letters);
        self.wake();
        Ok(())
    }

    /// Puts in what this side says by itself, of which there is never much.
    pub(super) fn put_control(&mut self, letter: Letter) {
        self.bytes += letter.cost();
        self.letters.push_back(letter);
        self.wake();
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A poll begins; false if another is there.
    pub(super) fn attend(&mut self) -> bool {
        let begins = !self.is_attended();
        if begins {
            self.poll = Attendance::Present(None);
        }
        begins
    }

    pub(super) fn is_attended(&self) -> bool {
        matches!(self.poll, Attendance::Present(_))
    }

    /// Whether a poll has nothing to take yet.
    pub(super) fn is_waited_for(&self) -> bool {
        self.is_attended() && self.letters.is_empty()
    }

    /// The poll goes.
    pub(super) fn unattend(&mut self) {
        self.poll = Attendance::Absent;
    }

    /// What there is for the poll. `turns`: while a WebSocket is tried out it does not wait.
    pub(super) fn poll_letters(
        &mut self,
        ended: Option<Ended>,
        turns: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Vec<Letter>> {
        let mut letters = self.take(if ended.is_none() { ANSWER_BYTES_MAX } else { usize::MAX });
        match ended {
            // The client knows, and its poll only has to end.
            Some(Ended::TransportClose) if letters.is_empty() => {
                letters.push(Letter::packet(packet::NOOP));
            }
            Some(Ended::TransportClose) => {}
            // Alone: a client deals with it at once, and with a message that came along only then.
            Some(_) if letters.is_empty() => letters.push(Letter::packet(packet::CLOSE)),
            Some(_) => {}
            None if letters.is_empty() && turns && self.is_probed() => {
                letters.push(Letter::packet(packet::NOOP));
            }
            None => {}
        }
        if !letters.is_empty() {
            return Poll::Ready(letters);
        }
        self.poll = Attendance::Present(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn take(&mut self, bytes_max: usize) -> Vec<Letter> {
        let (mut bytes, mut count) = (0, 0);
        for letter in &self.letters {
            if count > 0 && bytes + letter.cost() > bytes_max {
                break;
            }
            bytes += letter.cost();
            count += 1;
        }
        self.bytes -= bytes;
        self.wake_post();
        let letters = self.letters.drain(..count).collect();
        if self.letters.is_empty() {
            // A burst's memory is not kept for the next.
            self.letters = VecDeque::new();
        }
        letters
    }

    /// A POST begins; false if another is under way.
    pub(super) fn post(&mut self) -> bool {
        !std::mem::replace(&mut self.is_posting, true)
    }

    pub(super) fn is_posting(&self) -> bool {
        self.is_posting
    }

    pub(super) fn posted(&mut self, now_ms: u64) {
        self.is_posting = false;
        self.heard_ms = now_ms;
    }

    /// Waits until something of so many bytes may be worked on beside what is at work: a quarter of what may
    /// wait. What is larger is worked on alone.
    pub(super) fn poll_worked(&mut self, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.work.bytes == 0 || self.work.bytes + bytes <= self.bytes_max / 4 {
            return Poll::Ready(());
        }
        self.work.worker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn work_begins(&mut self, bytes: usize) {
        self.work.bytes += bytes;
    }

    pub(super) fn work_ends(&mut self, bytes: usize) {
        self.work.bytes -= bytes;
        if let Some(worker) = self.work.worker.take() {
            worker.wake();
        }
    }

    /// Waits until polls have made room for what comes of so many bytes: half of what may wait. For what is
    /// larger, until nothing waits.
    pub(super) fn poll_room(&mut self, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.bytes == 0 || self.bytes + bytes <= self.bytes_max / 2 {
            return Poll::Ready(());
        }
        self.post.worker = Some(cx.waker().clone());
        if let Some(answerer) = self.post.answerer.take() {
            answerer.wake();
        }
        Poll::Pending
    }

    /// Waits until a POST is to be answered before it is done with. A client that changes over polls
    /// again only when its POST is answered, which waits for room, which a poll would make. One such
    /// is enough: the next waits.
    pub(super) fn poll_answer_early(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_probed() && self.post.worker.is_some() && !self.post.is_answered {
            self.post.is_answered = true;
            return Poll::Ready(());
        }
        self.post.answerer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What a POST brought is done with.
    pub(super) fn post_done(&mut self) {
        self.post.is_answered = false;
        self.wake_post();
    }

    fn wake_post(&mut self) {
        let Post { worker, answerer, .. } = &mut self.post;
        [worker.take(), answerer.take()].into_iter().flatten().for_each(Waker::wake);
    }

    /// A WebSocket comes that may take over; false if another is tried out.
    pub(super) fn try_out(&mut self, sender: &Sender) -> bool {
        let begins = self.probe.is_none();
        if begins {
            self.probe = Some(Probe { sender: sender.clone(), is_answered: false });
        }
        begins
    }

    /// The WebSocket works: polls are to end now, so that the client can change over.
    pub(super) fn answer_probe(&mut self) {
        if let Some(probe) = &mut self.probe {
            probe.is_answered = true;
        }
        self.wake_post();
        self.wake();
    }

    /// Whether a WebSocket was found to work.
    pub(super) fn is_probed(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.is_answered)
    }

    pub(super) fn abandon_probe(&mut self) {
        self.probe = None;
    }

    /// What waits goes another way from here on, and the poll that is there learns of it.
    pub(super) fn hand_over(&mut self) -> VecDeque<Letter> {
        self.probe = None;
        self.wake_post();
        self.wake();
        self.bytes = 0;
        std::mem::take(&mut self.letters)
    }

    /// The connection has ended.
    pub(super) fn end(&mut self, is_given_up: bool, lingers_until: Option<u64>) {
        if is_given_up {
            (self.bytes, self.letters) = (0, VecDeque::new());
        }
        if let Some(probe) = self.probe.take() {
            // It never carried anything.
            let _ = probe.sender.close(openline_protocol::close::NORMAL, "");
        }
        self.lingers_until = lingers_until;
        self.wake_post();
        self.wake();
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingers_until.is_some()
    }

    pub(super) fn lingers_until(&self) -> Option<u64> {
        self.lingers_until
    }

    /// Lingers no longer; false if it did not.
    pub(super) fn leave(&mut self) -> bool {
        self.lingers_until.take().is_some()
    }

    fn wake(&mut self) {
        if let Attendance::Present(waker) = &mut self.poll
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::socketio::engine::Message;

    fn letters(texts: &[&str]) -> Vec<Letter> {
        texts.iter().map(|text| Letter::of(&Message::Text((*text).into()))).collect()
    }

    fn poll(polling: &mut Polling, ended: Option<Ended>) -> Poll<Vec<Letter>> {
        let mut cx = Context::from_waker(Waker::noop());
        polling.poll_letters(ended, true, &mut cx)
    }

    #[test]
    fn a_poll_takes_what_waits_in_order() {
        let mut polling = Polling::new(1000, 0);
        assert!(polling.attend());
        assert_eq!(poll(&mut polling, None), Poll::Pending);
        assert!(polling.is_waited_for());
        polling.put(letters(&["a", "b"])).unwrap();
        polling.put(letters(&["c"])).unwrap();
        assert_eq!(poll(&mut polling, None), Poll::Ready(letters(&["a", "b", "c"])));
        assert_eq!(polling.bytes(), 0);
    }

    #[test]
    fn an_answer_has_a_bound_and_one_large_message_passes() {
        let large = "x".repeat(ANSWER_BYTES_MAX);
        let mut polling = Polling::new(usize::MAX, 0);
        polling.put(letters(&[&large, "a", "b"])).unwrap();
        assert_eq!(poll(&mut polling, None), Poll::Ready(letters(&[&large])));
        assert_eq!(poll(&mut polling, None), Poll::Ready(letters(&["a", "b"])));
    }

    #[test]
    fn what_is_too_much_is_not_taken_unless_there_is_nothing_else() {
        let mut polling = Polling::new(100, 0);
        polling.put(letters(&[&"x".repeat(300)])).unwrap();
        assert_eq!(polling.put(letters(&["y"])), Err(NotTaken::Full));
        assert!(poll(&mut polling, None).is_ready());
        polling.put(letters(&["y"])).unwrap();
    }

    #[test]
    fn the_last_poll_gets_what_is_left_and_then_the_end() {
        let mut polling = Polling::new(1000, 0);
        polling.put(letters(&["a"])).unwrap();
        let ended = Some(Ended::ForcedClose);
        assert_eq!(poll(&mut polling, ended), Poll::Ready(letters(&["a"])));
        assert_eq!(poll(&mut polling, ended), Poll::Ready(vec![Letter::packet("1")]));
        assert_eq!(
            poll(&mut polling, Some(Ended::TransportClose)),
            Poll::Ready(vec![Letter::packet("6")])
        );
    }

    #[test]
    fn a_quarter_of_what_may_wait_is_at_work_or_one_thing_alone() {
        let mut polling = Polling::new(1000, 0);
        let mut cx = Context::from_waker(Waker::noop());
        let mut may = |polling: &mut Polling, bytes| polling.poll_worked(bytes, &mut cx).is_ready();
        assert!(may(&mut polling, 5000), "it is alone");
        polling.work_begins(200);
        assert!(may(&mut polling, 50) && !may(&mut polling, 51));
        polling.work_begins(50);
        assert!(!may(&mut polling, 1));
        polling.work_ends(200);
        assert!(may(&mut polling, 200) && !may(&mut polling, 201));
    }

    #[test]
    fn half_of_what_may_wait_is_room_or_one_thing_when_nothing_waits() {
        let mut polling = Polling::new(1000, 0);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(polling.poll_room(5000, &mut cx).is_ready());
        polling.put(letters(&[&"x".repeat(400)])).unwrap();
        let left = 500 - polling.bytes();
        assert!(polling.poll_room(left, &mut cx).is_ready());
        assert!(polling.poll_room(left + 1, &mut cx).is_pending());
        assert!(poll(&mut polling, None).is_ready());
        assert!(polling.poll_room(left + 1, &mut cx).is_ready());
    }

    #[test]
    fn there_is_one_poll_and_one_post_at_a_time() {
        let mut polling = Polling::new(1000, 0);
        assert!(polling.attend() && !polling.attend());
        polling.unattend();
        assert!(polling.attend());
        assert!(polling.post() && !polling.post());
        polling.posted(5);
        assert!(polling.post());
        assert_eq!(polling.heard_ms, 5);
    }
}
