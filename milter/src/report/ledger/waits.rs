//! Waits of reports that could not be sent, kept over a restart: a daemon that starts often asks no more often.
//!
//! They hold for the MTA that was asked. Whoever names another one in the settings wants it tried at once.

use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};

use super::{Due, Ledger, LedgerError};
use crate::report::waiting::Wait;

/// When a period began, and a domain → until when its report waits, and how long in all.
const WAITS: TableDefinition<'_, (u64, &str), (u64, u64)> = TableDefinition::new("waits");
/// The MTA that could not take them.
const ASKED: TableDefinition<'_, (), &str> = TableDefinition::new("asked");

/// A table that nobody has written to cannot be read.
pub(super) fn make(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.open_table(WAITS)?;
    write.open_table(ASKED)?;
    Ok(())
}

impl Ledger {
    /// Waits for this MTA.
    pub(in crate::report) fn waits(&self, asked: &str) -> Result<Vec<(Due, Wait)>, LedgerError> {
        Ok(self.waits_of(asked)?)
    }

    fn waits_of(&self, asked: &str) -> Result<Vec<(Due, Wait)>, redb::Error> {
        let read = self.database.begin_read()?;
        let mut found = Vec::new();
        if read.open_table(ASKED)?.get(())?.is_some_and(|who| who.value() == asked) {
            for entry in read.open_table(WAITS)?.iter()? {
                let (key, wait) = entry?;
                let ((begin, domain), (until, long)) = (key.value(), wait.value());
                found.push((Due { begin, domain: domain.into() }, Wait { until, long }));
            }
        }
        Ok(found)
    }

    /// Keeps these and no others.
    pub(in crate::report) fn keep_waits(
        &self,
        asked: &str,
        waits: &[(Due, Wait)],
    ) -> Result<(), LedgerError> {
        Ok(self.waits_kept(asked, waits)?)
    }

    fn waits_kept(&self, asked: &str, waits: &[(Due, Wait)]) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        write.delete_table(WAITS)?;
        {
            write.open_table(ASKED)?.insert((), asked)?;
            let mut table = write.open_table(WAITS)?;
            for (Due { begin, domain }, Wait { until, long }) in waits {
                table.insert((*begin, &**domain), (*until, *long))?;
            }
        }
        Ok(write.commit()?)
    }
}
