//! `--subscribe`: what happens in channels, until it is interrupted.

use std::collections::BTreeSet;
use std::io;
use std::pin::pin;
use std::task::Poll;

use openline_client::{ChannelEvent, ChannelName, Client, GapReason, PresenceChange, Subscription};

use super::failure::Stop;
use super::json::{Object, members};
use super::output::Output;
use super::publication;
use crate::cli::Channels;
use crate::exit::{Exit, Failure};

pub(super) async fn run(client: &Client, channels: &Channels, output: Output) -> Result<(), Stop> {
    let names: BTreeSet<&str> = channels.subscribe.iter().map(ChannelName::as_str).collect();
    let named = names.len() > 1;
    let mut subscriptions = Vec::new();
    for name in names {
        let mut builder = client.channel(name);
        if let Some(position) = channels.since {
            builder = builder.since(position);
        }
        if let Some(messages) = channels.history {
            builder = builder.history(messages);
        }
        let subscription = builder.subscribe().await?;
        let begin = subscription.position();
        let object = || Object::new("subscribed").text("channel", name);
        output.tell(|| object().text_if("position", begin), || None)?;
        subscriptions.push(subscription);
    }
    let mut last = None;
    while let Some((channel, event)) = next(&mut subscriptions).await {
        print(&channel, &event, named, output)?;
        if let ChannelEvent::Unsubscribed { reason } = event {
            last = Some(format!("{channel}: the subscription is over: {reason}"));
        }
    }
    match last {
        Some(what) => Err(Failure::new(Exit::Closed, what).into()),
        None => Ok(()),
    }
}

/// The next event of any; those that are over are taken out. None when all are.
async fn next(subscriptions: &mut Vec<Subscription>) -> Option<(ChannelName, ChannelEvent)> {
    std::future::poll_fn(|cx| {
        let mut index = 0;
        while index < subscriptions.len() {
            let polled = pin!(subscriptions[index].next()).poll(cx);
            match polled {
                Poll::Ready(Some(event)) => {
                    let channel = subscriptions[index].channel().clone();
                    // Whoever had its turn goes last.
                    subscriptions[index..].rotate_left(1);
                    return Poll::Ready(Some((channel, event)));
                }
                Poll::Ready(None) => drop(subscriptions.remove(index)),
                Poll::Pending => index += 1,
            }
        }
        if subscriptions.is_empty() { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

fn print(
    channel: &ChannelName,
    event: &ChannelEvent,
    named: bool,
    output: Output,
) -> io::Result<()> {
    let object = |kind| Object::new(kind).text("channel", channel);
    match event {
        ChannelEvent::Publication(message) => publication::print(message, named, output),
        ChannelEvent::Gap { reason, position } => {
            let why = gap(*reason);
            output.tell(
                || object("gap").text("reason", why).text_if("position", *position),
                || Some(format!("{channel}: messages are missing here ({why})")),
            )
        }
        ChannelEvent::Recovered { count } => output.tell(
            || object("recovered").raw("count", count),
            || Some(format!("{channel}: nothing is missing, {count} came meanwhile")),
        ),
        ChannelEvent::Presence(change) => output.tell(
            || {
                object("presence")
                    .raw("joined", members(&change.joined))
                    .raw("updated", members(&change.updated))
                    .raw("left", members(&change.left))
                    .raw("count", change.count)
                    .raw("complete", change.complete)
            },
            || Some(format!("{channel}: {}", changed(change))),
        ),
        ChannelEvent::Typing { client_id, user, is_typing } => output.tell(
            || {
                let object = object("typing").text("clientId", client_id);
                object.text_if("user", user.as_ref()).raw("typing", is_typing)
            },
            || None,
        ),
        ChannelEvent::Unsubscribed { reason } => {
            let text = || named.then(|| format!("{channel}: the subscription is over: {reason}"));
            output.tell(|| object("unsubscribed").text("reason", reason), text)
        }
        // What a later client yields is nothing that this program was asked for.
        _ => Ok(()),
    }
}

fn gap(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Server(reason) => reason.as_str(),
        GapReason::NoHistory => "no_history",
        GapReason::TooSlow => "too_slow",
        _ => "other",
    }
}

fn changed(change: &PresenceChange) -> String {
    let (joined, left) = (change.joined.len(), change.left.len());
    format!("{joined} came, {left} went, {} are there", change.count)
}
