//! `switchyard schema`: what editors check the files of a site with while they are typed.

use std::io;

use clap::{Args, ValueEnum};
use switchyard_config::schema::{File, schema};

use crate::output::{Exit, Output};

/// Write the JSON Schema of a kind of file, for editors
#[derive(Debug, Args)]
#[command(after_help = "\
An editor that knows TOML (taplo, Even Better TOML, Zed, Helix) takes it by a first line in the file:
  #:schema ./.schema/router.json

Example:
  mkdir -p site/.schema && switchyard schema router > site/.schema/router.json")]
pub(crate) struct Arguments {
    /// The kind of file
    #[arg(value_name = "FILE")]
    file: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// site.toml
    Site,
    /// base.toml
    Base,
    /// role/mx.toml, the host/NAME.toml of an mx, and mx.toml on a host
    Mx,
    /// role/router.toml, role/outbound.toml, the host/NAME.toml of these, and router.toml on a host
    Router,
    /// daemon/milter.toml and its like, and milter.toml on a host
    Milter,
    /// role/hub.toml, and hub.toml on a host
    Hub,
    /// daemon/agent.toml and its like, and agent.toml on a host
    Agent,
    /// push.toml of an admin
    Push,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    let file = match arguments.file {
        Kind::Site => File::Site,
        Kind::Base => File::Base,
        Kind::Mx => File::Mx,
        Kind::Router => File::Router,
        Kind::Milter => File::Milter,
        Kind::Hub => File::Hub,
        Kind::Agent => File::Agent,
        Kind::Push => File::Push,
    };
    output.data(format_args!("{:#}\n", schema(file)))?;
    Ok(Exit::Fine)
}
