//! A daemon's settings as a scenario changes them.

use std::collections::BTreeMap;
use std::fmt;

/// Tables, keys and values, as TOML text.
#[derive(Debug, Clone, Default)]
pub struct Settings(BTreeMap<String, BTreeMap<String, String>>);

impl Settings {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one; `value` is TOML. `[name]` stands for the first of a list of tables.
    pub fn set(&mut self, table: &str, key: &str, value: &str) {
        self.0.entry(table.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }

    /// Leaves one out after all.
    pub fn unset(&mut self, table: &str, key: &str) {
        self.0.entry(table.to_owned()).or_default().remove(key);
    }

    /// Leaves a whole table out.
    pub fn drop_table(&mut self, table: &str) {
        self.0.remove(table);
    }

    /// The text in a value's quotes.
    #[must_use]
    pub fn text(&self, table: &str, key: &str) -> Option<&str> {
        Some(self.0.get(table)?.get(key)?.trim_matches('"'))
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The table without a name sorts first, as it must.
        for (table, keys) in &self.0 {
            if !table.is_empty() {
                writeln!(formatter, "\n[{table}]")?;
            }
            for (key, value) in keys {
                writeln!(formatter, "{key} = {value}")?;
            }
        }
        Ok(())
    }
}
