//! [`Arrivals`]: the lines of the process before with which a thread goes on.

use std::sync::Arc;

use openline_protocol::{ChannelName, Member};
use tokio::sync::Barrier;

use super::Shard;
use crate::node::Node;
use crate::session::Moving;
use crate::transport::websocket;

/// Lines with which a thread goes on before it serves others.
#[derive(Debug)]
pub(crate) struct Arrivals {
    lines: Vec<Moving>,
    /// All threads. A line is read when every line is where it was, so that it can tell none
    /// something that another misses.
    threads: Arc<Barrier>,
    /// Who was there and did not come along.
    gone: Vec<(ChannelName, Vec<Member>)>,
}

impl Arrivals {
    /// The lines, dealt out to so many threads.
    pub(crate) fn deal(
        lines: Vec<Moving>,
        mut gone: Vec<(ChannelName, Vec<Member>)>,
        threads: usize,
    ) -> Vec<Self> {
        let barrier = Arc::new(Barrier::new(threads));
        let mut dealt: Vec<Vec<Moving>> = (0..threads).map(|_| Vec::new()).collect();
        for (index, line) in lines.into_iter().enumerate() {
            dealt[index % threads].push(line);
        }
        let arrivals = dealt.into_iter().map(|lines| Self {
            lines,
            threads: barrier.clone(),
            gone: std::mem::take(&mut gone),
        });
        arrivals.collect()
    }

    /// On the thread whose lines they are.
    pub(super) async fn go_on(self, shard: &Arc<Shard>, node: &Arc<Node>) {
        let Self { lines, threads, gone } = self;
        let mut here = Vec::with_capacity(lines.len());
        for line in lines {
            // What the runtime does not take ends.
            here.extend(websocket::resume(line, shard, node).await.ok());
        }
        threads.wait().await;
        for (channel, members) in gone {
            node.exchange.dismiss(&channel, members);
        }
        here.into_iter().for_each(websocket::go_on);
    }
}
