//! Every key: its name, type, default and meaning. The structs, the variables, the flags, their
//! help, `openline config default` and docs/config.md are made from this.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use super::broker_url::BrokerUrl;
use super::choice::{
    Duplicates, HistoryLevel, LogFormat, LogLevel, Publishers, Readers, SlowConsumer, Subscribers,
    Uploaders, WebhookDecision, WebhookEvent,
};
use super::namespaces::Namespaces;
use super::network::{
    BrokerPrefix, CookieName, HostPattern, HttpUrl, Network, NodeName, OriginPattern, PrivateTarget,
};
use super::quantity::{Rate, Size};
use super::secret::Secret;
use super::signing::SigningKey;
use super::table::table;

table! {
    /// The whole configuration. Its own keys stand before the first table of the file.
    "" Config {
        /// Where to listen; port 0 takes a free one.
        listen: SocketAddr = "127.0.0.1:8000";

        /// The folder for what has to outlast the program: history and the generated API key. It is
        /// made if it is missing.
        data_dir: PathBuf = "./openline-data";

        /// Threads that serve lines. 0 means one for each core.
        threads: Option<NonZeroUsize> = 0, from 0 to 1024;

        /// Keep everything in memory and write nothing, not even an API key.
        ephemeral: bool = false;

        /// Serve the pages to try the server, /chat and /echo. They let everyone in, whatever
        /// `[auth]` says.
        demo: bool = false, without a file true;

        /// With the demos, publish a price on the channel `ticker` once a second while somebody is
        /// subscribed to it, and a minute longer.
        demo_ticker: bool = true;

        /// Allow what is refused for safety: an address that other machines can reach although
        /// nobody has to authenticate, and cookies with any origin.
        insecure_dev: bool = false;

        /// Refuse channels whose prefix is not a configured namespace (unknown_namespace).
        /// Otherwise they are like those of [namespace.default].
        strict_namespaces: bool = true, without a file false;
    } and {
        /// `[tls]`
        tls: Tls;
        /// `[http]`
        http: Http;
        /// `[auth]`
        auth: Auth;
        /// `[history]`
        history: History;
        /// `[node]`
        node: Node;
        /// `[broker]`
        broker: Broker;
        /// `[namespace.…]`
        namespace: Namespaces;
        /// `[limits]`
        limits: Limits;
        /// `[rates]`
        rates: Rates;
        /// `[socketio]`
        socketio: SocketIo;
        /// `[uploads]`
        uploads: Uploads;
        /// `[api]`
        api: Api;
        /// `[metrics]`
        metrics: Metrics;
        /// `[webhook]`
        webhook: Webhook;
        /// `[log]`
        log: Log;
    }
}

table! {
    /// TLS, with HTTP/2 for clients that offer it. Without a certificate the server speaks plain
    /// HTTP.
    "tls" Tls {
        /// A PEM file with the server's certificate first, then those that vouch for it.
        certificate: Option<PathBuf> = "";

        /// A PEM file with the key of the certificate.
        key: Option<PathBuf> = "";
    }
}

table! {
    /// Who may send requests, and from where.
    "http" Http {
        /// Pages that may open lines and read answers. Without a list those of the same host may, or
        /// of this machine on a loopback address; with one, only those that it names. Programs that
        /// are no browsers send no origin and are not held by this.
        allowed_origins: Vec<OriginPattern> = [];

        /// The hosts that requests may be for; the names of this machine always are. Empty means
        /// those alone on a loopback address, and any host elsewhere.
        allowed_hosts: Vec<HostPattern> = [];

        /// Proxies that are believed about a client's address (X-Forwarded-For, X-Real-IP). From
        /// anyone else these headers are ignored.
        trusted_proxies: Vec<Network> = [];

        /// Connections of trusted proxies begin with a PROXY protocol header (version 1 or 2).
        proxy_protocol: bool = false;
    }
}

