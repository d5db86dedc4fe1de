//! The contract of [`Broker`](super::Broker), held by each implementation.
