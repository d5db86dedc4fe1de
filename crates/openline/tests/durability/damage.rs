//! Files that do not read back.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use crate::home::{Home, until};

/// The newest file of the store.
fn newest(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.data().join("history")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "log")).max().unwrap()
}

fn publish_five(home: &Home) -> Vec<String> {
    let server = home.start();
    let acked = (0..5).map(|number| server.publish("news", &number.to_string())).collect();
    server.kill();
    acked
}

#[tokio::test]
async fn what_a_kill_left_unfinished_is_cut_and_nothing_acked_is_lost() {
    let home = Home::new();
    let acked = publish_five(&home);
    let mut file = fs::File::options().append(true).open(newest(&home)).unwrap();
    file.write_all(&[0xA5; 40]).unwrap();
    let server = home.start();
    until("it says so", || home.log().contains("store_torn"));
    let history = server.history("news", None);
    assert_eq!(history.into_iter().map(|entry| entry.position).collect::<Vec<_>>(), acked);
    let subscribed = server.line().await.subscribe("news", Some(&acked[1])).await;
    assert_eq!((subscribed.recovered, subscribed.messages.len()), (Some(true), 3));
}

#[tokio::test]
async fn who_read_what_a_loss_of_power_took_is_told_fork() {
    let home = Home::new();
    let acked = publish_five(&home);
    let file = fs::File::options().write(true).open(newest(&home)).unwrap();
    // Into the last entry.
    file.set_len(file.metadata().unwrap().len() - 20).unwrap();
    let server = home.start();
    until("it says so", || home.log().contains("store_torn"));
    assert_eq!(server.history("news", None).len(), 4);
    let subscribed = server.line().await.subscribe("news", Some(&acked[4])).await;
    assert_eq!((subscribed.recovered, subscribed.reason.as_deref()), (Some(false), Some("fork")));
    let subscribed = server.line().await.subscribe("news", Some(&acked[3])).await;
    assert_eq!((subscribed.recovered, subscribed.messages.len()), (Some(true), 0));
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_clients_are_told_epoch() {
    let home = Home::new();
    let acked = publish_five(&home);
    let path = newest(&home);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, &bytes).unwrap();

    let server = home.start();
    until("it says so", || home.log().contains("store_set_aside"));
    let aside = home.data().join("history/damaged-1").join(path.file_name().unwrap());
    assert_eq!(fs::read(aside).unwrap(), bytes, "nothing is deleted");
    for at in &acked {
        let subscribed = server.line().await.subscribe("news", Some(at)).await;
        let told = (subscribed.recovered, subscribed.reason.as_deref());
        assert_eq!(told, (Some(false), Some("epoch")));
    }
    let anew = server.publish("news", "anew");
    server.kill();
    let server = home.start();
    assert_eq!(server.history("news", None)[0].position, anew);
    let subscribed = server.line().await.subscribe("news", Some(&acked[4])).await;
    assert_eq!(subscribed.reason.as_deref(), Some("epoch"));
}
