//! Timers for lines: one sleep for each thread instead of one for each line.
//!
//! A line's deadlines are seconds away and most never come, because each byte from the peer moves
//! them. So a line keeps a place in a list that its thread's driver task looks after: some thirty
//! bytes in place of the hundred and thirty of a sleep of its own.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use openline_ws_proto::Timestamp;
use tokio::runtime::{Handle, Id};
use tokio::time::Sleep;

use crate::clock;

/// From this far away on, deadlines are rounded up to the next multiple of it, so that lines share
/// their wake-ups.
const COARSE_MS: u64 = 256;

/// A line's place in its thread's list, if it has one.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Place>);

#[derive(Debug)]
struct Place {
    wheel: Arc<Wheel>,
    due: Timestamp,
    index: usize,
}

impl Timer {
    /// Has the task of `cx` woken at `due`, or a little later. An earlier wake-up that was asked for
    /// before stays as it is: when it comes, ask again.
    pub(crate) fn wake_at(&mut self, due: Timestamp, cx: &mut Context<'_>) {
        let due = rounded(due);
        if let Some(place) = &self.0
            && place.due <= due
            && place.wheel.renew(place, cx.waker())
        {
            return;
        }
        self.clear();
        let wheel = Wheel::of_this_thread();
        let index = wheel.add(due, cx.waker());
        self.0 = Some(Place { wheel, due, index });
    }

    /// Asks for no wake-up.
    pub(crate) fn clear(&mut self) {
        if let Some(place) = self.0.take() {
            place.wheel.remove(&place);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A moment not before `due`, and after all that the driver has dealt with: a moment is in a list
/// once, so a place stays unmistakable.
fn rounded(due: Timestamp) -> Timestamp {
    let now = clock::now().0;
    match due.0.saturating_sub(now) >= 4 * COARSE_MS {
        true => Timestamp(due.0.next_multiple_of(COARSE_MS)),
        false => Timestamp(due.0.max(now + 1)),
    }
}

#[derive(Debug)]
struct Wheel {
    runtime: Id,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    /// Those to wake, by when.
    due: BTreeMap<Timestamp, Moment>,
    driver: Option<Waker>,
    /// The runtime dropped the driver: nobody looks after this list any more.
    abandoned: bool,
}

/// Those to wake at one moment.
#[derive(Debug, Default)]
struct Moment {
    wakers: Vec<Option<Waker>>,
    /// How many of them are still wanted.
    wanted: usize,
}

thread_local! {
    static WHEEL: std::cell::RefCell<Option<Arc<Wheel>>> = const { std::cell::RefCell::new(None) };
}

impl Wheel {
    /// The list of this thread and its present runtime; made, and its driver started, where there is
    /// none.
    fn of_this_thread() -> Arc<Self> {
        let runtime = Handle::current().id();
        WHEEL.with_borrow_mut(|wheel| {
            if let Some(wheel) = wheel
                && wheel.runtime == runtime
                && !wheel.lock().abandoned
            {
                return wheel.clone();
            }
            let new = Arc::new(Self { runtime, list: Mutex::default() });
            tokio::spawn(drive(Driver { wheel: new.clone() }));
            *wheel = Some(new.clone());
            new
        })
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().expect("nothing under this lock panics")
    }

    fn add(&self, due: Timestamp, waker: &Waker) -> usize {
        let mut list = self.lock();
        let first = list.due.first_key_value().is_none_or(|(first, _)| due < *first);
        let moment = list.due.entry(due).or_default();
        moment.wakers.push(Some(waker.clone()));
        moment.wanted += 1;
        let index = moment.wakers.len() - 1;
        let driver = if first { list.driver.take() } else { None };
        drop(list);
        if let Some(driver) = driver {
            driver.wake();
        }
        index
    }

    /// Sees to it that the place wakes `waker`; false if its time has come and it is gone.
    fn renew(&self, place: &Place, waker: &Waker) -> bool {
        let mut list = self.lock();
        if list.abandoned {
            return false;
        }
        match list.due.get_mut(&place.due).and_then(|moment| moment.wakers.get_mut(place.index)) {
            Some(Some(present)) => {
                present.clone_from(waker);
                true
            }
            Some(None) | None => false,
        }
    }

    fn remove(&self, place: &Place) {
        let mut list = self.lock();
        let Some(moment) = list.due.get_mut(&place.due) else { return };
        let waker = moment.wakers.get_mut(place.index).and_then(Option::take);
        moment.wanted -= usize::from(waker.is_some());
        if moment.wanted == 0 {
            list.due.remove(&place.due);
        }
        drop(list);
        // Dropping a waker may drop a task, and with it another line's timer.
        drop(waker);
    }

    /// Takes those whose time has come; returns when the next is due.
    fn take_due(&self, now: Timestamp, cx: &mut Context<'_>) -> (Vec<Waker>, Option<Timestamp>) {
        let mut list = self.lock();
        list.driver = Some(cx.waker().clone());
        let mut taken = Vec::new();
        while let Some(first) = list.due.first_entry()
            && *first.key() <= now
        {
            taken.extend(first.remove().wakers.into_iter().flatten());
        }
        (taken, list.due.first_key_value().map(|(due, _)| *due))
    }
}

/// Marks the list as abandoned when the runtime drops the driver.
struct Driver {
    wheel: Arc<Wheel>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.wheel.lock().abandoned = true;
    }
}

/// Wakes those whose time has come, for as long as the runtime lives.
async fn drive(driver: Driver) {
    let mut sleep: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        loop {
            let (due, next) = driver.wheel.take_due(clock::now(), cx);
            due.into_iter().for_each(Waker::wake);
            let Some(next) = next else { return Poll::<()>::Pending };
            let at = clock::instant(next);
            match &mut sleep {
                Some(sleep) => sleep.as_mut().reset(at),
                None => sleep = Some(Box::pin(tokio::time::sleep_until(at))),
            }
            let sleep = sleep.as_mut().expect("it was set above");
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}
