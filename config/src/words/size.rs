//! Sizes: `"50MB"`, `"64KiB"`, `"500B"`. A bare number is refused, as with times.

use super::{Word, quoted};
use crate::document::Node;
use crate::reference::Form;

/// Octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Each unit in octets, in the order in which a size is written.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// As memory is counted; a size that no memory holds becomes all there is.
    #[must_use]
    pub fn octets(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Word for Size {
    const KIND: &'static str = "size";
    const FORM: Form = Form::Text(Some("^[0-9]+([TGM](iB|B)|KiB|[Kk]B|B)$"));

    fn read(node: &Node) -> Result<Self, String> {
        let text = match node {
            Node::Text(text) => text,
            Node::Integer(number) => {
                return Err(format!("a size needs its unit: \"{number}B\" if octets are meant"));
            }
            other => return Err(format!("a size such as \"64KiB\" is expected, not {}", other.kind())),
        };
        let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        // `KB` is what many write for `kB`, and means nothing else.
        let unit = if unit == "KB" { "kB" } else { unit };
        let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
        match (number.parse::<u64>(), unit) {
            (Ok(number), Some(factor)) => {
                number.checked_mul(*factor).map(Self).ok_or_else(|| format!("\"{text}\" is too large a size"))
            }
            _ => Err(format!("\"{text}\" is no size: write \"500B\", \"64KiB\", \"50MB\" or \"2GiB\"")),
        }
    }

    fn write(&self) -> String {
        let divides = |factor: u64| self.0 > 0 && self.0.is_multiple_of(factor);
        let (unit, factor) = UNITS.iter().find(|(_, factor)| divides(*factor)).unwrap_or(&UNITS[8]);
        quoted(&format!("{}{unit}", self.0 / factor))
    }

    fn blank() -> Self {
        Self(0)
    }

    fn measure(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_and_write() {
        for (text, octets, written) in [
            ("500B", 500, "\"500B\""),
            ("50MB", 50_000_000, "\"50MB\""),
            ("64KiB", 65_536, "\"64KiB\""),
            ("1024KiB", 1 << 20, "\"1MiB\""),
            ("10KB", 10_000, "\"10kB\""),
            ("0B", 0, "\"0B\""),
        ] {
            let size = Size::read(&Node::Text(text.into())).unwrap();
            assert_eq!(size, Size(octets), "{text}");
            assert_eq!(size.write(), written, "{text}");
        }
        for text in ["", "MB", "5", "5 MB", "5mb", "-1B", "1.5GB"] {
            assert!(Size::read(&Node::Text(text.into())).unwrap_err().contains("is no size"), "{text}");
        }
        assert!(Size::read(&Node::Text("99999999TiB".into())).unwrap_err().contains("too large"));
        assert!(Size::read(&Node::Integer(5)).unwrap_err().contains("needs its unit"));
    }
}
