//! A disk that is full, a real one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Home, Running, until};

const MIB: usize = 1 << 20;

/// A small file system, gone with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where the system does not let this user have one.
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "openline-test"]).arg(path);
        let output = mount.output().ok()?;
        output.status.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn publish(server: &Running, text: &str) -> (u16, Value) {
    server.api("publish", &json!({ "channel": "news", "data": text }))
}

/// The same with an injected fault, where nothing can be mounted, is in the contract of the brokers.
#[tokio::test]
async fn a_full_disk_refuses_what_is_to_be_kept_alone_and_heals_by_itself() {
    let home = Home::new();
    let Some(_disk) = SmallDisk::mount(&home.data()) else {
        eprintln!("not run: no file system can be mounted here");
        return;
    };
    let ballast = home.data().join("ballast");
    fs::write(&ballast, vec![1; 8 * MIB]).unwrap();
    let server = home.start_with(&["--history-reserve", "1MiB"]);
    let mut line = server.line().await;
    line.subscribe("news", None).await;

    let mut acked: Vec<String> = Vec::new();
    let text = "x".repeat(200_000);
    let refused = loop {
        let (status, body) = publish(&server, &text);
        if status != 200 {
            break (status, body["error"]["code"].as_str().unwrap().to_owned());
        }
        acked.push(body["position"].as_str().unwrap().to_owned());
        assert_eq!(line.publication().await.position, *acked.last().unwrap());
        assert!(acked.len() < 100, "16 MiB are full by now");
    };
    assert_eq!(refused, (507, "storage_full".to_owned()));
    let asked = json!({ "type": "publish", "id": 7, "channel": "news", "data": text });
    line.say(&asked).await;
    let answer = line.next().await.unwrap();
    assert_eq!((answer["id"].as_u64(), answer["code"].as_str()), (Some(7), Some("storage_full")));

    // What is not kept goes on, and so does reading.
    let live = json!({ "channel": "news", "data": "live", "volatile": true });
    assert_eq!(server.api("publish", &live).0, 200);
    let message = line.next().await.unwrap();
    assert_eq!((message["data"].as_str(), message.get("position")), (Some("live"), None));
    assert_eq!(server.history("news", None).len(), acked.len());

    fs::remove_file(&ballast).unwrap();
    until("it heals", || {
        let (status, body) = publish(&server, "healed");
        assert!(status == 200 || status == 507, "{body}");
        acked.extend(body["position"].as_str().map(str::to_owned));
        status == 200
    });
    assert_eq!(line.publication().await.position, *acked.last().unwrap());
    server.kill();
    let server = home.start_with(&["--history-reserve", "1MiB"]);
    let kept = server.history("news", None).into_iter().map(|entry| entry.position);
    assert_eq!(kept.collect::<Vec<_>>(), acked);
}
