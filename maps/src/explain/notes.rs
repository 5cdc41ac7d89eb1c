//! An explanation while it is made.

use std::fmt::Display;
use std::net::IpAddr;

use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::reply::Reply;

use super::{Asked, Explanation, Message, Outcome, Step};
use crate::access::Access;
use crate::access::standing::{self, Ruling, Standing};
use crate::answer::{Answer, Found};
use crate::snapshot::Snapshot;
use crate::trace::Trace;

/// An explanation while it is made.
#[derive(Debug)]
pub struct Notes {
    trace: Trace,
    made: Explanation,
}

impl Notes {
    /// Takes notes from here on: of the questions to the snapshot it gives back, and of each decision.
    #[must_use]
    pub fn begin(maps: &Snapshot, daemon: &str, host: &str, address: Option<IpAddr>) -> (Snapshot, Self) {
        let (maps, trace) = maps.traced();
        let made = Explanation {
            host: host.to_owned(),
            daemon: daemon.to_owned(),
            address,
            steps: Vec::new(),
            taken: Vec::new(),
        };
        (maps, Self { trace, made })
    }

    /// A decision has been made, by what was asked since the last one.
    pub fn decided(&mut self, stage: &str, about: &dyn Display, outcome: Outcome, says: &dyn Display) {
        self.listed(stage, about, outcome, says, Vec::new());
    }

    /// The same, with several of what was decided.
    pub fn listed(
        &mut self,
        stage: &str,
        about: &dyn Display,
        outcome: Outcome,
        says: &dyn Display,
        list: Vec<String>,
    ) {
        self.made.steps.push(Step {
            stage: stage.to_owned(),
            about: about.to_string(),
            asked: self.trace.take().into_iter().map(Asked::from).collect(),
            outcome,
            says: says.to_string(),
            list,
        });
    }

    /// The mail filters whose word counts, in their order: of those that a table chose for the client, or of the usual
    /// ones, all but those that only watch. What they would say nobody knows before.
    pub fn filtered(&mut self, standing: &Standing, usual: &[impl AsRef<str>], watching: &[impl AsRef<str>]) {
        let counts = |name: &&str| !watching.iter().any(|watching| watching.as_ref() == *name);
        let list: Vec<String> = match standing.milters() {
            Some(chosen) => chosen.iter().map(|name| &**name).filter(counts).map(str::to_owned).collect(),
            None => usual.iter().map(AsRef::as_ref).filter(counts).map(str::to_owned).collect(),
        };
        if list.is_empty() && standing.milters().is_some() {
            self.decided(
                "filters",
                &"the message",
                Outcome::GoesOn,
                &"none is asked about this client's mail",
            );
        } else if !list.is_empty() {
            let says = "asked in this order; what they say, goes";
            self.listed("filters", &"the message", Outcome::GoesOn, &says, list);
        }
    }

    /// The same of a listener that has filters of its own: which one a client connects to is not asked.
    pub fn filtered_at(
        &mut self,
        listener: &str,
        standing: &Standing,
        names: &[impl AsRef<str>],
        watching: &[impl AsRef<str>],
    ) {
        if standing.milters().is_some() {
            return;
        }
        let counts = |name: &&str| !watching.iter().any(|watching| watching.as_ref() == *name);
        let list: Vec<String> = names.iter().map(AsRef::as_ref).filter(counts).map(str::to_owned).collect();
        let says = if list.is_empty() { "none is asked there" } else { "asked there, in this order" };
        self.listed("filters", &format_args!("the message at {listener}"), Outcome::GoesOn, &says, list);
    }

    /// What the access tables say before there is a recipient: of the client, its HELO, and the sender. Where
    /// the message gives none of them, nobody is asked. None when the client is refused.
    pub fn welcome(&mut self, maps: &Snapshot, message: &Message) -> Option<Standing> {
        let mut standing = Standing::default();
        if let Some(address) = message.client {
            let answer = maps.access_client(message.name.as_deref(), address);
            self.ruled(&mut standing, standing::Asked::Client, answer, &address)?;
        }
        if let Some(name) = &message.helo {
            self.ruled(&mut standing, standing::Asked::Helo, maps.access_helo(name), name)?;
        }
        if let Some(path) = &message.from {
            self.ruled(&mut standing, standing::Asked::Sender, maps.access_sender(path), path)?;
        }
        Some(standing)
    }

