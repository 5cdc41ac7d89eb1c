//! Tables that main.cf names: text as it is, and text made of compiled files where that is all there is.

mod dump;
mod edit;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use switchyard_maps::foreign::{Database, Kind};
use switchyard_maps::spec::{self, Pair, TableSpec};
use switchyard_maps::{Access, Route};

use super::report::TableNote;
use super::tree::Tree;

pub(super) use edit::{comment_out, entries, refused_lines};

/// What a table is for, where that decides how its values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// Values stay as they are.
    Plain,
    /// Values are transports with next hops.
    Transport,
    /// Values are next hops without a transport: `sender_dependent_relayhost_maps`.
    Relayhost,
    /// Values are actions of access(5).
    Access,
    /// aliases(5): another form of lines.
    Aliases,
}

/// Why a table was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotTaken {
    pub(super) what: String,
    pub(super) advice: String,
}

/// A line of a table that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// In the folder of the maps.
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) text: String,
    pub(super) why: String,
}

/// The tables of the new site.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Files of the new site, by name.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) notes: Vec<TableNote>,
    /// What a file was made of, and for which use.
    made: BTreeMap<(PathBuf, Use), String>,
    /// Transports of master.cf that are smtp(8) or lmtp(8) under another name.
    pub(super) clones: BTreeMap<String, &'static str>,
    /// Where Postfix's relative sockets stand.
    pub(super) queue_directory: String,
    /// Values that were written another way: file, line, value before and after.
    pub(super) edits: Vec<(String, u32, String, String)>,
    /// Lines that are comments now.
    pub(super) refused: Vec<Refused>,
}

/// Kinds whose text postmap(1) compiles.
const COMPILED: [&str; 7] = ["hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash"];
const RULES: [&str; 3] = ["regexp", "pcre", "cidr"];

impl Tables {
    /// Takes a table along; the word for it in the new site's settings.
    pub(super) fn take(&mut self, tree: &Tree, word: &str, usage: Use) -> Result<String, NotTaken> {
        let word = word.strip_prefix("proxy:").unwrap_or(word);
        let no_type = || NotTaken {
            what: format!("`{word}` is no `type:table`"),
            advice: "name the type, as postconf(1) -m lists them".to_owned(),
        };
        let (kind, name) = word.split_once(':').ok_or_else(no_type)?;
        if COMPILED.contains(&kind) {
            let file = self.text(tree, word, name, usage)?;
            return Ok(match usage {
                Use::Aliases => format!("aliases:{file}"),
                _ => file,
            });
        }
        if RULES.contains(&kind) && !name.starts_with('{') {
            let path = tree.find(name).ok_or_else(|| missing(name))?;
            let file = self.copy(tree, word, &path, usage)?;
            return Ok(format!("{kind}:{file}"));
        }
        if kind == "unionmap" {
            let members = name.strip_prefix('{').and_then(|inside| inside.strip_suffix('}'));
            let members = members.ok_or_else(no_type)?;
            let taken: Vec<String> = spec::words(members)
                .map(|member| self.take(tree, member, usage))
                .collect::<Result<_, _>>()?;
            return Ok(format!("unionmap:{{{}}}", taken.join(", ")));
        }
        match TableSpec::parse(word) {
            Ok(TableSpec::Inline(pairs)) => Ok(self.inline(pairs, usage).to_string()),
            Ok(_) => Ok(word.to_owned()),
            Err(error) => {
                Err(NotTaken { what: error.to_string(), advice: "see docs/from-postfix.md".into() })
            }
        }
    }

    fn inline(&self, mut pairs: Vec<Pair>, usage: Use) -> TableSpec {
        for pair in &mut pairs {
            if let Some(value) = self.reworded(&pair.value, usage) {
                pair.value = value;
            }
        }
        TableSpec::Inline(pairs)
    }

    /// A text table; where only its compiled form is there, the text is made of that.
    fn text(&mut self, tree: &Tree, word: &str, name: &str, usage: Use) -> Result<String, NotTaken> {
        if let Some(path) = tree.find(name) {
            return self.copy(tree, word, &path, usage);
        }
        let suffixes = [Kind::Hash, Kind::Lmdb, Kind::Cdb].map(Kind::suffix);
        let compiled = suffixes.iter().find_map(|suffix| tree.find(&format!("{name}{suffix}")));
        let path = compiled.ok_or_else(|| missing(name))?;
        if let Some(file) = self.made.get(&(path.clone(), usage)) {
            return Ok(file.clone());
        }
        let bad = |error: &dyn std::fmt::Display| NotTaken {
            what: format!("{}: {error}", path.display()),
            advice: format!("export it where Postfix runs: postmap -s {word}"),
        };
        let database = Database::load(&path).map_err(|error| bad(&error))?;
        let dumped = dump::text(&database, &tree.called(&path), usage == Use::Aliases);
        let dumped = dumped.map_err(|error| bad(&error))?;
        let how = format!(
            "{} entries out of the compiled file {}, as the text was not there",
            dumped.entries,
            tree.called(&path)
        );
        Ok(self.keep(word, &path, usage, name, &dumped.text, how))
    }

