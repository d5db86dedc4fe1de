//! [`Query`]: what the address of a request says.

use super::refusal::Refusal;

/// What carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carriage {
    Polling,
    WebSocket,
}

/// What the address says. What else stands in it, such as `t` against caches, is for others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    pub(super) carriage: Carriage,
    /// The connection that is meant; none where one is to begin.
    pub(super) sid: Option<&'a str>,
    /// Whether it is this version of the protocol.
    pub(super) is_version_4: bool,
}

impl<'a> Query<'a> {
    pub(super) fn read(query: Option<&'a str>) -> Result<Self, Refusal> {
        let (mut carriage, mut sid, mut version) = (None, None, None);
        for pair in query.unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "transport" => &mut carriage,
                "sid" => &mut sid,
                "EIO" => &mut version,
                _ => continue,
            };
            // A proxy might read the other one.
            if place.replace(value).is_some() {
                return Err(Refusal::BadRequest);
            }
        }
        let carriage = match carriage {
            Some("polling") => Carriage::Polling,
            Some("websocket") => Carriage::WebSocket,
            _ => return Err(Refusal::TransportUnknown),
        };
        let sid = sid.filter(|sid| !sid.is_empty());
        Ok(Self { carriage, sid, is_version_4: version == Some("4") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_transport_version_and_connection() {
        for (query, expected) in [
            ("EIO=4&transport=polling&t=x1", Ok((Carriage::Polling, None, true))),
            ("transport=websocket&EIO=4&sid=a-_", Ok((Carriage::WebSocket, Some("a-_"), true))),
            ("EIO=4&transport=polling&sid=", Ok((Carriage::Polling, None, true))),
            ("EIO=3&transport=polling", Ok((Carriage::Polling, None, false))),
            ("transport=polling", Ok((Carriage::Polling, None, false))),
            ("", Err(Refusal::TransportUnknown)),
            ("EIO=4", Err(Refusal::TransportUnknown)),
            ("EIO=4&transport=constructor", Err(Refusal::TransportUnknown)),
            ("EIO=4&transport=webtransport", Err(Refusal::TransportUnknown)),
            ("EIO=4&transport=polling&sid=a&sid=b", Err(Refusal::BadRequest)),
        ] {
            let read = Query::read(Some(query));
            let read = read.map(|query| (query.carriage, query.sid, query.is_version_4));
            assert_eq!(read, expected, "{query}");
        }
    }
}
