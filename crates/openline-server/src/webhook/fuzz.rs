//! What holds of any answer of a backend.

use super::Verdict;

/// A yes and a no are within their bounds, and an error is short and in one line.
pub fn webhook(data: &[u8]) {
    match Verdict::parse(data) {
        Ok(Verdict::Allowed(answer)) => {
            assert!(answer.user.is_none_or(|user| (1..=255).contains(&user.len())));
            assert!(answer.channels.len() <= 128);
            if let Some(info) = answer.info {
                assert!(serde_json::from_str::<serde_json::Value>(&info).is_ok(), "{info:?}");
            }
        }
        Ok(Verdict::Denied(denial)) => {
            let lawful = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!((1..=64).contains(&denial.code.len()) && denial.code.chars().all(lawful));
            assert!((1..=1027).contains(&denial.message.len()));
        }
        Err(what) => assert!(what.len() <= 400, "{what:?}"),
    }
}
