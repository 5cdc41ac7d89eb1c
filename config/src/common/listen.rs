//! `[[listen.smtp]]`: where SMTP is listened for, and its like of other daemons.

use std::sync::Arc;

use switchyard_daemon::sockets::ListenOn;

use crate::reader::Section;

/// One place to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in logs and metrics.
    pub name: String,
    /// An address to bind, or a socket that systemd holds.
    pub socket: ListenOn,
    /// Whether each connection starts with a PROXY header (mx only).
    pub proxy_protocol: bool,
    /// The mail filters asked about mail that comes in here, where others than the usual ones are.
    pub milters: Option<Arc<[Box<str>]>>,
}

pub(crate) fn listeners(section: &mut Section<'_>, list: &'static str, edge: bool) -> Vec<Listener> {
    let mut taken: Vec<ListenOn> = Vec::new();
    let listeners = section.each(list, |section| {
        let listener = listener(section, list, edge);
        // Port 0 is any free port: two of these are two.
        let any_port = matches!(&listener.socket, ListenOn::Address(address) if address.port() == 0);
        if taken.contains(&listener.socket) && !any_port {
            section.fault(&["socket"], format!("`{}` is listened on twice", listener.socket));
        }
        taken.push(listener.socket.clone());
        listener
    });
    if !section.has(list) || section.is_empty_list(list) {
        section.fault(&[list], format!("no socket to listen on: [[listen.{list}]] with `socket` is needed"));
    }
    listeners
}

fn listener(section: &mut Section<'_>, list: &str, edge: bool) -> Listener {
    let socket: ListenOn = section
        .live("socket", "An address with port to bind, or `systemd:NAME` for a socket that systemd holds.")
        .restart_where(|on| matches!(on, ListenOn::Systemd(_)))
        .required();
    let milters = if list == "smtp" { milters(section) } else { None };
    if !edge {
        return Listener { name: socket.to_string(), socket, proxy_protocol: false, milters };
    }
    Listener {
        name: section
            .live("name", "Name in logs and metrics; the socket's own text without it.")
            .optional()
            .unwrap_or_else(|| socket.to_string()),
        socket,
        proxy_protocol: section
            .live("proxy_protocol", "Each connection starts with a PROXY header, version 1 or 2.")
            .or(false),
        milters,
    }
}

fn milters(section: &mut Section<'_>) -> Option<Arc<[Box<str>]>> {
    let is_given = section.has("milters");
    let names: Vec<String> = section
        .live("milters", "Mail filters asked about mail that comes in here, in this order; without it, those of `accept.milters`.")
        .list(Vec::new());
    is_given.then(|| names.into_iter().map(Box::from).collect())
}

/// Puts back what a running daemon cannot change: systemd passes its sockets to a process that starts, and one
/// that it has must not be left with nobody who accepts. True when something was put back.
pub(crate) fn hold_inherited<T>(
    before: &[T],
    now: &mut Vec<T>,
    systemd: impl Fn(&T) -> Option<&str>,
    put_back: impl Fn(&T) -> T,
) -> bool {
    let stands_in = |sockets: &[T], name: &str| sockets.iter().any(|socket| systemd(socket) == Some(name));
    let wanted = now.len();
    now.retain(|socket| systemd(socket).is_none_or(|name| stands_in(before, name)));
    let is_missing = |socket: &&T| systemd(socket).is_some_and(|name| !stands_in(now, name));
    let missing: Vec<T> = before.iter().filter(is_missing).map(put_back).collect();
    let is_changed = now.len() != wanted || !missing.is_empty();
    now.extend(missing);
    is_changed
}

impl Listener {
    /// Systemd's name of its socket, if systemd holds it.
    pub(super) fn systemd(&self) -> Option<&str> {
        match &self.socket {
            ListenOn::Systemd(name) => Some(name),
            ListenOn::Address(_) => None,
        }
    }

    /// Filters of its own may be gone with it: what comes in there is asked about as everywhere.
    pub(super) fn put_back(&self) -> Self {
        Self { milters: None, ..self.clone() }
    }
}
