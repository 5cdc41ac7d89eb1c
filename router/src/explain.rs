//! What this router would do with a message, and why: its own rooms decide, on a snapshot of the maps that
//! takes notes.
//!
//! For each recipient: is it taken ([`judge`]), what does it stand for ([`rewrite`]), and for each address
//! behind it: its class, where it goes ([`resolve`]), the hosts to be tried there, in the order of the
//! settings, and in whose name it leaves ([`is_forwarded`]). Nothing is looked up in the DNS and no host is
//! asked.

use std::net::SocketAddr;
use std::time::SystemTime;

use switchyard_maps::explain::{Explanation, Message, Notes, Outcome};
use switchyard_maps::{Destination, ExpandError, Hop, Nexthop, Resolved, Snapshot, Unavailable};
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::envelope::Recipient;
use switchyard_smtp::reply::table;
use switchyard_smtp::server::Client;

use crate::accept::ByListener;
use crate::deliver::AskedBefore;
use crate::deliver::outgoing::asked_about;
use crate::policy::recipient::{Judged, Question, judge, judge_rewritten};
use crate::policy::relay::RelayOptions;
use crate::route::RouteOptions;
use crate::route::class::classify;
use crate::route::forward::is_forwarded;
use crate::route::resolve::resolve;
use crate::route::rewrite::{self, RewriteError};

/// What a router decides by.
#[derive(Debug, Clone)]
pub(crate) struct Rooms<'a> {
    /// Our host's name.
    pub(crate) host: &'a str,
    pub(crate) relay: &'a RelayOptions,
    pub(crate) route: &'a RouteOptions,
    /// The mail filters that are asked, by name.
    pub(crate) filters: Vec<&'a str>,
    /// Those that only watch.
    pub(crate) watching: Vec<&'a str>,
    /// Listeners that have filters of their own.
    pub(crate) by_listener: &'a [ByListener],
    /// Those that are asked about mail on its way out, and about which of it.
    pub(crate) leaving: &'a [AskedBefore],
    /// Why SRS is left out, if it is.
    pub(crate) without_srs: Option<&'a str>,
    /// The time.
    pub(crate) now: SystemTime,
}

