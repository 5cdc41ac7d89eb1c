//! How this host is, as its gauges, its word to the hubs, and its alarms to people.

use switchyard_maps::installed;
use switchyard_mapsync_protocol::agent::Alarm;
use switchyard_mapsync_protocol::status::{State, Status, reason};

use super::counts::{Counted, Fate};
use super::host::MAPS;
use super::life::Life;
use super::report::disk_free;
use super::services::Left;

impl Life {
    pub(super) fn tell(&mut self) {
        let (now, mut progress) = (self.now(), self.agent.progress());
        let control = self.set.as_ref().and_then(|set| set.control.as_deref());
        if self.own.left.take_if(|left| left.is_done(control)).is_some() {
            Left::keep(None, self.own.disk.folder());
        }
        // What hinders it says more than what is left to do.
        if progress.reason.is_none() {
            progress.reason = self.own.left.as_ref().map(|left| reason(&left.what));
        }
        let heads = [("wanted", progress.wanted), ("staged", progress.staged), ("active", progress.active)];
        let metrics = &self.own.metrics;
        for (state, head) in heads {
            let generation = head.map_or(0, |head| i64::try_from(head.generation).unwrap_or(i64::MAX));
            metrics.generation.with_label_values(&[state]).set(generation);
        }
        metrics.unfit.set(matches!(progress.state, State::Refused | State::Returned).into());
        if let Some(set) = &self.set {
            metrics.age.set(now.0.saturating_sub(set.head.created.0) as f64);
            metrics.left.set(set.head.expires.0 as f64 - now.0 as f64);
            metrics.expired.set((now >= set.head.expires).into());
            self.own.in_use.met();
        }
        self.alarm(self.agent.alarms(now));
        self.said.send_if_modified(|said| {
            // A death is news to a rollout.
            let differs =
                |said: &Status| said.progress != progress || said.counters.deaths != self.own.deaths;
            let is_other = said.as_ref().is_none_or(differs);
            *said = Some(Status {
                environment: self.own.environment.clone(),
                host: self.own.name.clone(),
                role: self.set.as_ref().map(|set| set.role.clone()).unwrap_or_default(),
                site: self.own.site.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                // Above all that was said before a restart, if the clock did not go back; a hub looks at it too.
                nonce: said.as_ref().map_or(now.0.saturating_mul(1000), |said| said.nonce.saturating_add(1)),
                at: now,
                progress,
                counters: self.own.mail.told(self.own.deaths),
                disk_free: disk_free(self.own.disk.folder()),
            });
            is_other
        });
    }

    /// What the daemon did with mail since it was asked last.
    pub(super) fn counted(&mut self, Counted { set, mail, surprises, is_awaited }: Counted) {
        // Asked before a flip and heard after it: it belongs to neither set.
        if self.set.as_ref().is_none_or(|now| now.name != set) {
            return;
        }
        // Until it has started anew it does its mail by the settings before: that says nothing of this set.
        if !self.own.left.as_ref().is_some_and(Left::needs_restart) {
            self.own.mail.add(mail);
        }
        // Of the set that waits here now, and of none that waited before.
        let waits = || installed::identity(&self.own.disk.next().join(MAPS)).ok();
        if let Some(surprises) = surprises.filter(|surprises| waits().as_ref() == Some(&surprises.candidate))
        {
            self.own.mail.count(Fate::Differing, surprises.count);
        }
        self.tell();
        // A rollout looks at those that have the new set, and at those that wait for it.
        if is_awaited || self.agent.progress().state == State::Staged {
            self.said.send_modify(|_the_same| {});
        }
    }

    /// Says each alarm once, when it begins.
    fn alarm(&mut self, alarms: Vec<Alarm>) {
        for alarm in alarms.iter().filter(|alarm| !self.alarms.contains(alarm)) {
            let hub = match alarm {
                Alarm::Hub { hub, .. } => Some(self.hubs.address(*hub)),
                _ => None,
            };
            tracing::warn!(%alarm, hub, "look after this");
        }
        self.own.metrics.alarms.set(i64::try_from(alarms.len()).unwrap_or(i64::MAX));
        self.alarms = alarms;
    }
}
