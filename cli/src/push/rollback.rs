//! `switchyard rollback`: the files of an older generation, as a new one.

use clap::Args;
use switchyard_mapsync::admin::Wish;

use super::desk::Desk;
use super::release::Hosts;
use super::{With, text, with_hubs};
use crate::output::{Exit, Output};

/// Sign the files of an older generation as a new one, and release it
#[derive(Debug, Args)]
#[command(after_help = "\
Hosts never go back to an older generation: they get a new one that says what the old one said. Those that still have \
the old files fetch nothing.

Exit codes: 0 done; 1 somebody else was faster, or only a part was done: look, and do it again; 2 nothing was done, and why is said; 3 its \
rollout has begun, and the end was not heard: it goes on.

Example:
  switchyard log && switchyard rollback 11 --note 'generation 12 refused mail for sales'")]
pub(crate) struct Arguments {
    /// The generation whose files are wanted
    #[arg(value_name = "N")]
    generation: u64,
    /// Why, for those who read the log
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    hosts: Hosts,
    #[command(flatten)]
    with: With,
}

impl Arguments {
    pub(super) fn roll_back(&self, output: &mut Output) -> Result<Exit, String> {
        with_hubs(async {
            let office = self.with.open()?;
            let (push_keys, keys) = (office.push_keys()?, office.release_keys()?);
            let admin = office.meet(output).await?;
            let mut desk = Desk { office: &office, admin, keys, output };
            office.bring_unsure(&mut desk.admin, &[], desk.output).await?;
            let (_, old) = desk.admin.generation(self.generation).await.map_err(text)?;
            let note = self.note.clone().unwrap_or_else(|| format!("as generation {}", self.generation));
            let (author, lifetime) = (office.settings.author.clone(), office.lifetime());
            let wish = Wish { author, note, lifetime, files: old.files, hub_is_lost: false };
            let at = match desk.admin.push(wish, &push_keys).await {
                Ok(at) => at,
                Err(error) if error.lost_the_race() => {
                    desk.output.say(error).map_err(text)?;
                    return Ok(Exit::Wrong);
                }
                Err(error) if error.is_unsure() => {
                    let what = format!("{error}\nwhether the hubs have it is not known: switchyard log");
                    desk.output.say(what).map_err(text)?;
                    return Ok(Exit::Wrong);
                }
                Err(error) => return Err(error.to_string()),
            };
            desk.say_lost()?;
            let told = format!("generation {} says what {} said\n", at.generation, self.generation);
            desk.output.data(told).map_err(text)?;
            if desk.keys.is_empty() {
                return Ok(Exit::Fine);
            }
            match self.hosts.put_in_use(&mut desk, at).await {
                Err(why) => {
                    let number = at.generation;
                    let what =
                        format!("{why}\nit is not released as far as is known: switchyard release {number}");
                    desk.output.say(what).map_err(text)?;
                    Ok(Exit::Wrong)
                }
                told => told,
            }
        })
    }
}
