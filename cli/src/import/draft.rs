//! The new site while it is made: facts, hosts, the layers of its roles, and its map files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use switchyard_config::reference::Setting;
use switchyard_config::site::Role;
use switchyard_config::{MxSettings, RouterSettings, Settings};
use toml::Value;

/// What is written.
#[derive(Debug)]
pub(super) struct Draft {
    facts: Vec<Line>,
    pub(super) hosts: Vec<Host>,
    /// Lines by role and section, in the order in which they came.
    layers: BTreeMap<&'static str, Vec<(String, Vec<Line>)>>,
    /// Map files by name, whole.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    known: BTreeMap<&'static str, Vec<Setting>>,
}

/// A `[[host]]`.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) addresses: Vec<String>,
}

#[derive(Debug)]
struct Line {
    key: String,
    value: Value,
    comment: String,
}

impl Draft {
    pub(super) fn new() -> Self {
        let mut known = BTreeMap::new();
        known.insert(Role::Mx.as_str(), MxSettings::reference());
        known.insert(Role::Router.as_str(), RouterSettings::reference());
        Self { facts: Vec::new(), hosts: Vec::new(), layers: BTreeMap::new(), files: BTreeMap::new(), known }
    }

    /// Whether the site has a host of a role.
    pub(super) fn has(&self, role: Role) -> bool {
        self.hosts.iter().any(|host| host.role == role)
    }

    /// States a fact.
    pub(super) fn fact(&mut self, key: &str, value: impl Into<Value>, comment: &str) {
        self.facts.push(Line { key: key.into(), value: value.into(), comment: comment.into() });
    }

    /// Whether a role has a setting, by its path: `limits.message_size`.
    pub(super) fn knows(&self, role: Role, path: &str) -> bool {
        self.known.get(role.as_str()).is_some_and(|known| known.iter().any(|setting| setting.path == path))
    }

    /// Sets something in the layer of a role, unless the site has no such host or the role no such setting.
    pub(super) fn set(&mut self, role: Role, path: &str, value: impl Into<Value>, comment: &str) -> bool {
        if !self.has(role) || !self.knows(role, path) {
            return false;
        }
        let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
        self.line(role, section, Line { key: key.into(), value: value.into(), comment: comment.into() });
        true
    }

    /// The same for every role of the site: which of them it went to.
    pub(super) fn set_all(&mut self, path: &str, value: impl Into<Value>, comment: &str) -> bool {
        let value = value.into();
        let set = [Role::Mx, Role::Router].map(|role| self.set(role, path, value.clone(), comment));
        set.contains(&true)
    }

    /// Adds an entry to a table of names of the site's choice.
    pub(super) fn add(&mut self, role: Role, section: &str, name: &str, value: Value) {
        // Names stand in quotes: most are no bare key of TOML's.
        let line = Line { key: Value::from(name).to_string(), value, comment: String::new() };
        self.line(role, section, line);
    }

    /// Adds a `[[listen.smtp]]`; the first replaces those of the suite's own layer.
    pub(super) fn listen(&mut self, role: Role, socket: &str, comment: &str) {
        let line = Line { key: "socket".into(), value: socket.into(), comment: comment.into() };
        self.layers.entry(role.as_str()).or_default().push(("[listen.smtp]".into(), vec![line]));
    }

    fn line(&mut self, role: Role, section: &str, line: Line) {
        let sections = self.layers.entry(role.as_str()).or_default();
        match sections.iter_mut().find(|(name, _)| name == section) {
            Some((_, lines)) => match lines.iter_mut().find(|other| other.key == line.key) {
                Some(other) => *other = line,
                None => lines.push(line),
            },
            None => sections.push((section.to_owned(), vec![line])),
        }
    }

    /// The files of the site but the maps', by name.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::from([("site.toml".to_owned(), self.site())]);
        for (role, sections) in &self.layers {
            let mut text =
                format!("# Over the suite's own layer for the role {role}; made of Postfix's main.cf.\n");
            for (section, lines) in sections {
                // A list of tables keeps its own brackets.
                let _ = write!(text, "\n[{section}]\n{}", written(lines));
            }
            texts.insert(format!("role/{role}.toml"), text);
        }
        texts
    }

    fn site(&self) -> String {
        let mut text =
            "# The site, made of Postfix's main.cf: IMPORT.md tells what became of each setting.\n\
            # `switchyard check DIR` tells what is wrong with it, with file and line.\n"
                .to_owned();
        if !self.facts.is_empty() {
            let _ = write!(text, "\n[facts]\n{}", written(&self.facts));
        }
        for host in &self.hosts {
            let addresses: Vec<Value> =
                host.addresses.iter().map(|address| address.as_str().into()).collect();
            let _ = write!(
                text,
                "\n[[host]]\nname = {}\nrole = \"{}\"\naddresses = {}\n",
                Value::from(host.name.as_str()),
                host.role.as_str(),
                Value::Array(addresses)
            );
        }
        text
    }

    /// Writes every file into an empty folder.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder.join("maps"))?;
        std::fs::create_dir_all(folder.join("role"))?;
        for (name, text) in self.texts() {
            write(&folder.join(name), text.as_bytes())?;
        }
        for (name, bytes) in &self.files {
            write(&folder.join("maps").join(name), bytes)?;
        }
        Ok(())
    }
}

fn written(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut text, Line { key, value, comment }| {
        let comment = if comment.is_empty() { String::new() } else { format!(" # {comment}") };
        let _ = writeln!(text, "{key} = {value}{comment}");
        text
    })
}

/// Writes a file that was not there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}
