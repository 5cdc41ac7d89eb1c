//! Times and sizes as people write and read them.

use std::time::Duration;

use switchyard_config::document::Node;
use switchyard_config::words::{Size, Word};

/// Reads `30s`, `4h`, `5d`.
pub(super) fn time(word: &str) -> Result<Duration, String> {
    Duration::read(&Node::Text(word.to_owned()))
}

/// Reads `10MB`, `64KiB`; a bare letter, as in `10M`, stands for the unit of a thousand.
pub(super) fn size(word: &str) -> Result<u64, String> {
    let unit = if word.ends_with(['k', 'K', 'M', 'G']) { format!("{word}B") } else { word.to_owned() };
    Size::read(&Node::Text(unit)).map(|size| size.0)
}

/// An age in its largest two units: `2d 4h`.
pub(super) fn age(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    let shown = parts.iter().skip(first).take(2).filter(|(count, _)| *count > 0 || seconds == 0);
    shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

/// Octets in a unit of three digits at most.
pub(super) fn octets(octets: u64) -> String {
    match octets {
        0..1_000 => format!("{octets} B"),
        1_000..1_000_000 => format!("{:.1} kB", octets as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", octets as f64 / 1e6),
        _ => format!("{:.1} GB", octets as f64 / 1e9),
    }
}

/// A count with its noun.
pub(super) fn count(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        for (seconds, written) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3661, "1h 1m"), (86_400, "1d"), (90_061, "1d 1h")]
        {
            assert_eq!(age(seconds), written);
        }
    }

    #[test]
    fn sizes_take_a_bare_letter() {
        assert_eq!(
            (size("10M"), size("10MB"), size("64KiB"), size("1K")),
            (Ok(10_000_000), Ok(10_000_000), Ok(65_536), Ok(1000))
        );
        assert!(size("10").is_err() && size("many").is_err());
        assert_eq!(
            (octets(999), octets(1500), octets(2_000_000)),
            ("999 B".into(), "1.5 kB".into(), "2.0 MB".into())
        );
    }
}
