//! A server that loads its configuration again while lines are open.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod live;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ::http::{Method, Request};
use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::ConfigSource;
use crate::app::Handlers;
use crate::connection::{self, Site};
use crate::endpoint::Entrance;
use crate::node::Node;
use crate::server::Server;
use crate::testkit::{TestClient, TestServer};

const KEY: &str = "a-key-that-is-long-enough-to-be-one";

/// What all files of these tests begin with.
const BEGINNING: &str = "api.keys = [\"a-key-that-is-long-enough-to-be-one\"]\n";

/// A server whose configuration is a file, in a folder of its own.
struct Running {
    server: TestServer,
    folder: PathBuf,
}

impl Running {
    fn start(name: &str, more: &str) -> Self {
        let folder = format!("openline-reload-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("openline.toml"), format!("{BEGINNING}{more}")).unwrap();
        let flags = [("ephemeral".to_owned(), "true".to_owned())];
        let source = ConfigSource::new(Some(&folder.join("openline.toml")), [], flags);
        let config = source.load().unwrap();
        let server = TestServer::of(Server::builder().handlers(Handlers::new()), config);
        server.node().reloads.load_from(source);
        Self { server, folder }
    }

    fn node(&self) -> &Arc<Node> {
        self.server.node()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap();
    }

    /// Writes the file and has it loaded.
    async fn change(&self, more: &str) -> (u16, Value) {
        self.write("openline.toml", &format!("{BEGINNING}{more}"));
        self.reload().await
    }

    #[track_caller]
    fn assert_changed((status, body): &(u16, Value), keys: &[&str]) {
        assert_eq!(*status, 200, "{body}");
        let changed = body["changed"].as_array().unwrap();
        let changed: Vec<&str> = changed.iter().map(|one| one["key"].as_str().unwrap()).collect();
        assert_eq!(changed, keys, "{body}");
    }

    async fn reload(&self) -> (u16, Value) {
        self.reload_by(KEY).await
    }

    async fn reload_by(&self, key: &str) -> (u16, Value) {
        let request = Request::builder().method(Method::POST).uri("/api/v1/reload");
        let request = request.header("x-api-key", key).body(Body::empty()).unwrap();
        let response = crate::api::answer(self.node(), request).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// What becomes of a page that opens a line; a code if it is refused.
    async fn open(&self, origin: &str, token: Option<&str>) -> Result<Entrance, &'static str> {
        let mut request = Request::builder().uri("/ws").header("host", "127.0.0.1:8000");
        request = request.header("origin", origin);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let node = self.node().clone();
        let shard = node.exchange.shards()[0].clone();
        let site = Site { peer: [127, 0, 0, 1].into(), shard, node };
        let request = request.body(()).unwrap();
        connection::admit(&request, &site).await.map_err(|rejection| rejection.code)
    }

    async fn metrics(&self) -> String {
        let mut headers = ::http::HeaderMap::new();
        headers.insert("x-api-key", KEY.parse().unwrap());
        let response = crate::api::metrics(self.node(), &headers);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[track_caller]
    fn assert_counted(metrics: &str, line: &str) {
        assert!(metrics.lines().any(|one| one == line), "{line} is not in {metrics}");
    }

    async fn subscriber(&self, channel: &str) -> TestClient {
        let mut client = self.server.client().user("reader").await;
        client.subscribe(channel).await.unwrap();
        client
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
