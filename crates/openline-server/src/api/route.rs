//! The table of routes: what there is, what it takes.

use ::http::Method;
use openline_protocol::{ErrorCode, Fault};
use openline_ws::Rejection;

use super::refusal;

/// Where all routes begin.
const PREFIX: &str = "/api/v1/";

/// What the API does at a path.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) methods: &'static [Method],
    /// What it takes: in the body of a POST, in the query of a GET.
    pub(super) fields: &'static [Field],
    pub(super) operation: Operation,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Publish,
    Batch,
    Broadcast,
    History,
    ClearHistory,
    Presence,
    Channels,
    Channel,
    Clients,
    Client,
    Disconnect,
    Revoke,
    Drain,
    Info,
    Reload,
}

const READ: &[Method] = &[Method::GET, Method::POST];
const WRITE: &[Method] = &[Method::POST];

const fn needed(name: &'static str) -> Field {
    Field { name, required: true }
}

const fn optional(name: &'static str) -> Field {
    Field { name, required: false }
}

/// The fields of a publication, alone or in a batch.
pub(super) const PUBLICATION: &[Field] = &[
    needed("channel"),
    needed("data"),
    optional("encoding"),
    optional("event"),
    optional("key"),
    optional("volatile"),
];

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/publish",
        methods: WRITE,
        fields: PUBLICATION,
        operation: Operation::Publish,
    },
    Route {
        path: "/api/v1/batch",
        methods: WRITE,
        fields: &[needed("publications")],
        operation: Operation::Batch,
    },
    Route {
        path: "/api/v1/broadcast",
        methods: WRITE,
        fields: &[
            needed("channels"),
            needed("data"),
            optional("encoding"),
            optional("event"),
            optional("key"),
            optional("volatile"),
        ],
        operation: Operation::Broadcast,
    },
    Route {
        path: "/api/v1/history",
        methods: READ,
        fields: &[
            needed("channel"),
            optional("limit"),
            optional("since"),
            optional("before"),
            optional("sinceTime"),
            optional("reverse"),
        ],
        operation: Operation::History,
    },
    Route {
        path: "/api/v1/history/clear",
        methods: WRITE,
        fields: &[needed("channel")],
        operation: Operation::ClearHistory,
    },
    Route {
        path: "/api/v1/presence",
        methods: READ,
        fields: &[needed("channel"), optional("after"), optional("limit")],
        operation: Operation::Presence,
    },
    Route {
        path: "/api/v1/channels",
        methods: READ,
        fields: &[optional("prefix"), optional("after"), optional("limit")],
        operation: Operation::Channels,
    },
    Route {
        path: "/api/v1/channel",
        methods: READ,
        fields: &[needed("channel")],
        operation: Operation::Channel,
    },
    Route {
        path: "/api/v1/clients",
        methods: READ,
        fields: &[optional("user"), optional("channel"), optional("after"), optional("limit")],
        operation: Operation::Clients,
    },
    Route {
        path: "/api/v1/client",
        methods: READ,
        fields: &[needed("client")],
        operation: Operation::Client,
    },
    Route {
        path: "/api/v1/disconnect",
        methods: WRITE,
        fields: &[
            optional("client"),
            optional("user"),
            optional("token"),
            optional("code"),
            optional("reason"),
            optional("retryAfter"),
        ],
        operation: Operation::Disconnect,
    },
    Route {
        path: "/api/v1/revoke",
        methods: WRITE,
        fields: &[optional("client"), optional("user"), optional("token"), optional("until")],
        operation: Operation::Revoke,
    },
    Route { path: "/api/v1/drain", methods: WRITE, fields: &[], operation: Operation::Drain },
    Route { path: "/api/v1/reload", methods: WRITE, fields: &[], operation: Operation::Reload },
    Route {
        path: "/api/v1/info",
        methods: &[Method::GET],
        fields: &[],
        operation: Operation::Info,
    },
];

impl Route {
    pub(super) fn find(path: &str) -> Result<&'static Self, Rejection> {
        let found = ROUTES.iter().find(|route| route.path == path);
        found.ok_or_else(|| {
            let wanted = path.rsplit('/').next().unwrap_or_default();
            let near = super::fields::nearest(wanted, ROUTES.iter().map(Self::name));
            let hint = near.map_or_else(
                || format!("the API is at {PREFIX}, as docs/api.md says"),
                |near| format!("did you mean {PREFIX}{near}?"),
            );
            refusal(Fault::new(
                ErrorCode::NotFound,
                format!("there is nothing at this path; {hint}"),
            ))
        })
    }

    /// What errors call it.
    pub(super) fn name(&self) -> &'static str {
        self.path.strip_prefix(PREFIX).unwrap_or(self.path)
    }

    pub(super) fn takes(&self, method: &Method) -> bool {
        // RFC 9110 §9.3.2: as GET, without the content.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.methods.contains(method)
    }

    /// The header `Allow`.
    pub(super) fn allowed(&self) -> String {
        let names = self.methods.iter().map(|method| match *method {
            Method::GET => "GET, HEAD",
            ref other => other.as_str(),
        });
        names.collect::<Vec<_>>().join(", ")
    }
}
