//! `switchyard key bring`: the next root to a hub, from where every hub and host takes it.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use switchyard_mapsync_protocol::envelope::LONGEST;

use super::{With, date, text, with_hubs};
use crate::output::{Exit, Output};

/// Bring the next root to a hub: from then on its keys count, at every hub and host
#[derive(Debug, Args)]
#[command(after_help = "\
The root is held against the one in force first, as a host does. The certificate in push.toml must be one of the role `admin`. \
Hosts that are away take the roots one after the other when they come back. `root` in push.toml may stay the first one.

Exit codes: 0 the hub has it; 2 it has not, as far as is known, and why is said.

Example:
  switchyard key root --after root.json --push bob.key --sign root.key --out root.2.json && switchyard key bring root.2.json")]
pub(crate) struct Arguments {
    /// The root, signed
    #[arg(value_name = "FILE")]
    root: PathBuf,
    #[command(flatten)]
    with: With,
}

impl Arguments {
    pub(super) fn bring(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let file = self.root.display();
            let mut octets = Vec::new();
            let read = File::open(&self.root);
            let read = read.and_then(|open| open.take(LONGEST as u64 + 1).read_to_end(&mut octets));
            read.map_err(|error| format!("{file}: cannot be read: {error}"))?;
            let mut admin = self.with.open()?.meet(output).await?;
            let root = admin.bring_root(octets).await.map_err(|error| format!("{file}: {error}"))?;
            let (version, until) = (root.version, date(root.expires));
            let told =
                format!("root {version} is in force, until {until}: hosts take it as they hear of it\n");
            output.data(told).map_err(text)?;
            Ok(Exit::Fine)
        })
    }
}
