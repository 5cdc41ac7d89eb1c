//! The verbs that change something: hold, release, retry, reroute, bounce, delete.

use std::io;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use switchyard_router::queue::order::{Order, Request, Tally};

use super::ask;
use super::which::{Router, Which};
use super::words::count;
use crate::output::{Exit, Output};

/// What all of them have in common.
#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    which: Which,
    /// All mail in the queue is meant
    #[arg(long)]
    all: bool,
    /// Count only, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) router: Router,
}

/// Put mail on hold: nothing is tried until somebody releases it
#[derive(Debug, Args)]
#[command(after_help = "\
What is being delivered right now is put on hold when its attempt has ended, if anything is left of it. A change of \
the maps does not release what was put on hold by hand.

Exit codes: 0 it was done; 2 nothing is selected, or it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue hold --sender 'bulk@*' --reason 'asking the customer'
  switchyard queue hold --larger 10M --domain example.org --dry-run")]
pub(super) struct Hold {
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", default_value = "put on hold by hand")]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// Release mail that is on hold: it is tried now
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it was done; 2 nothing on hold is selected, or it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue release --why 'asking the customer'
  switchyard queue release 3kBcDfGhJ2
  switchyard queue release --all")]
pub(super) struct Release {
    #[command(flatten)]
    common: Common,
}

/// Try deferred mail now, also at destinations that were left alone
#[derive(Debug, Args)]
#[command(after_help = "\
Mail on hold stays there: release it.

Exit codes: 0 it was done; 2 nothing is selected, or it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue retry --next-hop '[mx1]:25'
  switchyard queue retry --last-reply '4.7.*' --older 2h
  switchyard queue retry --all")]
pub(super) struct Retry {
    #[command(flatten)]
    common: Common,
}

/// Send mail to another next hop, whatever the maps say
#[derive(Debug, Args)]
#[command(after_help = "\
Only the recipients that are selected go elsewhere, now and until they are delivered. Mail on hold stays there, and \
goes the new way when it is released.

Exit codes: 0 it was done; 2 nothing is selected, or it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue reroute --next-hop '[mx1]:25' --to 'smtp:[mx2]:25'
  switchyard queue reroute --domain example.org --as-mapped")]
pub(super) struct Reroute {
    /// Where to, as in a transport map: `smtp:[host]:port`, `lmtp:[host]:port`, `smtp:@pool`
    #[arg(long, value_name = "NEXT HOP", required_unless_present = "as_mapped")]
    to: Option<String>,
    /// By the maps again
    #[arg(long, conflicts_with = "to")]
    as_mapped: bool,
    #[command(flatten)]
    common: Common,
}

/// Give mail up, and tell its senders
#[derive(Debug, Args)]
#[command(after_help = "\
Only the recipients that are selected are given up: other recipients of the same message are still tried. Mail with \
the null sender is dropped in silence, as reports must be.

Exit codes: 0 it was done; 2 nothing is selected, or it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue bounce --domain exmaple.org --reason 'there is no such domain'
  switchyard queue bounce --recipient old@example.org --older 3d --dry-run")]
pub(super) struct Bounce {
    /// Why, for the sender
    #[arg(long, value_name = "TEXT", default_value = "the postmaster gave this message up")]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// Give mail up, and tell nobody
#[derive(Debug, Args)]
#[command(after_help = "\
Only the recipients that are selected are given up: other recipients of the same message are still tried. It can't \
be taken back.

Exit codes: 0 it was done; 2 nothing is selected, or it can't be done: nothing was \
changed; 3 the router goes on with it, and its end was not heard.

Examples:
  switchyard queue delete --sender '<>' --recipient 'forged@example.org' --dry-run
  switchyard queue delete 3kBcDfGhJ2")]
pub(super) struct Delete {
    /// Why, for the log
    #[arg(long, value_name = "TEXT", default_value = "deleted by hand")]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// How counts are told of a verb.
pub(super) struct Told {
    /// `put on hold`.
    pub(super) done: &'static str,
    /// Of what is being delivered right now.
    pub(super) later: &'static str,
    /// Of what the order changed nothing about.
    pub(super) before: &'static str,
    /// Where an order that means no mail is one all the same.
    pub(super) of_none: Option<&'static str>,
}

impl Hold {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let told = Told {
            done: "put on hold",
            later: "being delivered right now: on hold when the attempt has ended",
            before: "on hold by hand before",
            of_none: None,
        };
        self.common.carry_out(Order::Hold { reason: self.reason.clone() }, &told, output)
    }
}

impl Release {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let told = Told {
            done: "released",
            later: "being delivered right now",
            before: "gone meanwhile",
            of_none: None,
        };
        self.common.carry_out(Order::Release, &told, output)
    }
}

impl Retry {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let told = Told {
            done: "due now",
            later: "being delivered right now",
            before: "waiting for a turn before",
            of_none: None,
        };
        self.common.carry_out(Order::Retry, &told, output)
    }
}

