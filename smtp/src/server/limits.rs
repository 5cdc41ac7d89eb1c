//! Every bound of a session, with the defaults of a public MX.

use std::time::Duration;

/// Bounds of one session. Counts and octets are held by the session, times by whoever drives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a command line with its CR LF. RFC 5321 §4.5.3.1.4 asks for 512 and more with extensions.
    pub command_line: usize,
    /// Octets of a line without end that are read past before the session is closed.
    pub discarded_line: usize,
    /// Octets of a message; also what `SIZE` offers (RFC 1870).
    pub message_size: u64,
    /// Octets read past of a message over its size before the session is closed.
    pub discarded_message: u64,
    /// Octets of a message's header.
    pub header_size: usize,
    /// Fields of a message's header.
    pub header_fields: usize,
    /// Octets of the longest line of a message. RFC 5321 §4.5.3.1.6 says 998; real mail has more.
    pub text_line: usize,
    /// Recipients of one transaction; 100 at least (RFC 5321 §4.5.3.1.8).
    pub recipients: usize,
    /// Refused recipients over the limit before the session is closed.
    pub recipient_overshoot: usize,
    /// Commands that do nothing (NOOP, RSET, HELO, VRFY, empty chunks…) between two messages.
    pub junk_commands: usize,
    /// Commands answered with 5yz.
    pub errors: usize,
    /// Command lines with a stray CR, LF or NUL.
    pub stray_lines: usize,
    /// Received fields of a message (RFC 5321 §6.3: 100 at least).
    pub hops: usize,
    /// For one whole command, however slowly its octets drip (RFC 5321 §4.5.3.2.7: five minutes).
    pub command_timeout: Duration,
    /// The same, when sessions are short.
    pub stress_command_timeout: Duration,
    /// Content may take this long, and on top what it needs at [`Self::data_rate`].
    pub data_timeout: Duration,
    /// Octets a second below which content is too slow.
    pub data_rate: u64,
    /// For the TLS handshake.
    pub tls_timeout: Duration,
    /// For one write to get through to the client.
    pub write_timeout: Duration,
    /// How long to listen for clients that talk before the greeting; zero only looks once.
    pub greeting_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 4096,
            discarded_line: 64 << 10,
            message_size: 50 << 20,
            discarded_message: 100 << 20,
            header_size: 1 << 20,
            header_fields: 1000,
            text_line: 100_000,
            recipients: 1000,
            recipient_overshoot: 1000,
            junk_commands: 100,
            errors: 20,
            stray_lines: 3,
            hops: 100,
            command_timeout: Duration::from_secs(300),
            stress_command_timeout: Duration::from_secs(10),
            data_timeout: Duration::from_secs(300),
            data_rate: 500,
            tls_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(120),
            greeting_wait: Duration::ZERO,
        }
    }
}
