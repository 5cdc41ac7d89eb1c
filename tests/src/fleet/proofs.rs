//! What changed in a table, proven: laid over the table that hosts have, it must become the one that is signed.
//!
//! Every host fetches a change and hashes it whole. Laying it over a table of a million entries costs a core 30 ms, which
//! for a thousand hosts is half a minute, so that is done for the first host that has it, and the others hold their octets
//! against the octets that were proven. A host on a machine of its own does it by itself, beside all others.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use switchyard_mapsync_protocol::delta;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head;
use tokio::sync::OnceCell;

/// The tables that hosts have, and the changes that were proven.
#[derive(Debug, Default)]
pub struct Proofs {
    tables: Mutex<BTreeMap<Hash, PathBuf>>,
    proven: Mutex<BTreeMap<Hash, Arc<OnceCell<bool>>>>,
}

impl Proofs {
    /// Hosts have this table, which lies there.
    pub fn know(&self, table: Hash, at: PathBuf) {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(table, at);
    }

    /// Whether these octets lead from one table to the other.
    pub(super) async fn holds(&self, octets: Vec<u8>, from: &head::File, to: &head::File) -> bool {
        let hash = Hash::of(&octets);
        let proof = {
            let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(proven.entry(hash).or_default())
        };
        let table = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(&from.hash).cloned();
        let Some(table) = table else { return false };
        let (from, to) = (from.clone(), to.clone());
        let prove = async || {
            let lay = move || {
                let table = BufReader::new(File::open(table)?);
                delta::apply(table, &octets[..], &from, &to, io::sink()).map_err(io::Error::other)
            };
            tokio::task::spawn_blocking(lay).await.is_ok_and(|laid| laid.is_ok())
        };
        *proof.get_or_init(prove).await
    }
}
