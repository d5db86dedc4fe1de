//! What a machine can be told beforehand.

/// Times of a machine, in milliseconds.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long connecting may last, and then authenticating. Default: 10,000.
    pub connect_timeout: u64,
    /// After what quiet a sign of life is asked for. Default: what the server says in `welcome`, or
    /// 25,000.
    pub heartbeat_interval: Option<u64>,
    /// How long that is waited for. Default: 10,000.
    pub heartbeat_timeout: u64,
    /// How long it is waited for when the line may have died in sleep. Default: 4,000.
    pub wake_timeout: u64,
    /// The bound of the first delay before anything is known of the server. Default: 500.
    pub delay_base: u64,
    /// The bound that no delay's chance goes beyond. Default: 30,000.
    pub delay_max: u64,
    /// The least delay where the server is not to be asked soon and named no time. Default: 30,000.
    pub delay_later: u64,
    /// For how long a line is open before failures are forgotten. Default: 10,000.
    pub stable_after: u64,
    /// How often waking may end a delay at most. Default: 5,000.
    pub nudge_interval: u64,
    /// How many attempts in a row may fail. Default: any number.
    pub attempts_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: 10_000,
            heartbeat_interval: None,
            heartbeat_timeout: 10_000,
            wake_timeout: 4_000,
            delay_base: 500,
            delay_max: 30_000,
            delay_later: 30_000,
            stable_after: 10_000,
            nudge_interval: 5_000,
            attempts_max: None,
        }
    }
}
