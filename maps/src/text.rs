//! Texts that are not written as postmap(1) reads them.

pub(crate) mod aliases;
