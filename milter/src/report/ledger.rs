//! What reports will tell, on disk: policies and counts by period and domain, in one file that is whole after a crash.
//!
//! Bounded as a whole and by domain: whoever sends mail in many names makes no file grow without end. What does not
//! fit is not counted, and that is.

mod waits;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mail_auth::report::{PolicyPublished, Record};
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};

/// Kinds of messages in one report.
const MAX_ROWS: usize = 5_000;
/// Octets that an entry costs beside its own.
const OVERHEAD: u64 = 64;

/// When a period began, and a domain → its policy.
const POLICIES: TableDefinition<'_, (u64, &str), &[u8]> = TableDefinition::new("policies");
/// The same, and a kind of messages → how many.
const ROWS: TableDefinition<'_, (u64, &str, &[u8]), u32> = TableDefinition::new("rows");
/// Octets of all entries.
const SIZE: TableDefinition<'_, (), u64> = TableDefinition::new("size");

/// The ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The file or its folder.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What is in it.
    #[error("the ledger of reports: {0}")]
    Store(#[from] redb::Error),
    /// An entry that is none of ours.
    #[error("the ledger of reports holds something else than a policy: {0}")]
    Foreign(#[from] serde_json::Error),
    /// The work on it did not come to an end.
    #[error("the ledger of reports: {0}")]
    Stopped(String),
}

/// A domain's policy in one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// When the period is over.
    pub(crate) end: u64,
    /// What it says.
    pub(crate) published: PolicyPublished,
    /// Who wants to hear of it.
    pub(crate) destinations: Vec<String>,
}

/// Of a policy, when its period is over; the rest is not looked at.
#[derive(Deserialize)]
struct Until {
    end: u64,
}

/// One kind of messages: a record of a report without its count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Row(Box<[u8]>);

impl Row {
    /// None for what cannot be written down.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        serde_json::to_vec(record).ok().map(|octets| Self(octets.into()))
    }
}

/// What one report is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Due {
    /// When its period began.
    pub(crate) begin: u64,
    /// Whose policy it is.
    pub(crate) domain: Box<str>,
}

/// What was counted for one report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counts {
    /// The policy that was seen last.
    pub(crate) policy: Policy,
    /// How many of each kind.
    pub(crate) rows: HashMap<Row, u32>,
}

/// What it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) policy: Policy,
    pub(crate) records: Vec<Record>,
}

/// The file.
pub(crate) struct Ledger {
    database: Database,
    most: u64,
}

impl Ledger {
    /// Opens it in this folder, or makes it; it holds at most so many octets.
    pub(crate) fn open(folder: &Path, most: u64) -> Result<Self, LedgerError> {
        let path = folder.join("reports.redb");
        let of = |path: &Path| {
            let path = path.to_owned();
            move |source| LedgerError::File { path, source }
        };
        fs::create_dir_all(folder).map_err(of(folder))?;
        // Who writes to whom is nobody else's business.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(of(&path))?;
        let database = opened(file)?;
        Ok(Self { database, most })
    }

    /// Adds what was counted, durable when this returns. How many kinds found no room.
    pub(crate) fn add(&self, counted: &HashMap<Due, Counts>) -> Result<u64, LedgerError> {
        Ok(self.added(counted)?)
    }

    fn added(&self, counted: &HashMap<Due, Counts>) -> Result<u64, redb::Error> {
        let mut lost = 0;
        let write = self.database.begin_write()?;
        {
            let mut policies = write.open_table(POLICIES)?;
            let mut rows = write.open_table(ROWS)?;
            let mut size = write.open_table(SIZE)?;
            let mut octets = size.get(())?.map_or(0, |octets| octets.value());
            for (Due { begin, domain }, Counts { policy, rows: counts }) in counted {
                let Ok(policy) = serde_json::to_vec(policy) else { continue };
                let at = (*begin, &**domain);
                if policies.get(at)?.is_none() {
                    let wanted = octets.saturating_add(cost(domain, policy.len()));
                    if wanted > self.most {
                        lost += counts.len() as u64;
                        continue;
                    }
                    octets = wanted;
                }
                policies.insert(at, &policy[..])?;
                let mut known = 0;
                for entry in rows.range((*begin, &**domain, &[][..])..)?.take(MAX_ROWS) {
                    let key = entry?.0;
                    let (its_begin, its_domain, _) = key.value();
                    if its_begin != *begin || its_domain != &**domain {
                        break;
                    }
                    known += 1;
                }
                for (row, count) in counts {
                    let key = (*begin, &**domain, &*row.0);
                    let before = rows.get(key)?.map(|before| before.value());
                    if before.is_none() {
                        let wanted = octets.saturating_add(cost(domain, row.0.len()));
                        if known >= MAX_ROWS || wanted > self.most {
                            lost += 1;
                            continue;
                        }
                        octets = wanted;
                        known += 1;
                    }
                    rows.insert(key, before.unwrap_or(0).saturating_add(*count))?;
                }
            }
            size.insert((), octets)?;
        }
        write.commit()?;
        Ok(lost)
    }

