//! `[limits]`: the bounds of sessions and messages. Those of one session are the SMTP core's own struct,
//! and so are their defaults.

use std::time::Duration;

use switchyard_smtp::server::Limits as SessionLimits;

use super::Defaults;
use crate::reader::Section;
use crate::words::Size;

/// Bounds of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of one session.
    pub session: SessionLimits,
    /// Open sessions at once.
    pub sessions: usize,
    /// Open sessions of one network (IPv4 /32, IPv6 /64) at once; 0 is no bound.
    pub sessions_per_network: usize,
    /// Octets of message content in memory at once, over all sessions.
    pub content_memory: u64,
    /// In percent of `sessions`: from there on sessions are short.
    pub stress_percent: u8,
    /// For running transactions to end when the daemon stops.
    pub drain_deadline: Duration,
}

pub(super) fn limits(section: &mut Section<'_>, defaults: &Defaults) -> Limits {
    Limits {
        sessions: section
            .live("sessions", "Open sessions at once; a newcomer over it gets 421.")
            .at_least(1_usize)
            .at_most(1_000_000_usize)
            .or(10_000),
        sessions_per_network: if defaults.edge { sessions_per_network(section) } else { 0 },
        session: session_limits(section, defaults.edge),
        content_memory: section
            .live("content_memory", "Message content in memory at once, over all sessions.")
            .at_least(Size(1 << 20))
            .or(Size(defaults.content_memory))
            .0,
        stress_percent: if defaults.edge { stress_percent(section) } else { 100 },
        drain_deadline: section
            .live("drain_deadline", "For running transactions to end when the daemon stops.")
            .at_most(Duration::from_secs(3600))
            .or(Duration::from_secs(30)),
    }
}

fn session_limits(section: &mut Section<'_>, edge: bool) -> SessionLimits {
    let known = SessionLimits::default();
    let size = |octets: usize| Size(octets as u64);
    let message_size = section
        .live("message_size", "Size of a message; also what SIZE offers.")
        .at_least(size(64 << 10)) // RFC 5321 §4.5.3.1.7
        .or(Size(known.message_size))
        .0;
    SessionLimits {
        message_size,
        // A client that ignores the refusal is read past as much again, to answer it in step; then it is cut.
        discarded_message: message_size.saturating_mul(2),
        command_line: section
            .live("command_line", "A command line with its line end.")
            .at_least(Size(2048))
            .at_most(Size(64 << 10))
            .or(size(known.command_line))
            .octets(),
        header_size: section
            .live("header_size", "A message's header as a whole.")
            .at_least(Size(4096))
            .or(size(known.header_size))
            .octets(),
        header_fields: section
            .live("header_fields", "Fields of a message's header.")
            .at_least(50_usize)
            .or(known.header_fields),
        text_line: section
            .live("line_length", "The longest line of a message, with its line end.")
            .at_least(Size(1000)) // RFC 5321 §4.5.3.1.6
            .or(size(known.text_line))
            .octets(),
        recipients: section
            .live("recipients", "Recipients of one message; the next gets 452.")
            .at_least(100_usize) // RFC 5321 §4.5.3.1.8
            .or(known.recipients),
        recipient_overshoot: section
            .live("recipient_overshoot", "Recipients refused over `recipients` before the session is closed.")
            .or(known.recipient_overshoot),
        junk_commands: section
            .live("junk_commands", "Commands that do nothing, between two messages, before 421.")
            .at_least(1_usize)
            .or(known.junk_commands),
        errors: section
            .live("errors", "Commands refused with 5yz before 421.")
            .at_least(1_usize)
            .or(known.errors),
        hops: section
            .live("hops", "Received fields of a message; one more is a loop.")
            .at_least(50_usize)
            .or(known.hops),
        command_timeout: section
            .live("command_timeout", "For one whole command, however slowly it drips.")
            .at_least(Duration::from_secs(1))
            .or(known.command_timeout),
        stress_command_timeout: if edge {
            stress_command_timeout(section, known.stress_command_timeout)
        } else {
            known.stress_command_timeout
        },
        data_timeout: section
            .live("data_timeout", "For a message's content, besides what it needs at `min_data_rate`.")
            .at_least(Duration::from_secs(1))
            .or(known.data_timeout),
        data_rate: section
            .live("min_data_rate", "Content in a second; what is slower is cut.")
            .at_least(Size(1))
            .or(Size(known.data_rate))
            .0,
        tls_timeout: section
            .live("tls_handshake_timeout", "For the TLS handshake.")
            .at_least(Duration::from_secs(1))
            .or(known.tls_timeout),
        greeting_wait: section
            .live(
                "greeting_wait",
                "How long to listen for clients that talk before the greeting; 0s only looks.",
            )
            .at_most(Duration::from_secs(60))
            .or(known.greeting_wait),
        // Not settings: how long a broken peer is put up with.
        discarded_line: known.discarded_line,
        stray_lines: known.stray_lines,
        write_timeout: known.write_timeout,
    }
}

// ---- what only a daemon that meets the world has ----

fn sessions_per_network(section: &mut Section<'_>) -> usize {
    section
        .live("sessions_per_network", "Open sessions at once of one IPv4 address or IPv6 /64; 0 is no bound.")
        .at_most(1_000_000_usize)
        .or(50)
}

fn stress_percent(section: &mut Section<'_>) -> u8 {
    section
        .live("stress_percent", "In percent of `sessions`: from there on, sessions are short.")
        .at_least(1_u8)
        .at_most(100_u8)
        .or(80)
}

fn stress_command_timeout(section: &mut Section<'_>, known: Duration) -> Duration {
    section
        .live("stress_command_timeout", "For one whole command while sessions are short.")
        .at_least(Duration::from_secs(1))
        .or(known)
}
