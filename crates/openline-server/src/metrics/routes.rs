//! Answers to HTTP requests, counted by route and status.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::families::OTHER;
use super::text::Samples;

/// Routes that are told apart. The server has fewer: should a caller ever pass on what was asked
/// for instead, this is the end of it.
const ROUTES_MAX: usize = 64;

/// The statuses that the server answers with, as they stand in the label.
const STATUSES: [(u16, &str); 27] = [
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (206, "206"),
    (301, "301"),
    (302, "302"),
    (304, "304"),
    (307, "307"),
    (308, "308"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (408, "408"),
    (409, "409"),
    (413, "413"),
    (415, "415"),
    (426, "426"),
    (429, "429"),
    (431, "431"),
    (500, "500"),
    (503, "503"),
    (504, "504"),
    (507, "507"),
];

type Answers = BTreeMap<&'static str, u64>;

/// A lock is cheap beside an HTTP request.
#[derive(Default)]
pub(super) struct Routes {
    answers: Mutex<BTreeMap<&'static str, Answers>>,
}

impl Routes {
    pub(super) fn add(&self, route: &'static str, status: u16) {
        let mut routes = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = routes.len() < ROUTES_MAX || routes.contains_key(route);
        let answers = routes.entry(if has_room { route } else { OTHER }).or_default();
        *answers.entry(status_label(status)).or_default() += 1;
    }

    pub(super) fn write(&self, samples: &mut Samples<'_>) {
        let routes = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        for (route, answers) in &*routes {
            for (status, count) in answers {
                samples.labelled(&[("route", route), ("status", status)], count);
            }
        }
    }
}

fn status_label(status: u16) -> &'static str {
    STATUSES.iter().find(|(known, _)| *known == status).map_or(OTHER, |(_, label)| label)
}
