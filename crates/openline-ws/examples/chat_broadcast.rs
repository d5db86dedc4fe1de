//! A chat: what one says, all hear. Each message is encoded once, and compressed once, however many
//! listen; whoever does not keep up is closed.
//!
//! ```sh
//! cargo run -p openline-ws --example chat_broadcast -- 127.0.0.1:9001
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openline_ws::{Acceptor, CloseReason, Message, Prepared, QueueOptions, Sender, SlowConsumer};
use tokio::net::{TcpListener, TcpStream};

/// Those who listen, by number.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Members>>);

#[derive(Default)]
struct Members {
    senders: HashMap<u64, Sender>,
    joined: u64,
}

impl Room {
    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, sender: Sender) -> u64 {
        let mut members = self.members();
        members.joined += 1;
        let number = members.joined;
        members.senders.insert(number, sender);
        number
    }

    fn leave(&self, number: u64) {
        self.members().senders.remove(&number);
    }

    fn say(&self, text: String) {
        let message = Prepared::text(text);
        for sender in self.members().senders.values() {
            // A line that is closing leaves the room by itself.
            let _ = sender.try_send_prepared(&message);
        }
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: Acceptor,
    room: Room,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let ws = acceptor.accept(stream).await?.accept().await?;
    let (mut reader, sender) = ws.split_with(QueueOptions {
        bytes_max: 256 << 10,
        slow_consumer: SlowConsumer::Close(CloseReason::new(4006, "slow consumer")),
    });
    let number = room.join(sender);
    room.say(format!("{number} came"));
    let result = loop {
        match reader.recv().await {
            Ok(Some(Message::Text(text))) => room.say(format!("{number}: {text}")),
            Ok(Some(Message::Binary(_))) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
    };
    room.leave(number);
    room.say(format!("{number} left"));
    result
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let (acceptor, room) = (Acceptor::new(), Room::default());
    loop {
        let (stream, _) = listener.accept().await?;
        let serving = serve(stream, acceptor.clone(), room.clone());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                eprintln!("{error}");
            }
        });
    }
}
