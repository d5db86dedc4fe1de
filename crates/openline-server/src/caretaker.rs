//! What a server does by itself now and then: forgets what is beyond its time, and tells the backend
//! what happened.

use std::sync::Arc;
use std::time::Duration;

use crate::node::Node;
use crate::overload;
use crate::shard::ShardMessage;

/// How often channels and files are looked through for what is beyond its time.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// How often the broker is asked how it is.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often subscriptions are looked at that are ahead of what comes from a shared broker.
const REVIEW_EVERY: Duration = Duration::from_secs(2);

/// Works until the server stops, and a moment longer where something is still to be told.
pub(crate) async fn run(node: Arc<Node>) {
    let stopped = || node.lifecycle.stopped();
    let sweep = async {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            node.exchange.broker().sweep();
            node.uploads.sweep();
            let now_ms = node.exchange.clock.now_ms();
            for shard in node.exchange.shards() {
                shard.journal().prune(now_ms);
            }
        }
    };
    let sweep = async {
        tokio::select! {
            () = sweep => {}
            () = watch(&node) => {}
            () = review(&node) => {}
            () = overload::watch(&node) => {}
            () = stopped() => node.log.stopping("asked to"),
        }
    };
    let webhooks = async {
        node.webhook_desk.clone().run(stopped()).await;
    };
    let cluster = async {
        if let Some(cluster) = node.cluster() {
            cluster.run(&node, stopped()).await;
        }
    };
    let tls = async {
        if let Some(tls) = &node.tls {
            tokio::select! {
                () = tls.run(&node.metrics) => {}
                () = stopped() => {}
            }
        }
    };
    tokio::join!(sweep, webhooks, cluster, tls);
}

/// Has shards look at the subscriptions that are ahead of what comes from other nodes.
async fn review(node: &Node) {
    loop {
        tokio::time::sleep(REVIEW_EVERY).await;
        if node.exchange.broker().link().is_some() {
            for shard in node.exchange.shards() {
                shard.inbox.put([ShardMessage::Review]);
            }
        }
    }
}

/// Says when the broker takes no publications, when it does again, and what it warns of.
async fn watch(node: &Node) {
    let mut ails = false;
    let mut warned = Vec::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        for warning in node.exchange.broker().warnings() {
            if !warned.contains(&warning) {
                node.log.doubtful(&warning);
                warned.push(warning);
            }
        }
        match node.exchange.broker().health().ailment {
            Some(ailment) => {
                node.log.broker_ailing(&ailment);
                ails = true;
            }
            None if std::mem::take(&mut ails) => node.log.broker_well(),
            None => {}
        }
    }
}
