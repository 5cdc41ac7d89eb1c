//! Which router, and which of its messages.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use switchyard_config::{RouterSettings, Settings};
use switchyard_router::queue::select::{Pattern, QueueName, Selector};

use super::words;
use crate::control::Control;

/// Where a router of this machine answers, when nothing is said.
const USUAL: &str = "/run/switchyard-router/control.sock";

/// The router that is asked.
#[derive(Debug, Args)]
pub(super) struct Router {
    /// The router's control socket, or its settings file, which names it
    #[arg(long, value_name = "SOCKET|FILE", default_value = USUAL)]
    router: PathBuf,
}

impl Router {
    /// Its control socket.
    pub(super) fn control(&self) -> Result<Control, String> {
        if self.router.extension().is_none_or(|extension| extension != "toml") {
            return Ok(Control::new(&self.router));
        }
        let settings =
            <RouterSettings as Settings>::load(&self.router).map_err(|faults| faults.to_string())?;
        let why = || {
            format!("{}: no `control.socket` is set, so nobody can ask this router", self.router.display())
        };
        settings.common.control.as_deref().map(Control::new).ok_or_else(why)
    }
}

/// The messages that are meant: those that fit all that is said.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which messages (all that is said must fit)")]
pub(super) struct Which {
    /// These messages, by their ids
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// In this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<Place>,
    /// From this sender; <> is the null sender
    #[arg(long, value_name = "PATTERN")]
    sender: Option<String>,
    /// To this recipient
    #[arg(long, value_name = "PATTERN")]
    recipient: Option<String>,
    /// To a recipient of this domain
    #[arg(long, value_name = "PATTERN")]
    domain: Option<String>,
    /// To a recipient whose mail goes there now: `[mx1]:25`, `smtp:example.org`
    #[arg(long, value_name = "PATTERN")]
    next_hop: Option<String>,
    /// To a recipient for whom the last attempt was answered so: '4.7.*', '*greylisted*'
    #[arg(long, value_name = "PATTERN")]
    last_reply: Option<String>,
    /// On hold for this reason
    #[arg(long, value_name = "PATTERN")]
    why: Option<String>,
    /// Here for longer than this: 30m, 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = words::time)]
    older: Option<Duration>,
    /// Here for less than this
    #[arg(long, value_name = "TIME", value_parser = words::time)]
    younger: Option<Duration>,
    /// Larger than this: 500KB, 10M
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    larger: Option<u64>,
    /// Smaller than this
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    smaller: Option<u64>,
}

/// A queue, as a word of the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Place {
    Incoming,
    Active,
    Deferred,
    Hold,
}

impl Which {
    /// As the router is asked.
    pub(super) fn selector(&self) -> Result<Selector, String> {
        let pattern = |text: &Option<String>| text.as_deref().map(Pattern::new);
        let selector = Selector {
            ids: self.ids.clone(),
            queue: self.queue.map(|place| match place {
                Place::Incoming => QueueName::Incoming,
                Place::Active => QueueName::Active,
                Place::Deferred => QueueName::Deferred,
                Place::Hold => QueueName::Hold,
            }),
            sender: pattern(&self.sender),
            recipient: pattern(&self.recipient),
            domain: pattern(&self.domain),
            next_hop: pattern(&self.next_hop),
            last_reply: pattern(&self.last_reply),
            reason: pattern(&self.why),
            older: self.older.map(|time| time.as_secs()),
            younger: self.younger.map(|time| time.as_secs()),
            larger: self.larger,
            smaller: self.smaller,
        };
        if self.ids.len() > MOST_IDS {
            return Err(format!("{} ids at once; {MOST_IDS} at most", self.ids.len()));
        }
        selector.queue_ids()?;
        Ok(selector)
    }
}

/// As many as fit into one question.
const MOST_IDS: usize = 4000;
