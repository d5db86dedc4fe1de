//! Questions put to real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use ring::hmac;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::counters::Decisions;
use super::decide::DecideError;
use super::verdict::Denial;
use super::{
    Answer, Data, EventKind, Kind, Options, Question, QuestionKind, Secret, Verdict, Webhooks,
};
use crate::outbound::backend::{Backend, Seen, redirect, reply, until};

const SECRET: &str = "a secret of many bytes";
const YES: &str = r#"{"allow":true}"#;

fn options(url: String) -> Options {
    Options {
        decide_url: Some(url),
        kinds: Kind::ALL[..4].to_vec(),
        secrets: vec![Secret::new(SECRET).unwrap()],
        ..Options::default()
    }
}

fn webhooks(url: String) -> Webhooks {
    Webhooks::new(options(url)).unwrap()
}

fn questions() -> [Question<'static>; 4] {
    let data = || Data::Json("1".into());
    [
        Question::connect("c"),
        Question::subscribe("c", "news"),
        Question::publish("c", "news", None, data()),
        Question::request("c", "sum", Some(data())),
    ]
}

/// Checks by other means than those it was made by.
fn assert_signed(seen: &Seen) {
    let header = seen.header("openline-signature");
    let (time, signature) = header.split_once(",v1=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let signature: Vec<u8> = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [time.as_bytes(), b".", &seen.body].concat();
    hmac::verify(&key, &signed, &signature).unwrap();
}

/// A server that ends each connection when it has read from it; counts them.
async fn closing() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.shutdown().await;
        }
    });
    (format!("http://{address}/"), asked)
}

#[tokio::test]
async fn questions_are_signed_and_named() {
    let backend = Backend::always(200, YES).await;
    let webhooks = webhooks(backend.url("/hook"));
    for question in questions() {
        webhooks.decide(question).await.unwrap();
    }
    let seen = backend.seen();
    let kinds: Vec<_> =
        seen.iter().map(|seen| seen.json()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["connect", "subscribe", "publish", "request"]);
    for seen in &seen {
        assert_signed(seen);
        assert_eq!(seen.path, "/hook");
        assert_eq!(seen.header("openline-event-id"), seen.json()["id"]);
    }
    assert_ne!(seen[0].json()["id"], seen[1].json()["id"]);
}

