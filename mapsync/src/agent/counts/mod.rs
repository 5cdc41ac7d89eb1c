//! What the host's daemon does with mail, by its own metrics: a rollout compares hosts that have a new set with those
//! that do not.
//!
//! The daemon is asked again and again where its settings say that it tells them, more often for a while after a
//! flip. What it counts is told as what was added since the agent began. What was added over a flip belongs to
//! neither set, and is left out. What its candidate would answer otherwise is told with that candidate's name, and
//! counts for the set that waits here only if it is the same: the daemon is told of another one a while after we are.
//! A daemon that does not answer adds nothing: to a rollout, no mail where others have some is no good sign.

mod ask;
mod page;
mod socket;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use switchyard_daemon::metrics::Gauge;
use switchyard_daemon::sockets::ListenOn;
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::status::Counters;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use self::page::Page;
use super::deaths::{SYSTEMCTL, Watched};

/// Messages and recipients, by what became of them, and answers that the set to come would give otherwise although
/// nobody meant that; as [`Counters`] has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mail([u64; 5]);

/// What became of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    Rejected,
    Deferred,
    Bounced,
    Differing,
}

/// How often a candidate would have answered what nobody meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Surprises {
    /// Its maps, as `switchyard_maps::installed::identity` names them.
    pub(super) candidate: String,
    pub(super) count: u64,
}

/// What was added while a set was in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) set: HeadRef,
    pub(super) mail: Mail,
    /// Of the candidate that the daemon asked.
    pub(super) surprises: Option<Surprises>,
    /// The set came into use a short while ago: how it does is waited for.
    pub(super) is_awaited: bool,
}

/// How often a daemon is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    usual: Duration,
    /// For a while after a flip.
    soon: Duration,
}

impl Pace {
    pub(super) const USUAL: Self = Self { usual: Duration::from_secs(5), soon: Duration::from_secs(2) };
}

impl Mail {
    pub(super) fn count(&mut self, fate: Fate, more: u64) {
        let count = &mut self.0[fate as usize];
        *count = count.saturating_add(more);
    }

    pub(super) fn add(&mut self, more: Self) {
        self.0.iter_mut().zip(more.0).for_each(|(count, more)| *count = count.saturating_add(more));
    }

    /// What was added; a daemon whose counters fell began anew.
    fn since(self, before: Self) -> Self {
        let mut since = self.0.iter().zip(before.0);
        if since.clone().any(|(now, before)| *now < before) {
            return self;
        }
        Self(std::array::from_fn(|_| since.next().map_or(0, |(now, before)| now - before)))
    }

    /// As a hub is told, with the daemon's deaths.
    pub(super) fn told(self, deaths: u64) -> Counters {
        let Self([taken, rejected, deferred, bounced, differing]) = self;
        Counters { taken, rejected, deferred, bounced, differing, deaths }
    }
}

/// What was read last, and by which set the daemon went then.
#[derive(Debug, Default)]
struct Tally(Option<(HeadRef, Page)>);

impl Tally {
    /// Takes a daemon's counters, and gives what was added by the set that it goes by.
    fn read(&mut self, set: HeadRef, now: Page) -> Option<(Mail, Option<Surprises>)> {
        let (mail, surprises) = (now.mail, now.surprises.clone());
        let before = self.0.replace((set, now));
        let (_, before) = before.filter(|(before, _)| *before == set)?;
        let added = (mail.since(before.mail), surprises.and_then(|now| now.since(before.surprises)));
        Some(added).filter(|added| *added != (Mail::default(), None))
    }
}

impl Surprises {
    /// What was added. Each candidate's count begins at nothing, and so does that of one which is asked again.
    fn since(self, before: Option<Self>) -> Option<Self> {
        let before = before.filter(|before| before.candidate == self.candidate);
        let count = before.and_then(|before| self.count.checked_sub(before.count)).unwrap_or(self.count);
        (count > 0).then_some(Self { count, ..self })
    }
}

/// Where a daemon that listens so is asked from its own host; none where the settings have only the name of a socket.
pub(super) fn address(metrics: &ListenOn) -> Option<SocketAddr> {
    match metrics {
        ListenOn::Address(address) if address.ip().is_unspecified() => {
            let own = match address.ip() {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            };
            Some(SocketAddr::new(own, address.port()))
        }
        ListenOn::Address(address) => Some(*address),
        ListenOn::Systemd(_) => None,
    }
}

/// A daemon whose socket systemd holds, and where that is, if it was found.
#[derive(Debug, Default)]
struct Found {
    of: Option<HeadRef>,
    place: Option<SocketAddr>,
    /// When the service manager was asked.
    asked: Option<Instant>,
}

impl Found {
    /// Where the daemon is asked: by its settings, or by the service manager's word.
    async fn place(&mut self, daemon: &Watched) -> Option<SocketAddr> {
        // No mail passes a hub.
        if daemon.metrics.is_some() || daemon.daemon == HUB {
            return daemon.metrics;
        }
        let is_known = self.place.is_some() || self.asked.is_some_and(|asked| asked.elapsed() < AWAITED);
        if self.of != Some(daemon.set) || !is_known {
            let (name, settings) = (daemon.daemon.clone(), daemon.settings.clone());
            let listens = move || socket::listens(SYSTEMCTL, &name, &settings);
            let place = tokio::task::spawn_blocking(listens).await.ok().flatten();
            *self = Self { of: Some(daemon.set), place, asked: Some(Instant::now()) };
        }
        self.place
    }
}

/// Says what is added, of whatever daemon is to be watched; `seen` is 1 while it says so. It ends when nobody asks.
pub(super) async fn count(
    mut which: watch::Receiver<Option<Watched>>,
    to: mpsc::Sender<Counted>,
    seen: Gauge,
    pace: Pace,
) {
    let (mut tally, mut found) = (Tally::default(), Found::default());
    let (mut of, mut since) = (None, Instant::now());
    loop {
        let daemon = which.borrow_and_update().clone();
        let now = match &daemon {
            Some(daemon) => found.place(daemon).await.map(|place| (daemon.set, place)),
            None => None,
        };
        if now != of {
            (of, since) = (now, Instant::now());
        }
        let is_awaited = since.elapsed() < AWAITED;
        match now {
            Some((set, address)) => match ask::page(address).await {
                Ok(page) => {
                    seen.set(1);
                    if let Some((mail, surprises)) = tally.read(set, page::read(&page))
                        && to.send(Counted { set, mail, surprises, is_awaited }).await.is_err()
                    {
                        return;
                    }
                }
                Err(error) => {
                    if seen.get() == 1 {
                        tracing::warn!(%error, %address, "the daemon does not say what it does with mail");
                    }
                    seen.set(0);
                    // It may listen elsewhere by now.
                    found.place = None;
                }
            },
            None => seen.set(0),
        }
        let pause = if is_awaited { pace.soon } else { pace.usual };
        if let Ok(Err(_gone)) = timeout(pause, which.changed()).await {
            return;
        }
    }
}

/// The daemon that has no mail.
const HUB: &str = "hub";
/// How long a set is new, and how long a service manager that knows nothing is not asked again.
const AWAITED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
