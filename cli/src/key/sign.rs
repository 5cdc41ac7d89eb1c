//! `switchyard key sign`: one more signature on a message, where a role wants those of several people.

use std::path::PathBuf;

use clap::Args;
use switchyard_mapsync_protocol::envelope::{LONGEST, Signed};

use super::{read, secret};
use crate::output::{Exit, Output};
use crate::render::replace;

/// Add your signature to a root, where it takes those of several people
#[derive(Debug, Args)]
#[command(after_help = "\
Look at what you sign first: switchyard key show FILE.

Exit codes: 0 it is signed; 2 it is as it was.

Example:
  switchyard key sign root.json --key bob.key")]
pub(super) struct Arguments {
    /// The root
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Your key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Arguments {
    pub(super) fn sign(&self, output: &mut Output) -> Result<Exit, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", self.file.display());
        let mut signed =
            Signed::from_json(&read(&self.file, LONGEST as u64)?).map_err(|error| wrong(&error))?;
        let key = secret(&self.key)?;
        let id = key.public().id();
        if signed.signers(&[key.public()]) > 0 {
            return Err(wrong(&format_args!("key {id} has signed it already")));
        }
        signed.sign(&key);
        let json = signed.to_json().map_err(|error| wrong(&error))?;
        // What is sent on is read as it was written: a length that nobody takes must not come about here.
        Signed::from_json(&json).map_err(|error| wrong(&error))?;
        let text = String::from_utf8_lossy(&json);
        replace(&self.file, &text).map_err(|error| wrong(&format_args!("cannot be written: {error}")))?;
        let told = format!("{}: signed by key {id}\n", self.file.display());
        output.data(told).map_err(|error| error.to_string())?;
        Ok(Exit::Fine)
    }
}
