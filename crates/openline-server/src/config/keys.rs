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
    BrokerPrefix, CookieName, DomainName, HostPattern, HttpUrl, Network, NodeName, OriginPattern,
    PrivateTarget,
};
use super::quantity::{Rate, Size};
use super::secret::Secret;
use super::signing::SigningKey;
use super::table::table;
use super::tls::CertificateFiles;

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
        insecure_dev: bool = false, live;

        /// Refuse channels whose prefix is not a configured namespace (unknown_namespace).
        /// Otherwise they are like those of [namespace.default].
        strict_namespaces: bool = true, without a file false, live;
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
        /// `[overload]`
        overload: Overload;
        /// `[drain]`
        drain: Drain;
        /// `[upgrade]`
        upgrade: Upgrade;
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
    /// TLS, with HTTP/2 for clients that offer it. Without a certificate and without names to order
    /// one for the server speaks plain HTTP.
    "tls" Tls {
        /// A PEM file with the server's certificate first, then those that vouch for it.
        certificate: Option<PathBuf> = "", live for new_connections;

        /// A PEM file with the key of the certificate. Files are read again when they change, and on
        /// SIGHUP; with anything wrong the old ones stay in use.
        key: Option<PathBuf> = "", live for new_connections;

        /// More certificates, each a table with certificate and key. A client gets the first that has
        /// the name it asks for, and the one above, or the first of these, if none has.
        certificates: Vec<CertificateFiles> = [], live for new_connections;

        /// Names to order certificates for by ACME, and to renew them in time. The authority
        /// connects to port 443 of each name, which has to lead here; naming one accepts its terms.
        /// Certificates and the account are kept in the data directory.
        acme_domains: Vec<DomainName> = [], live;

        /// The authority's directory.
        acme_directory: HttpUrl = "https://acme-v02.api.letsencrypt.org/directory", live;

        /// An address for mail about these certificates; it is told when the account is made.
        acme_contact: Option<String> = "", live;

        /// A PEM file with the authorities that vouch for the directory itself, where it is a private
        /// one. Empty means those of the system.
        acme_ca: Option<PathBuf> = "", live;
    }
}

table! {
    /// Who may send requests, and from where.
    "http" Http {
        /// Pages that may open lines and read answers. Without a list those of the same host may, or
        /// of this machine on a loopback address; with one, only those that it names. Programs that
        /// are no browsers send no origin and are not held by this.
        allowed_origins: Vec<OriginPattern> = [], live;

        /// The hosts that requests may be for; the names of this machine always are. Empty means
        /// those alone on a loopback address, and any host elsewhere.
        allowed_hosts: Vec<HostPattern> = [], live;

        /// Proxies that are believed about a client's address (X-Forwarded-For, X-Real-IP). From
        /// anyone else these headers are ignored.
        trusted_proxies: Vec<Network> = [], live;

        /// Connections of trusted proxies begin with a PROXY protocol header (version 1 or 2).
        proxy_protocol: bool = false, live for new_connections;
    }
}

table! {
    /// Who a client is. Tokens are JWTs; `auth` on an open line, the query, a cookie or the header
    /// Authorization carry them.
    "auth" Auth {
        /// Let clients in without a token. What they may do is up to each namespace.
        anonymous: bool = false, without a file true, live;

        /// Keys that tokens are checked with, each a table with algorithm, one of secret,
        /// secret_file and public_key_file, and an id if tokens name it (kid).
        keys: Vec<SigningKey> = [], live;

        /// A JWK set with more public keys, fetched when it is needed and kept for a while.
        jwks_url: Option<HttpUrl> = "", live;

        /// What the claim `aud` of a token has to hold. Without this a token that has the claim is
        /// refused: it was made for somebody else.
        audience: Option<String> = "", live;

        /// What the claim `iss` of a token has to be. Without this any issuer whose key is known
        /// will do.
        issuer: Option<String> = "", live;

        /// How far clocks may differ when `exp` and `nbf` are checked.
        leeway: Duration = "30s", from "0s" to "5m", live;

        /// Check the token before the line is open: a request without one is refused with 401, one
        /// with a bad or expired one with 403. Otherwise `auth` may follow on the line.
        handshake: bool = false, live for new_lines;

        /// Take a token from the query (`?token=…`) too. Queries end up in the logs of proxies.
        query: bool = false, live;

        /// Take a token from the cookie of this name. It counts only for pages of an allowed
        /// origin, because a browser sends it on behalf of any page; so it needs
        /// http.allowed_origins where others can reach the server.
        cookie: Option<CookieName> = "", live;

        /// How long a line may be open without `auth`, where one is needed. It is closed with 4007.
        deadline: Duration = "10s", from "1s" to "10m", live for new_lines;

        /// What happens when a user connects who is connected already.
        duplicates: Duplicates = "allow", live;
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
        history_size: u32 = 100, from 0 to 1000000, live;

        /// How long a publication is kept.
        history_ttl: Duration = "1h", from "1s" to "365d", live;

        /// Who may read the history of a channel. What a client missed while it was away it gets
        /// whatever this says.
        history_read: Readers = "subscribers", without a file "anyone", live;

        /// Know who is subscribed.
        presence: bool = true, live for new_subscriptions;

        /// Tell subscribers who comes, goes and changes. Costs a message to each of them; needs
        /// presence.
        presence_push: bool = true, live;

        /// Who may ask who is subscribed.
        presence_read: Readers = "subscribers", without a file "anyone", live;

        /// Let subscribers tell each other that they are typing.
        typing: bool = true, live;

        /// Say with each publication who sent it.
        from: bool = false, live;

        /// Who may subscribe: "token" means those whose token names the channel, "backend" that
        /// only the API and the webhook subscribe clients.
        subscribe: Subscribers = "anyone", live;

        /// Who may publish over a line. The API may always.
        publish: Publishers = "authenticated", without a file "anyone", live;
    }
}

