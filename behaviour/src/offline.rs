//! Behaviours asked of a site's folder: its settings and maps, and no server.
//!
//! The host that the message comes to is the first of the behaviour's role; behind an mx stands the first router.
//! Their own rooms decide ([`Way::explain`]), and what they say is put together here as a client would see it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use switchyard_config::Site;
use switchyard_config::site::Role;
use switchyard_maps::explain::{self, Explanation, Outcome, Step};
use switchyard_maps::installed::Over;
use switchyard_smtp::reply::table;
use tokio::time::timeout;

use crate::judge::Verdict;
use crate::language::{Behaviour, Said};
use crate::pattern::{Heard, bare};
use crate::seen::{After, Answered, Routed, Seen, Stage, Went};
use crate::way::{Way, WayError};

/// A site's hosts, one way for each role.
#[derive(Debug)]
pub struct Offline {
    ways: BTreeMap<&'static str, Way>,
    deadline: Duration,
}

impl Offline {
    /// Loads the settings and maps that these behaviours need.
    ///
    /// # Errors
    /// When a host's settings are wrong.
    pub fn load(site: &Site, behaviours: &[Behaviour], deadline: Duration) -> Result<Self, WayError> {
        Self::load_over(site, behaviours, deadline, &Over::default())
    }

    /// The same, where an installed set has some of the tables.
    ///
    /// # Errors
    /// As there.
    pub fn load_over(
        site: &Site,
        behaviours: &[Behaviour],
        deadline: Duration,
        over: &Over,
    ) -> Result<Self, WayError> {
        let mut ways = BTreeMap::new();
        for role in behaviours.iter().map(|behaviour| behaviour.role) {
            if ways.contains_key(role.as_str()) {
                continue;
            }
            if let Some(way) = Way::from_role(site, role, over)? {
                ways.insert(role.as_str(), way);
            }
        }
        Ok(Self { ways, deadline })
    }

    /// What is wrong with the maps, each said once.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            self.ways.values().flat_map(Way::faults).map(ToString::to_string).collect();
        faults.sort();
        faults.dedup();
        faults
    }

    /// Asks one behaviour; a table's server may have to be asked, so it takes time.
    pub async fn run(&self, behaviour: &Behaviour) -> Verdict {
        let start = Instant::now();
        let Some(way) = self.ways.get(behaviour.role.as_str()) else {
            let role = behaviour.role.as_str();
            return Verdict::not_asked(format!("needs a host of the role `{role}` in site.toml"));
        };
        if behaviour.said.tls && !way.offers_tls() {
            let why = "STARTTLS would not be offered: the host has no `certificate` in [tls]";
            return Verdict::trouble(why, start.elapsed());
        }
        match timeout(self.deadline, way.explain(&message(&behaviour.said))).await {
            Ok(Ok(explanations)) => {
                let seen = seen(behaviour, &explanations);
                Verdict::of(behaviour, &seen, start.elapsed()).with_away(away(&explanations))
            }
            Ok(Err(error)) => Verdict::trouble(error.to_string(), start.elapsed()),
            Err(_) => {
                let why = format!("no answer from the maps within {:?}", self.deadline);
                Verdict::trouble(why.clone(), start.elapsed()).with_away(Some(why))
            }
        }
    }
}

fn message(said: &Said) -> explain::Message {
    explain::Message {
        client: said.client,
        name: said.client_name.clone(),
        helo: Some(said.helo.clone()),
        from: Some(said.from.clone()),
        to: said.to.clone(),
    }
}

/// Why a table could not be asked, if one could not.
fn away(explanations: &[Explanation]) -> Option<String> {
    let asked = explanations.iter().flat_map(|host| &host.steps).flat_map(|step| &step.asked);
    asked.into_iter().find_map(|asked| match &asked.answer {
        explain::Answer::Unavailable { why } => Some(why.clone()),
        _ => None,
    })
}

/// What a client of the first host would see, and what becomes of the message behind it.
fn seen(behaviour: &Behaviour, explanations: &[Explanation]) -> Seen {
    let front = explanations.first();
    let behind = explanations.get(1);
    let recipients: Vec<String> = behaviour.said.to.iter().map(ToString::to_string).collect();
    let mut answers: Vec<Answered> = recipients.iter().map(|to| answer(front, to, None)).collect();
    if let Some(behind) = behind {
        hand_over(&mut answers, &recipients, behind);
    }
    // A message is taken whole or not at all when it is handed over.
    let is_taken = answers.iter().any(|answer| answer.reply.is_positive());
    let last = explanations.last().filter(|last| last.daemon == "router");
    let after = match last {
        Some(router) if is_taken => After::Maps(routed(&behaviour.said, router)),
        None if is_taken && behaviour.role == Role::Mx => After::NoRouter,
        _ => After::Maps(Vec::new()),
    };
    Seen { answers, after }
}

