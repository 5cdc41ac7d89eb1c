//! Sets of octets: what one step of a pattern matches. As in Postfix, letters are ASCII's.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir};

/// Any of 256 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn of(wanted: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=u8::MAX).filter(|byte| wanted(*byte)).for_each(|byte| set.insert(byte));
        set
    }

    /// The class of a name, as `[:name:]` means it in the C locale.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "alnum" => Self::of(|byte| byte.is_ascii_alphanumeric()),
            "alpha" => Self::of(|byte| byte.is_ascii_alphabetic()),
            "blank" => Self::of(|byte| matches!(byte, b' ' | b'\t')),
            "cntrl" => Self::of(|byte| byte.is_ascii_control()),
            "digit" => Self::of(|byte| byte.is_ascii_digit()),
            "graph" => Self::of(|byte| byte.is_ascii_graphic()),
            "lower" => Self::of(|byte| byte.is_ascii_lowercase()),
            "print" => Self::of(|byte| byte.is_ascii_graphic() || byte == b' '),
            "punct" => Self::of(|byte| byte.is_ascii_punctuation()),
            "space" => Self::space(),
            "upper" => Self::of(|byte| byte.is_ascii_uppercase()),
            "xdigit" => Self::of(|byte| byte.is_ascii_hexdigit()),
            _ => return None,
        })
    }

    /// `\s`: isspace(3), which is not Rust's notion of it.
    pub(super) fn space() -> Self {
        Self::of(|byte| matches!(byte, b'\t'..=b'\r' | b' '))
    }

    /// `\w`.
    pub(super) fn word() -> Self {
        Self::of(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self::of(|byte| self.has(byte) || other.has(byte))
    }

    pub(super) fn negated(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(super) fn without(self, byte: u8) -> Self {
        Self::of(|other| other != byte && self.has(other))
    }

    /// With the other case of each letter.
    pub(super) fn folded(self) -> Self {
        Self::of(|byte| self.has(byte.to_ascii_lowercase()) || self.has(byte.to_ascii_uppercase()))
    }

    pub(super) fn into_hir(self) -> Hir {
        let bytes = (0..=u8::MAX).filter(|byte| self.has(*byte));
        Hir::class(Class::Bytes(ClassBytes::new(bytes.map(|byte| ClassBytesRange::new(byte, byte)))))
    }
}

/// One octet, with the other case of a letter where case does not matter.
pub(super) fn literal(byte: u8, ignore_case: bool) -> Hir {
    if ignore_case && byte.is_ascii_alphabetic() {
        return ByteSet::of(|other| other.eq_ignore_ascii_case(&byte)).into_hir();
    }
    Hir::literal([byte])
}
