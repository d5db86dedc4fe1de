//! The broker that several nodes share, whatever store it stands on.

mod backend;
