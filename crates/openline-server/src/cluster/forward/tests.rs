//! Nodes in one process, whose errands go straight to each other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use ::http::Request;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::auth::Identity;
use crate::connection::Site;
use crate::http;
use crate::node::{Node, for_test};
use crate::shard;
use crate::socketio::engine::{Arrival, Message, Mount, Mounts, Options, Outlet, Upper};
use crate::transport::Visitor;

/// Nodes that hear each other.
struct Nodes {
    nodes: Vec<Arc<Node>>,
    way: Arc<Way>,
    /// A thread without it takes no requests any more.
    _connections: Vec<mpsc::Sender<TcpStream>>,
}

struct Way {
    nodes: Mutex<Vec<(NodeId, Arc<Forwards>)>>,
    /// What is said is lost.
    is_cut: AtomicBool,
    given_up: Mutex<Vec<u64>>,
}

/// The way as one node sees it.
struct From(usize, Arc<Way>);

impl Neighbours for From {
    fn knows(&self, node: NodeId) -> bool {
        self.1.nodes.lock().unwrap().iter().any(|(known, _)| *known == node)
    }

    fn hand(&self, node: NodeId, piece: Piece) {
        if self.1.is_cut.load(Ordering::SeqCst) {
            return;
        }
        if let Piece::GivenUp { number } = &piece {
            self.1.given_up.lock().unwrap().push(*number);
        }
        let nodes = self.1.nodes.lock().unwrap().clone();
        let to = nodes.iter().find(|(known, _)| *known == node).unwrap();
        to.1.told(nodes[self.0].0, piece);
    }
}

impl Nodes {
    async fn start(count: usize) -> Self {
        let way = Arc::new(Way {
            nodes: Mutex::default(),
            is_cut: AtomicBool::new(false),
            given_up: Mutex::default(),
        });
        let (mut nodes, mut connections) = (Vec::new(), Vec::new());
        for index in 0..count {
            let inputs = shard::inputs(NonZeroUsize::MIN);
            let shards: Arc<[_]> = inputs.iter().map(|input| input.shard.clone()).collect();
            let mut node = for_test(shards.clone());
            let mut mounts = Mounts::default();
            let config = node.settings().config.clone();
            mounts.add("/engine.io/", Options::default(), &config, Arc::new(Echo));
            node.mounts = mounts;
            let forwards = Forwards::new(shards, node.exchange.clock, &config);
            let from = Arc::new(From(index, way.clone()));
            forwards.connect(Arc::downgrade(&from));
            // It lives as long as the test.
            std::mem::forget(from);
            way.nodes.lock().unwrap().push((node.id, forwards.clone()));
            node.forwards = Some(forwards);
            let node = Arc::new(node);
            for input in inputs {
                connections.push(input.connections.clone());
                tokio::spawn(shard::run(input, node.clone()));
            }
            nodes.push(node);
        }
        Self { nodes, way, _connections: connections }
    }

