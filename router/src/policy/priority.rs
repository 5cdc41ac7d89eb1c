//! How urgent a client may call its mail (RFC 6710): who may relay is believed; anybody else may ask for less, and
//! not for more than others get. What an access table says (`PRIORITY n`) goes before both.

use switchyard_smtp::priority::Priority;

/// The priority that comes of the one asked for.
#[must_use]
pub fn allowed(asked: Priority, is_trusted: bool) -> Priority {
    if is_trusted { asked } else { asked.min(Priority::NORMAL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_may_ask_for_less_and_not_for_more() {
        let priority = |number| Priority::new(number).unwrap();
        for (asked, of_ours, of_strangers) in [(9, 9, 0), (0, 0, 0), (-9, -9, -9)] {
            assert_eq!(allowed(priority(asked), true), priority(of_ours));
            assert_eq!(allowed(priority(asked), false), priority(of_strangers));
        }
    }
}
