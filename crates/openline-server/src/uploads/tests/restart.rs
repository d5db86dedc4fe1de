//! What a server finds that starts again.

use openline_protocol::ErrorCode::{NotFound, ShuttingDown};

use super::{HOUR, Place, ann, bytes, file, keyed, sha256, told};
use crate::uploads::{Options, Uploads};
use crate::{clock::Clock, log::Log};

#[tokio::test]
async fn an_unfinished_file_goes_on_where_it_ended() {
    let place = Place::new();
    let data = bytes(600_000);
    let id = place.begin(keyed("a", "k")).await.unwrap().upload;
    place.put(&id, 0, &data[..250_000]).await.unwrap();
    let place = place.restart();
    let opened = place.begin(keyed("a", "k")).await.unwrap();
    assert_eq!((&opened.upload, opened.offset), (&id, 250_000));
    place.put(&id, 250_000, &data[250_000..500_000]).await.unwrap();
    let place = place.restart();
    place.put(&id, 500_000, &data[500_000..]).await.unwrap();
    let place = place.restart();
    let file = place.complete_with(&id, Some(sha256(&data))).await.unwrap();
    assert_eq!(place.content(&file), data);
    let place = place.restart();
    assert_eq!(place.uploads.file(&id), Some(file));
    assert_eq!(place.uploads.counters().unwrap().bytes, 600_000);
}

/// As when another process takes the folder over, and then does not.
#[tokio::test]
async fn what_comes_while_the_folder_is_another_ones_is_sent_again() {
    let place = Place::new();
    let data = bytes(300_000);
    let id = place.begin(keyed("a", "k")).await.unwrap().upload;
    place.put(&id, 0, &data[..100_000]).await.unwrap();
    place.uploads.pause();
    let refused = place.put(&id, 100_000, &data[100_000..200_000]).await.unwrap_err();
    assert_eq!(refused.code, ShuttingDown);
    assert_eq!(place.begin(file("b")).await.unwrap_err().code, ShuttingDown);
    let other = Uploads::open(place.options.clone(), Clock::start(), Log::quiet()).unwrap();
    assert_eq!(other.resume(&id).unwrap().offset, 100_000);
    drop(other);
    place.uploads.go_on();
    assert_eq!(place.begin(keyed("a", "k")).await.unwrap().offset, 100_000);
    place.put(&id, 100_000, &data[100_000..]).await.unwrap();
    let file = place.complete_with(&id, Some(sha256(&data))).await.unwrap();
    assert_eq!(place.content(&file), data);
    assert_eq!(place.uploads.counters().unwrap().open, 0);
}

#[tokio::test]
async fn what_belongs_to_nothing_is_removed_and_what_is_old_too() {
    let place = Place::with(|options| options.keep_ms = HOUR);
    let old = place.begin(file("old")).await.unwrap().upload;
    place.complete(&old).await.unwrap();
    place.wait(HOUR / 2);
    let kept = place.begin(file("kept")).await.unwrap().upload;
    place.complete(&kept).await.unwrap();
    let folder = place.options.folder.clone().unwrap();
    std::fs::write(folder.join("u-withoutrecord"), "x").unwrap();
    std::fs::write(folder.join("u-withoutfile.json"), "{}").unwrap();
    std::fs::write(folder.join("u-half.new"), "{").unwrap();
    std::fs::write(folder.join("u-broken"), "x").unwrap();
    std::fs::write(folder.join("u-broken.json"), "{\"own").unwrap();
    place.wait(HOUR / 2 + 1);
    let place = place.restart();
    assert!(place.uploads.file(&old).is_none());
    assert!(place.uploads.file(&kept).is_some());
    // What the disk was told to remove is done before this.
    let next = place.begin(file("next")).await.unwrap().upload;
    place.uploads.cancel(&next).await;
    assert_eq!(place.files(), [kept.to_string(), format!("{kept}.json")]);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_nobody_else_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let id = place.begin(file("a")).await.unwrap().upload;
    let folder = place.options.folder.clone().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(&*id)), 0o600);
    assert_eq!(mode(&folder.join(format!("{id}.json"))), 0o600);
}

#[tokio::test]
async fn what_is_ephemeral_goes_with_the_server() {
    let options = Options { folder: None, ..Place::new().options.clone() };
    let uploads = Uploads::open(options, Clock::start(), Log::quiet()).unwrap();
    let path = uploads.shared.directory.path().to_owned();
    assert!(!path.exists(), "nothing is made before somebody sends a file");
    let id = uploads.begin(ann(), file("a")).await.unwrap().upload;
    assert!(path.join(&*id).exists());
    drop(uploads);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_server_that_takes_no_files_looks_at_none() {
    let place = Place::new();
    let id = place.begin(file("a")).await.unwrap().upload;
    let place = Place { options: Options { enabled: false, ..place.options.clone() }, ..place };
    let place = place.restart();
    assert_eq!(told(place.uploads.resume(&id)), (NotFound, None));
    assert_eq!(place.uploads.counters(), None);
    assert_eq!(place.files().len(), 2, "they are there when it takes files again");
}
