//! postmap(1) and postalias(1): what Postfix finds in a table, asked by the thousand.
//!
//! Tables stand in a folder of their own, as do Postfix's settings; no Postfix runs.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::require;

const POSTMAP: &str = "/usr/sbin/postmap";
const POSTALIAS: &str = "/usr/sbin/postalias";

/// A folder of tables, and Postfix's view of them.
#[derive(Debug)]
pub struct Postmap {
    folder: TempDir,
}

/// Which of Postfix's two programs reads a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Keys and values.
    Postmap,
    /// aliases(5).
    Postalias,
}

/// What Postfix said to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A value.
    Found(String),
    /// Nothing.
    NotFound,
    /// It could not tell, and said why.
    Failed(String),
}

impl Default for Postmap {
    fn default() -> Self {
        Self::new()
    }
}

impl Postmap {
    /// Makes the folder.
    ///
    /// # Panics
    /// When Postfix is not installed.
    #[must_use]
    pub fn new() -> Self {
        require(POSTMAP);
        // A Postfix that is given these tables reads them as a user of its own.
        let folder = tempfile::Builder::new()
            .prefix("switchyard-postmap-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a folder for tables");
        let made = Self { folder };
        made.write("main.cf", format!("compatibility_level = 3.6\nqueue_directory = {}\n", made.path()));
        made
    }

    /// Where the tables stand.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a source and hands over its absolute path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut file = fs::File::create(&path).expect("a file for a table");
        file.write_all(text.as_ref()).expect("room for a table");
        // Postfix waits for a second when a text may still be being written.
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("a file of ours");
        path
    }

    /// Makes the database of a source (`hash`, `btree`, `lmdb`, `cdb`), and hands over what was warned of.
    ///
    /// # Panics
    /// When there is none in the end.
    pub fn compile(&self, program: Program, kind: &str, path: &Path) -> String {
        let output = self.run(program, &[&format!("{kind}:{}", path.display())], &[]);
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{kind}:{}: {warnings}", path.display());
        warnings
    }

    /// Asks many keys of one table: those it has, with their values. `table` is `type:name`, the name absolute.
    ///
    /// # Panics
    /// When Postfix gives up, or warns of something that `expected` does not hold a part of.
    #[must_use]
    pub fn ask<'a>(
        &self,
        program: Program,
        table: &str,
        keys: &'a [String],
        expected: &[&str],
    ) -> BTreeMap<&'a str, String> {
        let unique: HashSet<&str> = keys.iter().map(String::as_str).collect();
        let mut input = String::new();
        for key in &unique {
            assert!(!key.contains(['\n', '\t']), "{key:?} is no line of its own");
            input.push_str(key);
            input.push('\n');
        }
        let output = self.run(program, &["-q", "-", table], input.as_bytes());
        let warnings = String::from_utf8_lossy(&output.stderr);
        for warning in warnings.lines() {
            assert!(expected.iter().any(|part| warning.contains(part)), "{table}: {warning}");
        }
        let answers = String::from_utf8(output.stdout).expect("UTF-8 answers");
        let between = match program {
            Program::Postmap => "\t",
            Program::Postalias => ":\t",
        };
        let answers = answers.lines().map(|line| line.split_once(between).expect("a key and a value"));
        answers
            .map(|(key, value)| (*unique.get(key).expect("a key that was asked"), value.to_owned()))
            .collect()
    }

    /// Asks one key, which may be one that Postfix cannot answer.
    #[must_use]
    pub fn ask_one(&self, program: Program, table: &str, key: &str) -> Said {
        let output = self.run(program, &["-q", key, table], &[]);
        let value = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        match value.strip_suffix('\n') {
            Some(value) => Said::Found(value.to_owned()),
            None if why.contains("fatal") => Said::Failed(why),
            None => Said::NotFound,
        }
    }

    fn run(&self, program: Program, arguments: &[&str], input: &[u8]) -> Output {
        let program = match program {
            Program::Postmap => POSTMAP,
            Program::Postalias => POSTALIAS,
        };
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.path()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("postmap starts");
        let mut stdin = child.stdin.take().expect("its input is a pipe");
        thread::scope(|scope| {
            // Apart, since it answers while it is asked. One that has given up reads no more.
            scope.spawn(move || stdin.write_all(input).is_ok());
            child.wait_with_output().expect("postmap ends")
        })
    }

    fn path(&self) -> String {
        self.folder.path().display().to_string()
    }
}