table! {
    /// Bounds of memory and of numbers. What is over them is refused with an error or a close code.
    "limits" Limits {
        /// Lines at once. 0 means as many as the system's limit of open files allows.
        connections: Option<NonZeroU32> = 0, live;

        /// Lines at once from one address (for IPv6 one /64), over all nodes. Nodes tell each other ten
        /// times a second, so what comes within 100 ms may go beyond it. 0 means no limit.
        connections_per_ip: Option<NonZeroU32> = 100, without a file 0, live;

        /// Lines at once of one user, over all nodes as above. 0 means no limit.
        connections_per_user: Option<NonZeroU32> = 20, without a file 0, live;

        /// How fast new lines may come. Those that are too many are told when to come again.
        admission: Option<Rate> = "1000/s", without a file "off", live;

        /// Channels that one line may be subscribed to.
        subscriptions: u32 = 128, from 1 to 100000, live;

        /// Channels at once. Each costs about a kilobyte, and its history.
        channels: u32 = 200000, from 1 to 100000000;

        /// The longest message of a client. /echo takes more.
        message: Size = "1MiB", from "1KiB" to "64MiB", live for new_lines;

        /// What may wait for a line that does not take it.
        queue: Size = "1MiB", from "4KiB" to "1GiB", live for new_lines;

        /// How long something may wait for a line that does not take it.
        queue_age: Duration = "10s", from "100ms" to "1h", live for new_lines;

        /// What happens to such a line: "close" ends it with 4006, "gap" drops what waits and says
        /// so, "conflate" keeps the newest publication of each channel.
        slow_consumer: SlowConsumer = "close", live for new_lines;

        /// Members in one page of a presence list.
        presence_page: u32 = 1000, from 1 to 10000, live;

        /// How long a request's head may take to arrive.
        head_deadline: Duration = "5s", from "100ms" to "5m", live for new_connections;
    }
}

table! {
    /// How often something may happen. "20/s burst 40" lets forty through at once and twenty each
    /// second after that; "off" is no limit. What is too much gets rate_limited.
    "rates" Rates {
        /// Messages of one line, whatever they are.
        commands: Option<Rate> = "100/s burst 200", without a file "off", live;

        /// Subscriptions of one line.
        subscribe: Option<Rate> = "20/s burst 128", without a file "off", live;

        /// Publications of one line.
        publish: Option<Rate> = "50/s burst 100", without a file "off", live;

        /// Publications of one user, over all lines.
        publish_user: Option<Rate> = "100/s burst 200", without a file "off", live;

        /// Publications to one channel, of all lines together.
        publish_channel: Option<Rate> = "off", live;
    }
}

table! {
    /// What the server gives up when memory runs short, step by step: see docs/operations.md.
    "overload" Overload {
        /// Memory that the server may take. At 80 % of it new lines are not compressed and history
        /// does not grow, at 85 % new lines are refused and the oldest history is forgotten, at 90 %
        /// lines that do not keep up are ended, at 95 % publications are refused. 0B means what the
        /// machine has. The limits of the server's control groups count besides, in each case.
        memory: Size = "0B", from "0B" to "1024TiB", live;
    }
}

table! {
    /// How the server ends when it is told to by SIGTERM or by the API: its clients are sent elsewhere a
    /// few at a time. What starts and stops it has to allow for delay, duration and notice together, and
    /// 20 seconds more.
    "drain" Drain {
        /// How long new lines are still taken, while `/health/ready` says no already: as long as a load
        /// balancer needs to find that out. It holds also while nobody is connected.
        delay: Duration = "5s", without a file "0s", from "0s" to "10m", live;

        /// Over how long lines are closed, evenly and in no order. Longer is easier for the nodes that
        /// take them; with 0s all are closed at once. A drain ends when no line is left.
        duration: Duration = "60s", without a file "0s", from "0s" to "1h", live;

        /// How long before it is closed a WebSocket line of protocol v1 is told, so that its client can
        /// open another first. What its client asked for by then may take a little longer. With 0s it is
        /// only closed.
        notice: Duration = "5s", without a file "0s", from "0s" to "5m", live;
    }
}

