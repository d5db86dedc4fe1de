//! Just enough of Rust's grammar to tell code from comments and to find functions.

/// A function and how long it is, its signature counted.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// The part of a file that stands before its test module, which by the style is the last thing in
/// it.
pub(crate) fn without_tests(text: &str) -> &str {
    let mut at = 0;
    for (line, next) in text.split_inclusive('\n').zip(text.split_inclusive('\n').skip(1)) {
        if line == "#[cfg(test)]\n" && next.starts_with("mod ") && next.ends_with("{\n") {
            return &text[..at];
        }
        at += line.len();
    }
    text
}

/// The text with comments blanked, and with what stands in strings and characters blanked too
/// unless `strings` are kept. Every byte keeps its place.
pub(crate) fn code(text: &str, strings: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (len, keep) = if rest.starts_with(b"//") {
            (find(rest, b"\n").unwrap_or(rest.len()), false)
        } else if rest.starts_with(b"/*") {
            (find(rest, b"*/").map_or(rest.len(), |end| end + 2), false)
        } else if let Some(len) = raw_string(bytes, at) {
            (len, strings)
        } else if rest[0] == b'"' {
            (quoted(rest, b'"'), strings)
        } else if rest[0] == b'\'' {
            match character(rest) {
                Some(len) => (len, strings),
                None => (1, true),
            }
        } else {
            (1, true)
        };
        if !keep {
            out[at..at + len].iter_mut().filter(|byte| **byte != b'\n').for_each(|b| *b = b' ');
        }
        at += len;
    }
    String::from_utf8(out)
        .expect("whole comments and strings were blanked, which cuts no character")
}

/// The functions in a file that have a body.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let code = code(text, false);
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if at > 0 && is_word(bytes[at - 1]) {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c as u8)).collect();
        if let (false, Some(end)) = (name.is_empty(), body_end(bytes, at)) {
            let line = code[..at].matches('\n').count() + 1;
            let lines = code[at..end].matches('\n').count() + 1;
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// Where the body ends of the function that begins at `at`, if it has one.
fn body_end(code: &[u8], at: usize) -> Option<usize> {
    let (mut nested, mut depth) = (0, 0);
    for (offset, byte) in code[at..].iter().enumerate() {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested -= 1,
            b';' if depth == 0 && nested == 0 => return None,
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at + offset + 1),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The length of what is quoted, its quotes counted.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// `r"…"`, `r#"…"#` and so on.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let hashes = rest.iter().skip(1).take_while(|byte| **byte == b'#').count();
    if rest[0] != b'r' || rest.get(hashes + 1) != Some(&b'"') {
        return None;
    }
    // A raw string may be one of bytes; a name may end in r.
    let before = at.checked_sub(1).map(|before| bytes[before]);
    if before.is_some_and(|before| is_word(before) && before != b'b') {
        return None;
    }
    let end = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let from = hashes + 2;
    Some(find(&rest[from..], &end).map_or(rest.len(), |found| from + found + end.len()))
}

/// A character, as opposed to a lifetime.
fn character(bytes: &[u8]) -> Option<usize> {
    if bytes.get(1) == Some(&b'\\') {
        return Some(quoted(bytes, b'\''));
    }
    let end = find(&bytes[1..bytes.len().min(7)], b"'")? + 1;
    // 'a' is one character; '<'a, 'b>' is not.
    let one = std::str::from_utf8(&bytes[1..end]).is_ok_and(|text| text.chars().count() == 1);
    one.then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_told_from_code() {
        let text = "a // {\n\"{\\\"\" r#\"{\"# b'{' '\\'' 'x' <'a> /* { */ b";
        assert_eq!(code(text, false).replace(' ', ""), "a\nb<'a>b");
        assert!(code(text, true).contains("r#\"{\"#"));
        assert_eq!(code(text, false).len(), text.len());
    }

    #[test]
    fn functions_are_found_with_their_length() {
        let text = "trait T { fn none(&self) -> [u8; 2]; }\n\nfn one<F: Fn(u8)>(\n    f: F,\n) {\n    if true {}\n}\n";
        let found = functions(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].name.as_str(), found[0].line, found[0].lines), ("one", 3, 5));
    }

    #[test]
    fn a_test_module_is_cut_off() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(without_tests(text), "fn a() {}\n\n");
        assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nx\n"), "#[cfg(test)]\nmod tests;\nx\n");
    }
}
