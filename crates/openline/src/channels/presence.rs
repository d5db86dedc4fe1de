//! `--presence`: who is in a channel.

use openline_client::{ChannelName, Client, Member};

use super::failure::Stop;
use super::json::Object;
use super::output::{Output, printable};

pub(super) async fn run(
    client: &Client,
    channel: &ChannelName,
    output: Output,
) -> Result<(), Stop> {
    for member in client.presence(channel.as_str()).await? {
        let object = || Object::new("member").text("channel", channel).member(&member);
        output.result(object, || text(&member))?;
    }
    Ok(())
}

fn text(member: &Member) -> String {
    let user = printable(member.user.as_deref().unwrap_or("-"));
    let status = printable(member.status.as_deref().unwrap_or("-"));
    format!("{user}\t{status}\t{}", printable(&member.client_id))
}
