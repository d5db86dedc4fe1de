//! The delivery checker as a program.

fn main() {}
