//! What is asked of all nodes.

use serde_json::{Value, json};

use super::wire::Wire;
use super::{Member, nodes, nodes_with, pass};
use crate::app::Handlers;

fn ids(page: &Value) -> Vec<String> {
    let clients = page["clients"].as_array().unwrap().iter();
    clients.map(|client| client["clientId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn clients_of_all_nodes_are_listed_in_one_order() {
    let wire = Wire::default();
    let nodes: [Member; 3] = nodes(&wire).await;
    let mut clients = Vec::new();
    for number in 0..7 {
        clients.push(nodes[number % 3].server.client().user("ann").await);
    }
    let mut all: Vec<String> = clients.iter().map(|client| client.id().to_owned()).collect();
    all.sort();
    let page = nodes[0].api("clients", None).await;
    assert_eq!(ids(&page), all);
    let (mut seen, mut path) = (Vec::new(), "clients?limit=2".to_owned());
    loop {
        let page = nodes[1].api(&path, None).await;
        assert!(ids(&page).len() <= 2);
        seen.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("clients?limit=2&after={next}");
    }
    assert_eq!(seen, all);
    let one = nodes[1].api(&format!("client?client={}", clients[2].id()), None).await;
    assert_eq!((&one["clientId"], &one["node"]), (&json!(clients[2].id()), &json!("n2")));
    assert_eq!(nodes[1].api("client?client=nobody", None).await["error"]["code"], "not_found");
}

#[tokio::test(start_paused = true)]
async fn channels_count_the_subscribers_of_all_nodes() {
    let wire = Wire::default();
    let [a, b, c] = nodes(&wire).await;
    let mut clients = Vec::new();
    for (node, channels) in [(&a, &["x", "y"][..]), (&b, &["x"]), (&b, &["x", "z"]), (&a, &["z"])] {
        let mut client = node.server.client().await;
        for channel in channels {
            client.subscribe(channel).await.unwrap();
        }
        clients.push(client);
    }
    let of = |channel: &str, count: u64| json!({"channel": channel, "subscribers": count});
    for node in [&a, &c] {
        let listed = node.api("channels", None).await;
        assert_eq!(listed["channels"], json!([of("x", 3), of("y", 1), of("z", 2)]));
        let page = node.api("channels?limit=1&after=x", None).await;
        assert_eq!((&page["channels"], &page["next"]), (&json!([of("y", 1)]), &json!("y")));
        let one = node.api("channel?channel=x", None).await;
        assert_eq!((&one["subscribers"], &one["members"]), (&json!(3), &json!(3)));
    }
}

#[tokio::test(start_paused = true)]
async fn members_are_told_where_nobody_listens() {
    let wire = Wire::default();
    let toml = "namespace.default.presence_read = \"anyone\"\n";
    let [a, b, c]: [Member; 3] = nodes_with(&wire, toml, Handlers::new).await;
    let mut clients = Vec::new();
    for node in [&a, &b, &a, &b, &a] {
        let mut client = node.server.client().await;
        client.subscribe("room").await.unwrap();
        clients.push(client);
    }
    let mut all: Vec<_> = clients.iter().map(|client| client.id().to_owned()).collect();
    all.sort();
    let mut eve = c.server.client().await;
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut request = json!({"type": "presence", "channel": "room", "limit": 2});
        if after.is_string() {
            request["after"] = after;
        }
        let page = eve.request(request).await.unwrap()["data"].clone();
        assert_eq!(page["count"], 5);
        let members = page["members"].as_array().unwrap().iter();
        seen.extend(members.map(|member| member["clientId"].as_str().unwrap().to_owned()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(seen, all);
    let told = c.api("presence?channel=room", None).await;
    assert_eq!((&told["count"], told.get("missing")), (&json!(5), None));
    wire.cut(b.id());
    let told = c.api("presence?channel=room", None).await;
    assert_eq!((&told["count"], &told["missing"]), (&json!(3), &json!(["n1"])));
}

#[tokio::test(start_paused = true)]
async fn nodes_are_known_by_name() {
    let wire = Wire::default();
    let [a, b] = nodes(&wire).await;
    let _ann = b.server.client().await;
    pass(2000).await;
    let info = a.api("info", None).await;
    let nodes = info["nodes"].as_array().unwrap();
    let names: Vec<_> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["n0", "n1"]);
    assert_eq!((&nodes[1]["id"], &nodes[1]["clients"]), (&json!(b.id().to_string()), &json!(1)));
    assert!(nodes[1]["uptime"].as_u64().unwrap() >= 2000);
    assert_eq!(a.cluster().talk().nodes, 2);
    b.crash();
    pass(10_000).await;
    assert_eq!(a.api("info", None).await["nodes"].as_array().unwrap().len(), 1);
}
