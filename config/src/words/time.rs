//! Times: `"300s"`, `"4h"`, `"5d"`. A bare number is refused: nobody remembers of what.

use std::time::Duration;

use super::{Word, quoted};
use crate::document::Node;
use crate::reference::Form;

/// Each unit in milliseconds, the longest first.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// A hundred years: what is longer is a slip, and would overflow a clock.
const LONGEST: u64 = 36_525 * 86_400_000;

impl Word for Duration {
    const KIND: &'static str = "time";
    const FORM: Form = Form::Text(Some("^[0-9]+(ms|s|m|h|d|w)$"));

    fn read(node: &Node) -> Result<Self, String> {
        let text = match node {
            Node::Text(text) => text,
            Node::Integer(number) => {
                return Err(format!("a time needs its unit: \"{number}s\" if seconds are meant"));
            }
            other => return Err(format!("a time such as \"30s\" is expected, not {}", other.kind())),
        };
        let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
        match (number.parse::<u64>(), unit) {
            (Ok(number), Some(factor)) => number
                .checked_mul(*factor)
                .filter(|time| *time <= LONGEST)
                .map(Self::from_millis)
                .ok_or_else(|| format!("\"{text}\" is longer than a hundred years")),
            _ => Err(format!(
                "\"{text}\" is no time: write \"250ms\", \"30s\", \"5m\", \"4h\", \"5d\" or \"1w\""
            )),
        }
    }

    fn write(&self) -> String {
        let time = self.measure();
        let (unit, factor) =
            UNITS.iter().find(|(_, factor)| time > 0 && time.is_multiple_of(*factor)).unwrap_or(&UNITS[4]);
        quoted(&format!("{}{unit}", time / factor))
    }

    fn blank() -> Self {
        Self::ZERO
    }

    fn measure(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Duration, String> {
        Duration::read(&Node::Text(text.into()))
    }

    #[test]
    fn times_read_and_write() {
        for (text, milliseconds, written) in [
            ("300s", 300_000, "\"5m\""),
            ("5d", 432_000_000, "\"5d\""),
            ("4000s", 4_000_000, "\"4000s\""),
            ("0s", 0, "\"0s\""),
            ("250ms", 250, "\"250ms\""),
            ("7d", 604_800_000, "\"1w\""),
        ] {
            let time = read(text).unwrap();
            assert_eq!(time, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(time.write(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_says_what_would_be() {
        for text in ["", "s", "5", "5 s", "-5s", "5S", "5min", "1h30m", "1.5h", "99999999999999999999s"] {
            assert!(read(text).unwrap_err().contains("is no time"), "{text}");
        }
        assert!(read("1000000w").unwrap_err().contains("a hundred years"));
        assert!(read("18446744073709551615w").unwrap_err().contains("a hundred years"));
        assert!(Duration::read(&Node::Integer(300)).unwrap_err().contains("\"300s\""));
    }
}
