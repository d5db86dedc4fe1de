//! What an ack is worth: the real server is killed, rolled back, run out of disk and damaged.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod drain;
mod full;
mod home;
mod kill;
mod line;
mod rollback;
mod uploads;
