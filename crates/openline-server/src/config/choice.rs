//! The types of keys that allow a few words.

use super::value::Text;

/// Makes an enum whose variants have a word each.
macro_rules! choices {
    ($($(#[doc = $about:literal])+ $Name:ident {
        $($(#[doc = $doc:literal])+ $Variant:ident = $word:literal,)+
    })+) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $Name {
            $($(#[doc = $doc])+ $Variant,)+
        }

        impl $Name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),+];

            /// The word that stands for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => $word,)+
                }
            }
        }

        impl Text for $Name {
            fn kind() -> String {
                [$($word),+].join("|")
            }

            fn expected() -> String {
                one_of(&[$($word),+])
            }

            fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|choice| choice.as_str() == text)
            }

            fn shown(&self) -> String {
                format!("{:?}", self.as_str())
            }
        }
    )+};
}

choices! {
    /// How safe a publication is when its sender is told that it was published.
    HistoryLevel {
        /// It is in memory; it is lost when the program ends.
        Memory = "memory",
        /// It was handed to the system; it is lost when the machine loses its power.
        Os = "os",
        /// It is on the disk.
        Fsync = "fsync",
    }

    /// Who may subscribe to the channels of a namespace.
    Subscribers {
        /// Everyone who is connected.
        Anyone = "anyone",
        /// Those who are authenticated.
        Authenticated = "authenticated",
        /// Those whose token names the channel.
        Token = "token",
        /// Those that the backend subscribes.
        Backend = "backend",
        /// Nobody.
        Nobody = "nobody",
    }

    /// Who may publish to the channels of a namespace.
    Publishers {
        /// Everyone who is connected.
        Anyone = "anyone",
        /// Those who are authenticated.
        Authenticated = "authenticated",
        /// The backend alone, through the API.
        Backend = "backend",
        /// Nobody.
        Nobody = "nobody",
    }

    /// Who may send files.
    Uploaders {
        /// Everyone who is connected.
        Anyone = "anyone",
        /// Those who are authenticated.
        Authenticated = "authenticated",
        /// Those whose token says so.
        Token = "token",
    }

    /// Who may ask for what a channel holds.
    Readers {
        /// Everyone who is connected.
        Anyone = "anyone",
        /// Those who are subscribed to the channel.
        Subscribers = "subscribers",
        /// The backend alone, through the API.
        Backend = "backend",
    }

    /// What happens to a line that does not take what it is sent.
    SlowConsumer {
        /// It is closed with 4006.
        Close = "close",
        /// What waits is dropped, and the line is told that it missed something.
        Gap = "gap",
        /// Of each channel the newest publication is kept.
        Conflate = "conflate",
    }

    /// What happens when a user connects who is connected already.
    Duplicates {
        /// All lines stay.
        Allow = "allow",
        /// The older line is closed with 4001.
        Replace = "replace",
        /// The newer line is closed with 4001.
        Refuse = "refuse",
    }

    /// How tokens are signed. A key has one algorithm, and a token that names another is refused.
    Algorithm {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSA (PKCS #1 v1.5) with SHA-256.
        Rs256 = "RS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }

    /// What the webhook is told of, after it happened.
    WebhookEvent {
        /// A channel got its first subscriber.
        ChannelOccupied = "channel.occupied",
        /// A channel lost its last subscriber.
        ChannelVacated = "channel.vacated",
        /// A client came.
        ClientConnected = "client.connected",
        /// A client went.
        ClientGone = "client.gone",
    }

    /// What the webhook decides, before it happens.
    WebhookDecision {
        /// Whether a line may go on, and who it is.
        Connect = "connect",
        /// Whether a line may subscribe.
        Subscribe = "subscribe",
        /// Whether something may be published.
        Publish = "publish",
        /// The answer to a request of a type that the server does not know.
        Request = "request",
    }

    /// From which weight on something is logged.
    LogLevel {
        /// What went wrong.
        Error = "error",
        /// And what looks wrong.
        Warn = "warn",
        /// And what is good to know.
        Info = "info",
        /// And what helps to find a fault.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }

    /// How the log is written.
    LogFormat {
        /// Lines for people.
        Text = "text",
        /// One JSON object in each line.
        Json = "json",
    }
}

impl Algorithm {
    /// Whether both sides hold the same secret.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

/// `one of "a", "b" or "c"`.
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.as_slice() {
        [before @ .., last] if !before.is_empty() => {
            format!("one of {} or {last}", before.join(", "))
        }
        _ => quoted.concat(),
    }
}