    /// What the access tables say of a recipient. None when it is refused.
    pub fn welcome_recipient(
        &mut self,
        maps: &Snapshot,
        standing: &Standing,
        path: &ForwardPath,
    ) -> Option<Standing> {
        let mut standing = standing.clone();
        if let ForwardPath::Mailbox(mailbox) = path {
            let answer = maps.access_recipient(mailbox);
            self.ruled(&mut standing, standing::Asked::Recipient, answer, path)?;
        }
        Some(standing)
    }

    fn ruled(
        &mut self,
        standing: &mut Standing,
        asked: standing::Asked,
        answer: Answer<Found<Access>>,
        about: &dyn Display,
    ) -> Option<()> {
        let stage = match asked {
            standing::Asked::Client => "client",
            standing::Asked::Helo => "helo",
            standing::Asked::Sender => "sender",
            standing::Asked::Recipient => "recipient",
        };
        let ruling = standing.hear(asked, answer);
        let Some(reply) = ruling.reply(asked) else {
            // Where no table was asked, nobody decided. Whether a recipient is taken is the next decision, with
            // these questions in front.
            if asked != standing::Asked::Recipient && !self.trace.is_empty() {
                self.decided(stage, about, Outcome::GoesOn, &"welcome");
            }
            return Some(());
        };
        let outcome = match ruling {
            Ruling::CannotKnow(_) => Outcome::Unavailable,
            _ => Outcome::of(&reply),
        };
        self.decided(stage, about, outcome, &reply);
        None
    }

    /// The answer to RCPT has been found, `unavailable` when a map could not say. What a table said before is
    /// applied to it. True when the recipient is taken.
    pub fn answered(
        &mut self,
        path: &ForwardPath,
        standing: &Standing,
        answer: Result<Reply, Reply>,
        unavailable: bool,
    ) -> bool {
        let answer = match answer {
            Ok(taken) => standing.permitted().map(|()| taken),
            Err(reply) => Err(standing.refused(reply)),
        };
        match &answer {
            Ok(reply) => {
                let (outcome, why) = match (standing.discard(), standing.hold()) {
                    (Some(why), _) => (Outcome::Discarded, Some(why)),
                    (None, Some(why)) => (Outcome::Held, Some(why)),
                    (None, None) => (Outcome::GoesOn, None),
                };
                let list = why.map(|why| format!("by an access table: {why}"));
                self.listed("recipient", path, outcome, reply, list.into_iter().collect());
                self.made.taken.push(path.to_string());
            }
            Err(reply) => {
                let outcome = if unavailable { Outcome::Unavailable } else { Outcome::of(reply) };
                self.decided("recipient", path, outcome, reply);
            }
        }
        answer.is_ok()
    }

    /// How the sender is written from here on.
    pub fn sender_rewritten(&mut self, from: &ReversePath, to: &ReversePath) {
        self.decided("sender rewrite", from, Outcome::GoesOn, to);
    }

    /// All that was noted.
    #[must_use]
    pub fn end(self) -> Explanation {
        self.made
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::access::standing::Asked as Asking;
    use crate::answer::Place;
    use crate::name::MapName;
    use crate::options::MapOptions;
    use crate::set::MapSet;
    use crate::swap::MapHandle;

    /// The filters that an explanation lists, and what it says of them.
    fn listed(chosen: Option<&str>) -> (Vec<String>, String) {
        let maps = MapHandle::new(MapSet::from_texts(&MapOptions::default(), &[]).unwrap()).snapshot();
        let (_maps, mut notes) = Notes::begin(&maps, "mx", "mx.example", None);
        let mut standing = Standing::default();
        if let Some(text) = chosen {
            let place = Place { map: MapName::ClientAccess, file: Arc::from(Path::new("access")), line: 1 };
            let answer = Answer::Found(Found { value: text.parse().unwrap(), place });
            assert_eq!(standing.hear(Asking::Client, answer), Ruling::Pass);
        }
        notes.filtered(&standing, &["spam"], &["trial"]);
        let step = notes.end().steps.pop().unwrap();
        (step.list, step.says)
    }

    #[test]
    fn a_filter_that_only_watches_is_not_said_to_decide() {
        for (chosen, list, says) in [
            (None, &["spam"][..], "asked in this order; what they say, goes"),
            (Some("MILTERS trial, sign"), &["sign"], "asked in this order; what they say, goes"),
            (Some("MILTERS trial"), &[], "none is asked about this client's mail"),
            (Some("MILTERS none"), &[], "none is asked about this client's mail"),
        ] {
            let (listed, said) = listed(chosen);
            assert_eq!(
                (listed.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), &*said),
                (list, says)
            );
        }
    }
}