    fn request(
        &self,
        at: usize,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + use<> {
        let node = self.nodes[at].clone();
        let shard = node.exchange.shards()[0].clone();
        let peer = [127, 0, 0, 1].into();
        http::answer(Site { peer, shard, node }, request)
    }

    async fn get(&self, at: usize, target: &str) -> (u16, String) {
        read(self.request(at, get(target)).await).await
    }

    async fn post(&self, at: usize, target: &str, body: impl Into<Body>) -> (u16, String) {
        let request = Request::post(target).header("host", "localhost").body(body.into()).unwrap();
        read(self.request(at, request).await).await
    }

    /// A poll's first answer: its session and its position.
    async fn poll(&self, at: usize, channel: &str) -> String {
        let (status, body) = self.get(at, &format!("/poll?channels={channel}")).await;
        assert_eq!(status, 200, "{body}");
        next(channel, &body)
    }

    fn asked(&self, at: usize) -> usize {
        self.nodes[at].forwards.as_ref().unwrap().state().asked.len()
    }

    fn served(&self, at: usize) -> usize {
        self.nodes[at].forwards.as_ref().unwrap().state().served.len()
    }
}

fn get(target: &str) -> Request<Body> {
    Request::get(target).header("host", "localhost").body(Body::empty()).unwrap()
}

async fn read(response: Response<Body>) -> (u16, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

/// The address of the next poll.
fn next(channel: &str, body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let (session, position) = (json["session"].as_str(), json["position"].as_str());
    let (session, position) = (session.unwrap(), position.unwrap());
    format!("/poll?channels={channel}&session={session}&position={position}")
}

/// Sends back what it gets.
struct Echo;

struct Echoing {
    outlet: Arc<Outlet>,
    _visitor: Visitor,
}

impl Mount for Echo {
    fn open(&self, arrival: Arrival) -> Box<dyn Upper> {
        let Arrival { outlet, visitor, .. } = arrival;
        Box::new(Echoing { outlet, _visitor: visitor })
    }
}

impl Upper for Echoing {
    fn receive<'a>(
        &'a mut self,
        message: Message,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move { self.outlet.send(&[message]).unwrap() })
    }

    fn closed(&mut self, _: crate::socketio::engine::Ended) {}
}

/// A connection's path, with its id.
async fn engine(nodes: &Nodes, at: usize) -> String {
    let (status, body) = nodes.get(at, "/engine.io/?EIO=4&transport=polling").await;
    assert_eq!(status, 200, "{body}");
    let json: serde_json::Value = serde_json::from_str(&body[1..]).unwrap();
    format!("/engine.io/?EIO=4&transport=polling&sid={}", json["sid"].as_str().unwrap())
}

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