table! {
    /// Who a client is. Tokens are JWTs; `auth` on an open line, the query, a cookie or the header
    /// Authorization carry them.
    "auth" Auth {
        /// Let clients in without a token. What they may do is up to each namespace.
        anonymous: bool = false, without a file true;

        /// Keys that tokens are checked with, each a table with algorithm, one of secret,
        /// secret_file and public_key_file, and an id if tokens name it (kid).
        keys: Vec<SigningKey> = [];

        /// A JWK set with more public keys, fetched when it is needed and kept for a while.
        jwks_url: Option<HttpUrl> = "";

        /// What the claim `aud` of a token has to hold. Without this a token that has the claim is
        /// refused: it was made for somebody else.
        audience: Option<String> = "";

        /// What the claim `iss` of a token has to be. Without this any issuer whose key is known
        /// will do.
        issuer: Option<String> = "";

        /// How far clocks may differ when `exp` and `nbf` are checked.
        leeway: Duration = "30s", from "0s" to "5m";

        /// Check the token before the line is open: a request without one is refused with 401, one
        /// with a bad or expired one with 403. Otherwise `auth` may follow on the line.
        handshake: bool = false;

        /// Take a token from the query (`?token=…`) too. Queries end up in the logs of proxies.
        query: bool = false;

        /// Take a token from the cookie of this name. It counts only for pages of an allowed
        /// origin, because a browser sends it on behalf of any page; so it needs
        /// http.allowed_origins where others can reach the server.
        cookie: Option<CookieName> = "";

        /// How long a line may be open without `auth`, where one is needed. It is closed with 4007.
        deadline: Duration = "10s", from "1s" to "10m";

        /// What happens when a user connects who is connected already.
        duplicates: Duplicates = "allow";
    }
}

table! {
    /// How history is kept. How much of it is up to each namespace.
    "history" History {
        /// What `published` promises: "memory" survives nothing, "os" the end of the program,
        /// "fsync" a power cut as well, at the price of a disk write for each batch.
        level: HistoryLevel = "os";

        /// How much memory history may take, of all channels together. Beyond it the
        /// oldest publications are forgotten.
        memory_max: Size = "256MiB", from "1MiB" to "1TiB";

        /// How long a publication's key is remembered, so that a repeated one is not published
        /// twice.
        idempotency_window: Duration = "5m", from "0s" to "1d";

        /// Disk that is left free: with less, publications that have to be kept are refused
        /// (storage_full).
        reserve: Size = "64MiB", from "0B" to "1TiB";
    }
}

table! {
    /// This server as one of several that share a broker.
    "node" Node {
        /// What people know it by: in the log, the API and the dashboard. Empty means the name of the
        /// machine with the port.
        name: Option<NodeName> = "";
    }
}

table! {
    /// Where the channels are that several nodes share. Without a URL they are this node's alone, in
    /// its memory and its data directory.
    "broker" Broker {
        /// "redis://…" or "nats://…", with user and password if they are needed; "rediss://…" and
        /// "tls://…" with TLS. All nodes of a cluster name the same.
        url: Option<BrokerUrl> = "";

        /// What the names of its keys, streams and subjects begin with: clusters that share a broker
        /// have each their own.
        prefix: BrokerPrefix = "openline";

        /// How long it may take to answer. After that publications are refused
        /// (broker_unavailable); whether they are kept is not known then, and the same key finds out.
        timeout: Duration = "2s", from "100ms" to "1m";

        /// How often the channels that are listened to are compared with it, so that nothing that was
        /// lost on the way stays unnoticed.
        probe_interval: Duration = "5s", from "100ms" to "1m";

        /// A PEM file with the authorities that vouch for it. Empty means those of the system.
        ca: Option<PathBuf> = "";
    }
}

