//! What brokers promise that several nodes share.
