//! Runs Autobahn's fuzzing server against the client: asks how many cases there are, echoes through
//! each, and has the report written.
//!
//! ```sh
//! cargo run -p openline-ws --example autobahn_client -- ws://127.0.0.1:9001 openline 1 517
//! ```

use std::error::Error;

use openline_ws::{Connector, DeflateOptions, Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(base), Some(agent)) = (arguments.next(), arguments.next()) else {
        return Err("usage: autobahn_client URL AGENT [FROM] [TO]".into());
    };
    let (from, to) = (arguments.next(), arguments.next());
    let connector = Connector::new()
        .limits(Limits {
            frame_bytes_max: 16 << 20,
            message_bytes_max: 16 << 20,
            fragments_max: 70_000,
        })
        // Without takeover of our own the offer names client_no_context_takeover, which some cases
        // want to accept.
        .deflate(DeflateOptions { threshold: 0, takeover: false, ..DeflateOptions::client() });

    let from = from.map_or(Ok(1), |from| from.parse::<u32>())?;
    let to = match to {
        Some(to) => to.parse::<u32>()?,
        None => {
            let mut ws = connector.connect(&format!("{base}/getCaseCount")).await?;
            let count = ws.recv().await?.ok_or("no count of cases")?;
            count.as_text().ok_or("the count is not text")?.parse()?
        }
    };
    for case in from..=to {
        let url = format!("{base}/runCase?case={case}&agent={agent}");
        let mut ws = connector.connect(&url).await?;
        // A case ends as it likes, in an error as well.
        while let Ok(Some(message)) = ws.recv().await {
            if ws.send(message).await.is_err() {
                break;
            }
        }
    }
    let mut ws = connector.connect(&format!("{base}/updateReports?agent={agent}")).await?;
    while ws.recv().await?.is_some() {}
    Ok(())
}
