//! `switchyard key new`: a key by chance, into a file for its owner alone.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use switchyard_mapsync_protocol::keys::SecretKey;

use super::write_new;
use crate::output::{Exit, Output};

/// Make a key, and say its public half
#[derive(Debug, Args)]
#[command(after_help = "\
The file is for you alone (mode 0600): keep it where you sign, copy it to no host. Who loses it asks for another \
root; who has it stolen too.

Exit codes: 0 the key is there; 2 it is not, and a file that stood there is as it was.

Example:
  switchyard key new ann.key")]
pub(super) struct Arguments {
    /// The file to make
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Id and public half as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn make(&self, output: &mut Output) -> Result<Exit, String> {
        let key = SecretKey::generate().map_err(|error| error.to_string())?;
        let text = key.to_text().map_err(|error| error.to_string())?;
        write_new(&self.file, text.as_bytes(), 0o600)?;
        let (id, public) = (key.public().id(), String::from(key.public()));
        let told = if self.json {
            format!("{:#}\n", json!({ "file": self.file, "id": id.to_string(), "public": public }))
        } else {
            format!("{}: key {id}\npublic: {public}\n", self.file.display())
        };
        output.data(told).map_err(|error| error.to_string())?;
        Ok(Exit::Fine)
    }
}
