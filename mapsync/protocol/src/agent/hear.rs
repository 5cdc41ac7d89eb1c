//! What hubs show: taken, or not, and what is asked for next.

use super::{Action, Agent, Asked, Doubt, rest};
use crate::head::HeadRef;
use crate::trust::{Refused, Taken};
use crate::words::Timestamp;

impl Agent {
    pub(super) fn head(&mut self, hub: usize, envelope: &[u8], now: Timestamp) -> Result<(), Refused> {
        let trusted = &mut self.kept.trusted;
        let newest = trusted.newest();
        let pending = self.hubs.get_mut(hub).and_then(|heard| heard.pending.take());
        let with = pending.map(|release| (trusted.accept_release_with(&release, envelope, now), release));
        let mut not_now = None;
        match with {
            Some((Ok(Taken::New(release) | Taken::Known(release)), _)) => {
                self.release = Some(release);
                self.known_now(hub);
            }
            // Another head than the one that was asked for: the release waits on.
            Some((Err(Refused::UnknownHead(_)), release)) => {
                self.take_head(envelope, now)?;
                if let Some(heard) = self.hubs.get_mut(hub) {
                    heard.pending = Some(release);
                }
            }
            Some((Err(why), _)) => {
                self.known_now(hub);
                self.take_head(envelope, now)?;
                // The head is fine; its release is of another time.
                not_now = Some(why).filter(|why| matches!(why, Refused::Expired { what: "release", .. }));
            }
            None => self.take_head(envelope, now)?,
        }
        let (name, head) = self.kept.trusted.reread(envelope)?;
        self.known.insert(name, head);
        self.forget();
        if self.kept.trusted.newest() != newest {
            self.first = hub;
        }
        not_now.map_or(Ok(()), Err)
    }

    /// The head that a hub's release names is here.
    fn known_now(&mut self, hub: usize) {
        if let Some(heard) = self.hubs.get_mut(hub) {
            heard.doubt.take_if(|doubt| matches!(doubt.asked, Asked::Head(_)));
        }
    }

    pub(super) fn take_head(&mut self, envelope: &[u8], now: Timestamp) -> Result<(), Refused> {
        match self.kept.trusted.accept_head(envelope, now) {
            // One that was taken before, and asked for again after a restart.
            Err(Refused::Rollback { .. }) if self.kept.trusted.reread(envelope).is_ok() => Ok(()),
            taken => taken.map(drop),
        }
    }

    pub(super) fn release(
        &mut self,
        hub: usize,
        envelope: &[u8],
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let taken = self.kept.trusted.accept_release(envelope, now);
        if matches!(taken, Err(Refused::UnknownHead(_)))
            && let Some(heard) = self.hubs.get_mut(hub)
        {
            heard.pending = Some(envelope.to_vec());
        }
        let (Taken::New(release) | Taken::Known(release)) = taken?;
        let head = release.names();
        if !release.halted && !self.has(head) && !self.known.contains_key(&head) {
            self.ask_head(hub, head, actions);
        }
        self.release = Some(release);
        self.forget();
        Ok(())
    }

    pub(super) fn root(
        &mut self,
        hub: usize,
        envelope: &[u8],
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let before = self.kept.trusted.newest();
        if self.kept.trusted.accept_root(envelope)? == Taken::Known(()) {
            // Who was asked for the next one and shows this one has no other.
            let version = self.kept.trusted.root().version.saturating_add(1);
            self.lacks(hub, Asked::Root(version), actions);
            return Ok(());
        }
        if before.is_some() && self.kept.trusted.newest().is_none() {
            self.kept.anew = true;
        }
        // What the old keys signed may count no more, and is shown again if it does.
        self.release = None;
        self.hubs.iter_mut().for_each(|heard| heard.pending = None);
        self.forget();
        let version = self.kept.trusted.root().version.saturating_add(1);
        actions.extend([Action::AskRoot { hub, version }, Action::AskAgain { hub }]);
        // What others showed before may be signed by these keys, too.
        for (other, heard) in self.hubs.iter_mut().enumerate() {
            if heard.doubt.take().is_some() && other != hub {
                actions.push(Action::AskAgain { hub: other });
            }
        }
        Ok(())
    }

