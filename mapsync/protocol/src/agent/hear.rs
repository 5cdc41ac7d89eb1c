//! What hubs show: taken, or not, and what is asked for next.

use super::{Action, Agent};
use crate::trust::{Refused, Taken};
use crate::words::Timestamp;

impl Agent {
    pub(super) fn head(&mut self, hub: usize, envelope: &[u8], now: Timestamp) -> Result<(), Refused> {
        let trusted = &mut self.kept.trusted;
        let newest = trusted.newest();
        let pending = self.hubs.get_mut(hub).and_then(|heard| heard.pending.take());
        let with = pending.map(|release| (trusted.accept_release_with(&release, envelope, now), release));
        match with {
            Some((Ok(Taken::New(release) | Taken::Known(release)), _)) => self.release = Some(release),
            // Another head than the one that was asked for: the release waits on.
            Some((Err(Refused::UnknownHead(_)), release)) => {
                self.take_head(envelope, now)?;
                if let Some(heard) = self.hubs.get_mut(hub) {
                    heard.pending = Some(release);
                }
            }
            Some((Err(_), _)) | None => self.take_head(envelope, now)?,
        }
        let (name, head) = self.kept.trusted.reread(envelope)?;
        self.known.insert(name, head);
        self.forget();
        if self.kept.trusted.newest() != newest {
            self.first = hub;
        }
        Ok(())
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
            actions.push(Action::AskHead { hub, head });
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
        Ok(())
    }

    /// What follows when a message was not taken.
    pub(super) fn heard(
        &mut self,
        hub: usize,
        taken: Result<(), Refused>,
        chance: u64,
        actions: &mut Vec<Action>,
    ) {
        let refused = taken.err();
        if let Some(heard) = self.hubs.get_mut(hub) {
            heard.refused = refused.as_ref().map(ToString::to_string);
        }
        match refused {
            Some(Refused::UnknownHead(head)) => actions.push(Action::AskHead { hub, head }),
            Some(
                Refused::TooFewSignatures { role: "push" | "release", .. }
                | Refused::Expired { what: "root", .. },
            ) => {
                let version = self.kept.trusted.root().version.saturating_add(1);
                actions.push(Action::AskRoot { hub, version });
            }
            Some(Refused::Fork { what: "generation", number }) => {
                self.kept.trusted.distrust(number);
                self.forget();
            }
            // The hub shows it once, and our clock may be right in a while.
            Some(Refused::Future { .. }) => {
                if let Some(heard) = self.hubs.get_mut(hub) {
                    heard.ahead = true;
                }
                actions.push(Action::Rest(self.rest(chance)));
            }
            _ => {}
        }
    }

    /// Asks anew those who showed what comes from the future.
    pub(super) fn ask_again(&mut self, actions: &mut Vec<Action>) {
        for (hub, heard) in self.hubs.iter_mut().enumerate() {
            if std::mem::take(&mut heard.ahead) {
                actions.push(Action::AskAgain { hub });
            }
        }
    }

    /// Heads that cannot be wanted any more are forgotten.
    pub(super) fn forget(&mut self) {
        let wanted = [self.kept.trusted.newest(), self.kept.trusted.released()];
        self.known.retain(|name, _| wanted.contains(&Some(*name)));
    }
}