#[tokio::test]
async fn what_the_backend_says_is_what_is_decided() {
    let backend = Backend::start(|_, seen| async move {
        match seen.json()["type"].as_str().unwrap() {
            "connect" => reply(200, r#"{"allow":true,"user":"ann"}"#),
            "subscribe" => reply(200, r#"{"allow":false,"code":"not_paid","message":"Pay."}"#),
            "publish" => reply(200, r#"{"allow":true,"data":{"clean":1}}"#),
            _ => reply(201, r#"{"allow":true,"data":3}"#),
        }
    })
    .await;
    let webhooks = webhooks(backend.url("/"));
    let mut verdicts = Vec::new();
    for question in questions() {
        verdicts.push(webhooks.decide(question).await.unwrap());
    }
    let data = |text: &'static str| {
        Verdict::Allowed(Answer { data: Some(Data::Json(text.into())), ..Answer::default() })
    };
    let ann = Answer { user: Some("ann".to_owned()), ..Answer::default() };
    let (code, message) = ("not_paid".to_owned(), "Pay.".to_owned());
    assert_eq!(verdicts[0], Verdict::Allowed(ann));
    assert_eq!(verdicts[1], Verdict::Denied(Denial { code, message }));
    assert_eq!(verdicts[2], data(r#"{"clean":1}"#));
    assert_eq!(verdicts[3], data("3"));
    let counters = webhooks.counters();
    assert_eq!(counters.connect, Decisions { allowed: 1, ..Decisions::default() });
    assert_eq!(counters.subscribe, Decisions { denied: 1, ..Decisions::default() });
    assert_eq!(counters.deciding, 0);
}

/// Answers that are none, and whether the backend counts as out of reach.
async fn failures() -> Vec<(&'static str, bool, String, Option<Backend>)> {
    let mut all = Vec::new();
    for (name, out_of_reach, status, body) in [
        ("a server error", true, 500, YES),
        ("too many requests", true, 429, YES),
        ("not found", false, 404, YES),
        ("no JSON", false, 200, "<html>"),
        ("no answer in it", false, 200, "{}"),
        ("an empty body", false, 204, ""),
    ] {
        let backend = Backend::always(status, body).await;
        all.push((name, out_of_reach, backend.url("/"), Some(backend)));
    }
    let backend = Backend::start(|_, _| async { redirect(307, "http://169.254.169.254/") }).await;
    all.push(("a redirect", false, backend.url("/"), Some(backend)));
    let backend = Backend::start(|_, _| async { reply(200, vec![b' '; 5000]) }).await;
    all.push(("a long answer", false, backend.url("/"), Some(backend)));
    let backend = Backend::start(|_, _| std::future::pending()).await;
    all.push(("silence", true, backend.url("/"), Some(backend)));
    all.push(("a closed connection", true, closing().await.0, None));
    all.push(("nobody", true, "http://127.0.0.1:1/".to_owned(), None));
    all
}

#[tokio::test]
async fn without_an_answer_that_counts_nothing_is_allowed() {
    for (name, _, url, _backend) in failures().await {
        let webhooks = Webhooks::new(Options {
            timeout: Duration::from_millis(if name == "silence" { 200 } else { 30_000 }),
            response_bytes_max: 4096,
            ..options(url)
        })
        .unwrap();
        for question in questions() {
            let verdict = webhooks.decide(question).await;
            assert!(verdict.is_err(), "{name}: {verdict:?}");
        }
        assert_eq!(webhooks.counters().publish.failed, 1, "{name}");
    }
}

#[tokio::test]
async fn failing_open_is_for_a_backend_out_of_reach_and_never_for_requests() {
    for (name, out_of_reach, url, _backend) in failures().await {
        let webhooks = Webhooks::new(Options {
            timeout: Duration::from_millis(if name == "silence" { 200 } else { 30_000 }),
            response_bytes_max: 4096,
            fail_open: true,
            ..options(url)
        })
        .unwrap();
        for question in questions() {
            let is_request = question.kind == QuestionKind::Request;
            let verdict = webhooks.decide(question).await;
            assert_eq!(verdict.is_ok(), out_of_reach && !is_request, "{name}: {verdict:?}");
            if let Ok(verdict) = verdict {
                assert_eq!(verdict, Verdict::Allowed(Answer::default()));
            }
        }
        assert_eq!(webhooks.counters().connect.failed, 1, "{name}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_operator_is_told() {
    let aim = Backend::always(200, YES).await;
    let to = aim.url("/");
    let backend = Backend::start(move |_, _| {
        let to = to.clone();
        async move { redirect(307, &to) }
    })
    .await;
    let error = webhooks(backend.url("/")).decide(Question::connect("c")).await.unwrap_err();
    assert!(error.to_string().contains("redirects are not followed"), "{error}");
    assert!(aim.seen().is_empty());
}

#[tokio::test]
async fn a_configured_url_excepts_its_own_host_and_port_alone() {
    let backend = Backend::always(200, YES).await;
    let other = Backend::always(200, YES).await;
    let webhooks = webhooks(backend.url("/"));
    webhooks.decide(Question::connect("c")).await.unwrap();
    let refused = webhooks.terms.client.get(&other.url("/"), HeaderMap::new()).await.unwrap_err();
    assert!(refused.to_string().contains("loopback"), "{refused}");
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_question_is_put_again_on_a_connection_that_ended_only_if_it_does_nothing() {
    for (question, times) in questions().into_iter().zip([2, 2, 1, 1]) {
        let (url, asked) = closing().await;
        let kind = question.kind;
        webhooks(url).decide(question).await.unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), times, "{kind:?}");
    }
}

#[tokio::test]
async fn no_more_questions_are_with_the_backend_than_allowed() {
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (at, peak) = (now.clone(), most.clone());
    let backend = Backend::start(move |_, _| {
        let (at, peak) = (at.clone(), peak.clone());
        async move {
            peak.fetch_max(at.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            at.fetch_sub(1, Ordering::SeqCst);
            reply(200, YES)
        }
    })
    .await;
    let options = Options { decisions_max: 2, ..options(backend.url("/")) };
    let webhooks = Arc::new(Webhooks::new(options).unwrap());
    let all: Vec<_> = (0..10)
        .map(|_| {
            let webhooks = webhooks.clone();
            tokio::spawn(async move { webhooks.decide(Question::connect("c")).await })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn waiting_for_the_turn_counts_as_time() {
    let backend = Backend::start(|_, _| std::future::pending()).await;
    let timeout = Duration::from_millis(200);
    let options = Options { decisions_max: 1, timeout, ..options(backend.url("/")) };
    let webhooks = Arc::new(Webhooks::new(options).unwrap());
    let all: Vec<_> = (0..5)
        .map(|_| {
            let webhooks = webhooks.clone();
            tokio::spawn(async move { webhooks.decide(Question::connect("c")).await })
        })
        .collect();
    for one in all {
        let error = one.await.unwrap().unwrap_err();
        assert!(error.to_string().starts_with("no answer in 0.2 s"), "{error}");
    }
    // Nobody got a second turn: all had waited for as long as the first.
    assert!(backend.seen().len() < 5, "{}", backend.seen().len());
}

#[tokio::test]
async fn when_too_many_wait_the_next_is_refused_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let open = gate.clone();
    let backend = Backend::start(move |_, _| {
        let open = open.clone();
        async move {
            open.acquire().await.unwrap().forget();
            reply(200, YES)
        }
    })
    .await;
    let options =
        Options { decisions_max: 1, timeout: Duration::from_secs(30), ..options(backend.url("/")) };
    let webhooks = Arc::new(Webhooks::new(options).unwrap());
    let all: Vec<_> = (0..17)
        .map(|_| {
            let webhooks = webhooks.clone();
            tokio::spawn(async move { webhooks.decide(Question::connect("c")).await })
        })
        .collect();
    until(|| webhooks.counters().deciding == 17).await;
    let refused = webhooks.decide(Question::connect("c")).await;
    assert!(matches!(refused, Err(DecideError::Overloaded)), "{refused:?}");
    gate.add_permits(17);
    for one in all {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_question_that_is_given_up_frees_its_place() {
    let backend = Backend::start(|number, _| async move {
        if number == 0 {
            std::future::pending::<()>().await;
        }
        reply(200, YES)
    })
    .await;
    let options = Options { decisions_max: 1, ..options(backend.url("/")) };
    let webhooks = Arc::new(Webhooks::new(options).unwrap());
    let asking = webhooks.clone();
    let given_up = tokio::spawn(async move { asking.decide(Question::connect("c")).await });
    backend.wait_for(1).await;
    given_up.abort();
    let _ = given_up.await;
    webhooks.decide(Question::connect("c")).await.unwrap();
    assert_eq!(webhooks.counters().deciding, 0);
}

#[test]
fn threads_ask_over_connections_of_runtimes_that_have_ended() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let backend = runtime.block_on(Backend::always(200, YES));
    let webhooks = Arc::new(webhooks(backend.url("/")));
    for _ in 0..5 {
        let webhooks = webhooks.clone();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for _ in 0..3 {
                    let data = Data::Json("1".into());
                    let question = Question::publish("c", "news", None, data);
                    webhooks.decide(question).await.unwrap();
                }
            });
        });
        thread.join().unwrap();
    }
    assert_eq!(webhooks.counters().publish.allowed, 15);
}

#[tokio::test]
async fn failures_are_reported_without_secrets() {
    let backend = Backend::always(500, "").await;
    let said = Arc::new(Mutex::new(Vec::new()));
    let sink = said.clone();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer hidden-header"));
    let options = Options {
        headers,
        report: Arc::new(move |text| sink.lock().unwrap().push(text.to_owned())),
        ..options(backend.url("/hidden-path?key=hidden-query"))
    };
    let webhooks = Webhooks::new(options).unwrap();
    for _ in 0..3 {
        webhooks.decide(Question::connect("c")).await.unwrap_err();
    }
    assert_eq!(backend.seen()[0].header("authorization"), "Bearer hidden-header");
    let said = said.lock().unwrap().clone();
    assert_eq!(said, ["webhook: no decision about connect: status 500 Internal Server Error"]);
    let shown = format!("{webhooks:?} {:?}", Secret::new(SECRET).unwrap());
    assert!(!shown.contains("hidden") && !shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn only_what_is_configured_is_wanted() {
    let backend = Backend::always(200, YES).await;
    let kinds = vec![QuestionKind::Publish.into(), EventKind::ChannelVacated.into()];
    let inform_url = Some(backend.url("/"));
    let options = Options { kinds, inform_url, ..options(backend.url("/")) };
    let webhooks = Webhooks::new(options).unwrap();
    let wanted: Vec<_> = Kind::ALL.into_iter().filter(|kind| webhooks.wants(*kind)).collect();
    // Occupied is wanted to know that a channel is not vacated after all.
    assert_eq!(
        wanted,
        [
            QuestionKind::Publish.into(),
            EventKind::ChannelOccupied.into(),
            EventKind::ChannelVacated.into()
        ]
    );
}

#[test]
fn what_is_wrong_with_the_options_is_said() {
    let good = || options("http://127.0.0.1:9/".to_owned());
    let bad = [
        (Options { decide_url: None, ..good() }, "connect is wanted, but there is no URL"),
        (
            Options { kinds: vec![EventKind::ClientGone.into()], ..good() },
            "client.gone is wanted, but there is no URL",
        ),
        (Options { secrets: Vec::new(), ..good() }, "1 to 4 secrets"),
        (Options { decide_url: Some("ws://a".to_owned()), ..good() }, "http://"),
        (Options { decide_url: Some("http://u:p@a/".to_owned()), ..good() }, "header"),
        (Options { timeout: Duration::ZERO, ..good() }, "timeout of 0"),
        (Options { decisions_max: 0, ..good() }, "limit of 0"),
    ];
    for (options, what) in bad {
        let error = Webhooks::new(options).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let error = Secret::new("short").unwrap_err();
    assert_eq!(error.to_string(), "webhooks: a secret needs 16 bytes at least, this one has 5");
}
