//! A client of Openline that comes back.

pub mod machine;
