//! What a running daemon cannot take: it keeps the old value until it starts anew, and says so.
//!
//! Each setting that is marked `restart` where it is declared is held by a line here or in the daemon's own
//! settings, and no other is: a test walks all of them.

use super::listen::hold_inherited;
use super::{Common, Listener};

/// The settings that are held, by name.
#[derive(Debug, Default)]
pub(crate) struct Hold(Vec<String>);

impl Hold {
    /// Puts the old value back, if it is another.
    pub(crate) fn keep<T: PartialEq + Clone>(&mut self, name: &str, before: &T, now: &mut T) {
        if before != now {
            now.clone_from(before);
            self.0.push(name.to_owned());
        }
    }

    /// Puts sockets of systemd's back, if they are others.
    pub(crate) fn keep_inherited<T>(
        &mut self,
        name: &str,
        before: &[T],
        now: &mut Vec<T>,
        systemd: impl Fn(&T) -> Option<&str>,
        put_back: impl Fn(&T) -> T,
    ) {
        if hold_inherited(before, now, systemd, put_back) {
            self.0.push(name.to_owned());
        }
    }

    /// The same of listeners.
    pub(crate) fn keep_listeners(&mut self, name: &str, before: &[Listener], now: &mut Vec<Listener>) {
        self.keep_inherited(name, before, now, Listener::systemd, Listener::put_back);
    }

    /// What every SMTP server holds.
    pub(crate) fn keep_common(&mut self, before: &Common, now: &mut Common) {
        self.keep_listeners("listen.smtp", &before.listen, &mut now.listen);
        self.keep("metrics.socket", &before.metrics, &mut now.metrics);
        self.keep("log.format", &before.log.format, &mut now.log.format);
    }

    pub(crate) fn names(self) -> Vec<String> {
        self.0
    }
}