impl Reroute {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let told = Told {
            done: "rerouted",
            later: "being delivered right now: what is left of it goes the new way",
            before: "routed so before",
            of_none: None,
        };
        self.common.carry_out(Order::Reroute { to: self.to.clone() }, &told, output)
    }
}

impl Bounce {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let told = Told {
            done: "bounced",
            later: "being delivered right now: what is left of it bounces",
            before: "gone meanwhile",
            of_none: None,
        };
        self.common.carry_out(Order::Bounce { reason: self.reason.clone() }, &told, output)
    }
}

impl Delete {
    pub(super) fn run(&self, output: &mut Output) -> io::Result<Exit> {
        let told = Told {
            done: "deleted",
            later: "being delivered right now: what is left of it is deleted",
            before: "gone meanwhile",
            of_none: None,
        };
        self.common.carry_out(Order::Delete { reason: self.reason.clone() }, &told, output)
    }
}

impl Common {
    pub(super) fn carry_out(&self, order: Order, told: &Told, output: &mut Output) -> io::Result<Exit> {
        let asked = self.which.selector().and_then(|select| Ok((select, self.router.control()?)));
        let (select, control) = match asked {
            Ok(asked) => asked,
            Err(why) => {
                output.say(why)?;
                return Ok(Exit::Misuse);
            }
        };
        if select.is_empty() && !self.all {
            output.say("which messages? select some, or say --all")?;
            return Ok(Exit::Misuse);
        }
        let request = Request { order, select, all: self.all, dry_run: self.dry_run };
        let bar = ProgressBar::new_spinner();
        let told_of = |tally: &Tally| bar.set_message(format!("{} messages", tally.matched));
        let ordered = ask::order(&control, &request, told_of);
        bar.finish_and_clear();
        let tally = match ordered {
            Ok(tally) => tally,
            Err(error) => {
                output.say(&error)?;
                return Ok(error.exit());
            }
        };
        if tally.matched == 0
            && !self.json
            && let Some(words) = told.of_none
        {
            output.data(format_args!("{words}\n"))?;
            return Ok(Exit::Fine);
        }
        if tally.matched == 0 && told.of_none.is_none() {
            output.say("nothing in the queue is selected; nothing was changed")?;
            return Ok(Exit::Misuse);
        }
        match self.json {
            true => output.data(format_args!("{:#}\n", json!(tally)))?,
            false => output.data(self.in_words(&tally, told))?,
        }
        Ok(Exit::Fine)
    }

    fn in_words(&self, tally: &Tally, told: &Told) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        let mut text = format!(
            "{} to {} selected\n{:>8} {would}{}\n",
            count(tally.matched, "message"),
            count(tally.recipients, "recipient"),
            tally.changed,
            told.done
        );
        for (number, words) in [(tally.under_way, told.later), (tally.unchanged, told.before)] {
            if number > 0 {
                text += &format!("{number:>8} {words}\n");
            }
        }
        if self.dry_run {
            text += "nothing was changed\n";
        }
        text
    }
}