#[tokio::test(start_paused = true)]
async fn a_poll_goes_on_by_way_of_another_node() {
    let nodes = Nodes::start(3).await;
    let target = nodes.poll(0, "a").await;
    let publish = r#"{"type":"publish","channel":"a","data":1,"id":7}"#;
    let (status, body) = nodes.post(1, &target, publish).await;
    assert!(status == 200 && body.contains(r#""type":"published""#), "{status} {body}");
    let (status, body) = nodes.get(2, &target).await;
    assert!(status == 200 && body.contains(r#""channel":"a","data":1"#), "{status} {body}");
    let target = next("a", &body);
    // The session is at home still, and where this answer left it.
    let (status, body) = nodes.get(0, &target).await;
    assert!(status == 200 && body.contains(r#"{"messages":[],"#), "{status} {body}");
    let sessions: Vec<_> = nodes.nodes.iter().map(|node| node.settings().guard.lines()).collect();
    assert_eq!(sessions, [1, 0, 0]);
    assert_eq!((nodes.asked(1), nodes.asked(2), nodes.served(0)), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_on_another_node_is_answered_when_something_comes() {
    let nodes = Nodes::start(2).await;
    let target = nodes.poll(0, "a").await;
    let publish = r#"{"type":"publish","channel":"a","data":"late","id":7}"#;
    let waiting = nodes.get(1, &target);
    let later = async {
        // Longer than a node that does not hear is waited for.
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!((nodes.asked(1), nodes.served(0)), (1, 1));
        nodes.post(0, "/poll", publish).await
    };
    let ((status, body), (published, _)) = tokio::join!(waiting, later);
    assert!(status == 200 && body.contains("late"), "{status} {body}");
    assert_eq!(published, 200);
}

#[tokio::test(start_paused = true)]
async fn when_a_client_goes_away_the_other_node_is_told() {
    let nodes = Nodes::start(2).await;
    let target = nodes.poll(0, "a").await;
    let waiting = tokio::spawn(nodes.request(1, get(&target)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(nodes.get(0, &target).await.0, 409, "somebody reads it");
    waiting.abort();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!((nodes.asked(1), nodes.served(0)), (0, 0));
    assert_eq!(nodes.way.given_up.lock().unwrap().len(), 1);
    assert_eq!(nodes.get(0, &target).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_long_goes_in_parts_both_ways() {
    let nodes = Nodes::start(2).await;
    let target = engine(&nodes, 0).await;
    let long = "x".repeat(900_000);
    let (status, body) = nodes.post(1, &target, format!("4{long}")).await;
    assert_eq!((status, &*body), (200, "ok"));
    let (status, body) = nodes.get(1, &target).await;
    assert_eq!((status, body), (200, format!("4{long}")));
    let (status, _) = nodes.post(1, &target, format!("4{}", "x".repeat(1_000_000))).await;
    assert_eq!(status, 413, "longer than at home");
}

#[tokio::test(start_paused = true)]
async fn a_connection_by_polling_lives_on_any_node() {
    let nodes = Nodes::start(3).await;
    let target = engine(&nodes, 0).await;
    for at in [1, 2, 0, 2] {
        assert_eq!(nodes.post(at, &target, format!("4{at}")).await, (200, "ok".to_owned()));
        let other = (at + 1) % 3;
        assert_eq!(nodes.get(other, &target).await, (200, format!("4{at}")));
    }
    // A ping comes in time, and the connection is its client's as long as it answers.
    for at in [1, 2, 1, 0] {
        assert_eq!(nodes.get(at, &target).await, (200, "2".to_owned()));
        assert_eq!(nodes.post(at, &target, "3").await.0, 200);
    }
    assert_eq!(nodes.post(1, &target, "1").await.0, 200);
    assert_eq!(nodes.get(2, &target).await, (400, UNKNOWN.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_given_up_on_another_node_ends_the_connection() {
    let nodes = Nodes::start(2).await;
    let target = engine(&nodes, 0).await;
    let waiting = tokio::spawn(nodes.request(1, get(&target)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    waiting.abort();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(nodes.get(1, &target).await.1, UNKNOWN);
    assert_eq!(nodes.nodes[0].settings().guard.lines(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_on_a_node_that_is_gone_is_unknown() {
    let nodes = Nodes::start(2).await;
    let (poll, engine) = (nodes.poll(0, "a").await, engine(&nodes, 0).await);
    let waiting = tokio::spawn(nodes.request(1, get(&engine)));
    let polling = tokio::spawn(nodes.request(1, get(&poll)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    nodes.way.is_cut.store(true, Ordering::SeqCst);
    nodes.nodes[1].forwards.as_ref().unwrap().gone(nodes.nodes[0].id);
    assert_eq!(read(waiting.await.unwrap()).await, (400, UNKNOWN.to_owned()));
    // The poll begins anew, from the position.
    let (status, body) = read(polling.await.unwrap()).await;
    assert_eq!(status, 200, "{body}");
    assert_ne!(next("a", &body), poll);
    nodes.way.nodes.lock().unwrap().remove(0);
    assert_eq!(nodes.get(1, &engine).await, (400, UNKNOWN.to_owned()));
    assert_eq!(nodes.get(1, &poll).await.0, 200);
    let publish = r#"{"type":"publish","channel":"a","data":1,"id":7}"#;
    assert_eq!(nodes.post(1, &poll, publish).await.0, 200, "by itself");
    // What the node that is gone still works on for us is given up there.
    nodes.nodes[0].forwards.as_ref().unwrap().gone(nodes.nodes[1].id);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(nodes.served(0), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_hear_is_waited_for_two_seconds() {
    let nodes = Nodes::start(2).await;
    let (poll, engine) = (nodes.poll(0, "a").await, engine(&nodes, 0).await);
    nodes.way.is_cut.store(true, Ordering::SeqCst);
    let begun = tokio::time::Instant::now();
    assert_eq!(nodes.get(1, &engine).await, (400, UNKNOWN.to_owned()));
    assert_eq!(begun.elapsed().as_secs(), TAKEN_WITHIN.as_secs());
    let publish = r#"{"type":"publish","channel":"a","data":1,"id":7}"#;
    let (status, body) = nodes.post(1, &poll, publish).await;
    assert!(status == 504 && body.contains("not known"), "{status} {body}");
    assert_eq!(nodes.get(1, &poll).await.0, 200, "begins anew");
    assert_eq!(nodes.asked(1), 0);
}

#[tokio::test(start_paused = true)]
async fn answers_that_may_have_been_missed_are_not_waited_for() {
    let nodes = Nodes::start(2).await;
    let target = engine(&nodes, 0).await;
    let waiting = tokio::spawn(nodes.request(1, get(&target)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    nodes.nodes[1].forwards.as_ref().unwrap().interrupted();
    assert_eq!(read(waiting.await.unwrap()).await, (400, UNKNOWN.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_is_not_handed_on() {
    let nodes = Nodes::start(3).await;
    let target = engine(&nodes, 0).await;
    let request = CarriedRequest::new(&get(&target), [127, 0, 0, 1].into(), Bytes::new());
    let (from, to) = (nodes.nodes[2].forwards.as_ref().unwrap(), nodes.nodes[1].id);
    let answer = from.hand_over(to, request, Duration::from_secs(60)).await.unwrap();
    assert_eq!(read(answer).await, (400, UNKNOWN.to_owned()));
    assert_eq!((nodes.asked(1), nodes.served(0)), (0, 0));
    for target in ["/sse?channels=a", "/api/v1/info", "/metrics", "/"] {
        let request = CarriedRequest::new(&get(target), [127, 0, 0, 1].into(), Bytes::new());
        let answer = from.hand_over(to, request, Duration::from_secs(60)).await.unwrap();
        assert_eq!(answer.status(), 404, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_is_not_tried_out_on_another_node() {
    let nodes = Nodes::start(2).await;
    let target = engine(&nodes, 0).await;
    let request = Request::get(target.replace("polling", "websocket"))
        .header("host", "localhost")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Body::empty());
    let refused = read(nodes.request(1, request.unwrap()).await).await;
    assert_eq!(refused, (400, UNKNOWN.to_owned()));
    assert_eq!(nodes.post(1, &target, "4still").await.0, 200);
    assert_eq!(nodes.get(1, &target).await.1, "4still");
}

#[tokio::test(start_paused = true)]
async fn no_more_is_under_way_than_may_be() {
    let nodes = Nodes::start(2).await;
    let forwards = nodes.nodes[1].forwards.clone().unwrap();
    let target = nodes.poll(0, "a").await;
    nodes.way.is_cut.store(true, Ordering::SeqCst);
    let to = nodes.nodes[0].id;
    for number in 0..ERRANDS_MAX as u64 {
        let (answer, _) = oneshot::channel();
        let asked = Asked { to, taken: None, answer };
        forwards.state().asked.insert(u64::MAX - number, asked);
    }
    let refused = nodes.request(1, get(&target)).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn a_ticket_is_good_on_any_node_and_once() {
    let nodes = Nodes::start(2).await;
    let (token, now) = (Token::new("a.b.c"), Clock::wall_seconds());
    let issue = || nodes.nodes[0].tickets.issue(Identity::default(), token.clone(), now).unwrap();
    let ticket = issue();
    let (home, forwards) = (nodes.nodes[0].id, nodes.nodes[1].forwards.as_ref().unwrap());
    assert_eq!(forwards.redeem(home, ticket.expose()).await, Ok(Some(token.clone())));
    assert_eq!(forwards.redeem(home, ticket.expose()).await, Ok(None));
    // What it stands for is checked where it is shown: this is no token.
    let (status, body) =
        nodes.get(1, &format!("/sse?channels=a&ticket={}", issue().expose())).await;
    assert_eq!(status, 401, "{body}");
}
