//! What a thread keeps so that busy lines need not allocate.

use crate::rest::Rest;
use crate::scratch;

/// Frees what lines of this thread have given back and what is kept for the next ones: buffers,
/// codecs. For when memory runs short: the next lines allocate anew. At most about 3 MiB for each
/// thread.
pub fn free_spare_buffers() {
    openline_ws_proto::free_spare_buffers();
    Rest::free_spare();
    scratch::free();
}
