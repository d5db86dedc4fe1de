//! Layers of tower's kind in front of handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use openline_server::app::{Call, Context, Handlers, Next, Refusal, Refused};
use openline_server::testkit::TestServer;
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service};

/// Counts how many are at work, and the most that ever were.
#[derive(Default)]
struct Busy {
    now: AtomicUsize,
    most: AtomicUsize,
}

type Work = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn slow(busy: Arc<Busy>) -> impl Fn(Context, ()) -> Work {
    move |_cx, ()| {
        let busy = busy.clone();
        Box::pin(async move {
            let now = busy.now.fetch_add(1, Ordering::Relaxed) + 1;
            busy.most.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            busy.now.fetch_sub(1, Ordering::Relaxed);
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_towers_holds_the_calls_of_each_event() {
    let (one, other) = (Arc::new(Busy::default()), Arc::new(Busy::default()));
    let handlers = Handlers::new()
        .layer(ConcurrencyLimitLayer::new(2))
        .on("one", slow(one.clone()))
        .on("other", slow(other.clone()));
    let server = TestServer::new(handlers);
    let (mut ann, mut ben) = (server.client().await, server.client().await);
    let mut asked = Vec::new();
    for _ in 0..4 {
        for client in [&mut ann, &mut ben] {
            asked.push(client.begin("one", &()).await);
            asked.push(client.begin("other", &()).await);
        }
    }
    // Each client was asked twice in turn.
    for (number, asking) in asked.into_iter().enumerate() {
        let client = if number % 4 < 2 { &mut ann } else { &mut ben };
        client.outcome::<()>(asking).await.unwrap();
    }
    for busy in [one, other] {
        assert_eq!(busy.most.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_layer_is_not_shown_to_the_client() {
    let handlers = Handlers::new()
        .layer(TimeoutLayer::new(Duration::from_millis(50)))
        .on("hang", async |_cx, (): ()| std::future::pending::<()>().await)
        .on("refuse", async |_cx, (): ()| Err::<(), _>(Refusal::forbidden("not you")))
        .on("fine", async |_cx, (): ()| 1);
    let server = TestServer::new(handlers);
    let mut ann = server.client().await;
    assert_eq!(ann.ask::<u32>("fine", &()).await.unwrap(), 1);
    assert_eq!(ann.ask::<()>("hang", &()).await.unwrap_err().code(), "internal");
    // What a handler says no with comes through layers as it was.
    let refused = ann.ask::<()>("refuse", &()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), ("forbidden", "not you"));
}

/// Lets nobody pass but those who know the word.
#[derive(Clone)]
struct Password(&'static str);

#[derive(Clone)]
struct Guarded {
    word: &'static str,
    next: Next,
}

impl Layer<Next> for Password {
    type Service = Guarded;

    fn layer(&self, next: Next) -> Guarded {
        Guarded { word: self.0, next }
    }
}

impl Service<Call> for Guarded {
    type Response = <Next as Service<Call>>::Response;
    type Error = Refused;
    type Future = <Next as Service<Call>>::Future;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Refused>> {
        self.next.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        match call.payload().read::<String>() {
            Ok(word) if word == self.word => self.next.call(call),
            _ => Box::pin(async { Err(Refused(Refusal::forbidden("the password, please"))) }),
        }
    }
}

#[tokio::test]
async fn a_layer_says_no_with_words_of_its_own() {
    let handlers = Handlers::new()
        .wrap(|mut call, next| async move {
            let word: String = call.payload().read()?;
            call.set_payload(openline_server::app::Payload::new(&word.to_lowercase())?);
            next.run(call).await
        })
        .layer(Password("sesame"))
        .on("open", async |_cx, word: String| format!("{word} opens"));
    let server = TestServer::new(handlers);
    let mut ann = server.client().await;
    // The first that was given is the outermost.
    assert_eq!(ann.ask::<String>("open", "SESAME").await.unwrap(), "sesame opens");
    let refused = ann.ask::<String>("open", "wheat").await.unwrap_err();
    assert_eq!(refused.message(), "the password, please");
}
