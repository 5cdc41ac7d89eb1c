//! Verbs, as lines begin with them and as metrics name them.

/// The verbs that a metric or a log line may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the verb it names")]
pub enum Verb {
    Connect,
    Helo,
    Ehlo,
    Lhlo,
    Mail,
    Rcpt,
    Data,
    EndOfData,
    Bdat,
    StartTls,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    Xclient,
    Xforward,
    Unknown,
}

impl Verb {
    /// As a label: lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::Ehlo => "ehlo",
            Self::Lhlo => "lhlo",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::EndOfData => "end_of_data",
            Self::Bdat => "bdat",
            Self::StartTls => "starttls",
            Self::Rset => "rset",
            Self::Noop => "noop",
            Self::Vrfy => "vrfy",
            Self::Help => "help",
            Self::Quit => "quit",
            Self::Xclient => "xclient",
            Self::Xforward => "xforward",
            Self::Unknown => "unknown",
        }
    }
}

/// The verb that a line begins with.
pub(super) fn verb_of(word: &[u8]) -> Verb {
    const VERBS: [(&[u8], Verb); 16] = [
        (b"MAIL", Verb::Mail),
        (b"RCPT", Verb::Rcpt),
        (b"DATA", Verb::Data),
        (b"BDAT", Verb::Bdat),
        (b"EHLO", Verb::Ehlo),
        (b"HELO", Verb::Helo),
        (b"LHLO", Verb::Lhlo),
        (b"QUIT", Verb::Quit),
        (b"RSET", Verb::Rset),
        (b"NOOP", Verb::Noop),
        (b"STARTTLS", Verb::StartTls),
        (b"VRFY", Verb::Vrfy),
        (b"EXPN", Verb::Vrfy),
        (b"HELP", Verb::Help),
        (b"XCLIENT", Verb::Xclient),
        (b"XFORWARD", Verb::Xforward),
    ];
    VERBS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map_or(Verb::Unknown, |(_, verb)| *verb)
}
