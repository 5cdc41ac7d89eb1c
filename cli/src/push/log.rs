//! `switchyard log`: who pushed what, when and why.

use clap::Args;
use serde_json::json;
use switchyard_mapsync_protocol::release::{ALL, Release};

use super::fleet::printable;
use super::{With, date, text, with_hubs};
use crate::output::{Exit, Output};

/// Show the generations that were pushed, newest first, and what is released
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 fine; 2 no hub can be asked.

Example:
  switchyard log --count 5")]
pub(crate) struct Arguments {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    count: u16,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    with: With,
}

impl Arguments {
    pub(super) fn log(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let mut admin = self.with.open()?.meet(output).await?;
            let listed = admin.hub().generations(self.count.into()).await.map_err(text)?;
            let release = admin.release();
            if self.json {
                let generations = listed.iter().map(|one| {
                    json!({
                        "generation": one.generation,
                        "hash": one.hash,
                        "created": one.created.0,
                        "expires": one.expires.0,
                        "author": one.author,
                        "note": one.note,
                        "files": one.files,
                        "bytes": one.bytes,
                    })
                });
                let told = json!({ "release": release, "generations": generations.collect::<Vec<_>>() });
                output.data(format_args!("{told:#}\n")).map_err(text)?;
                return Ok(Exit::Fine);
            }
            for one in listed {
                let released = release.filter(|release| release.generation == one.generation);
                let released = released.map(|release| format!("  [{}]", whom(release))).unwrap_or_default();
                let (at, by, why) = (date(one.created), printable(&one.author), printable(&one.note));
                let line = format!("{:>6}  {at}  {by}  {why}{released}\n", one.generation);
                output.data(line).map_err(text)?;
            }
            Ok(Exit::Fine)
        })
    }
}

/// Which hosts a release moves.
fn whom(release: &Release) -> String {
    match release {
        Release { undo: true, .. } => "undone".to_owned(),
        Release { halted: true, .. } => "halted".to_owned(),
        Release { permille: ALL, .. } => "released to all hosts".to_owned(),
        Release { permille, canaries, .. } => {
            format!("released to {} of a hundred hosts and {} by name", permille / 10, canaries.len())
        }
    }
}
