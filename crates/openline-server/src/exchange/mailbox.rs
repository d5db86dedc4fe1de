//! [`Mailbox`]: what waits for a reader that is no WebSocket line: an SSE stream, a poll, or the
//! answer to a POST.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytestring::ByteString;
use openline_protocol::{ChannelName, Position, close};
use tokio::sync::Notify;

use super::ending::Ending;

/// A message and where it leaves the reader.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// JSON.
    pub(crate) text: ByteString,
    pub(crate) progress: Progress,
}

/// How far a reader is once it has a letter.
#[derive(Debug, Clone)]
pub(crate) enum Progress {
    /// As far as before.
    None,
    /// It has the channel up to here.
    Until(ChannelName, Position),
    /// It begins with channels.
    From(Arc<[(ChannelName, Position)]>),
    /// It has left channels.
    Left(Arc<[ChannelName]>),
}

/// Letters in order, within a bound.
#[derive(Debug)]
pub(crate) struct Mailbox {
    content: Mutex<Content>,
    filled: Notify,
    emptied: Notify,
    ending: Notify,
    bytes_max: usize,
    closes_when_full: bool,
}

#[derive(Debug, Default)]
struct Content {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// Letters that were taken so far.
    taken: u64,
    closed: Option<Ending>,
    /// Whom to wake when there is something to take.
    reader: Option<Waker>,
}

/// Why a letter was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Full,
    Closed,
}