    /// Reports of periods that are over by then and that may go out, the oldest first, and no more than `most`.
    pub(crate) fn due(
        &self,
        now: u64,
        most: usize,
        may_go: impl Fn(&Due) -> bool,
    ) -> Result<Vec<Due>, LedgerError> {
        Ok(self.due_of(now, most, may_go)?)
    }

    fn due_of(&self, now: u64, most: usize, may_go: impl Fn(&Due) -> bool) -> Result<Vec<Due>, redb::Error> {
        let policies = self.database.begin_read()?.open_table(POLICIES)?;
        let mut found = Vec::new();
        for entry in policies.range(..(now, ""))? {
            if found.len() >= most {
                break;
            }
            let (key, policy) = entry?;
            // What cannot be read is due too: it is said, and goes.
            if serde_json::from_slice::<Until>(policy.value()).is_ok_and(|until| until.end > now) {
                continue;
            }
            let (begin, domain) = key.value();
            let due = Due { begin, domain: domain.into() };
            if may_go(&due) {
                found.push(due);
            }
        }
        Ok(found)
    }

    /// What a report says.
    pub(crate) fn read(&self, due: &Due) -> Result<Option<Told>, LedgerError> {
        let Some((policy, rows)) = self.entries(due)? else { return Ok(None) };
        let policy = serde_json::from_slice(&policy)?;
        let mut records = Vec::with_capacity(rows.len());
        for (row, count) in rows {
            records.push(serde_json::from_slice::<Record>(&row)?.with_count(count));
        }
        Ok(Some(Told { policy, records }))
    }

    #[expect(clippy::type_complexity, reason = "the octets of entries, read and used at one place")]
    fn entries(&self, due: &Due) -> Result<Option<(Vec<u8>, Vec<(Vec<u8>, u32)>)>, redb::Error> {
        let read = self.database.begin_read()?;
        let Some(policy) = read.open_table(POLICIES)?.get((due.begin, &*due.domain))? else {
            return Ok(None);
        };
        let mut found = Vec::new();
        for entry in read.open_table(ROWS)?.range((due.begin, &*due.domain, &[][..])..)? {
            let (key, count) = entry?;
            let (begin, domain, row) = key.value();
            if begin != due.begin || domain != &*due.domain || found.len() >= MAX_ROWS {
                break;
            }
            found.push((row.to_vec(), count.value()));
        }
        Ok(Some((policy.value().to_vec(), found)))
    }

    /// Forgets a report that was sent, or never will be.
    pub(crate) fn forget(&self, due: &Due) -> Result<(), LedgerError> {
        Ok(self.forgotten(due)?)
    }

    fn forgotten(&self, due: &Due) -> Result<(), redb::Error> {
        let Some((policy, entries)) = self.entries(due)? else { return Ok(()) };
        let write = self.database.begin_write()?;
        {
            let mut rows = write.open_table(ROWS)?;
            let mut freed = cost(&due.domain, policy.len());
            for (row, _) in &entries {
                rows.remove((due.begin, &*due.domain, &row[..]))?;
                freed = freed.saturating_add(cost(&due.domain, row.len()));
            }
            write.open_table(POLICIES)?.remove((due.begin, &*due.domain))?;
            let mut size = write.open_table(SIZE)?;
            let octets = size.get(())?.map_or(0, |octets| octets.value());
            size.insert((), octets.saturating_sub(freed))?;
        }
        Ok(write.commit()?)
    }
}

fn opened(file: File) -> Result<Database, redb::Error> {
    let database = Database::builder().create_with_backend(FileBackend::new(file)?)?;
    let write = database.begin_write()?;
    // A table that nobody has written to cannot be read.
    write.open_table(POLICIES)?;
    write.open_table(ROWS)?;
    write.open_table(SIZE)?;
    waits::make(&write)?;
    write.commit()?;
    Ok(database)
}

fn cost(domain: &str, octets: usize) -> u64 {
    (domain.len() + octets) as u64 + OVERHEAD
}

#[cfg(test)]
mod tests;