table! {
    /// How a new process takes over from this one, so that no client is refused: see
    /// `openline serve --takeover`.
    "upgrade" Upgrade {
        /// The Unix socket by which it does, for processes of the same user. The default is
        /// `upgrade.sock` in `data_dir`, and none with `ephemeral`. Two servers cannot have the same.
        socket: Option<PathBuf> = "";

        /// Over how long the lines that are left are closed, evenly and in no order, when the new
        /// process serves. With the embedded store nothing new reaches them in that time; what they
        /// miss they get from the history when they come back.
        duration: Duration = "5s", from "0s" to "1h", live;

        /// Whether lines that can go over do, with their sockets, so that their clients notice
        /// nothing. Both processes have to have it on. Which can: see docs/operations.md.
        lines: bool = true, live;

        /// How long each may wait for the other's next step. Opening the store is one; publications
        /// are refused meanwhile (shutting_down). When it is over the running process goes on.
        timeout: Duration = "30s", from "1s" to "10m", live;
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
        connect_timeout: Duration = "45s", from "50ms" to "10m", live for new_lines;

        /// How long after an answer to a ping the next one is sent.
        ping_interval: Duration = "25s", from "50ms" to "1h", live for new_lines;

        /// How long after a ping a client that is not heard is taken for gone.
        ping_timeout: Duration = "20s", from "50ms" to "1h", live for new_lines;

        /// The largest message over WebSocket, the largest body of a POST, and the largest packet with
        /// its attachments.
        message: Size = "1000000B", from "1KiB" to "64MiB", live for new_lines;
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
        allow: Uploaders = "authenticated", without a file "anyone", live;

        /// The longest file.
        size_max: Size = "64MiB", from "1KiB" to "1TiB", live;

        /// Disk that all files may take. A file counts for what it is announced with, and for 4 KiB
        /// at least. Beyond it new ones are refused (storage_full), as they are when less than
        /// history.reserve would be left free.
        total_max: Size = "1GiB", from "4KiB" to "1024TiB", live;

        /// The same for the files of one user; of those without a user, for one address.
        user_max: Size = "256MiB", from "4KiB" to "1024TiB", live;

        /// Files that one line may send at a time.
        open_max: u32 = 4, from 1 to 64, live;

        /// How long an unfinished file is kept for its client to go on.
        resume: Duration = "1h", from "1s" to "7d", live;

        /// How long a finished file is kept.
        keep: Duration = "1d", from "1s" to "365d", live;
    }
}

table! {
    /// The API for backends.
    "api" Api {
        /// Keys that are taken besides the one in the data directory. 32 to 256 characters each.
        keys: Vec<Secret> = [], live;
    }
}

table! {
    /// What monitoring reads.
    "metrics" Metrics {
        /// Answer /metrics only to those who have a key of the API.
        require_key: bool = true, live;
    }
}

table! {
    /// The backend's part: it is told what happened, and asked what may happen.
    "webhook" Webhook {
        /// Where to send it, as a POST.
        url: Option<HttpUrl> = "", live;

        /// What each request is signed with, so that the backend knows who sent it: at least 16
        /// characters. With several, at most 4, each signs, so that one can be replaced.
        secrets: Vec<Secret> = [], live;

        /// How long an answer may take.
        timeout: Duration = "5s", from "100ms" to "1m", live;

        /// What the backend is told of. Without this it is told of nothing.
        events: Vec<WebhookEvent> = [], live;

        /// What the backend decides. What it is not asked about is up to `[auth]` and the
        /// namespaces.
        decide: Vec<WebhookDecision> = [], live;

        /// Allow what the backend cannot be asked about because it is out of reach. A request that
        /// nobody answers fails all the same.
        fail_open: bool = false, live;

        /// A PEM file with certificates to trust besides those of the system.
        ca: Option<PathBuf> = "", live;

        /// What may be reached although it is no public address, besides the host of the URL:
        /// networks, addresses, or hosts with their ports.
        allow_private: Vec<PrivateTarget> = [], live;

        /// How often an event is sent again when the backend fails. A decision is asked for once.
        retries: u32 = 8, from 0 to 20, live;
    }
}

table! {
    /// What is said about what happens, on standard error.
    "log" Log {
        /// From which weight on something is written.
        level: LogLevel = "info", live;

        /// Lines for people, or JSON for programs.
        format: LogFormat = "text", live;
    }
}
