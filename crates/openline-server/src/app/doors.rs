//! [`Doors`]: which handlers serve what comes where.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::endpoint_options::EndpointOptions;
use super::handlers::{Handlers, Set};
use crate::session::Served;
use crate::socketio::NAMESPACES_MAX;

/// Which handlers serve what comes where.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    /// Protocol v1 on `/ws`, `/sse` and `/poll`.
    exchange: Option<Arc<Set>>,
    /// Namespaces of Socket.IO, by name.
    pub(crate) namespaces: Vec<Arc<Set>>,
    /// Paths that are lines of their own.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// What answers requests that nothing of Openline takes.
    pub(crate) routes: Option<axum::Router>,
}

/// A path that is a line of its own.
#[derive(Debug)]
pub(crate) struct Endpoint {
    path: Path,
    pub(crate) wire: Wire,
    pub(crate) set: Arc<Set>,
    pub(crate) options: EndpointOptions,
}

/// How an endpoint's messages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// `{"type":…}` with the message's own fields.
    Plain,
    /// As they are.
    Raw,
    /// As they are, over Engine.IO.
    EngineIo,
}

/// A path, of which the last segment may be a parameter: `/chat/{room}`.
#[derive(Debug, PartialEq, Eq)]
struct Path {
    fixed: Box<str>,
    has_parameter: bool,
}

impl Doors {
    /// The handlers of clients of protocol v1.
    pub(crate) fn exchange(&self) -> Option<Served> {
        let set = self.exchange.clone()?;
        Some(Served { set, parameter: Box::default() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && self.endpoints.is_empty() && self.routes.is_none()
    }

    /// Serves the default namespace: protocol v1 and Socket.IO's `/`.
    pub(crate) fn serve_default(&mut self, handlers: Handlers) {
        let set = Arc::new(handlers.serve("/"));
        self.exchange = Some(set.clone());
        self.namespaces.push(set);
    }

    pub(crate) fn serve_namespace(&mut self, name: &str, handlers: Handlers) {
        assert!(self.namespaces.len() < NAMESPACES_MAX, "at most {NAMESPACES_MAX} namespaces");
        self.namespaces.push(Arc::new(handlers.serve(name)));
    }

    pub(crate) fn serve_endpoint(
        &mut self,
        path: &str,
        wire: Wire,
        handlers: Handlers,
        options: EndpointOptions,
    ) {
        let set = Arc::new(handlers.serve("/"));
        self.endpoints.push(Arc::new(Endpoint { path: Path::parse(path), wire, set, options }));
    }

    /// The namespace of this name.
    pub(crate) fn namespace(&self, name: &str) -> Option<&Arc<Set>> {
        self.namespaces.iter().find(|set| &*set.namespace == name)
    }

    /// The endpoint at a path, with what the path has in the place of its parameter.
    pub(crate) fn endpoint(&self, path: &str) -> Option<(&Arc<Endpoint>, Box<str>)> {
        let lines = self.endpoints.iter().filter(|endpoint| endpoint.wire != Wire::EngineIo);
        lines.into_iter().find_map(|endpoint| Some((endpoint, endpoint.path.matches(path)?)))
    }
}

impl Endpoint {
    /// The path, without a parameter.
    pub(crate) fn path(&self) -> &str {
        &self.path.fixed
    }
}

impl Path {
    fn parse(path: &str) -> Self {
        match path.strip_suffix('}').and_then(|path| path.rsplit_once('{')) {
            Some((fixed, _)) => Self { fixed: fixed.into(), has_parameter: true },
            None => Self { fixed: path.into(), has_parameter: false },
        }
    }

    /// A parameter is percent-decoded. What is no text, or has characters that no name has, is none.
    fn matches(&self, path: &str) -> Option<Box<str>> {
        let rest = path.strip_prefix(&*self.fixed)?;
        if !self.has_parameter {
            return rest.is_empty().then(Box::default);
        }
        let is_one = !rest.is_empty() && !rest.contains('/');
        let parameter = percent_decode_str(rest).decode_utf8().ok().filter(|_| is_one)?;
        (!parameter.contains(char::is_control)).then(|| parameter.as_ref().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_of_a_path_may_be_a_parameter() {
        let chat = Path::parse("/chat/{room}");
        assert_eq!(chat.matches("/chat/42").as_deref(), Some("42"));
        assert_eq!(chat.matches("/chat/a%2Fb%C3%A9").as_deref(), Some("a/b\u{e9}"));
        for other in ["/chat", "/chat/", "/chat/a/b", "/x/42", "/chat/%00", "/chat/%ff"] {
            assert_eq!(chat.matches(other), None, "{other}");
        }
        assert_eq!(Path::parse("/chat").matches("/chat").as_deref(), Some(""));
        assert_eq!(Path::parse("/chat").matches("/chats"), None);
    }
}
