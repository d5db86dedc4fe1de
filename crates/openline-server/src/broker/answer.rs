//! [`Answer`]: what a broker says, at once or later.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::BrokerError;

/// A future that is ready at once where nothing has to be waited for. It holds no part of the work:
/// dropping it changes nothing.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    Now(Option<Result<T, BrokerError>>),
    Later(oneshot::Receiver<Result<T, BrokerError>>),
}

impl<T> Answer<T> {
    pub(crate) fn now(result: Result<T, BrokerError>) -> Self {
        Self::Now(Some(result))
    }

    /// The answer if it is there already, or else the rest of the way to it.
    pub(crate) fn try_now(self) -> Result<Result<T, BrokerError>, Self> {
        match self {
            Self::Now(Some(result)) => Ok(result),
            other => Err(other),
        }
    }
}

impl<T: Unpin> Future for Answer<T> {
    type Output = Result<T, BrokerError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(result) => Poll::Ready(result.take().expect("polled after it was ready")),
            Self::Later(receiver) => {
                let answer = ready!(Pin::new(receiver).poll(cx));
                Poll::Ready(answer.unwrap_or(Err(BrokerError::Unavailable)))
            }
        }
    }
}
