//! A line of a vector: a client, and the server's end that the test plays.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openline_client::{
    AuthContext, ChannelEvent, Client, Error, Format, State, Status, Subscription, Why,
};
use openline_ws::{CloseCode, Message, WebSocket};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

use crate::calls::{self, Call};
use crate::pattern::now_ms;
use crate::script::{self, Script};
use crate::uploads::{self, Uploading};
use crate::{packed, said, told};

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(5);

type Subscribing = JoinHandle<Result<Subscription, Error>>;

pub(crate) struct Line {
    client: Client,
    format: Format,
    server: WebSocket<DuplexStream>,
    script: Script,
    connecting: JoinHandle<Result<(), Error>>,
    /// Why the client asked for a token, each time.
    whys: Arc<Mutex<Vec<Why>>>,
    rooms: BTreeMap<String, Subscription>,
    /// Made before the welcome, and not asked for yet.
    early: Vec<(String, Subscribing)>,
    /// What was said and not answered, by the vector's ids.
    asked: HashMap<String, Asked>,
    /// Calls that say more than one message, and go on when the first is answered.
    uploads: Vec<Uploading>,
    /// The sum of the file that is begun next.
    pub(crate) sum: Option<String>,
    /// The client's own id of a chunk that is not acknowledged.
    chunk: Option<Value>,
    listing: Option<Listing>,
    is_over: bool,
}

/// A list of members that has more pages, and those of the pages before.
struct Listing {
    call: Call,
    members: Vec<Value>,
}

struct Asked {
    message: Value,
    /// The client's own id; none if it wants no answer.
    own: Option<Value>,
    waits: Waits,
}

/// Who waits for the answer.
enum Waits {
    Nobody,
    Call(Call),
    Page(Listing),
    Upload(Uploading),
    /// The answer to a chunk is waited for by its upload.
    Chunk,
    /// An upload that has ended already.
    Cancelled(Call),
    /// Whoever looks at the status.
    Status,
    Subscriptions(Vec<(String, Subscribing)>),
}

impl Line {
    pub(crate) async fn open(format: Format, token: Option<String>) -> Self {
        let whys: Arc<Mutex<Vec<Why>>> = Arc::default();
        let (mut builder, mut script) = script::client();
        if let Some(token) = token {
            let whys = whys.clone();
            builder = builder.auth(move |AuthContext { why, .. }| {
                whys.lock().unwrap().push(why);
                let token = token.clone();
                async { Ok(Some(token)) }
            });
        }
        let client = builder.format(format).build().unwrap();
        let connecting = tokio::spawn({
            let client = client.clone();
            async move { client.connect().await }
        });
        let server = script.accept_as(protocol(format)).await;
        let (rooms, asked, uploads) = (BTreeMap::new(), HashMap::new(), Vec::new());
        let (early, listing, sum, chunk, is_over) = (Vec::new(), None, None, None, false);
        Self {
            client,
            format,
            server,
            script,
            connecting,
            whys,
            rooms,
            early,
            asked,
            uploads,
            sum,
            chunk,
            listing,
            is_over,
        }
    }

    /// What a message of the server answers.
    pub(crate) fn asked(&self, message: &Value) -> Option<&Value> {
        self.asked.get(&message["id"].to_string()).map(|asked| &asked.message)
    }

    /// The channel that a message is about which does not say.
    pub(crate) fn room(&self) -> Option<&str> {
        self.rooms.keys().next().map(String::as_str)
    }

    /// Has the client say this.
    pub(crate) async fn say(&mut self, message: &Value) -> Result<(), String> {
        if message["type"] == "chunk" {
            self.upload(message).give(message).await;
        }
        let Some(waits) = self.call(message) else {
            let asked = Asked { message: message.clone(), own: None, waits: Waits::Nobody };
            self.asked.insert(message["id"].to_string(), asked);
            return Ok(());
        };
        let came = self.recv().await?;
        said::check(&came, message)?;
        let own = came.get("id").cloned();
        if own.is_none() && message["type"] != "typing" {
            return Err(format!("the client said {came}, which asks for no answer"));
        }
        match (message.get("id"), waits) {
            (Some(id), waits) => {
                let asked = Asked { message: message.clone(), own, waits };
                self.asked.insert(id.to_string(), asked);
            }
            (None, Waits::Call(call)) => {
                let answer = json!({
                    "type": "published",
                    "id": own,
                    "level": "memory",
                    "timestamp": now_ms(),
                });
                self.send(&answer).await;
                self.answered(call, Vec::new(), &answer).await?;
            }
            (None, Waits::Chunk) => self.chunk = own,
            (None, _) => {}
        }
        Ok(())
    }

