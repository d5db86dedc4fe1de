//! Nothing: this crate is its tests, which hold the repository to its own rules. Each failure names
//! the file, the rule, and what to do.