table! {
    /// What the channels of a namespace can do: `[namespace.chat]` is for those that begin with
    /// `chat:`, `[namespace.default]` for those without a prefix. What a namespace leaves out it
    /// takes from `[namespace.default]`. Namespaces are written in the file alone: they have no
    /// variables and no flags.
    "namespace" Namespace {
        /// How many publications each channel keeps. 0 keeps none, and nothing can be recovered.
        history_size: u32 = 100, from 0 to 1000000;

        /// How long a publication is kept.
        history_ttl: Duration = "1h", from "1s" to "365d";

        /// Who may read the history of a channel. What a client missed while it was away it gets
        /// whatever this says.
        history_read: Readers = "subscribers", without a file "anyone";

        /// Know who is subscribed.
        presence: bool = true;

        /// Tell subscribers who comes, goes and changes. Costs a message to each of them; needs
        /// presence.
        presence_push: bool = true;

        /// Who may ask who is subscribed.
        presence_read: Readers = "subscribers", without a file "anyone";

        /// Let subscribers tell each other that they are typing.
        typing: bool = true;

        /// Say with each publication who sent it.
        from: bool = false;

        /// Who may subscribe: "token" means those whose token names the channel, "backend" that
        /// only the API and the webhook subscribe clients.
        subscribe: Subscribers = "anyone";

        /// Who may publish over a line. The API may always.
        publish: Publishers = "authenticated", without a file "anyone";
    }
}

table! {
    /// Bounds of memory and of numbers. What is over them is refused with an error or a close code.
    "limits" Limits {
        /// Lines at once. 0 means as many as the system's limit of open files allows.
        connections: Option<NonZeroU32> = 0;

        /// Lines at once from one address (for IPv6 one /64), over all nodes. Nodes tell each other ten
        /// times a second, so what comes within 100 ms may go beyond it. 0 means no limit.
        connections_per_ip: Option<NonZeroU32> = 100, without a file 0;

        /// Lines at once of one user, over all nodes as above. 0 means no limit.
        connections_per_user: Option<NonZeroU32> = 20, without a file 0;

        /// How fast new lines may come. Those that are too many are told when to come again.
        admission: Option<Rate> = "1000/s", without a file "off";

        /// Channels that one line may be subscribed to.
        subscriptions: u32 = 128, from 1 to 100000;

        /// Channels at once. Each costs about a kilobyte, and its history.
        channels: u32 = 200000, from 1 to 100000000;

        /// The longest message of a client. /echo takes more.
        message: Size = "1MiB", from "1KiB" to "64MiB";

        /// What may wait for a line that does not take it.
        queue: Size = "1MiB", from "4KiB" to "1GiB";

        /// How long something may wait for a line that does not take it.
        queue_age: Duration = "10s", from "100ms" to "1h";

        /// What happens to such a line: "close" ends it with 4006, "gap" drops what waits and says
        /// so, "conflate" keeps the newest publication of each channel.
        slow_consumer: SlowConsumer = "close";

        /// Members in one page of a presence list.
        presence_page: u32 = 1000, from 1 to 10000;

        /// How long a request's head may take to arrive.
        head_deadline: Duration = "5s", from "100ms" to "5m";
    }
}

table! {
    /// How often something may happen. "20/s burst 40" lets forty through at once and twenty each
    /// second after that; "off" is no limit. What is too much gets rate_limited.
    "rates" Rates {
        /// Messages of one line, whatever they are.
        commands: Option<Rate> = "100/s burst 200", without a file "off";

        /// Subscriptions of one line.
        subscribe: Option<Rate> = "20/s burst 128", without a file "off";

        /// Publications of one line.
        publish: Option<Rate> = "50/s burst 100", without a file "off";

        /// Publications of one user, over all lines.
        publish_user: Option<Rate> = "100/s burst 200", without a file "off";

        /// Publications to one channel, of all lines together.
        publish_channel: Option<Rate> = "off";
    }
}

