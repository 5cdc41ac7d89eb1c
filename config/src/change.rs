//! Two settings of one daemon: what differs, and whether the running daemon takes it.
//!
//! A running daemon tells on its control socket what it runs with: what it read last, but for what takes a restart
//! (`running.rs`).

mod running;

use serde::{Deserialize, Serialize};

use crate::reader::Value;
use crate::reference::Change;

/// What every setting of a daemon holds, given or by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Effective(pub(crate) Vec<Value>);

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `limits.hops`, `listen.smtp[0].socket`, `pools.inside.members`.
    pub path: String,
    /// What held before, as TOML; nothing where nothing did.
    pub before: Option<String>,
    /// What holds now.
    pub after: Option<String>,
    /// Whether a running daemon takes it.
    pub change: Change,
}

impl Effective {
    /// Each setting with what it holds, as TOML; nothing where it is not set and has no default.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|value| (value.path.as_str(), value.text.as_deref()))
    }

    /// What differs in the settings that come after these, in the order in which they are read.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<Difference> {
        let changed = self.0.iter().filter_map(|old| {
            let new = after.get(&old.path);
            let text = new.and_then(|new| new.text.clone());
            let one = new.filter(|new| new.change == Change::Restart).unwrap_or(old);
            (text != old.text).then(|| difference(one, old.text.clone(), text))
        });
        let added = after.0.iter().filter(|new| self.get(&new.path).is_none() && new.text.is_some());
        changed.chain(added.map(|new| difference(new, None, new.text.clone()))).collect()
    }

    fn get(&self, path: &str) -> Option<&Value> {
        self.0.iter().find(|value| value.path == path)
    }
}

fn difference(value: &Value, before: Option<String>, after: Option<String>) -> Difference {
    Difference { path: value.path.clone(), before, after, change: value.change }
}

#[cfg(test)]
mod tests {
    use crate::document::Document;
    use crate::reference::Change;
    use crate::{RouterSettings, Settings};

    fn effective(more: &str) -> super::Effective {
        let text = format!("host_name = 'a.example'\nlisten.smtp = [{{ socket = '127.0.0.1:25' }}]\n{more}");
        RouterSettings::effective(&Document::parse("a", &text).unwrap(), None).unwrap().1
    }

    fn told(before: &str, after: &str) -> Vec<String> {
        let tell = |difference: super::Difference| {
            let word = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            format!(
                "{} {} {} {}",
                difference.path,
                word(difference.before),
                word(difference.after),
                difference.change
            )
        };
        effective(before).differences(&effective(after)).into_iter().map(tell).collect()
    }

    #[test]
    fn what_differs_is_told_with_what_it_takes() {
        assert_eq!(told("", ""), [""; 0]);
        // A default that is written out is no difference.
        assert_eq!(told("", "limits.hops = 100\nqueue.queue_lifetime = '120h'"), [""; 0]);
        assert_eq!(told("", "limits.hops = 60"), ["limits.hops 100 60 live"]);
        assert_eq!(
            told("pools.a.members = ['[b]']", "pools.b.members = ['[b]']\nspool.folder = '/s'"),
            [
                "pools.a.members [\"[b]\"] - live",
                "spool.folder \"/var/lib/switchyard-router/spool\" \"/s\" restart",
                "pools.b.members - [\"[b]\"] live"
            ]
        );
        assert_eq!(effective("").differences(&effective("limits.sessions = 5"))[0].change, Change::Live);
    }
}