    /// What is asked for in one message is what is wanted when the line is welcomed.
    pub(crate) async fn subscribe_early(&mut self, message: &Value) {
        self.early = self.subscribe(message);
        tokio::task::yield_now().await;
    }

    /// Sends the client a message, and looks whether it reaches whom it is for.
    pub(crate) async fn tell(&mut self, mut message: Value) -> Result<(), String> {
        let Some(id) = message.get("id").map(Value::to_string) else {
            if let Some(own) = self.chunk.take_if(|_| message["type"] == "chunk") {
                message["id"] = own;
                self.send(&message).await;
                let offset = message["offset"].as_u64().unwrap();
                return self.upload(&message).has_stored(offset).await;
            }
            self.send(&message).await;
            return self.heard(&message).await;
        };
        let asked = self.asked.remove(&id).ok_or("nothing was asked under this id")?;
        let Some(own) = asked.own else { return Ok(()) };
        message["id"] = own;
        self.send(&message).await;
        match asked.waits {
            Waits::Nobody | Waits::Chunk => Ok(()),
            Waits::Upload(upload) if message["type"] == "error" => {
                self.answered(upload.end(), Vec::new(), &message).await
            }
            Waits::Upload(mut upload) => {
                upload.opened(&message).await?;
                self.uploads.push(upload);
                Ok(())
            }
            Waits::Cancelled(call) => match soon(call).await?.unwrap() {
                Err(Error::Cancelled) => Ok(()),
                other => Err(format!("the upload that was cancelled gave {other:?}")),
            },
            Waits::Status => self.heard(&message).await,
            Waits::Subscriptions(made) => self.subscribed(made, &message).await,
            Waits::Call(call) => self.answered(call, Vec::new(), &message).await,
            Waits::Page(Listing { call, members }) => self.answered(call, members, &message).await,
        }
    }

    /// The call gives what the server sent, and for a list the `members` of the pages before.
    async fn answered(
        &mut self,
        call: Call,
        mut members: Vec<Value>,
        sent: &Value,
    ) -> Result<(), String> {
        let mut wanted = told::to_be_given(sent);
        if sent["type"] == "presence" {
            members.extend(wanted.as_array().unwrap().iter().cloned());
            if sent["data"].get("next").is_some() {
                self.listing = Some(Listing { call, members });
                return Ok(());
            }
            wanted = members.into();
        }
        let given = soon(call).await?.unwrap();
        if given.is_err() != (sent["type"] == "error") {
            return Err(format!("the call gave {given:?}"));
        }
        same(&given.unwrap_or_else(|error| told::failure(&error)), &wanted)
    }

    /// Has the client close the line.
    pub(crate) async fn close(&mut self, code: u64) -> Result<(), String> {
        self.client.close().await;
        self.is_over = true;
        let came = soon(self.server.recv()).await?;
        let closed = self.server.closed().map(|closed| u64::from(u16::from(closed.reason.code)));
        if closed != Some(code) {
            return Err(format!("the line ended with {closed:?}, after {came:?}"));
        }
        for room in self.rooms.values_mut() {
            let last = soon(room.next()).await?;
            if !matches!(last, Some(ChannelEvent::Unsubscribed { .. })) {
                return Err(format!("the subscription gave {last:?}"));
            }
        }
        Ok(())
    }

    /// Closes the line, and looks whether the client does what the table of close codes says.
    pub(crate) async fn end(&mut self, code: u64) -> Result<(), String> {
        self.is_over = true;
        // The client may have gone by itself: it was told why before.
        let _ = self.server.close(CloseCode::from(code as u16), "as the vector says").await;
        match code {
            4000 => {
                let _another = soon(self.script.accept_as(protocol(self.format))).await?;
                let whys = self.whys.lock().unwrap().clone();
                if whys != [Why::Connect, Why::Expired] {
                    return Err(format!("tokens were asked for because of {whys:?}"));
                }
            }
            4002 => {
                let stopped = soon(&mut self.connecting).await?.unwrap();
                if !matches!(stopped, Err(Error::Stopped { code: 4002, .. })) {
                    return Err(format!("connecting gave {stopped:?}"));
                }
                if self.status().state != State::Stopped || !self.script.lines.is_empty() {
                    return Err(format!("the client goes on: {:?}", self.status()));
                }
            }
            _ => return Err("what does a client do after this code?".to_owned()),
        }
        Ok(())
    }

