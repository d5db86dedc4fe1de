//! The kinds that tell apart what handlers take and return. The compiler finds them; nobody names them.

/// Taken: the message's data.
#[derive(Debug)]
pub struct Data;

/// Taken: something else of the call.
#[derive(Debug)]
pub struct Part;

/// Taken: several of something else.
#[derive(Debug)]
pub struct Parts;

/// Taken: something else, and the data.
#[derive(Debug)]
pub struct PartsAndData;

/// Returned: a value that can be written.
#[derive(Debug)]
pub struct Value;

/// Returned: the same, or a refusal.
#[derive(Debug)]
pub struct Fallible;

/// Returned: what is an [`Answer`](super::Answer) already, or becomes one.
#[derive(Debug)]
pub struct Ready;

/// Returned: the same, or a refusal.
#[derive(Debug)]
pub struct FallibleReady;