/// The last word of a host on a recipient. `instead` is the stage at which a client hears it, where that is not
/// the host's own.
fn answer(host: Option<&Explanation>, recipient: &str, instead: Option<Stage>) -> Answered {
    let steps = host.map_or(&[][..], |host| &host.steps);
    let said = |stage: Stage, step: &Step| Answered {
        reply: Heard::read(&step.says).unwrap_or_else(|| Heard::from(&table::LOCAL_ERROR)),
        stage: instead.unwrap_or(stage),
    };
    for step in steps {
        let stage = match step.stage.as_str() {
            "client" => Stage::Connect,
            "helo" => Stage::Helo,
            "sender" => Stage::Mail,
            "recipient" if step.about == recipient => Stage::Rcpt,
            _ => continue,
        };
        if matches!(step.outcome, Outcome::Refused | Outcome::PutOff | Outcome::Unavailable) {
            return said(stage, step);
        }
    }
    // Its text is the server's own: a queue's id.
    let reply = Heard { text: None, ..Heard::from(&table::TAKEN) };
    Answered { reply, stage: Stage::Content }
}

/// What a router behind an mx says to the message as a whole: a client hears it at the end of the content, and
/// where the router says yes to some and no to others, it is put off (see `mx/src/deliver/verdict.rs`).
fn hand_over(answers: &mut [Answered], recipients: &[String], router: &Explanation) {
    let said = |recipient: &String| answer(Some(router), recipient, Some(Stage::Content));
    let taken = answers.iter_mut().zip(recipients).filter(|(answer, _)| answer.reply.is_positive());
    let (mut places, words): (Vec<_>, Vec<Answered>) =
        taken.map(|(place, recipient)| (place, said(recipient))).unzip();
    let no = |answer: &&Answered| !answer.reply.is_positive();
    let put_off = words.iter().find(|answer| answer.reply.code / 100 == 4);
    let verdict = match (put_off, words.iter().filter(no).count()) {
        (_, 0) => return,
        (Some(put_off), _) => put_off.clone(),
        (None, count) if count == words.len() => match words.first() {
            Some(first) => first.clone(),
            None => return,
        },
        (None, _) => Answered {
            reply: Heard { text: None, ..Heard::from(&table::LOCAL_ERROR) },
            stage: Stage::Content,
        },
    };
    for place in &mut places {
        **place = verdict.clone();
    }
}

/// Each address behind the recipients, and where it goes.
fn routed(said: &Said, router: &Explanation) -> Vec<Routed> {
    let steps = &router.steps;
    let held = steps.iter().find(|step| step.stage == "recipient" && step.outcome == Outcome::Held);
    let rewritten = steps.iter().find(|step| step.stage == "sender rewrite");
    let sender = rewritten.map_or_else(|| said.from.to_string(), |step| step.says.clone());
    let mut routed: Vec<Routed> = Vec::new();
    for step in steps {
        match (step.stage.as_str(), routed.last_mut()) {
            ("route", _) => routed.push(Routed {
                to: bare(&step.about).to_owned(),
                from: bare(&sender).to_owned(),
                went: match (held, step.outcome) {
                    (Some(held), _) => Went::Nowhere(format!("held ({})", held.list.join("; "))),
                    (None, Outcome::GoesOn) => Went::To { route: step.says.clone(), hops: Vec::new() },
                    (None, outcome) => Went::Nowhere(format!("{} ({})", word(outcome), step.says)),
                },
            }),
            ("targets", Some(Routed { went: Went::To { hops, .. }, .. })) => hops.clone_from(&step.list),
            ("forward", Some(last)) => {
                if let Some(domain) = srs_domain(&step.says) {
                    last.from = format!("SRS0=…@{domain}");
                }
            }
            _ => {}
        }
    }
    routed
}

/// The domain of the sender that forwarded mail leaves with, as a router's explanation says it.
fn srs_domain(says: &str) -> Option<&str> {
    says.strip_prefix("leaves with a reverse-path at ")?.strip_suffix(" (SRS)")
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::GoesOn => "goes on",
        Outcome::Refused => "refused",
        Outcome::PutOff => "put off",
        Outcome::Unavailable => "nobody knows",
        Outcome::Discarded => "discarded",
        Outcome::Held => "held",
    }
}

#[cfg(test)]
mod tests;
