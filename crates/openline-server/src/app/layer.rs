//! Layers of tower's kind in front of handlers: [`Handlers::layer`](super::Handlers::layer).

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::call::Call;
use super::handlers::{Handler, Next, Work};
use super::reply::{Answer, Refusal};

/// What errors of layers are turned into on their way.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A [`Refusal`] as an error, which is how layers see it.
#[derive(Debug, Clone)]
pub struct Refused(pub Refusal);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

impl Service<Call> for Next {
    type Response = Answer;
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Refused>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let next = self.clone();
        Box::pin(async move { next.run(call).await.map_err(Refused) })
    }
}

/// Puts a layer in front of a handler. Calls have clones of one service, as tower has it: what the
/// clones share they share.
pub(super) fn wrap<L>(layer: &L, inner: Handler) -> Handler
where
    L: Layer<Next>,
    L::Service: Service<Call, Response = Answer> + Clone + Send + 'static,
    <L::Service as Service<Call>>::Error: Into<BoxError>,
    <L::Service as Service<Call>>::Future: Send + 'static,
{
    let service = Mutex::new(layer.layer(Next::new(inner)));
    Arc::new(move |call| {
        let service = service.lock().expect("no clone of a layer's service panics").clone();
        serve(service, call)
    })
}

fn serve<S>(mut service: S, call: Call) -> Work
where
    S: Service<Call, Response = Answer> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    Box::pin(async move {
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(refusal)?;
        service.call(call).await.map_err(refusal)
    })
}

/// What a client is told of an error that came through layers.
fn refusal(error: impl Into<BoxError>) -> Refusal {
    match error.into().downcast::<Refused>() {
        Ok(refused) => refused.0,
        Err(error) => Refusal::internal(error.to_string()),
    }
}
