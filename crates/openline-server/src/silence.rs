//! How long a peer may leave unanswered what was sent to it.

use std::time::Duration;

use tokio::net::TcpStream;

/// With less, a network that is away for a moment would cost its lines.
const SILENCE_MIN: Duration = Duration::from_secs(30);

/// Has the system end the connection when its peer takes nothing of what was sent for so long, and at
/// least for `queue_age`, which says that it may.
///
/// Pings find lines whose peer is gone without a word. A stream of events hears nothing from its peer
/// while all is well, so there is nothing to miss: what is written to it would be sent again and again
/// for a quarter of an hour, and its session stay as long.
pub(crate) fn limit(stream: &TcpStream, queue_age: Duration) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        let silence = queue_age.max(SILENCE_MIN);
        // A failure means that the peer is gone, which the first read finds.
        let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(silence));
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = (stream, queue_age, SILENCE_MIN);
}

#[cfg(all(test, any(target_os = "android", target_os = "linux")))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_ends_when_its_peer_takes_nothing_for_30_seconds_or_the_age_of_the_queue()
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for (age, expected) in [(10, 30), (60, 60)] {
            let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (_client, (stream, _)) = (client.unwrap(), accepted.unwrap());
            limit(&stream, Duration::from_secs(age));
            let set = SockRef::from(&stream).tcp_user_timeout().unwrap();
            assert_eq!(set, Some(Duration::from_secs(expected)));
        }
    }
}
