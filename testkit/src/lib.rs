//! Checks that a real-time server keeps its delivery promise while things break.
//!
//! A run has publishers and subscribers talk over a server while parts of it are killed, cut off or
//! put back ([`faults`]). All that they see goes to a [`history`]. [`verdict`] reads that history
//! afterwards and finds what broke the promise; [`report`] shows it.
//!
//! What is done when follows from a seed alone ([`plan`]), so a run can be made again; what comes of
//! it depends on the machine too.
//!
//! # Other servers
//! [`subject::Subject`] is all that a run knows of the server under test. Openline's is
//! [`subject::Openline`].
//!
//! # Not here
//! Simulated time: these are real processes and sockets.

pub mod bugs;
pub mod faults;
pub mod generators;
pub mod history;
pub mod plan;
pub mod report;
pub mod run;
pub mod seed;
pub mod subject;
pub mod verdict;
