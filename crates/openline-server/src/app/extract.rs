//! What handlers take: [`FromMessage`] reads it from the call, [`FromCall`] what is not the message.

use std::ops::Deref;
use std::sync::Arc;

use openline_protocol::ErrorCode;
use serde::de::DeserializeOwned;

use super::call::{Ack, Call};
use super::kind;
use super::payload::Payload;
use super::reply::Refusal;

/// What the second parameter of a handler may be: a type that is read from the message's data, one of
/// the extractors, or a tuple of extractors with the data last.
///
/// The parameter tells the kinds apart and is found by the compiler.
pub trait FromMessage<Kind>: Sized + Send {
    /// Takes it from the call.
    ///
    /// # Errors
    /// The refusal that the client gets: what does not fit.
    fn from_message(call: &Call) -> Result<Self, Refusal>;
}

/// What a handler may take beside the message.
pub trait FromCall: Sized + Send {
    /// Takes it from the call.
    ///
    /// # Errors
    /// The refusal that the client gets: what is missing.
    fn from_call(call: &Call) -> Result<Self, Refusal>;
}

/// A value that was given to [`Handlers::state`](super::Handlers::state), shared by all calls.
#[derive(Debug)]
pub struct State<T>(pub Arc<T>);

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> FromCall for State<T> {
    fn from_call(call: &Call) -> Result<Self, Refusal> {
        call.context().state().map(Self).ok_or_else(|| {
            let missing = std::any::type_name::<T>();
            Refusal::internal(format!("no state of type {missing} was given to the handlers"))
        })
    }
}

/// The user whose token the client showed. A client without one is refused with `unauthorized`; take
/// an `Option<User>` where that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User(pub Arc<str>);

impl FromCall for User {
    fn from_call(call: &Call) -> Result<Self, Refusal> {
        Option::from_call(call)?.ok_or_else(|| {
            Refusal::new(ErrorCode::Unauthorized.as_str(), "authenticate first: this is for users")
        })
    }
}

impl FromCall for Option<User> {
    fn from_call(call: &Call) -> Result<Self, Refusal> {
        Ok(call.context().user().map(User))
    }
}

/// Something that the connection carries: see [`Context::insert`](super::Context::insert).
#[derive(Debug, Clone)]
pub struct Extension<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromCall for Extension<T> {
    fn from_call(call: &Call) -> Result<Self, Refusal> {
        call.context().get().map(Self).ok_or_else(|| {
            let missing = std::any::type_name::<T>();
            Refusal::internal(format!("the connection carries no {missing}"))
        })
    }
}

impl FromCall for Ack {
    fn from_call(call: &Call) -> Result<Self, Refusal> {
        Ok(call.ack())
    }
}

impl FromCall for Payload {
    fn from_call(call: &Call) -> Result<Self, Refusal> {
        Ok(call.payload().clone())
    }
}

impl<T: DeserializeOwned + Send> FromMessage<kind::Data> for T {
    fn from_message(call: &Call) -> Result<Self, Refusal> {
        call.payload().read()
    }
}

impl<T: FromCall> FromMessage<kind::Part> for T {
    fn from_message(call: &Call) -> Result<Self, Refusal> {
        T::from_call(call)
    }
}

macro_rules! tuples {
    ($($part:ident)+) => {
        impl<$($part: FromCall,)+ T: DeserializeOwned + Send> FromMessage<kind::PartsAndData>
            for ($($part,)+ T,)
        {
            fn from_message(call: &Call) -> Result<Self, Refusal> {
                Ok(($($part::from_call(call)?,)+ call.payload().read()?,))
            }
        }

        impl<$($part: FromCall,)+> FromMessage<kind::Parts> for ($($part,)+) {
            fn from_message(call: &Call) -> Result<Self, Refusal> {
                Ok(($($part::from_call(call)?,)+))
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
