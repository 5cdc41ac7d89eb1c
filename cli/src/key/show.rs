//! `switchyard key show`: what a key file, or a root, says to those who may know.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use switchyard_mapsync_protocol::envelope::{LONGEST, Signed};
use switchyard_mapsync_protocol::root::{Role, Root};

use super::{MAX_KEY, read, secret};
use crate::output::{Exit, Output};

/// Show the public half of a key, or whose keys count by a root
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing secret is shown.

Exit codes: 0 fine; 2 the file is neither a key nor a root.

Examples:
  switchyard key show ann.key
  switchyard key show root.json --json")]
pub(super) struct Arguments {
    /// A key file, or a root
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn show(&self, output: &mut Output) -> Result<Exit, String> {
        let octets = read(&self.file, LONGEST as u64)?;
        let told = match Signed::from_json(&octets).and_then(|signed| Ok((signed.read::<Root>()?, signed))) {
            Ok((root, signed)) => self.root(&root, &signed),
            Err(_) if octets.len() as u64 <= MAX_KEY => self.key(&self.file)?,
            Err(error) => return Err(format!("{}: neither a key nor a root: {error}", self.file.display())),
        };
        output.data(told).map_err(|error| error.to_string())?;
        Ok(Exit::Fine)
    }

    fn key(&self, file: &Path) -> Result<String, String> {
        let public = secret(file)?.public();
        let (id, public) = (public.id(), String::from(public));
        Ok(if self.json {
            format!("{:#}\n", json!({ "id": id.to_string(), "public": public }))
        } else {
            format!("key {id}\npublic: {public}\n")
        })
    }

    fn root(&self, root: &Root, signed: &Signed) -> String {
        let roles =
            [("root", &root.roles.root), ("push", &root.roles.push), ("release", &root.roles.release)];
        if self.json {
            let roles = roles.map(|(name, role)| (name.to_owned(), told(role)));
            let told = json!({
                "environment": root.environment.to_string(),
                "version": root.version,
                "expires": root.expires.0,
                "hash": signed.hash().to_string(),
                "roles": Value::Object(roles.into_iter().collect()),
            });
            return format!("{told:#}\n");
        }
        let mut text = format!(
            "root {} of the environment {}, until {}\n{}\n",
            root.version,
            root.environment,
            super::root::date(root.expires),
            signed.hash()
        );
        for (name, role) in roles {
            let keys: Vec<String> = role.keys.iter().map(|key| key.id().to_string()).collect();
            text.push_str(&format!("{name}: {} of {}\n", role.threshold, keys.join(", ")));
        }
        text
    }
}

fn told(role: &Role) -> Value {
    let keys =
        role.keys.iter().map(|key| json!({ "id": key.id().to_string(), "public": String::from(*key) }));
    json!({ "threshold": role.threshold, "keys": keys.collect::<Vec<_>>() })
}
