//! `switchyard man`: manual pages of the tool, of each verb, and of the daemons, made of their command lines.
//!
//! What `--help` says at its end becomes sections of their own: exit codes, examples with their line breaks, and the
//! rest as notes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use switchyard_daemon::arguments;
use switchyard_daemon::program::Daemon;
use switchyard_mapsync::agent::Agent;
use switchyard_mapsync::hub::Hub;
use switchyard_milter::Filter;
use switchyard_mx::Mx;
use switchyard_router::Router;

use crate::output::{Exit, Output};
use crate::render::replace;

/// Write the manual pages of this tool and of the daemons
#[derive(Debug, Args)]
#[command(after_help = "\
The pages lie in man1 and man8 of the folder; older ones are replaced.

Example:
  switchyard man /usr/local/share/man && man switchyard-render")]
pub(crate) struct Arguments {
    /// The folder in which man1 and man8 stand, or shall stand
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> io::Result<Exit> {
    match write(&arguments.folder) {
        Ok(count) => {
            output.data(format_args!("{count} pages in {}\n", arguments.folder.display()))?;
            Ok(Exit::Fine)
        }
        Err((path, error)) => {
            output.say(format_args!("{}: cannot be written: {error}", path.display()))?;
            Ok(Exit::Misuse)
        }
    }
}

/// Writes every page; how many there are.
fn write(folder: &Path) -> Result<usize, (PathBuf, io::Error)> {
    let mut tool = Vec::new();
    let mut command = crate::Arguments::command().disable_help_subcommand(true);
    command.build();
    with_verbs(&command, &mut tool);
    let daemons = [
        arguments::command(<Mx as Daemon>::NAME, <Mx as Daemon>::ABOUT),
        arguments::command(<Router as Daemon>::NAME, <Router as Daemon>::ABOUT),
        arguments::command(<Filter as Daemon>::NAME, <Filter as Daemon>::ABOUT),
        // A page's file has no blank in its name.
        arguments::command(<Hub as Daemon>::NAME, <Hub as Daemon>::ABOUT)
            .name("switchyard-mapsync-hub")
            .bin_name(<Hub as Daemon>::NAME),
        arguments::command(<Agent as Daemon>::NAME, <Agent as Daemon>::ABOUT)
            .name("switchyard-mapsync-agent")
            .bin_name(<Agent as Daemon>::NAME),
    ];
    let tool = tool.into_iter().map(|command| (command, "1"));
    let pages: Vec<(Command, &str)> = tool.chain(daemons.into_iter().map(|daemon| (daemon, "8"))).collect();
    let count = pages.len();
    for (command, section) in pages {
        let folder = folder.join(format!("man{section}"));
        let page = Page(Man::new(command.clone()).section(section).manual("Switchyard"), command);
        let path = folder.join(page.0.get_filename());
        let written = std::fs::create_dir_all(&folder).and_then(|()| replace(&path, &page.text()?));
        written.map_err(|error| (path, error))?;
    }
    Ok(count)
}

/// A command, and every verb below it.
fn with_verbs(command: &Command, all: &mut Vec<Command>) {
    all.push(command.clone());
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        with_verbs(verb, all);
    }
}

struct Page(Man, Command);

impl Page {
    fn text(&self) -> io::Result<String> {
        let Self(man, command) = self;
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        if command.get_arguments().any(|argument| !argument.is_hide_set()) {
            man.render_options_section(&mut page)?;
        }
        if command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        let more = command.get_after_long_help().or_else(|| command.get_after_help());
        page.write_all(sections(&more.map(ToString::to_string).unwrap_or_default()).as_bytes())?;
        Ok(String::from_utf8_lossy(&page).into_owned())
    }
}

/// The end of a `--help` as sections: lines that are indented stay lines.
fn sections(help: &str) -> String {
    let mut text = String::new();
    let mut section = "";
    let mut kept = false;
    for line in help.lines() {
        let (wanted, said) = match line.split_once(": ") {
            _ if matches!(line, "Example:" | "Examples:") => ("EXAMPLES", ""),
            Some(("Exit codes", codes)) => ("EXIT STATUS", codes),
            Some((example @ ("Example" | "Examples"), _)) => {
                ("EXAMPLES", line.get(example.len() + 1..).unwrap_or_default())
            }
            _ if section.is_empty() || line.is_empty() || line.starts_with("  ") => (section, line),
            // A paragraph behind codes or examples is about neither.
            _ if section != "NOTES" && text.ends_with(".PP\n") => ("NOTES", line),
            _ => (section, line),
        };
        let wanted = if wanted.is_empty() && !said.is_empty() { "NOTES" } else { wanted };
        if kept && !said.starts_with("  ") {
            text.push_str(".fi\n");
            kept = false;
        }
        if wanted != section {
            text.truncate(text.trim_end_matches(".PP\n").len());
            text.push_str(&format!(".SH \"{wanted}\"\n"));
            section = wanted;
        }
        match said.trim() {
            "" => text.push_str(if line.is_empty() && !section.is_empty() { ".PP\n" } else { "" }),
            word => {
                if said.starts_with("  ") && !kept {
                    text.push_str(".nf\n");
                    kept = true;
                }
                text.push_str(&escaped(word));
                text.push('\n');
            }
        }
    }
    if kept {
        text.push_str(".fi\n");
    }
    text
}

/// A line as roff prints it.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_help_becomes_sections() {
        let help = "A note.\n\nExit codes: 0 fine; 2 not.\n\nExamples:\n  tool --a \\\n  .b\n\nMore to know.";
        assert_eq!(
            sections(help),
            ".SH \"NOTES\"\nA note.\n.SH \"EXIT STATUS\"\n0 fine; 2 not.\n.SH \"EXAMPLES\"\n.nf\ntool \\-\\-a \\e\n\
             \\&.b\n.fi\n.SH \"NOTES\"\nMore to know.\n"
        );
    }
}
