//! The peer: LMDB with the same keys and values.

use std::fs;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, PutFlags, RoTxn, WithTls};

use crate::sample::Site;

/// A database of an open environment.
pub(crate) struct Lmdb<'e> {
    env: &'e Env,
    database: Database<'e, Bytes, Bytes>,
}

impl<'e> Lmdb<'e> {
    /// Filled in order of its keys, the way it is fastest and smallest.
    pub(crate) fn fill(env: &'e Env, site: &Site) -> Self {
        let mut numbers: Vec<usize> = (0..site.keys.len()).collect();
        numbers.sort_unstable_by_key(|number| site.keys.get(*number));
        let create = |opener: &heed::DatabaseOpener<'e, WithTls>, writing: &mut heed::RwTxn<'e>| {
            opener.create_database(writing, None).map(CommitOrAbort::<_, ()>::Commit)
        };
        let created = env.create_databases_and_commit(env.write_txn().unwrap(), create).unwrap();
        let database: Database<'e, Bytes, Bytes> = created.unwrap_commit();
        let mut writing = env.write_txn().unwrap();
        for number in numbers {
            let (key, value) = (site.keys.get(number).as_bytes(), site.route(number).as_bytes());
            database.put_with_flags(&mut writing, PutFlags::APPEND, key, value).unwrap();
        }
        writing.commit().unwrap();
        Self { env, database }
    }

    /// One transaction for many questions, as Postfix keeps it.
    pub(crate) fn reading(&self) -> RoTxn<'_, WithTls> {
        self.env.read_txn().unwrap()
    }

    pub(crate) fn find<'a>(&self, reading: &'a RoTxn<'_, WithTls>, key: &str) -> Option<&'a [u8]> {
        self.database.get(reading, key.as_bytes()).unwrap()
    }
}

/// A new environment in a folder of its own.
#[expect(unsafe_code, reason = "the library leaves it to its caller that nobody else opens the file")]
pub(crate) fn open(folder: &Path) -> Env {
    fs::create_dir_all(folder).unwrap();
    let mut options = EnvOpenOptions::new();
    options.map_size(8 << 30);
    // SAFETY: a fresh folder of this process, opened once.
    unsafe { options.open(folder).unwrap() }
}
