//! The settings of an admin who pushes: `push.toml`, on the admin's own machine.

use std::path::PathBuf;

use crate::agent::{AgentTls, tls};
use crate::reader::Section;
use crate::settings::Settings;
use crate::words::Peer;

/// What `switchyard push` and its sisters are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Who pushes, as others read it in the log.
    pub author: String,
    /// The environment that is pushed to.
    pub environment: String,
    /// A root of it, the first or any later one.
    pub root: PathBuf,
    /// Hubs; the first that answers is asked.
    pub hubs: Vec<Peer>,
    /// Keys that sign generations.
    pub push_keys: Vec<PathBuf>,
    /// Keys that sign releases; none where somebody else releases.
    pub release_keys: Vec<PathBuf>,
    /// How many days a generation may be taken.
    pub days: u16,
    /// Who we are, and whose certificates hubs have.
    pub tls: AgentTls,
}

impl Settings for AdminSettings {
    const DAEMON: &'static str = "push";

    fn read(root: &mut Section<'_>) -> Self {
        Self {
            author: root.live("author", "Who pushes, as others read it in the log.").required(),
            environment: root
                .live("environment", "The environment that is pushed to, as its root names it.")
                .required(),
            root: root
                .live("root", "File of a root of the environment, the first or any later one.")
                .required(),
            hubs: root.live("hubs", "Hubs; the first that answers is asked.").some(),
            push_keys: root.live("push_keys", "Files of the keys that sign generations.").some(),
            release_keys: root
                .live(
                    "release_keys",
                    "Files of the keys that sign releases; none where somebody else releases.",
                )
                .list(Vec::new()),
            days: root
                .live("days", "Days in which a generation is taken; what is in use stays in use after them. A push signs it anew when less than half of them is left.")
                .at_least(1_u16)
                .at_most(365_u16)
                .or(14),
            tls: root.section("tls", tls),
        }
    }

    /// It is read by a program that ends.
    fn hold(&self, _now: &mut Self) -> Vec<String> {
        Vec::new()
    }
}
