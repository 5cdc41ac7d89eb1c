//! The signals an operator sends, as wishes.

use std::io;

use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;

/// What the operator wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// SIGHUP: read the settings again.
    Reload,
    /// The first SIGTERM or SIGINT: end when the work in hand is done.
    Drain,
    /// Any further one: end now.
    Exit,
}

/// The stream of wishes of one process, from the system or by hand.
#[derive(Debug)]
pub struct Wishes {
    source: Source,
    asked_to_end: bool,
}

#[derive(Debug)]
enum Source {
    System { hangup: unix::Signal, terminate: unix::Signal, interrupt: unix::Signal },
    Twin(mpsc::Receiver<Wish>),
}

impl Wishes {
    /// Takes the signals over from their default, which would be to end the process at once. Call it before
    /// the process says it is ready.
    pub fn listen() -> io::Result<Self> {
        let source = Source::System {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        };
        Ok(Self { source, asked_to_end: false })
    }

    /// Wishes by hand, for a test and for several daemons in one system process. A second [`Wish::Drain`]
    /// becomes [`Wish::Exit`], as with signals.
    #[must_use]
    pub fn twin() -> (mpsc::Sender<Wish>, Self) {
        let (sender, receiver) = mpsc::channel(16);
        (sender, Self { source: Source::Twin(receiver), asked_to_end: false })
    }

    /// The next wish. Safe to drop at any point.
    pub async fn next(&mut self) -> Wish {
        let wish = match &mut self.source {
            Source::System { hangup, terminate, interrupt } => tokio::select! {
                // An end is never held up by reloads.
                biased;
                _ = terminate.recv() => Wish::Drain,
                _ = interrupt.recv() => Wish::Drain,
                _ = hangup.recv() => Wish::Reload,
            },
            Source::Twin(receiver) => match receiver.recv().await {
                Some(wish) => wish,
                // Nobody is left to wish for anything.
                None => std::future::pending().await,
            },
        };
        match wish {
            Wish::Drain if std::mem::replace(&mut self.asked_to_end, true) => Wish::Exit,
            wish => wish,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn signals_become_wishes() {
        let mut wishes = Wishes::listen().unwrap();
        for (signal, wish) in [
            (Signal::HUP, Wish::Reload),
            (Signal::TERM, Wish::Drain),
            (Signal::HUP, Wish::Reload),
            (Signal::INT, Wish::Exit),
            (Signal::TERM, Wish::Exit),
        ] {
            kill_process(getpid(), signal).unwrap();
            assert_eq!(wishes.next().await, wish, "{signal:?}");
        }
    }

    #[tokio::test]
    async fn a_twin_counts_alike() {
        let (hand, mut wishes) = Wishes::twin();
        for (wish, heard) in
            [(Wish::Reload, Wish::Reload), (Wish::Drain, Wish::Drain), (Wish::Drain, Wish::Exit)]
        {
            hand.send(wish).await.unwrap();
            assert_eq!(wishes.next().await, heard);
        }
    }
}