impl Mailbox {
    /// One that is full gets nothing of a channel until it was emptied and its reader caught up.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            content: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            ending: Notify::new(),
            bytes_max,
            closes_when_full: false,
        }
    }

    /// One whose reader has to keep up.
    pub(crate) fn closing_when_full(bytes_max: usize) -> Self {
        Self { closes_when_full: true, ..Self::new(bytes_max) }
    }

    pub(crate) fn closes_when_full(&self) -> bool {
        self.closes_when_full
    }

    /// Puts letters in, all or none.
    pub(crate) fn put(&self, letters: &[Letter]) -> Result<(), NotTaken> {
        let mut content = self.content();
        if content.closed.is_some() {
            return Err(NotTaken::Closed);
        }
        let bytes: usize = letters.iter().map(cost).sum();
        // Letters that are larger than the whole box pass when it is empty.
        if content.bytes > 0 && content.bytes + bytes > self.bytes_max {
            return Err(NotTaken::Full);
        }
        let is_first = content.letters.is_empty();
        content.bytes += bytes;
        content.letters.extend(letters.iter().cloned());
        let reader = content.reader.take();
        drop(content);
        reader.into_iter().for_each(Waker::wake);
        if is_first {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Ends it: the reader gets what is in it first. The first ending counts.
    pub(crate) fn close(&self, ending: Ending) {
        let reader = {
            let mut content = self.content();
            content.closed.get_or_insert(ending);
            content.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
        self.ending.notify_one();
        self.emptied.notify_waiters();
    }

    /// Ends it because its reader does not keep up: what is in it is gone, and where the reader goes
    /// on it reads the history.
    pub(crate) fn give_up(&self) {
        {
            let mut content = self.content();
            (content.bytes, content.letters) = (0, VecDeque::new());
        }
        self.close(Ending::new(close::SLOW_CONSUMER, "slow consumer"));
    }

    /// Takes letters of so many bytes together, or one that is larger.
    pub(crate) fn take(&self, bytes_max: usize) -> Vec<Letter> {
        let mut content = self.content();
        let (mut bytes, mut count) = (0, 0);
        for letter in &content.letters {
            if count > 0 && bytes + cost(letter) > bytes_max {
                break;
            }
            bytes += cost(letter);
            count += 1;
        }
        content.bytes -= bytes;
        content.taken += count as u64;
        let letters = content.letters.drain(..count).collect();
        if content.letters.is_empty() {
            self.emptied.notify_waiters();
        }
        letters
    }

    /// What the letters in it cost.
    pub(crate) fn bytes(&self) -> usize {
        self.content().bytes
    }

    /// Bytes of the letters in it that nobody else holds.
    pub(crate) fn own_bytes(&self) -> usize {
        let content = self.content();
        let own = content.letters.iter().filter(|letter| letter.text.as_bytes().is_unique());
        own.map(cost).sum()
    }

    /// Why it was closed, once nothing is in it any more.
    pub(crate) fn closed(&self) -> Option<Ending> {
        let content = self.content();
        content.closed.clone().filter(|_| content.letters.is_empty())
    }

    /// Why it was closed, whatever is left in it.
    pub(crate) fn end(&self) -> Option<Ending> {
        self.content().closed.clone()
    }

    /// Ready when there is something in it, or it is closed. One reader at a time: the last one that
    /// asked is woken.
    pub(crate) fn poll_news(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut content = self.content();
        if !content.letters.is_empty() || content.closed.is_some() {
            return Poll::Ready(());
        }
        match &mut content.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            reader => *reader = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Waits until there is something in it, or it is closed. One reader at a time.
    pub(crate) async fn wait(&self) {
        poll_fn(|cx| self.poll_news(cx)).await;
    }

    /// Waits until it is closed, whatever is left in it. For one who waits.
    pub(crate) async fn ended(&self) {
        while self.end().is_none() {
            self.ending.notified().await;
        }
    }

    /// Waits until something is in it and nothing was taken for so long. For one who waits.
    pub(crate) async fn stuck(&self, age: Duration) {
        loop {
            let before = {
                let content = self.content();
                (!content.letters.is_empty()).then_some(content.taken)
            };
            match before {
                None => self.filled.notified().await,
                Some(before) => {
                    tokio::time::sleep(age).await;
                    let content = self.content();
                    if content.taken == before && !content.letters.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits until nothing is in it; false if it is closed.
    pub(crate) async fn drained(&self) -> bool {
        loop {
            let mut emptied = pin!(self.emptied.notified());
            emptied.as_mut().enable();
            {
                let content = self.content();
                if content.closed.is_some() || content.letters.is_empty() {
                    return content.closed.is_none();
                }
            }
            emptied.await;
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("nothing under this lock panics")
    }
}

fn cost(letter: &Letter) -> usize {
    const LETTER_BYTES: usize = 64;
    letter.text.len() + LETTER_BYTES
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use super::*;

    fn letter(text: &str) -> Letter {
        Letter { text: text.into(), progress: Progress::None }
    }

    fn texts(letters: &[Letter]) -> Vec<&str> {
        letters.iter().map(|letter| &*letter.text).collect()
    }

    #[test]
    fn letters_are_taken_in_order_and_in_parts() {
        let mailbox = Mailbox::new(1000);
        mailbox.put(&[letter("a"), letter("b"), letter("c")]).unwrap();
        assert_eq!(texts(&mailbox.take(130)), ["a", "b"]);
        assert_eq!(texts(&mailbox.take(1)), ["c"], "one passes whatever its size");
        assert!(mailbox.take(1000).is_empty());
    }

    #[test]
    fn what_is_too_much_is_not_taken_unless_there_is_nothing_else() {
        let mailbox = Mailbox::new(200);
        mailbox.put(&[letter(&"x".repeat(300))]).unwrap();
        assert_eq!(mailbox.put(&[letter("y")]), Err(NotTaken::Full));
        assert_eq!(mailbox.take(1000).len(), 1);
        mailbox.put(&[letter("y")]).unwrap();
    }

    #[test]
    fn the_reader_gets_what_is_there_before_the_end() {
        let mailbox = Mailbox::new(1000);
        mailbox.put(&[letter("a")]).unwrap();
        mailbox.close(Ending::new(4005, "kicked"));
        mailbox.close(Ending::new(1001, "later"));
        assert_eq!(mailbox.put(&[letter("b")]), Err(NotTaken::Closed));
        assert_eq!(mailbox.closed(), None);
        assert_eq!(texts(&mailbox.take(1000)), ["a"]);
        assert_eq!(mailbox.closed(), Some(Ending::new(4005, "kicked")));
    }

    #[test]
    fn a_reader_that_is_given_up_gets_only_the_end() {
        let mailbox = Mailbox::new(1000);
        mailbox.put(&[letter("a")]).unwrap();
        mailbox.give_up();
        assert!(mailbox.take(1000).is_empty());
        assert_eq!(mailbox.closed().unwrap().code, close::SLOW_CONSUMER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_is_stuck_when_it_takes_nothing_of_what_there_is() {
        let mailbox = Arc::new(Mailbox::new(1000));
        let stuck = tokio::spawn({
            let mailbox = mailbox.clone();
            async move { mailbox.stuck(Duration::from_secs(10)).await }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        for _ in 0..20 {
            mailbox.put(&[letter("a"), letter("b")]).unwrap();
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(mailbox.take(1).len(), 1);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(mailbox.take(1).len(), 1);
        }
        assert!(!stuck.is_finished());
        mailbox.put(&[letter("a")]).unwrap();
        tokio::time::sleep(Duration::from_secs(21)).await;
        assert!(stuck.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_room_learns_of_it_and_of_the_end() {
        let mailbox = Arc::new(Mailbox::new(1000));
        assert!(mailbox.drained().await);
        for (close, drained) in [(false, true), (true, false)] {
            mailbox.put(&[letter("a")]).unwrap();
            let waiting = tokio::spawn({
                let mailbox = mailbox.clone();
                async move { mailbox.drained().await }
            });
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!waiting.is_finished());
            match close {
                true => mailbox.close(Ending::new(1001, "")),
                false => drop(mailbox.take(1000)),
            }
            assert_eq!(waiting.await.unwrap(), drained);
        }
        mailbox.ended().await;
        mailbox.wait().await;
    }
}