    /// What follows when a message was taken, or not. One that a question may help is not refused before the answer.
    pub(super) fn heard(
        &mut self,
        (hub, what): (usize, &'static str),
        taken: Result<(), Refused>,
        chance: u64,
        actions: &mut Vec<Action>,
    ) {
        let why = match taken {
            Ok(()) => return self.refused(hub, None),
            Err(why) => why,
        };
        let asked = match &why {
            Refused::UnknownHead(head) => Asked::Head(*head),
            Refused::TooFewSignatures { role: "push" | "release", .. }
            | Refused::Expired { what: "root", .. } => {
                Asked::Root(self.kept.trusted.root().version.saturating_add(1))
            }
            Refused::Rollback { what: "generation", have, .. } if self.is_answer(hub, *have) => return,
            _ => return self.not_taken((hub, what), &why, chance, actions),
        };
        match asked {
            Asked::Head(head) => self.ask_head(hub, head, actions),
            Asked::Root(version) => actions.push(Action::AskRoot { hub, version }),
        }
        if let Some(heard) = self.hubs.get_mut(hub) {
            heard.doubt = Some(Doubt { why, what, asked });
        }
    }

    fn not_taken(
        &mut self,
        (hub, what): (usize, &'static str),
        why: &Refused,
        chance: u64,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Refused { hub, what, why: why.word() });
        self.refused(hub, Some(why));
        match why {
            Refused::Fork { what: "generation", number } => {
                self.kept.trusted.distrust(*number);
                self.forget();
            }
            // The hub shows it once, and our clock may be right in a while. One rest is enough for all of it.
            Refused::Future { .. } | Refused::Expired { .. } => {
                let rests = self.hubs.iter().any(|heard| heard.apart);
                if let Some(heard) = self.hubs.get_mut(hub) {
                    heard.apart = true;
                }
                if !rests {
                    actions.push(Action::Rest(rest(&mut self.apart, chance)));
                }
            }
            _ => {}
        }
    }

    /// A hub has not what was asked for, so the message that needs it is refused.
    pub(super) fn lacks(&mut self, hub: usize, asked: Asked, actions: &mut Vec<Action>) {
        let Some(heard) = self.hubs.get_mut(hub) else { return };
        let Some(Doubt { why, what, .. }) = heard.doubt.take_if(|doubt| doubt.asked == asked) else { return };
        actions.push(Action::Refused { hub, what, why: why.word() });
        self.refused(hub, Some(&why));
    }

    fn refused(&mut self, hub: usize, why: Option<&Refused>) {
        if let Some(heard) = self.hubs.get_mut(hub) {
            heard.refused = why.map(ToString::to_string);
        }
    }

    fn ask_head(&mut self, hub: usize, head: HeadRef, actions: &mut Vec<Action>) {
        actions.push(Action::AskHead { hub, head });
        if let Some(heard) = self.hubs.get_mut(hub) {
            heard.asked = Some(head);
        }
    }

    /// Whether a head that is too old by now was asked for here, before another hub showed a newer release.
    fn is_answer(&mut self, hub: usize, generation: u64) -> bool {
        let heard = self.hubs.get_mut(hub);
        heard.is_some_and(|heard| heard.asked.take_if(|head| head.generation == generation).is_some())
    }

    /// Asks anew those who showed what is of another time.
    pub(super) fn ask_again(&mut self, actions: &mut Vec<Action>) {
        let before = actions.len();
        for (hub, heard) in self.hubs.iter_mut().enumerate() {
            if std::mem::take(&mut heard.apart) {
                actions.push(Action::AskAgain { hub });
            }
        }
        if actions.len() == before {
            self.apart = 0;
        }
    }

    /// Heads that cannot be wanted any more are forgotten.
    pub(super) fn forget(&mut self) {
        let wanted = [self.kept.trusted.newest(), self.kept.trusted.released()];
        self.known.retain(|name, _| wanted.contains(&Some(*name)));
    }
}