    fn copy(&mut self, tree: &Tree, word: &str, path: &Path, usage: Use) -> Result<String, NotTaken> {
        if let Some(file) = self.made.get(&(path.to_owned(), usage)) {
            return Ok(file.clone());
        }
        let bytes = read(path).map_err(|error| NotTaken {
            what: format!("{} cannot be read: {error}", path.display()),
            advice: "make it readable and import again".into(),
        })?;
        let name = path.display().to_string();
        let how = format!("text of {}", tree.called(path));
        Ok(self.keep(word, path, usage, &name, &bytes, how))
    }

    /// Puts a text among the site's map files; its name there.
    fn keep(&mut self, word: &str, path: &Path, usage: Use, name: &str, text: &[u8], how: String) -> String {
        let file = self.free_name(name);
        let before = self.edits.len();
        let text = self.rewritten(&file, text, usage);
        let text = self.without_refused(&file, text, usage);
        let edited = self.edits.len() - before;
        let how = if edited == 0 { how } else { format!("{how}, {edited} values written another way") };
        self.notes.push(TableNote { word: word.to_owned(), file: format!("maps/{file}"), how });
        // A file without a single octet is refused as one cut short.
        let text = if text.is_empty() { b"# no entries\n".to_vec() } else { text };
        self.files.insert(file.clone(), text);
        self.made.insert((path.to_owned(), usage), file.clone());
        file
    }

    fn rewritten(&mut self, file: &str, text: &[u8], usage: Use) -> Vec<u8> {
        let mut edits = Vec::new();
        let text = edit::values(text, |line, value| {
            let new = self.reworded(value, usage)?;
            edits.push((file.to_owned(), line, value.to_owned(), new.clone()));
            Some(new)
        });
        self.edits.append(&mut edits);
        text
    }

    /// Makes comments of lines whose values mean nothing here. The compiler would find them too, but it tells of
    /// a few hundred at a time, and one transport that has no twin may stand in each line.
    fn without_refused(&mut self, file: &str, text: Vec<u8>, usage: Use) -> Vec<u8> {
        let pools = BTreeSet::new();
        let why = |value: &str| match usage {
            // What a rule puts together is known when it is asked.
            _ if value.contains('$') => None,
            Use::Transport | Use::Relayhost => Route::parse(value, &pools).err().map(|bad| bad.to_string()),
            Use::Access => value.parse::<Access>().err().map(|bad| bad.to_string()),
            Use::Plain | Use::Aliases => None,
        };
        let refused: Vec<Refused> = edit::whole_entries(&text)
            .filter_map(|(line, key, value)| {
                let why = why(value)?;
                Some(Refused { file: file.to_owned(), line, text: format!("{key} {value}"), why })
            })
            .collect();
        if refused.is_empty() {
            return text;
        }
        let lines: Vec<u32> = refused.iter().map(|refused| refused.line).collect();
        self.refused.extend(refused);
        comment_out(&text, &lines)
    }

    /// A value in the words of this side, where they are not the same.
    fn reworded(&self, value: &str, usage: Use) -> Option<String> {
        match usage {
            Use::Plain | Use::Access | Use::Aliases => None,
            Use::Transport => self.transport(value),
            Use::Relayhost => relayhost(value),
        }
    }

    /// A value of a transport table in our words, where they are not the same.
    pub(super) fn transport(&self, value: &str) -> Option<String> {
        let (name, nexthop) = value.split_once(':').unwrap_or((value, ""));
        let known = self.clones.get(name).copied();
        let transport = known.unwrap_or(name);
        // Postfix sees a relative socket from its queue directory.
        let nexthop = match nexthop.trim().strip_prefix("unix:") {
            Some(path) if transport == "lmtp" && !path.starts_with('/') => {
                format!("unix:{}/{path}", self.queue_directory)
            }
            _ => nexthop.to_owned(),
        };
        let new = format!("{transport}:{nexthop}");
        (new != value && (known.is_some() || value.contains(':'))).then_some(new)
    }

    /// A name that no map file has yet: the last part of a path.
    pub(super) fn free_name(&self, path: &str) -> String {
        let name = Path::new(path).file_name().map_or("table".into(), |name| name.to_string_lossy());
        let plain =
            |sign: char| if sign.is_ascii_alphanumeric() || "._-".contains(sign) { sign } else { '_' };
        let name: String = name.chars().map(plain).collect();
        let name = name.trim_start_matches('.').to_owned();
        let name = if name.is_empty() { "table".to_owned() } else { name };
        (1..)
            .map(|number| if number == 1 { name.clone() } else { format!("{name}-{number}") })
            .find(|name| !self.files.contains_key(name))
            .unwrap_or(name)
    }
}

/// `[gw]:587` as a route; a route's own words stay.
fn relayhost(value: &str) -> Option<String> {
    match value {
        "" => None,
        // As if the line were not there.
        "DUNNO" => Some(":".to_owned()),
        _ => Some(format!("smtp:{value}")),
    }
}

/// Octets of a text: all of it is in memory while the site is made.
const MAX_TEXT: u64 = 4 << 30;

/// Reads a text that main.cf names.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Not by the length the file claims: a sparse one claims anything.
    File::open(path)?.take(MAX_TEXT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(io::Error::other(format!("is longer than {MAX_TEXT} octets")));
    }
    Ok(bytes)
}

fn missing(name: &str) -> NotTaken {
    NotTaken {
        what: format!("{name} is not there, neither as text nor compiled"),
        advice: "copy it into the folder, or give --root".to_owned(),
    }
}
