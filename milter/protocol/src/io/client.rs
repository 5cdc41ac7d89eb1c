//! The MTA's side over sockets: a [`Pool`] for each filter, and a [`Session`] with it for each client of ours.
//!
//! A session goes: [`Session::tell`] connect and helo; then for each message envfrom, envrcpt, data, and
//! [`Session::message`] for header, body and end; [`Session::abort`] when a message is dropped, [`Session::close`] at
//! the end. Each gives an [`Outcome`]. A [`Chain`] does so with several filters in a row.
//!
//! What holds:
//! - Whatever a filter does, an outcome comes within the [`Times`]; a filter that stalls, dies or talks nonsense
//!   gives what [`WhenDown`] says, never half of its edits.
//! - When the place that we talk to is lost, the next one of the pool is told all that this session and this message
//!   had so far; nobody else sees it.
//! - A connection is kept for the next client if the filter can do that.
//! - There are never more connections than are set. What waits for one is bounded in number and time, and one between
//!   two messages gives way to it.

mod alarm;
mod chain;
mod endpoint;
mod link;
mod metrics;
mod pool;
mod room;
mod session;
mod shadow;

use std::time::Duration;

pub use chain::{Chain, Filtered};
pub use endpoint::Endpoint;
pub use link::{Cause, LinkError};
pub use metrics::ClientMetrics;
pub use pool::Pool;
pub use session::Session;
pub use shadow::Shadow;

use crate::edit::Edit;
use crate::mta::EditLimits;
use crate::negotiate::Options;
use crate::reply::ReplyText;
use crate::response::Action;
use crate::stage::Stage;

/// One filter, as it is set up.
#[derive(Debug, Clone)]
pub struct FilterOptions {
    /// Its name, in metrics and logs.
    pub name: Box<str>,
    /// Where it is: any of these does the same.
    pub places: Vec<Endpoint>,
    /// How long we wait.
    pub times: Times,
    /// What happens when it is nowhere to be had.
    pub when_down: WhenDown,
    /// What we offer.
    pub offer: Options,
    /// Bounds on its edits.
    pub edits: EditLimits,
    /// Connections that are kept for the next client; none for filters that do not bear it.
    pub kept: usize,
    /// Connections at once, those that are kept among them.
    pub connections: usize,
    /// Sessions that wait for one of them, each for as long as for a connection to stand.
    pub waiting: usize,
}

impl FilterOptions {
    /// With the usual times, all that there is on offer, and mail put off while it is down.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, places: Vec<Endpoint>) -> Self {
        Self {
            name: name.into(),
            places,
            times: Times::default(),
            when_down: WhenDown::Tempfail,
            offer: Options::offer(),
            edits: EditLimits::default(),
            kept: 0,
            connections: 1000,
            waiting: 1000,
        }
    }
}

/// How long we wait for a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// For a connection, its TLS and the options.
    pub connect: Duration,
    /// For an answer to the envelope.
    pub envelope: Duration,
    /// For an answer to header and body.
    pub content: Duration,
    /// For an answer to the end of a message, or a sign of life.
    pub end: Duration,
    /// For all answers to one message together, signs of life or not, in one place or many.
    pub total: Duration,
    /// A place that failed is asked last for so long.
    pub shun: Duration,
    /// A connection is kept unused for so long.
    pub idle: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            envelope: Duration::from_secs(30),
            content: Duration::from_secs(30),
            end: Duration::from_secs(300),
            total: Duration::from_secs(480),
            shun: Duration::from_secs(30),
            idle: Duration::from_secs(60),
        }
    }
}

impl Times {
    const fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Eom => self.end,
            Stage::Header | Stage::Eoh | Stage::Body => self.content,
            _ => self.envelope,
        }
    }
}

/// What happens to mail while a filter is nowhere to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenDown {
    /// It is put off.
    Tempfail,
    /// It goes on as if there were no filter.
    Accept,
    /// It is refused.
    Reject,
    /// It is taken, and held.
    Quarantine,
}

/// What to do after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What to change, at the end of a message that goes on.
    pub edits: Vec<Edit>,
    /// Who says so.
    pub by: By,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// The filter.
    Filter,
    /// The setting for when it is down.
    WhenDown,
}

/// The filter's last word on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    GoOn,
    /// 5yz.
    Reject,
    /// 4yz.
    Tempfail,
    /// This very reply.
    Reply(ReplyText),
    /// Say 250 and drop the message.
    Discard,
    /// 421, and close the client's connection.
    Shutdown,
    /// Break the client's connection.
    Break,
}

impl Verdict {
    /// As a label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::GoOn => "go_on",
            Self::Reject => "reject",
            Self::Tempfail => "tempfail",
            Self::Reply(_) => "reply",
            Self::Discard => "discard",
            Self::Shutdown => "shutdown",
            Self::Break => "break",
        }
    }
}

impl From<Action> for Verdict {
    fn from(action: Action) -> Self {
        match action {
            // Whether more is asked is the conversation's business.
            Action::Continue | Action::Accept | Action::Skip => Self::GoOn,
            Action::Reject => Self::Reject,
            Action::Tempfail => Self::Tempfail,
            Action::Reply(reply) => Self::Reply(reply),
            Action::Discard => Self::Discard,
            Action::Shutdown => Self::Shutdown,
            Action::ConnFail => Self::Break,
        }
    }
}

impl Outcome {
    /// Go on, nothing changed.
    const GO_ON: Self = Self { verdict: Verdict::GoOn, edits: Vec::new(), by: By::Filter };

    fn when_down(policy: WhenDown, stage: Stage, name: &str) -> Self {
        let verdict = match policy {
            WhenDown::Tempfail => Verdict::Tempfail,
            WhenDown::Reject => Verdict::Reject,
            WhenDown::Accept | WhenDown::Quarantine => Verdict::GoOn,
        };
        let held = policy == WhenDown::Quarantine && stage == Stage::Eom;
        let reason = || Edit::Quarantine(format!("filter {name} is down").into());
        Self { verdict, edits: if held { vec![reason()] } else { Vec::new() }, by: By::WhenDown }
    }
}

#[cfg(test)]
mod tests;
