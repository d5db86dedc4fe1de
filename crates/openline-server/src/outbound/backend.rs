//! An HTTP server for tests that answers as it is told and remembers what it was asked.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Long enough for a busy machine; tests that pass never wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Backend {
    /// `answer` gets the number of the request, from 0, and the request.
    pub(crate) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(usize, Seen) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (told, count) = watch::channel(0);
        let told = Arc::new(told);
        let all = seen.clone();
        let handle = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let path = uri.path_and_query().unwrap().to_string();
            let one = Seen { method, path, headers, body };
            let number = {
                let mut all = all.lock().unwrap();
                all.push(one.clone());
                all.len() - 1
            };
            told.send_replace(number + 1);
            answer(number, one)
        };
        let router = Router::new().fallback(handle);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen, count }
    }

    /// Answers everything alike.
    pub(crate) async fn always(status: u16, body: &'static str) -> Self {
        Self::start(move |_, _| async move { reply(status, body) }).await
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What was seen, once that is so many.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Seen> {
        let mut seen = self.count.clone();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| *seen >= count)).await;
        assert!(waited.is_ok(), "{} requests came, not {count}", self.seen().len());
        self.seen()
    }
}

pub(crate) fn reply(status: u16, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

pub(crate) fn redirect(status: u16, to: &str) -> Response<Body> {
    let mut response = reply(status, "");
    response.headers_mut().insert(http::header::LOCATION, to.parse().unwrap());
    response
}

/// Waits for something that no one tells of.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it came about");
}