    /// All was answered, the client says no more than the vector, and its readers get no more.
    pub(crate) async fn nothing_is_left(mut self) -> Result<(), String> {
        if let Some(Asked { message, .. }) = self.asked.values().next() {
            return Err(format!("{message} was not answered"));
        }
        if self.is_over {
            return Ok(());
        }
        let moment = Duration::from_millis(1);
        if let Ok(came) = tokio::time::timeout(moment, self.recv()).await {
            return Err(format!("the client said {came:?}"));
        }
        for room in self.rooms.values_mut() {
            if let Ok(event) = tokio::time::timeout(moment, room.next()).await {
                return Err(format!("the subscription gave {event:?}"));
            }
        }
        Ok(())
    }

    /// Calls what says this. None if the client knows that it need not be said.
    fn call(&mut self, message: &Value) -> Option<Waits> {
        let client = &self.client;
        Some(match message["type"].as_str().unwrap() {
            "auth" => Waits::Status,
            "ping" => {
                client.wake();
                assert_eq!(self.status().state, State::Probing);
                Waits::Status
            }
            "subscribe" if !self.early.is_empty() => {
                Waits::Subscriptions(std::mem::take(&mut self.early))
            }
            "subscribe" => Waits::Subscriptions(self.subscribe(message)),
            "unsubscribe" => {
                self.rooms.remove(&said::channels(message)[0]).unwrap();
                Waits::Nobody
            }
            "typing" => {
                self.rooms.get(message["channel"].as_str()?)?.typing(message["isTyping"] != false);
                Waits::Nobody
            }
            "publish" => Waits::Call(calls::publish(client, message)),
            "history" => Waits::Call(calls::history(client, message)),
            "presence" if message.get("after").is_some() => {
                Waits::Page(self.listing.take().expect("there is another page"))
            }
            "presence" => Waits::Call(calls::presence(client, message)),
            "setPresence" => Waits::Call(calls::set_presence(client, message)),
            "upload" => Waits::Upload(uploads::begin(client, message, self.sum.as_deref())),
            "chunk" => Waits::Chunk,
            "complete" => Waits::Call(self.take_upload(message).end()),
            "cancel" => Waits::Cancelled(self.take_upload(message).cancel()),
            other => panic!("no call says {other}"),
        })
    }

    /// The upload that the message is about: the last one, where there are several of the same name.
    fn upload(&mut self, message: &Value) -> &mut Uploading {
        self.uploads.iter_mut().rfind(|upload| upload.is(message)).unwrap()
    }

    fn take_upload(&mut self, message: &Value) -> Uploading {
        let at = self.uploads.iter().rposition(|upload| upload.is(message)).unwrap();
        self.uploads.remove(at)
    }

    fn subscribe(&self, message: &Value) -> Vec<(String, Subscribing)> {
        let each = |to: Value| {
            let name = to["channel"].as_str().unwrap().to_owned();
            let mut channel = self.client.channel(&name);
            if let Some(position) = to["position"].as_str() {
                channel = channel.since(position.parse().unwrap());
            }
            if let Some(history) = to["history"].as_u64() {
                channel = channel.history(history as u32);
            }
            if let Some(token) = to["token"].as_str() {
                channel = channel.token(token);
            }
            (name, tokio::spawn(channel.subscribe()))
        };
        said::subscribed_to(message).into_iter().map(each).collect()
    }

