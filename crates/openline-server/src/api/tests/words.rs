//! Keys, methods, paths, and bodies that are none.

use ::http::{Method, Request};
use axum::body::Body;
use http_body_util::BodyExt as _;

use super::super::metrics;
use super::{KEY, Server, Told};

async fn with_headers(server: &Server, path: &str, headers: &[(&str, &str)]) -> Told {
    let request = Request::builder().uri(path);
    let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
    server.ask(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn nothing_is_done_without_the_key() {
    let server = Server::new();
    let bearer = format!("bearer {KEY}");
    for headers in [&[("authorization", bearer.as_str())][..], &[("x-api-key", KEY)]] {
        assert_eq!(with_headers(&server, "/api/v1/info", headers).await.status, 200);
    }
    let basic = format!("Basic {KEY}");
    for (headers, code, message) in [
        (
            &[][..],
            "unauthorized",
            "this needs the key: send Authorization: Bearer <key>, or X-API-Key: <key>",
        ),
        (&[("x-api-key", "wrong")], "auth_failed", "this is not a key of this server"),
        (&[("authorization", "Bearer ")], "auth_failed", "this is not a key of this server"),
        (&[("authorization", &basic)], "auth_failed", "Authorization must be Bearer <key>"),
        (
            &[("authorization", &bearer), ("x-api-key", KEY)],
            "auth_failed",
            "the key must be there once",
        ),
    ] {
        let told = with_headers(&server, "/api/v1/info", headers).await;
        told.assert_refused(401, code, message);
        assert_eq!(told.headers["www-authenticate"], "Bearer realm=\"openline\"");
    }
    let told = with_headers(&server, &format!("/api/v1/info?api_key={KEY}"), &[]).await;
    assert_eq!(told.status, 401, "an address is no place for a key");
}

#[tokio::test]
async fn the_methods_of_a_path_are_listed() {
    let server = Server::new();
    for (method, path, allow, message) in [
        (Method::GET, "publish", "POST", "/api/v1/publish takes POST, got GET"),
        (
            Method::DELETE,
            "history",
            "GET, HEAD, POST",
            "/api/v1/history takes GET, HEAD, POST, got DELETE",
        ),
        // A preflight of a page, which has no business with the key.
        (Method::OPTIONS, "publish", "POST", "/api/v1/publish takes POST, got OPTIONS"),
        (Method::POST, "info", "GET, HEAD", "/api/v1/info takes GET, HEAD, got POST"),
    ] {
        let request = Request::builder().method(method).uri(format!("/api/v1/{path}"));
        let request = request.header("origin", "http://localhost").body(Body::empty()).unwrap();
        let told = server.ask(request).await;
        told.assert_refused(405, "method_not_allowed", message);
        assert_eq!(told.headers["allow"], allow);
        assert!(!told.headers.contains_key("access-control-allow-origin"));
    }
    let request = Request::builder().method(Method::HEAD).uri("/api/v1/info");
    let request = request.header("x-api-key", KEY).body(Body::empty()).unwrap();
    assert_eq!(server.ask(request).await.status, 200);
}

#[tokio::test]
async fn a_path_that_is_not_there_is_answered_with_the_nearest() {
    let server = Server::new();
    for (path, hint) in [
        ("/api/v1/publsh", "did you mean /api/v1/publish?"),
        ("/api/publish", "did you mean /api/v1/publish?"),
        ("/api/v1/publish/", "the API is at /api/v1/, as docs/api.md says"),
        ("/api/v1/", "the API is at /api/v1/, as docs/api.md says"),
    ] {
        let told = with_headers(&server, path, &[]).await;
        told.assert_refused(404, "not_found", &format!("there is nothing at this path; {hint}"));
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_with_the_place() {
    let server = Server::new();
    for (body, code, message) in [
        ("", "bad_request", "the body is empty; send a JSON object"),
        ("[]", "bad_request", "publish takes a JSON object"),
        (
            "channel=a&data=1",
            "invalid_json",
            "publish takes a JSON object: expected value at line 1 column 1",
        ),
        (
            "{\"channel\":\"a\",\n",
            "invalid_json",
            "publish takes a JSON object: EOF while parsing a value at line 2 column 0",
        ),
        (
            r#"{"channel":"a","channel":"b"}"#,
            "bad_request",
            "publish takes a JSON object: `channel` stands twice at line 1 column 29",
        ),
        (
            r#"{"channel":"a","data":1,"message":2}"#,
            "bad_request",
            "publish has no field `message`; it takes channel, data, encoding, event, key, volatile",
        ),
        (
            r#"{"room":"a","data":1}"#,
            "bad_request",
            "publish has no field `room`; did you mean `channel`?",
        ),
        (
            r#"{"channel":"a","payload":1}"#,
            "bad_request",
            "publish has no field `payload`; did you mean `data`?",
        ),
        (r#"{"channel":"a","data":"\ud800"}"#, "invalid_json", "x"),
    ] {
        let told = server.post("publish", body).await;
        if message == "x" {
            assert_eq!((told.status, &told.json()["error"]["code"]), (400, &code.into()));
        } else {
            told.assert_refused(400, code, message);
        }
    }
    let request = Request::builder().method("POST").uri("/api/v1/publish").header("x-api-key", KEY);
    let told = server.ask(request.body(Body::from(&b"\xff"[..])).unwrap()).await;
    told.assert_refused(400, "invalid_json", "the body is not UTF-8");
}

#[tokio::test]
async fn a_query_is_for_reading_alone_and_has_known_fields_once() {
    let server = Server::new();
    let told = server.post("publish?channel=c", r#"{"channel":"c","data":1}"#).await;
    let said = "a POST has its fields in the body, as JSON, and no query";
    told.assert_refused(400, "bad_request", said);
    for (path, message) in [
        ("history?chanel=c", "history has no field `chanel`; did you mean `channel`?"),
        ("history", "history needs `channel`"),
        ("history?channel=a&channel=b", "`channel` stands twice"),
        ("history?channel=%ff", "the query is not UTF-8 with percent-encoding"),
        ("info?x=1", "info has no field `x`; it takes none"),
    ] {
        server.get(path).await.assert_refused(400, "bad_request", message);
    }
}

#[tokio::test]
async fn a_body_is_bounded() {
    let server = Server::with("[limits]\nmessage = \"1KiB\"");
    let most = 1024 + 65_536;
    let told = server.post("publish", &" ".repeat(most + 1)).await;
    let said = "the body has more than 66560 bytes; send less at a time, or raise limits.message";
    told.assert_refused(413, "too_large", said);
    let told = server.post("publish", &" ".repeat(most)).await;
    told.assert_refused(400, "bad_request", "the body is empty; send a JSON object");
}

#[tokio::test]
async fn metrics_need_the_key_unless_the_configuration_says_otherwise() {
    let server = Server::new();
    server.get("info").await.ok();
    let mut request = Request::new(());
    assert_eq!(metrics(&server.node, request.headers()).status(), 401);
    request.headers_mut().insert("x-api-key", KEY.parse().unwrap());
    let answer = metrics(&server.node, request.headers());
    assert_eq!(answer.status(), 200);
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&text).unwrap();
    let counted = "openline_api_requests_total{route=\"/api/v1/info\",status=\"200\"} 1\n";
    assert!(text.contains(counted), "{text}");

    let open = Server::with("[metrics]\nrequire_key = false");
    assert_eq!(metrics(&open.node, Request::new(()).headers()).status(), 200);
}
