//! What holds of any bytes that another node hands over.

use bytes::Bytes;

use super::carried::{CarriedAnswer, Errand};
use super::piece::{Joiner, Side};
use crate::broker::NodeId;

const WHOLE_BYTES_MAX: usize = 300;
const BYTES_MAX: usize = 1000;

/// Requests and answers are read as they are written again; parts that are put together take no more
/// than they may.
pub(crate) fn forwarded(data: &[u8]) {
    if let Some(errand) = Errand::from_bytes(data) {
        assert_eq!(Errand::from_bytes(&errand.to_bytes()), Some(errand.clone()));
        if let Errand::Request(request) = errand {
            let _ = request.open();
        }
    }
    if let Some(answer) = CarriedAnswer::from_bytes(data) {
        assert_eq!(CarriedAnswer::from_bytes(&answer.to_bytes()), Some(answer.clone()));
        let _ = answer.clone().token();
        let _ = answer.open();
    }
    join(data);
}

/// Each five bytes are a part: whose, of what, where, of how many, and how many it has.
fn join(data: &[u8]) {
    let mut joiner = Joiner::new(WHOLE_BYTES_MAX, BYTES_MAX);
    for (index, part) in data.chunks_exact(5).enumerate() {
        let side = if part[0] & 1 == 0 { Side::Request } else { Side::Answer };
        let key = (NodeId(u64::from(part[0] >> 6)), side, u64::from(part[1]));
        let bytes = Bytes::from(vec![part[4]; usize::from(part[4])]);
        let place = (u32::from(part[2]), u32::from(part[3]) << (part[0] >> 2 & 3));
        if let Some(whole) = joiner.join(key, place, bytes, 100 * index as u64) {
            assert!(whole.len() == place.1 as usize && whole.len() <= WHOLE_BYTES_MAX);
        }
        assert!(joiner.held_bytes() <= BYTES_MAX);
    }
}
