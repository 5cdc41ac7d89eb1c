//! What other hubs took is heard, by the rules of a host.
//!
//! What no host would take is passed over. What only a clock speaks against was in time for the hub that took it, so it
//! is heard again until it is taken or something newer is.

use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::trust::{Refused, Taken, Trusted};

use super::{Entry, Turn};
use crate::hub::board::{Kind, NotKept};
use crate::hub::order::Place;
use crate::hub::store::heads::Message;

/// What came of messages that were heard.
#[derive(Debug)]
pub(crate) struct Heard {
    /// What no host would take.
    pub(crate) refused: usize,
    pub(crate) waits: Waits,
}

/// Whether the newest of a kind waits for a clock: made later than now, or expired by now, and nothing newer came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    head: bool,
    release: bool,
}

impl Waits {
    /// Whether anything does.
    pub(crate) fn any(self) -> bool {
        self.head || self.release
    }

    fn set(&mut self, kind: Kind, waits: bool) {
        match kind {
            Kind::Root | Kind::Plan => {}
            Kind::Head => self.head = waits,
            Kind::Release => self.release = waits,
        }
    }
}

impl Turn {
    /// Takes what other hubs took, in its order. What no host would take is passed over. While something waits for a
    /// clock the place in the ledger stays before it, so that it is heard again. Nothing is shown yet. Blocks on the
    /// disk.
    pub(crate) fn hear(
        &mut self,
        entries: &[Entry],
        place: Option<&Place>,
        mut waits: Waits,
        now: Timestamp,
    ) -> Result<Heard, NotKept> {
        let mut next = self.trusted.clone();
        let (mut messages, mut refused) = (Vec::new(), 0);
        let mut planned = self.planned(self.board.heads.plan(&self.name)?.as_deref());
        for entry in entries {
            let kind = entry.kind;
            let heard = match kind {
                Kind::Root => root_heard(&mut next, &entry.octets),
                Kind::Head => head_heard(&mut next, &entry.octets, now),
                Kind::Release => self.release_heard(&mut next, entry, now)?,
                Kind::Plan => match Plan::from_json(&entry.octets, next.root()) {
                    // One that is over says what happened, until there is another.
                    Ok(plan) if plan.last() > planned => {
                        planned = plan.last();
                        Ok(vec![Message::Plan(&entry.octets)])
                    }
                    Ok(_) => Ok(Vec::new()),
                    Err(error) => {
                        refused += 1;
                        tracing::warn!(kind = kind.as_str(), %error, "passed over: another hub has it");
                        continue;
                    }
                },
            };
            match heard {
                Ok(heard) => {
                    messages.extend(heard);
                    waits.set(kind, false);
                }
                // Here is something newer already.
                Err(Refused::Rollback { .. }) => waits.set(kind, false),
                Err(Refused::RootStep { have, next }) if have < next => {}
                // It was in time for the hub that took it: one of the clocks is wrong, or it is of old.
                Err(error @ (Refused::Future { .. } | Refused::Expired { .. })) => {
                    refused += 1;
                    waits.set(kind, true);
                    tracing::debug!(kind = kind.as_str(), %error, "not taken yet: another hub has it");
                }
                Err(error) => {
                    refused += 1;
                    tracing::warn!(kind = kind.as_str(), %error, "passed over: another hub has it");
                }
            }
        }
        let place = place.filter(|_| !waits.any()).map(Place::to_octets);
        if !messages.is_empty() || place.is_some() {
            self.board.heads.keep(&self.name, &next.to_json()?, &messages, place.as_deref())?;
        }
        *self.trusted = next;
        Ok(Heard { refused, waits })
    }

    /// A release may name a head that is kept here, or came with it, and is not among the few that are remembered.
    fn release_heard<'e>(
        &self,
        next: &mut Trusted,
        entry: &'e Entry,
        now: Timestamp,
    ) -> Result<Result<Vec<Message<'e>>, Refused>, NotKept> {
        let release = Message::Release(&entry.octets);
        let chosen = match next.accept_release(&entry.octets, now) {
            Err(Refused::UnknownHead(chosen)) => chosen,
            taken => return Ok(taken.map(|_| vec![release])),
        };
        if let Some(head) = &entry.head {
            let taken = next.accept_release_with(&entry.octets, head, now);
            return Ok(taken.map(|_| vec![Message::Head(chosen.generation, head), release]));
        }
        Ok(match self.board.heads.head(&self.name, chosen.generation)? {
            Some(head) => next.accept_release_with(&entry.octets, &head, now).map(|_| vec![release]),
            None => Err(Refused::UnknownHead(chosen)),
        })
    }
}

fn root_heard<'e>(next: &mut Trusted, octets: &'e [u8]) -> Result<Vec<Message<'e>>, Refused> {
    next.accept_root(octets)?;
    Ok(vec![Message::Root(next.root().version, octets)])
}

fn head_heard<'e>(next: &mut Trusted, octets: &'e [u8], now: Timestamp) -> Result<Vec<Message<'e>>, Refused> {
    let (Taken::New(head) | Taken::Known(head)) = next.accept_head(octets, now)?;
    Ok(vec![Message::Head(head.generation, octets)])
}
