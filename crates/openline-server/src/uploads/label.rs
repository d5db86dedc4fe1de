//! What a file is called: a label for people, which never becomes a path here or elsewhere.

/// The name without what could be a path or could not be shown.
///
/// Files are stored under names of the server's own; this is for those who take the name as a path
/// when they fetch the file.
pub(super) fn label(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|c| !c.is_control() && !turns_text(*c)).collect();
    // A leading dot hides a file, also behind a space, and dots alone are folders. In the middle they
    // mean an ending.
    let shown = shown.trim_matches(|c: char| c == '.' || c.is_whitespace());
    if shown.is_empty() { "file".to_owned() } else { shown.to_owned() }
}

/// Whether it changes in which order text is shown: with it `exe.txt` can look like `txt.exe`.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_never_a_path() {
        for (name, expected) in [
            ("cat.jpg", "cat.jpg"),
            ("a/b\\c.txt", "c.txt"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/etc/shadow", "shadow"),
            ("C:\\x\\y.doc", "y.doc"),
            ("..", "file"),
            (".", "file"),
            ("...", "file"),
            ("a/..", "file"),
            ("dir/", "file"),
            ("/", "file"),
            (".htaccess", "htaccess"),
            (" .. ", "file"),
            (". .htaccess", "htaccess"),
            ("a. .", "a"),
            ("a\0b\r\nc\u{7f}", "abc"),
            ("\u{202e}txt.exe", "txt.exe"),
            ("größe 1.tar.gz", "größe 1.tar.gz"),
        ] {
            assert_eq!(label(name), expected, "{name:?}");
        }
    }
}