    /// Each subscription begins as the server said.
    async fn subscribed(
        &mut self,
        made: Vec<(String, Subscribing)>,
        sent: &Value,
    ) -> Result<(), String> {
        for (name, subscribing) in made {
            let given = soon(subscribing).await?.unwrap();
            let outcome = &sent["data"][&name];
            let mut room = given.map_err(|error| format!("subscribing gave {error:?}"))?;
            let missed = outcome["messages"].as_array().map_or(&[][..], Vec::as_slice);
            let mut wanted = Vec::new();
            match outcome["recovered"].as_bool() {
                Some(true) => wanted.push(json!({"recovered": missed.len()})),
                Some(false) => {
                    wanted.push(json!({"gap": outcome["reason"], "position": outcome["position"]}))
                }
                None => {}
            }
            wanted.extend(missed.iter().map(|message| told::as_publication(message, true)));
            for wanted in wanted {
                same(&next(&mut room).await?, &wanted)?;
            }
            let position = room.position().map(|position| position.to_string());
            same(&json!(position), &outcome["position"])?;
            self.rooms.insert(name, room);
        }
        Ok(())
    }

    /// What the server sends of itself reaches the status, or the reader of the channel.
    async fn heard(&mut self, sent: &Value) -> Result<(), String> {
        let body = told::without(sent, &["type", "channel"]);
        let wanted = match sent["type"].as_str().unwrap() {
            "welcome" | "auth_success" | "auth_failed" => return self.heard_who(sent).await,
            "pong" => return self.wait_for(State::Online).await.map(drop),
            "presence" => body["data"].clone(),
            "typing" => body,
            _ => told::as_publication(sent, false),
        };
        let name = sent["channel"].as_str().unwrap();
        let room = self.rooms.get_mut(name).ok_or("nobody reads this channel")?;
        same(&next(room).await?, &wanted)?;
        match sent["position"].as_str() {
            Some(_) => same(&json!(room.position().map(|at| at.to_string())), &sent["position"]),
            None => Ok(()),
        }
    }

    /// The status says who the client is.
    async fn heard_who(&mut self, sent: &Value) -> Result<(), String> {
        let shows_token = !self.whys.lock().unwrap().is_empty();
        let status = match sent["type"].as_str() {
            Some("auth_failed") => {
                let mut status = self.client.status();
                let shown = status.wait_for(|status| status.reason.is_some());
                let shown = soon(shown).await?.unwrap().reason.clone();
                return same(&json!(shown), &sent["reason"]);
            }
            Some("welcome") if shows_token => self.wait_for(State::Authenticating).await?,
            _ => {
                soon(&mut self.connecting).await?.unwrap().map_err(|error| error.to_string())?;
                self.wait_for(State::Online).await?
            }
        };
        same(&json!(status.client_id.as_deref()), &sent["clientId"])?;
        same(&json!(status.user.as_deref()), &sent["user"])
    }

    async fn wait_for(&self, state: State) -> Result<Status, String> {
        let mut status = self.client.status();
        let reached = soon(status.wait_for(|status| status.state == state)).await;
        reached.map(|status| status.unwrap().clone())
    }

    fn status(&self) -> Status {
        self.client.status().borrow().clone()
    }

    async fn send(&mut self, message: &Value) {
        let message = match self.format {
            Format::Json => Message::from(message.to_string()),
            Format::MessagePack => Message::from(packed::pack(message)),
        };
        self.server.send(message).await.unwrap();
    }

    async fn recv(&mut self) -> Result<Value, String> {
        match (soon(self.server.recv()).await?, self.format) {
            (Ok(Some(Message::Text(text))), Format::Json) => {
                serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))
            }
            // Chunks are bytes on all lines.
            (Ok(Some(Message::Binary(bytes))), _) => Ok(packed::unpack(&bytes)),
            (other, _) => Err(format!("{other:?} came from the client")),
        }
    }
}

/// How the subprotocol of a format is called.
fn protocol(format: Format) -> &'static str {
    match format {
        Format::Json => "openline.v1.json",
        Format::MessagePack => "openline.v1.msgpack",
    }
}

/// The reader's next event.
async fn next(room: &mut Subscription) -> Result<Value, String> {
    let event = soon(room.next()).await?.ok_or("the subscription is over")?;
    Ok(told::event(&event))
}

fn same(given: &Value, wanted: &Value) -> Result<(), String> {
    if given == wanted { Ok(()) } else { Err(format!("{given} was given, not {wanted}")) }
}

async fn soon<F: IntoFuture>(future: F) -> Result<F::Output, String> {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.map_err(|_| format!("nothing for {} s", PATIENCE.as_secs()))
}
