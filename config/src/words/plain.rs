//! Numbers, flags, texts, names and paths, and words out of a short list.

use std::path::{Path, PathBuf};

use switchyard_smtp::address::{Domain, Mailbox};

use super::{Word, quoted, text};
use crate::check::hint;
use crate::document::Node;
use crate::reference::Form;

/// Numbers of each width that a setting may have.
macro_rules! count {
    ($($width:ty),*) => {$(
        impl Word for $width {
            const KIND: &'static str = "count";
            const FORM: Form = Form::Number(Self::MAX as u64);

            fn read(node: &Node) -> Result<Self, String> {
                match node {
                    Node::Integer(number) if *number < 0 => Err(format!("{number} is below zero")),
                    Node::Integer(number) => Self::try_from(*number)
                        .map_err(|_| format!("{number} is too large: at most {} is allowed", Self::MAX)),
                    other => Err(format!("a number is expected, not {}", other.kind())),
                }
            }

            fn write(&self) -> String {
                self.to_string()
            }

            fn blank() -> Self {
                0
            }

            fn measure(&self) -> u64 {
                u64::try_from(*self).unwrap_or(u64::MAX)
            }
        }
    )*};
}
count!(u8, u16, u32, usize);

impl Word for bool {
    const KIND: &'static str = "true or false";
    const FORM: Form = Form::Flag;

    fn read(node: &Node) -> Result<Self, String> {
        match node {
            Node::Flag(flag) => Ok(*flag),
            other => Err(format!("true or false is expected, not {}", other.kind())),
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn blank() -> Self {
        false
    }
}

impl Word for String {
    const KIND: &'static str = "text";

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        if text.chars().any(char::is_control) {
            return Err("a control character stands in the text".to_owned());
        }
        Ok(text.to_owned())
    }

    fn write(&self) -> String {
        quoted(self)
    }

    fn blank() -> Self {
        Self::new()
    }
}

impl Word for PathBuf {
    const KIND: &'static str = "path";

    fn read(node: &Node) -> Result<Self, String> {
        match text(node)? {
            "" => Err("a path is expected, not nothing".to_owned()),
            path if path.contains('\0') => Err("a path holds no NUL".to_owned()),
            path => Ok(path.into()),
        }
    }

    fn write(&self) -> String {
        quoted(&self.to_string_lossy())
    }

    fn blank() -> Self {
        Self::new()
    }

    fn against(self, folder: &Path) -> Self {
        folder.join(self)
    }
}

impl Word for Domain {
    const KIND: &'static str = "domain";

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        Self::parse(text).map_err(|error| format!("\"{text}\" is no domain name: {error}"))
    }

    fn write(&self) -> String {
        quoted(self.as_str())
    }

    fn blank() -> Self {
        Self::parse("blank.invalid").unwrap_or_else(|_| unreachable!("a plain host name"))
    }
}

impl Word for Mailbox {
    const KIND: &'static str = "mail address";

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        Self::parse(text).map_err(|error| format!("\"{text}\" is no mail address: {error}"))
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::parse("blank@blank.invalid").unwrap_or_else(|_| unreachable!("a plain address"))
    }
}

// ---------------------------------------------------------------------------------------------------------

/// A word out of a short list: what an `enum` says about its names.
pub trait Choice: Copy + PartialEq + 'static {
    /// What it is called in the reference.
    const KIND: &'static str;
    /// Each value under its name.
    const NAMES: &'static [(&'static str, Self)];
}

impl<C: Choice> Word for C {
    const KIND: &'static str = C::KIND;

    fn read(node: &Node) -> Result<Self, String> {
        let text = text(node)?;
        let found = C::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names = C::NAMES.iter().map(|(name, _)| *name);
            format!("unknown {} \"{text}\"{}", C::KIND, hint(text, names))
        })
    }

    fn write(&self) -> String {
        let found = C::NAMES.iter().find(|(_, value)| value == self);
        quoted(found.map_or("", |(name, _)| name))
    }

    fn blank() -> Self {
        C::NAMES[0].1
    }

    fn choices() -> Vec<&'static str> {
        C::NAMES.iter().map(|(name, _)| *name).collect()
    }
}
