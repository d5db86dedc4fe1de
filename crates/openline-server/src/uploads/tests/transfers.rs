//! What becomes of a transfer.

use openline_protocol::ErrorCode::{
    BadOffset, ChecksumMismatch, IdempotencyConflict, Incomplete, NotFound, TooLarge,
};

use super::{Place, ann, bytes, file, keyed, line, nobody, sha256, sized, told};
use crate::uploads::{Stored, WINDOW};

#[tokio::test]
async fn a_file_comes_out_as_it_went_in() {
    let place = Place::new();
    let data = bytes(700_000);
    let opened = place.begin(sized("cat.jpg", data.len() as u64)).await.unwrap();
    assert!(opened.upload.starts_with("u-") && opened.upload.len() == 24, "{}", opened.upload);
    assert_eq!(opened.offset, 0);
    place.send(&opened.upload, &data).await;
    let file = place.complete_with(&opened.upload, Some(sha256(&data))).await.unwrap();
    assert_eq!((&*file.name, file.size), ("cat.jpg", data.len() as u64));
    assert_eq!(file.content_type, "application/octet-stream");
    assert_eq!(file.url, format!("/uploads/{}", opened.upload));
    assert_eq!(place.content(&file), data);
    let again = place.complete(&opened.upload).await.unwrap();
    assert_eq!(again, file, "it may be asked again");
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let place = Place::new();
    for new in [sized("empty", 0), file("stream")] {
        let opened = place.begin(new).await.unwrap();
        let file = place.complete_with(&opened.upload, Some(sha256(b""))).await.unwrap();
        assert_eq!(file.size, 0);
        assert_eq!(place.content(&file), b"");
    }
}

#[tokio::test]
async fn a_key_is_good_for_its_owner_alone() {
    let place = Place::new();
    let opened = place.begin(keyed("a", "k")).await.unwrap();
    place.put(&opened.upload, 0, b"abc").await.unwrap();
    let again = place.begin(keyed("a", "k")).await.unwrap();
    assert_eq!((&again.upload, again.offset), (&opened.upload, 3));
    let mut others = Vec::new();
    for owner in [nobody("10.0.0.1"), nobody("10.0.0.2"), super::Owner::User("ben".into())] {
        let other = place.uploads.begin(owner, keyed("a", "k")).await.unwrap();
        assert_eq!(other.offset, 0);
        assert!(!others.contains(&other.upload) && other.upload != opened.upload);
        others.push(other.upload);
    }
    let same = place.uploads.begin(nobody("10.0.0.2"), keyed("a", "k")).await.unwrap();
    assert_eq!(same.upload, others[1]);
    assert_eq!(told(place.begin(keyed("b", "k")).await), (IdempotencyConflict, None));
    let conflict = super::NewFile { size: Some(9), ..keyed("a", "k") };
    assert_eq!(told(place.begin(conflict).await), (IdempotencyConflict, None));
    place.complete(&opened.upload).await.unwrap();
    let complete = place.begin(keyed("a", "k")).await.unwrap();
    assert_eq!((complete.upload, complete.offset), (opened.upload, 3), "also after its end");
}

#[tokio::test]
async fn chunks_follow_one_another_and_repeats_are_acknowledged() {
    let place = Place::new();
    let id = place.begin(sized("a", 10)).await.unwrap().upload;
    assert_eq!(told(place.put(&id, 1, b"x").await), (BadOffset, Some(0)));
    place.put(&id, 0, b"0123").await.unwrap();
    assert_eq!(told(place.put(&id, 5, b"x").await), (BadOffset, Some(4)));
    let repeated = place.put(&id, 0, b"xxxx").await.unwrap();
    assert_eq!(repeated, Stored { end: 4, acknowledge: Some(4) });
    // Half of it is new.
    place.put(&id, 2, b"xx45").await.unwrap();
    assert_eq!(told(place.complete(&id).await), (Incomplete, Some(6)));
    place.put(&id, 6, b"6789").await.unwrap();
    assert_eq!(told(place.put(&id, 10, b"x").await), (TooLarge, None));
    assert_eq!(told(place.put(&id, u64::MAX, b"x").await), (TooLarge, None));
    let file = place.complete(&id).await.unwrap();
    assert_eq!(place.content(&file), b"0123456789");
    assert_eq!(place.put(&id, 0, b"0123").await.unwrap().end, 4, "repeats also after the end");
    assert_eq!(told(place.put(&id, 9, b"9x").await), (TooLarge, None));
}

#[tokio::test]
async fn acks_come_at_each_quarter_of_the_window_and_at_the_end() {
    let place = Place::new();
    let id = place.begin(file("a")).await.unwrap().upload;
    let faults = place.uploads.shared.directory.faults.clone();
    let piece = bytes(100 << 10);
    let mut outcomes = Vec::new();
    faults.set_stuck(true);
    for index in 0..8 {
        outcomes.push(place.give(&id, index * (100 << 10), &piece).await.unwrap());
    }
    faults.set_stuck(false);
    let mut acks = Vec::new();
    for outcome in outcomes {
        acks.extend(outcome.await.unwrap().unwrap().acknowledge);
    }
    assert_eq!(acks, [300 << 10, 600 << 10, 800 << 10]);
    assert!(acks.windows(2).all(|pair| pair[1] - pair[0] <= WINDOW / 2));
}

