//! The signed messages of every environment, and what a hub has made of them: one transaction for both.
//!
//! Messages are kept as the octets that came, for their signatures are over these.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase as _, TableDefinition};

/// By environment: what is trusted, as `Trusted::to_json` writes it.
const TRUSTED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("trusted");
/// By environment and version.
const ROOTS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("roots");
/// By environment and generation.
const HEADS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("heads");
/// By environment: the newest.
const RELEASES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("releases");
/// By environment: the newest plan of a rollout.
const PLANS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("plans");
/// By environment: the plan whose rollout has ended, by its hash, for numbers begin anew with new keys.
const ENDED: TableDefinition<'_, &str, &str> = TableDefinition::new("ended");
/// By environment: how far a ledger that several hubs share was heard.
const PLACES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("places");

/// The database.
#[derive(Debug)]
pub(crate) struct Heads(Database);

/// It cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(crate) struct HeadsError {
    path: PathBuf,
    source: redb::Error,
}

/// A signed message that is new, with what counts it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Message<'a> {
    Root(u64, &'a [u8]),
    Head(u64, &'a [u8]),
    Release(&'a [u8]),
    Plan(&'a [u8]),
}

impl Heads {
    /// Opens or makes it. One process has it at a time.
    pub(crate) fn open(path: &Path) -> Result<Self, HeadsError> {
        let opened = || {
            let database = Database::create(path)?;
            let write = database.begin_write()?;
            write.open_table(TRUSTED)?;
            write.open_table(ROOTS)?;
            write.open_table(HEADS)?;
            write.open_table(RELEASES)?;
            write.open_table(PLANS)?;
            write.open_table(ENDED)?;
            write.open_table(PLACES)?;
            write.commit()?;
            Ok(Self(database))
        };
        opened().map_err(|source| HeadsError { path: path.to_owned(), source })
    }

    /// Keeps messages, what is trusted with them, and how far a ledger was heard: all or nothing, durable when this
    /// returns.
    pub(crate) fn keep(
        &self,
        environment: &str,
        trusted: &[u8],
        messages: &[Message<'_>],
        place: Option<&[u8]>,
    ) -> Result<(), redb::Error> {
        let write = self.0.begin_write()?;
        write.open_table(TRUSTED)?.insert(environment, trusted)?;
        for message in messages {
            match *message {
                Message::Root(version, octets) => {
                    write.open_table(ROOTS)?.insert((environment, version), octets)?;
                }
                Message::Head(generation, octets) => {
                    write.open_table(HEADS)?.insert((environment, generation), octets)?;
                }
                Message::Release(octets) => {
                    write.open_table(RELEASES)?.insert(environment, octets)?;
                }
                Message::Plan(octets) => {
                    write.open_table(PLANS)?.insert(environment, octets)?;
                }
            }
        }
        if let Some(place) = place {
            write.open_table(PLACES)?.insert(environment, place)?;
        }
        Ok(write.commit()?)
    }

    pub(crate) fn place(&self, environment: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.0.begin_read()?.open_table(PLACES)?;
        Ok(table.get(environment)?.map(|octets| octets.value().to_vec()))
    }

    pub(crate) fn trusted(&self, environment: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.0.begin_read()?.open_table(TRUSTED)?;
        Ok(table.get(environment)?.map(|octets| octets.value().to_vec()))
    }

    pub(crate) fn root(&self, environment: &str, version: u64) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.0.begin_read()?.open_table(ROOTS)?;
        Ok(table.get((environment, version))?.map(|octets| octets.value().to_vec()))
    }

    pub(crate) fn head(&self, environment: &str, generation: u64) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.0.begin_read()?.open_table(HEADS)?;
        Ok(table.get((environment, generation))?.map(|octets| octets.value().to_vec()))
    }

    pub(crate) fn release(&self, environment: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.0.begin_read()?.open_table(RELEASES)?;
        Ok(table.get(environment)?.map(|octets| octets.value().to_vec()))
    }

    pub(crate) fn plan(&self, environment: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.0.begin_read()?.open_table(PLANS)?;
        Ok(table.get(environment)?.map(|octets| octets.value().to_vec()))
    }

    /// The rollout of this plan has ended.
    pub(crate) fn end(&self, environment: &str, plan: &str) -> Result<(), redb::Error> {
        let write = self.0.begin_write()?;
        write.open_table(ENDED)?.insert(environment, plan)?;
        Ok(write.commit()?)
    }

    /// The last plan whose rollout has ended.
    pub(crate) fn ended(&self, environment: &str) -> Result<Option<String>, redb::Error> {
        let table = self.0.begin_read()?.open_table(ENDED)?;
        Ok(table.get(environment)?.map(|plan| plan.value().to_owned()))
    }

    /// The newest heads, at most so many, from `before` down.
    pub(crate) fn history(
        &self,
        environment: &str,
        before: u64,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, redb::Error> {
        let table = self.0.begin_read()?.open_table(HEADS)?;
        let newest = table.range((environment, 0)..(environment, before))?.rev().take(most);
        newest.map(|entry| Ok(entry?.1.value().to_vec())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_by_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.redb");
        let heads = Heads::open(&path).unwrap();
        for generation in 1..=5 {
            let octets = format!("head {generation}");
            let head = Message::Head(generation, octets.as_bytes());
            heads.keep("live", b"state", &[head], None).unwrap();
        }
        heads.keep("test", b"other", &[Message::Root(1, b"root")], None).unwrap();
        heads.keep("live", b"state 2", &[Message::Release(b"release")], Some(b"7")).unwrap();
        heads.keep("live", b"state 2", &[Message::Plan(b"plan")], None).unwrap();
        assert_eq!(heads.ended("live").unwrap(), None);
        heads.end("live", "plan 12").unwrap();
        assert!(Heads::open(&path).is_err(), "one process has it");
        drop(heads);

        let heads = Heads::open(&path).unwrap();
        assert_eq!(heads.trusted("live").unwrap().as_deref(), Some(&b"state 2"[..]));
        assert_eq!(heads.place("live").unwrap().as_deref(), Some(&b"7"[..]));
        assert_eq!(heads.place("test").unwrap(), None);
        assert_eq!(heads.head("live", 4).unwrap().as_deref(), Some(&b"head 4"[..]));
        assert_eq!(heads.head("test", 4).unwrap(), None);
        assert_eq!(heads.root("test", 1).unwrap().as_deref(), Some(&b"root"[..]));
        assert_eq!(heads.release("live").unwrap().as_deref(), Some(&b"release"[..]));
        assert_eq!(heads.plan("live").unwrap().as_deref(), Some(&b"plan"[..]));
        assert_eq!(heads.ended("live").unwrap().as_deref(), Some("plan 12"));
        assert_eq!(heads.ended("test").unwrap(), None);
        assert_eq!(heads.history("live", 5, 2).unwrap(), [b"head 4".to_vec(), b"head 3".to_vec()]);
        assert_eq!(heads.history("live", u64::MAX, 10).unwrap().len(), 5);
    }
}
