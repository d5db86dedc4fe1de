//! [`each_json_element`]: a list that is checked and split in one pass.

use super::Scanner;
use crate::{ErrorCode, Fault};

/// Checks that the text is one JSON list, nested at most `depth_max` deep with the list counted, and
/// never more than 128; shows each element as it was written, without the white space around it.
/// Elements are shown before what follows them is checked, so they count only if this returns `Ok`.
///
/// # Errors
/// As [`Data::from_json_text`](crate::Data::from_json_text).
pub fn each_json_element<'a>(
    list: &'a str,
    depth_max: usize,
    mut each: impl FnMut(&'a str),
) -> Result<(), Fault> {
    let mut scanner = Scanner::new(list);
    if depth_max == 0 {
        return Err(Fault::too_deep(depth_max));
    }
    if !scanner.enter_list() {
        return Err(Fault::new(ErrorCode::InvalidJson, "expected a list"));
    }
    let mut is_first = true;
    let done = loop {
        match scanner.element(is_first, depth_max - 1) {
            Ok(Some(element)) => each(element.text),
            Ok(None) => break scanner.end(),
            Err(broken) => break Err(broken),
        }
        is_first = false;
    };
    done.map_err(|broken| Fault::broken_json(list, broken, depth_max))
}
