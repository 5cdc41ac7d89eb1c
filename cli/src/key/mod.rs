//! `switchyard key`: the keys of those who sign what is distributed, and the root that says whose keys count. One
//! file a verb.
//!
//! A secret key is a file that only its owner may read, and it stays where it was made: what others need of it is
//! its public half, one line.

mod new;
mod root;
mod show;
mod sign;

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use clap::{Args, Subcommand};
use switchyard_mapsync_protocol::keys::SecretKey;

use crate::output::{Exit, Output};
use crate::push::{self, RootArguments};

/// Make the keys that sign what is distributed, and the root that says whose keys count
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Three roles: `root` says whose keys count, and is kept away from every network; `push` signs what the files are; \
`release` says when they are in use.

Examples:
  switchyard key new ann.key
  switchyard key show ann.key
  switchyard key root --environment live --root root.key --push ann.key --release hub.key --sign root.key \
--out root.json"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    New(new::Arguments),
    Show(show::Arguments),
    Root(root::Arguments),
    Sign(sign::Arguments),
    Bring(RootArguments),
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let done = match &arguments.verb {
        Verb::New(arguments) => arguments.make(output),
        Verb::Show(arguments) => arguments.show(output),
        Verb::Root(arguments) => arguments.make(output),
        Verb::Sign(arguments) => arguments.sign(output),
        Verb::Bring(arguments) => return push::root(arguments, output),
    };
    match done {
        Ok(exit) => Ok(exit),
        Err(why) => {
            output.say(why)?;
            Ok(Exit::Misuse)
        }
    }
}

/// A secret key from its file.
pub(crate) fn secret(file: &Path) -> Result<SecretKey, String> {
    let text = String::from_utf8(read(file, MAX_KEY)?)
        .map_err(|_| format!("{}: no key file: not a text", file.display()))?;
    SecretKey::from_text(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// A file, up to a length that no good one has.
fn read(file: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let read = fs::File::open(file).and_then(|open| open.take(most + 1).read_to_end(&mut octets));
    read.map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    if octets.len() as u64 > most {
        return Err(format!("{}: longer than {most} octets", file.display()));
    }
    Ok(octets)
}

/// A new file; one that is there already stays as it is.
fn write_new(file: &Path, octets: &[u8], mode: u32) -> Result<(), String> {
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(file);
    let written = open.and_then(|mut open| open.write_all(octets).and_then(|()| open.sync_all()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{}: stands there already, and is never written over", file.display())
        }
        _ => format!("{}: cannot be written: {error}", file.display()),
    })
}

/// More than any key file has.
const MAX_KEY: u64 = 4096;