#[tokio::test]
async fn another_sum_discards_the_file() {
    let place = Place::new();
    let id = place.begin(keyed("a", "k")).await.unwrap().upload;
    place.put(&id, 0, b"abc").await.unwrap();
    let fault = place.complete_with(&id, Some(sha256(b"abd"))).await.unwrap_err();
    assert_eq!(fault.code, ChecksumMismatch);
    assert_eq!(fault.transfer.unwrap().upload, &*id);
    assert_eq!(told(place.complete(&id).await), (NotFound, None));
    assert_eq!(told(place.put(&id, 3, b"d").await), (NotFound, None));
    assert!(place.files().is_empty());
    assert_eq!(place.begin(keyed("a", "k")).await.unwrap().offset, 0, "the key is free again");
    assert_eq!(place.uploads.counters().unwrap().failed, 1);
}

#[tokio::test]
async fn what_was_refused_of_a_stream_is_missing_until_it_came() {
    let place = Place::new();
    let id = place.begin(file("a")).await.unwrap().upload;
    place.put(&id, 0, b"ab").await.unwrap();
    assert_eq!(told(place.put(&id, 3, b"d").await), (BadOffset, Some(2)));
    assert_eq!(told(place.complete(&id).await), (Incomplete, Some(2)));
    let long = bytes(place.options.chunk_max as usize + 1);
    assert_eq!(told(place.put(&id, 2, &long).await), (TooLarge, None));
    assert_eq!(told(place.complete(&id).await), (Incomplete, Some(2)));
    // Who asks how far it came says anew what there is.
    assert_eq!(place.uploads.resume(&id).unwrap().offset, 2);
    assert_eq!(place.complete(&id).await.unwrap().size, 2);
}

#[tokio::test]
async fn what_is_cancelled_is_gone() {
    let place = Place::new();
    let unfinished = place.begin(file("a")).await.unwrap().upload;
    place.put(&unfinished, 0, b"abc").await.unwrap();
    let finished = place.begin(file("b")).await.unwrap().upload;
    place.complete(&finished).await.unwrap();
    for id in [unfinished, finished] {
        place.uploads.cancel(&id).await;
        place.uploads.cancel(&id).await;
        assert_eq!(told(place.uploads.resume(&id)), (NotFound, None));
        assert!(place.uploads.file(&id).is_none());
    }
    assert!(place.files().is_empty());
    let counters = place.uploads.counters().unwrap();
    assert_eq!((counters.cancelled, counters.completed, counters.open), (1, 1, 0));
    assert_eq!(counters.bytes, 0, "its room is free again");
}

#[tokio::test]
async fn names_are_labels_and_files_stay_in_their_folder() {
    let place = Place::new();
    for (name, expected) in
        [("../../../etc/passwd", "passwd"), ("a\\..\\b.exe", "b.exe"), ("\0/..", "file")]
    {
        let id = place.begin(file(name)).await.unwrap().upload;
        place.put(&id, 0, b"x").await.unwrap();
        assert_eq!(place.complete(&id).await.unwrap().name, expected);
    }
    let files = place.files();
    assert_eq!(files.len(), 6);
    assert!(files.iter().all(|name| name.starts_with("u-")), "{files:?}");
    for id in ["..", "../x", "", "u-1", "u-1.json", "/etc/passwd"] {
        assert!(place.uploads.file(id).is_none(), "{id}");
        assert_eq!(told(place.put(id, 0, b"x").await), (NotFound, None), "{id}");
    }
}

#[tokio::test]
async fn two_lines_may_send_the_same_file() {
    let place = Place::new();
    let id = place.begin(keyed("a", "k")).await.unwrap().upload;
    let data = bytes(200_000);
    let faults = place.uploads.shared.directory.faults.clone();
    faults.set_stuck(true);
    // The line before is cut while all of it waits for the disk.
    let before = place.give(&id, 0, &data).await.unwrap();
    let opened = place.uploads.begin(ann(), keyed("a", "k")).await.unwrap();
    assert_eq!(opened.offset, 0);
    let place = Place { line: line(), ..place };
    let after = place.give(&id, 0, &data).await.unwrap();
    faults.set_stuck(false);
    assert_eq!(before.await.unwrap().unwrap().acknowledge, Some(200_000));
    let told = after.await.unwrap().unwrap();
    assert_eq!(told.acknowledge, Some(200_000), "the new line is told as well");
    let file = place.complete_with(&id, Some(sha256(&data))).await.unwrap();
    assert_eq!(place.content(&file), data);
}
