//! What the generators share. The rest of this crate is its tests, which hold the repository to its
//! own rules: each failure names the file, the rule, and what to do.

pub mod generate;
