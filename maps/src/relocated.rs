//! Where somebody has gone, in words for who still writes to him: relocated(5).

use std::sync::Arc;

use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::status::EnhancedStatus;

use crate::entry::{BadRoute, Notice, reason};
use crate::fault::Wrong;

/// Reads a right-hand side of relocated(5): what stands after "User has moved to".
///
/// # Errors
/// When there is none, or it cannot stand in a reply.
pub fn parse(text: &str) -> Result<Arc<str>, BadRoute> {
    read(text).map_err(|wrong| BadRoute { at: wrong.at, message: wrong.what })
}

/// The same for the compiler.
pub(crate) fn read(text: &str) -> Result<Arc<str>, Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("where the user has moved to is expected: an address, or any text"));
    }
    if let Some(at) = text.find(|character: char| character.is_control() && character != '\t') {
        return Err(Wrong::at(at, "control character"));
    }
    reason(text)
}

/// What a sender is told, as Postfix words it.
#[must_use]
pub fn notice(moved_to: &str) -> Notice {
    // RFC 3463 §3.2: X.1.6 is "destination mailbox has moved".
    let status = EnhancedStatus::new(5, 1, 6);
    Notice { status, text: format!("User has moved to {moved_to}").into() }
}

/// The same as a reply.
#[must_use]
pub fn reply(moved_to: &str) -> Reply {
    let Notice { status, text } = notice(moved_to);
    Reply { status: Some(status), ..table::NO_SUCH_USER }.with_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_told_as_postfix_tells_it() {
        let text = read("joe@new.example\t(since May)").unwrap();
        assert_eq!(reply(&text).to_string(), "550 5.1.6 User has moved to joe@new.example (since May)");
    }

    #[test]
    fn what_cannot_stand_in_a_reply_is_refused_at_its_place() {
        for (text, at, what) in [
            ("", 0, "where the user has moved to is expected: an address, or any text"),
            ("j\u{f6}rg@new.example", 1, "only printable ASCII may stand in a reply"),
            ("a\u{7}b", 1, "control character"),
        ] {
            assert_eq!(read(text), Err(Wrong::at(at, what)), "{text:?}");
        }
        assert!(read(&"a".repeat(401)).is_err());
    }
}
