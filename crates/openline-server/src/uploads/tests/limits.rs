//! Each limit.

use openline_protocol::ErrorCode::{NotFound, StorageFull, TooLarge, UploadLimit};

use super::{HOUR, Place, ann, bytes, file, keyed, nobody, sized, told};
use crate::uploads::Owner;

#[tokio::test]
async fn a_file_has_a_largest_size() {
    let place = Place::with(|options| options.size_max = 1_000);
    assert_eq!(told(place.begin(sized("a", 1_001)).await), (TooLarge, None));
    let id = place.begin(file("a")).await.unwrap().upload;
    place.put(&id, 0, &bytes(1_000)).await.unwrap();
    assert_eq!(told(place.put(&id, 1_000, b"x").await), (TooLarge, None));
    assert_eq!(place.uploads.counters().unwrap().started, 1);
}

#[tokio::test]
async fn a_chunk_has_a_largest_size() {
    let place = Place::with(|options| options.chunk_max = 1_000);
    let id = place.begin(file("a")).await.unwrap().upload;
    assert_eq!(told(place.put(&id, 0, &bytes(1_001)).await), (TooLarge, None));
    place.put(&id, 0, &bytes(1_000)).await.unwrap();
}

#[tokio::test]
async fn users_have_their_room_and_those_without_a_name_that_of_their_address() {
    let place = Place::with(|options| options.owner_max = 100_000);
    place.begin(sized("a", 60_000)).await.unwrap();
    assert_eq!(told(place.begin(sized("b", 40_001)).await), (UploadLimit, None));
    let small = place.begin(sized("c", 40_000)).await.unwrap().upload;
    place.uploads.begin(Owner::User("ben".into()), sized("a", 60_000)).await.unwrap();
    place.uploads.begin(nobody("10.0.0.1"), sized("a", 60_000)).await.unwrap();
    place.uploads.begin(nobody("10.0.0.2"), sized("a", 60_000)).await.unwrap();
    let full = place.uploads.begin(nobody("10.0.0.1"), sized("b", 60_000)).await;
    assert_eq!(told(full), (UploadLimit, None));
    place.uploads.cancel(&small).await;
    place.begin(sized("b", 40_000)).await.unwrap();
}

#[tokio::test]
async fn all_files_together_have_a_room() {
    let place = Place::with(|options| options.total_max = 100_000);
    place.begin(sized("a", 60_000)).await.unwrap();
    let ben = Owner::User("ben".into());
    assert_eq!(told(place.uploads.begin(ben, sized("b", 50_000)).await), (StorageFull, None));
    assert_eq!(place.uploads.counters().unwrap().bytes, 60_000);
}

#[tokio::test]
async fn a_stream_takes_its_room_as_it_grows() {
    let place = Place::with(|options| options.owner_max = 10_000);
    let id = place.begin(file("a")).await.unwrap().upload;
    place.put(&id, 0, &bytes(9_000)).await.unwrap();
    assert_eq!(told(place.put(&id, 9_000, &bytes(2_000)).await), (UploadLimit, Some(9_000)));
    place.put(&id, 9_000, &bytes(1_000)).await.unwrap();
    assert_eq!(place.uploads.counters().unwrap().bytes, 10_000);
}

#[tokio::test]
async fn files_without_bytes_are_not_without_end() {
    let place = Place::with(|options| options.owner_max = 40_960);
    for _ in 0..10 {
        place.begin(sized("a", 0)).await.unwrap();
    }
    assert_eq!(told(place.begin(sized("a", 0)).await), (UploadLimit, None));
}

#[tokio::test]
async fn what_nobody_goes_on_with_is_forgotten_and_what_is_complete_later() {
    let place = Place::new();
    let left = place.begin(keyed("left", "k")).await.unwrap().upload;
    place.put(&left, 0, b"abc").await.unwrap();
    let kept = place.begin(file("kept")).await.unwrap().upload;
    let file = place.complete(&kept).await.unwrap();
    assert_eq!(place.files().len(), 4);
    place.wait(HOUR / 2);
    // It is not left.
    place.put(&left, 3, b"d").await.unwrap();
    place.wait(HOUR - 60_000);
    place.uploads.sweep();
    assert_eq!(place.uploads.resume(&left).unwrap().offset, 4);
    place.wait(HOUR + 1);
    place.uploads.sweep();
    assert_eq!(told(place.uploads.resume(&left)), (NotFound, None));
    assert!(place.uploads.with_key(&ann(), &keyed("left", "k")).is_none());
    assert!(place.uploads.file(&kept).is_some());
    place.wait(24 * HOUR);
    place.uploads.sweep();
    assert!(place.uploads.file(&file.upload).is_none());
    // What the disk was told to remove is done before this.
    let id = place.begin(sized("next", 0)).await.unwrap().upload;
    assert_eq!(place.files(), [id.to_string(), format!("{id}.json")]);
    let counters = place.uploads.counters().unwrap();
    assert_eq!((counters.expired, counters.open), (1, 1));
}