table! {
    /// Socket.IO clients, at /socket.io/, and Engine.IO clients at endpoints of their own.
    "socketio" SocketIo {
        /// How long a socket that lost its connection stays in its rooms, so that its client can go on
        /// where it was. While it is not 0s, each event that a Socket.IO client is sent has one more
        /// argument at its end, the client's offset.
        recovery: Duration = "0s", from "0s" to "2m";

        /// How long a client may take to ask for its first namespace.
        connect_timeout: Duration = "45s", from "50ms" to "10m";

        /// How long after an answer to a ping the next one is sent.
        ping_interval: Duration = "25s", from "50ms" to "1h";

        /// How long after a ping a client that is not heard is taken for gone.
        ping_timeout: Duration = "20s", from "50ms" to "1h";

        /// The largest message over WebSocket, the largest body of a POST, and the largest packet with
        /// its attachments.
        message: Size = "1000000B", from "1KiB" to "64MiB";
    }
}

table! {
    /// Files that clients send: `upload` on a line, and /upload. They are kept in the data directory,
    /// or in a temporary folder while the server runs if it is ephemeral.
    "uploads" Uploads {
        /// Take files, and give them to whoever knows their names.
        enabled: bool = false, without a file true;

        /// Who may send files. The claim `uploads` of a token, true or false, goes before this;
        /// "token" means those who have it.
        allow: Uploaders = "authenticated", without a file "anyone";

        /// The longest file.
        size_max: Size = "64MiB", from "1KiB" to "1TiB";

        /// Disk that all files may take. A file counts for what it is announced with, and for 4 KiB
        /// at least. Beyond it new ones are refused (storage_full), as they are when less than
        /// history.reserve would be left free.
        total_max: Size = "1GiB", from "4KiB" to "1024TiB";

        /// The same for the files of one user; of those without a user, for one address.
        user_max: Size = "256MiB", from "4KiB" to "1024TiB";

        /// Files that one line may send at a time.
        open_max: u32 = 4, from 1 to 64;

        /// How long an unfinished file is kept for its client to go on.
        resume: Duration = "1h", from "1s" to "7d";

        /// How long a finished file is kept.
        keep: Duration = "1d", from "1s" to "365d";
    }
}

table! {
    /// The API for backends.
    "api" Api {
        /// Keys that are taken besides the one in the data directory. 32 to 256 characters each.
        keys: Vec<Secret> = [];
    }
}

table! {
    /// What monitoring reads.
    "metrics" Metrics {
        /// Answer /metrics only to those who have a key of the API.
        require_key: bool = true;
    }
}

table! {
    /// The backend's part: it is told what happened, and asked what may happen.
    "webhook" Webhook {
        /// Where to send it, as a POST.
        url: Option<HttpUrl> = "";

        /// What each request is signed with, so that the backend knows who sent it: at least 16
        /// characters. With several, at most 4, each signs, so that one can be replaced.
        secrets: Vec<Secret> = [];

        /// How long an answer may take.
        timeout: Duration = "5s", from "100ms" to "1m";

        /// What the backend is told of. Without this it is told of nothing.
        events: Vec<WebhookEvent> = [];

        /// What the backend decides. What it is not asked about is up to `[auth]` and the
        /// namespaces.
        decide: Vec<WebhookDecision> = [];

        /// Allow what the backend cannot be asked about because it is out of reach. A request that
        /// nobody answers fails all the same.
        fail_open: bool = false;

        /// A PEM file with certificates to trust besides those of the system.
        ca: Option<PathBuf> = "";

        /// What may be reached although it is no public address, besides the host of the URL:
        /// networks, addresses, or hosts with their ports.
        allow_private: Vec<PrivateTarget> = [];

        /// How often an event is sent again when the backend fails. A decision is asked for once.
        retries: u32 = 8, from 0 to 20;
    }
}

table! {
    /// What is said about what happens, on standard error.
    "log" Log {
        /// From which weight on something is written.
        level: LogLevel = "info";

        /// Lines for people, or JSON for programs.
        format: LogFormat = "text";
    }
}
