//! A disk that is full, slow or away.

use std::time::Duration;

use openline_protocol::ErrorCode::{BadOffset, Incomplete, StorageFailed, StorageFull};
use tokio::time::timeout;

use super::{Place, bytes, file, line, sha256, sized, told};
use crate::uploads::{WAITING_BYTES_MAX, WINDOW};

const MOMENT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_full_disk_says_so_and_the_transfer_goes_on_when_there_is_room() {
    let place = Place::new();
    let faults = place.uploads.shared.directory.faults.clone();
    let data = bytes(300_000);
    let id = place.begin(file("a")).await.unwrap().upload;
    faults.set_quota(Some(150_000));
    faults.set_stuck(true);
    let mut outcomes = Vec::new();
    for (index, piece) in data.chunks(100_000).enumerate() {
        outcomes.push(place.give(&id, index as u64 * 100_000, piece).await.unwrap());
    }
    faults.set_stuck(false);
    let mut told_of = Vec::new();
    for outcome in outcomes {
        told_of.push(outcome.await.unwrap());
    }
    let last = told(told_of.pop().unwrap());
    assert_eq!(last, (BadOffset, Some(100_000)), "it was on its way behind the one that failed");
    assert_eq!(told(told_of.pop().unwrap()), (StorageFull, Some(100_000)));
    assert_eq!(told(place.complete(&id).await), (Incomplete, Some(100_000)));
    faults.set_quota(None);
    let opened = place.uploads.resume(&id).unwrap();
    assert_eq!(opened.offset, 100_000);
    place.put(&id, 100_000, &data[100_000..300_000]).await.unwrap();
    let file = place.complete_with(&id, Some(sha256(&data))).await.unwrap();
    assert_eq!(place.content(&file), data);
}

#[tokio::test]
async fn the_reserve_is_left_free() {
    let place = Place::with(|options| options.reserve_bytes = u64::MAX / 2);
    assert_eq!(told(place.begin(sized("a", 1)).await), (StorageFull, None));
    assert!(place.files().is_empty());
    let counters = place.uploads.counters().unwrap();
    assert_eq!((counters.failed, counters.open, counters.bytes), (1, 0, 0));
}

#[tokio::test]
async fn a_file_that_somebody_removed_is_an_error_and_no_panic() {
    let place = Place::new();
    let id = place.begin(file("a")).await.unwrap().upload;
    std::fs::remove_file(place.options.folder.as_ref().unwrap().join(&*id)).unwrap();
    assert_eq!(told(place.put(&id, 0, b"x").await), (StorageFailed, Some(0)));
    // The thread goes on.
    let other = place.begin(file("b")).await.unwrap().upload;
    place.put(&other, 0, b"x").await.unwrap();
    place.complete(&other).await.unwrap();
}

#[tokio::test]
async fn a_slow_disk_holds_the_line_that_sends_and_memory_does_not_grow() {
    let mut place = Place::with(|options| {
        options.owner_max = 1 << 30;
        options.total_max = 1 << 30;
    });
    let faults = place.uploads.shared.directory.faults.clone();
    let piece = bytes(256 << 10);
    let id = place.begin(file("a")).await.unwrap().upload;
    faults.set_stuck(true);
    let mut outcomes = Vec::new();
    for index in 0..WINDOW / (256 << 10) {
        outcomes.push(place.give(&id, index * (256 << 10), &piece).await.unwrap());
    }
    let end = WINDOW;
    let held = timeout(MOMENT, place.give(&id, end, &piece)).await;
    assert!(held.is_err(), "the line is not read on while its window is full");
    // Another line goes on, until all together are too many.
    let mut lines = vec![place.line.clone()];
    let mut waiting = WINDOW;
    loop {
        place.line = line();
        let mut end = 0;
        // A repeat of what is on its way is held all the same.
        while end < WINDOW {
            match timeout(MOMENT, place.give(&id, 0, &piece)).await {
                Ok(given) => outcomes.push(given.unwrap()),
                Err(_) => break,
            }
            end += 256 << 10;
        }
        waiting += end;
        lines.push(place.line.clone());
        if end < WINDOW {
            break;
        }
    }
    assert_eq!(waiting, WAITING_BYTES_MAX as u64);
    assert_eq!(place.uploads.waiting.available_permits(), 0);
    faults.set_stuck(false);
    for outcome in outcomes {
        outcome.await.unwrap().unwrap();
    }
    assert_eq!(place.uploads.waiting.available_permits(), WAITING_BYTES_MAX);
    assert!(lines.iter().all(|line| line.available_permits() == WINDOW as usize));
    place.put(&id, end, &piece).await.unwrap();
}
