//! Which field was meant by one that nothing knows.

/// Longer keys are not compared.
const KEY_BYTES_MAX: usize = 24;

/// Words that people use for a field elsewhere.
const OTHER_WORDS: &[(&str, &[&str])] = &[
    ("channel", &["room", "topic", "stream"]),
    ("channels", &["rooms", "topics", "streams"]),
    ("token", &["jwt", "auth", "access_token", "password"]),
    ("type", &["op", "kind", "action", "method", "command", "event"]),
];

/// The key that is nearest to `wanted`, if one is near enough.
pub(super) fn nearest<'k>(wanted: &str, keys: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    keys.filter_map(|key| Some((distance(wanted, key)?, key)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}

/// How far `key` is from `wanted`, unless it is too far to be meant.
fn distance(wanted: &str, key: &str) -> Option<usize> {
    if key.len() > KEY_BYTES_MAX {
        return None;
    }
    let plain = |text: &str| {
        text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()).collect()
    };
    let (a, b): (Vec<u8>, Vec<u8>) = (plain(wanted), plain(key));
    let near = edits(&a, &b);
    if near <= wanted.len() / 3 {
        return Some(near);
    }
    let other = OTHER_WORDS.iter().any(|(of, words)| *of == wanted && words.contains(&key));
    other.then_some(wanted.len())
}

/// How many letters have to be added, taken away, changed or swapped with their neighbour.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut rows = [[0; KEY_BYTES_MAX + 1]; KEY_BYTES_MAX + 1];
    for (i, row) in rows.iter_mut().enumerate().take(a.len() + 1) {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(wanted: &str, key: &str) -> bool {
        nearest(wanted, [key].into_iter()).is_some()
    }

    #[test]
    fn slips_are_recognized() {
        for (wanted, key) in [
            ("channel", "chanel"),
            ("channel", "Channel"),
            ("channel", "channels"),
            ("channel", "chnanel"),
            ("channels", "channel"),
            ("type", "tpye"),
            ("type", "typ"),
            ("token", "Token"),
            ("token", "jwt"),
            ("channel", "room"),
        ] {
            assert!(near(wanted, key), "{key} for {wanted}");
        }
    }

    #[test]
    fn other_fields_are_not_taken_for_slips() {
        for (wanted, key) in [
            ("channel", "event"),
            ("channel", "data"),
            ("token", "type"),
            ("type", "data"),
            ("channel", ""),
            ("channel", "channelchannelchannelchannel"),
            ("type", "日本"),
        ] {
            assert!(!near(wanted, key), "{key} for {wanted}");
        }
    }

    #[test]
    fn the_nearest_of_several_is_named() {
        let keys = ["room", "chnel", "chanel", "channell"];
        assert_eq!(nearest("channel", keys.into_iter()), Some("chanel"));
    }
}