impl Rooms<'_> {
    /// Judges and routes a message as a session and an attempt would.
    pub(crate) fn explain(&self, maps: &Snapshot, message: &Message) -> Explanation {
        let (maps, mut notes) = Notes::begin(maps, "router", self.host, None);
        let Some(standing) = notes.welcome(&maps, message) else { return notes.end() };
        let may_relay = self.may_relay(message, &mut notes);
        let sender = message.from.clone().unwrap_or(ReversePath::Null);
        let mut taken = Vec::new();
        for path in &message.to {
            let Some(standing) = notes.welcome_recipient(&maps, &standing, path) else { continue };
            let question = Question { may_relay, sender: &sender, path };
            let judged = judge_rewritten(self.route, path, self.now)
                .unwrap_or_else(|| judge(&maps, self.route, &question));
            let unavailable = judged == Judged::Unavailable;
            let answer = judged.verdict().map(|()| table::RECIPIENT_OK);
            if notes.answered(path, &standing, answer, unavailable) && standing.discard().is_none() {
                taken.push(path);
            }
        }
        if taken.is_empty() {
            return notes.end();
        }
        notes.filtered(&standing, &self.filters, &self.watching);
        for (listener, names) in self.by_listener {
            notes.filtered_at(listener, &standing, names, &self.watching);
        }
        if let Some(why) = self.without_srs {
            notes.decided("forward", &sender, Outcome::GoesOn, &format_args!("SRS is left out here: {why}"));
        }
        let Some(sender) = rewritten_sender(&maps, &sender, &mut notes) else { return notes.end() };
        for path in taken {
            for recipient in self.rewritten(&maps, path, &mut notes) {
                self.routed(&maps, &sender, &recipient, &mut notes);
            }
        }
        notes.end()
    }

    fn may_relay(&self, message: &Message, notes: &mut Notes) -> bool {
        let Some(address) = message.client else { return false };
        let address = SocketAddr::new(address, 0);
        let client = Client { address, hello: None, tls: None, verified: false, forwarded: None };
        let may_relay = self.relay.may_relay(&client);
        let says = if may_relay { "may send to any domain" } else { "may send to our domains only" };
        notes.decided("relay", &address.ip(), Outcome::GoesOn, &says);
        may_relay
    }

    /// What a recipient stands for, and nothing where that is not known.
    fn rewritten(&self, maps: &Snapshot, path: &ForwardPath, notes: &mut Notes) -> Vec<Recipient> {
        match rewrite::expand(maps, self.route, &Recipient::new(path.clone()), self.now) {
            Ok(made) => {
                let list: Vec<String> = made.iter().map(|one| one.forward_path.to_string()).collect();
                match &*list {
                    [one] => notes.decided("rewrite", path, Outcome::GoesOn, one),
                    _ => {
                        let says = format!("{} addresses", list.len());
                        notes.listed("rewrite", path, Outcome::GoesOn, &says, list);
                    }
                }
                made
            }
            Err(error) => {
                no_end(notes, "rewrite", path, &error);
                Vec::new()
            }
        }
    }

    /// Where an address goes, and in whose name.
    fn routed(&self, maps: &Snapshot, sender: &ReversePath, recipient: &Recipient, notes: &mut Notes) {
        let path = &recipient.forward_path;
        let Some(mailbox) = self.route.mailbox(path) else { return };
        match classify(maps, &self.route.origin, &mailbox.host) {
            Ok(class) => notes.decided("class", path, Outcome::GoesOn, &class.as_str()),
            Err(why) => return unknown(notes, "class", path, &why),
        }
        let resolved = resolve(maps, self.route, sender, path);
        let (outcome, says) = match &resolved {
            Ok(Resolved::Deliver(destination)) => (Outcome::GoesOn, destination.to_string()),
            Ok(Resolved::Refuse(notice)) => (Outcome::Refused, format!("{} {}", notice.status, notice.text)),
            Ok(Resolved::Defer(notice)) => (Outcome::PutOff, format!("{} {}", notice.status, notice.text)),
            Ok(Resolved::Discard(reason)) => (Outcome::Discarded, reason.to_string()),
            Ok(Resolved::Hold(reason)) => (Outcome::Held, reason.to_string()),
            Err(why) => (Outcome::Unavailable, why.to_string()),
        };
        notes.decided("route", path, outcome, &says);
        let Ok(Resolved::Deliver(destination)) = resolved else { return };
        self.asked_before(&destination, notes);
        self.targets(&destination, notes);
        match (is_forwarded(maps, self.route, sender, recipient), &self.route.srs) {
            (Ok(true), Some(srs)) => {
                let says = format!("leaves with a reverse-path at {} (SRS)", srs.domain());
                notes.decided("forward", path, Outcome::GoesOn, &says);
            }
            (Ok(_), _) => {}
            (Err(why), _) => unknown(notes, "forward", path, &why),
        }
    }

    /// The filters that are asked before mail goes there, but for those that only watch.
    fn asked_before(&self, destination: &Destination, notes: &mut Notes) {
        let counts = |name: &&str| !self.watching.iter().any(|watching| watching == name);
        let list: Vec<String> =
            asked_about(self.leaving, destination).filter(counts).map(str::to_owned).collect();
        if !list.is_empty() {
            let says = "asked in this order before it leaves; what they say, goes";
            notes.listed("filters", destination, Outcome::GoesOn, &says, list);
        }
    }

    /// The hops behind a destination, in the order in which they are tried.
    fn targets(&self, destination: &Destination, notes: &mut Notes) {
        let pools = &self.route.pools;
        let turns = "by turns, the others stand by";
        let (says, hops) = match &destination.nexthop {
            Nexthop::Pool(name) => (turns, pools.all(name)),
            Nexthop::Hashed { pool, member: Some(member) } => {
                ("the first by this address, the others stand by", pools.behind(pool, member))
            }
            Nexthop::Hashed { pool, member: None } => (turns, pools.all(pool)),
            other => ("in this order", other.hops().to_vec()),
        };
        let list = hops.iter().map(target).collect();
        notes.listed("targets", destination, Outcome::GoesOn, &says, list);
    }
}

/// How the sender is written from here on; none when that is not known.
fn rewritten_sender(maps: &Snapshot, sender: &ReversePath, notes: &mut Notes) -> Option<ReversePath> {
    match rewrite::sender(maps, sender) {
        Ok(written) => {
            if written != *sender {
                notes.sender_rewritten(sender, &written);
            }
            Some(written)
        }
        Err(error) => {
            no_end(notes, "sender rewrite", sender, &error);
            None
        }
    }
}

fn no_end(notes: &mut Notes, stage: &str, about: &dyn std::fmt::Display, error: &RewriteError) {
    let outcome = match error {
        RewriteError::Expand(ExpandError::Unavailable(_)) => Outcome::Unavailable,
        _ => Outcome::of(&error.reply()),
    };
    notes.listed(stage, about, outcome, &error.reply(), vec![error.to_string()]);
}

fn unknown(notes: &mut Notes, stage: &str, path: &ForwardPath, why: &Unavailable) {
    notes.decided(stage, path, Outcome::Unavailable, why);
}

/// A hop, and what is to be found out about it when mail goes there.
fn target(hop: &Hop) -> String {
    match hop {
        Hop::Mx { domain, .. } => format!("{hop} (the mail exchangers of {domain}, by the DNS)"),
        Hop::Host { .. } | Hop::Unix(_) => hop.to_string(),
    }
}
