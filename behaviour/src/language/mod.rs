//! The language: `behaviours/*.toml` in a site's folder.
//!
//! ```toml
//! [defaults]
//! from = "ann@example.net"
//!
//! [[behaviour]]
//! name = "a mailbox's mail arrives there"
//! to = "alice@example.org"
//! reply = 250
//! arrives = "mailboxes"
//!
//! [[behaviour]]
//! name = "nobody's mail is refused at RCPT"
//! reply = "550 5.1.1"
//! at = "rcpt"
//! cases = [
//!     { to = "nobody@example.org" },
//!     { to = "alice.@example.org", reply = "501 5.1.3" },
//! ]
//! ```
//!
//! A file's `[defaults]` lie under each of its behaviours, and a behaviour under each of its cases ([`layers`]);
//! what comes out is read key by key (`read.rs`), all faults at once. Strict: an unknown key, a contradiction, a
//! behaviour without anything wanted are faults, with file and line and what would be right.

pub mod layers;
pub mod message;
mod read;
mod table;

use std::net::IpAddr;
use std::path::Path;

use switchyard_config::document::Document;
use switchyard_config::site::Role;
use switchyard_config::{Faults, Place, Site};
use switchyard_smtp::address::{ForwardPath, ReversePath};

pub use message::Message;

use crate::pattern::{Pattern, ReplyPattern};
use crate::seen::Stage;

/// Behaviours of a site at most: more is no text of a person.
pub const MOST: usize = 10_000;

/// The folder inside a site's folder.
pub const FOLDER: &str = "behaviours";

/// One message, and what must come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// What it is about; a case's name has the behaviour's in front.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Which role's host the message comes to.
    pub role: Role,
    /// What is said.
    pub said: Said,
    /// What must come of it; never empty.
    pub wanted: Vec<Wanted>,
}

impl Behaviour {
    /// Whether a copy that comes besides what is wanted is one too many.
    #[must_use]
    pub fn wants_no_other(&self) -> bool {
        let no_other = |what: &What| match what {
            What::Becomes(_) | What::SenderBecomes(_) => true,
            What::Arrives(arrives) => *arrives != Arrives::Somewhere,
            What::Reply(_) | What::At(_) | What::Route(_) | What::Field(..) => false,
        };
        self.wanted.iter().any(|wanted| no_other(&wanted.what))
    }
}

/// What a client that is given no `helo` calls itself, to the maps and to servers alike.
pub const HELO: &str = "behave.invalid";

/// What is said to the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Where the client connects from.
    pub client: Option<IpAddr>,
    /// Its name in the DNS.
    pub client_name: Option<String>,
    /// What it says in EHLO.
    pub helo: String,
    /// Whether it asks for TLS first.
    pub tls: bool,
    /// MAIL FROM.
    pub from: ReversePath,
    /// RCPT TO, one each.
    pub to: Vec<ForwardPath>,
    /// The message.
    pub message: Message,
}

/// One thing that is wanted, and where that is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where it is written.
    pub place: Place,
    /// What is wanted.
    pub what: What,
}

/// What can be wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// `reply`: the last word on each recipient.
    Reply(ReplyPattern),
    /// `at`: to what it was said.
    At(Stage),
    /// `route`: where the maps send each address.
    Route(Vec<Pattern>),
    /// `becomes`: the recipients' addresses when the message leaves.
    Becomes(Vec<Pattern>),
    /// `sender_becomes`: the sender's address when it leaves.
    SenderBecomes(Pattern),
    /// `header`: a field of the message when it leaves.
    Field(String, FieldWanted),
    /// `arrives`: where the message comes to.
    Arrives(Arrives),
}

/// What is wanted of a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldWanted {
    /// Each of these stands in one of that name.
    Values(Vec<Pattern>),
    /// There is one, or there is none.
    Present(bool),
    /// There are so many.
    Count(usize),
}

/// Where a message comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrives {
    /// It is delivered, wherever.
    Somewhere,
    /// It is delivered nowhere.
    Nowhere,
    /// To each of these places and no other: a pool's or a next hop's name in the maps, a catcher's in a run
    /// against a server.
    At(Vec<String>),
}

impl What {
    /// Its word in the file.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Reply(_) => "reply".to_owned(),
            Self::At(_) => "at".to_owned(),
            Self::Route(_) => "route".to_owned(),
            Self::Becomes(_) => "becomes".to_owned(),
            Self::SenderBecomes(_) => "sender_becomes".to_owned(),
            Self::Field(name, _) => format!("header {name}"),
            Self::Arrives(_) => "arrives".to_owned(),
        }
    }
}

/// Reads every behaviour of a site, in the order of the files' names; none where the site has no such folder.
///
/// # Errors
/// Every fault, with file and line; a role that no host of the site has is one.
pub fn load(site: &Site) -> Result<Vec<Behaviour>, Faults> {
    let folder = site.folder.join(FOLDER);
    let mut faults = Faults::new();
    let mut behaviours = Vec::new();
    for path in files(&folder, &mut faults) {
        match Document::load(&path) {
            Ok(document) => behaviours.extend(read::file(&document, &folder, &mut faults)),
            Err(more) => faults.append(more),
        }
        if behaviours.len() > MOST {
            faults.push(Place::whole(&path.display().to_string()), format!("more than {MOST} behaviours"));
            break;
        }
    }
    for behaviour in &behaviours {
        let role = behaviour.role;
        if !site.hosts.iter().any(|host| host.role == role) {
            let role = role.as_str();
            let message = format!(
                "the site has no host of the role `{role}`: name one in site.toml, or another `role` here"
            );
            faults.push(behaviour.place.clone(), message);
        }
    }
    faults.or(behaviours)
}

/// The TOML files of the folder, by name.
fn files(folder: &Path, faults: &mut Faults) -> Vec<std::path::PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            faults.push(Place::whole(&folder.display().to_string()), format!("cannot be read: {error}"));
            return Vec::new();
        }
    };
    let is_toml = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_toml).collect();
    files.sort();
    files
}

/// The behaviours of a text, for the tests of this crate.
#[cfg(test)]
pub(crate) fn of_text(text: &str) -> Vec<Behaviour> {
    let mut faults = Faults::new();
    let document = Document::parse("b.toml", text).expect("TOML");
    let behaviours = read::file(&document, Path::new("."), &mut faults);
    faults.or(behaviours).expect("behaviours")
}

#[cfg(test)]
mod tests;
