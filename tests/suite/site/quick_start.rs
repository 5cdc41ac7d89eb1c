//! `docs/quick-start.md`, word for word: what it says to type is typed, and what it shows is what comes.
//!
//! The blocks that need a second terminal are left to `message/up.rs`, which does the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use switchyard_tests::site::binary;
use tempfile::TempDir;

/// What is typed, and what is shown for it, if anything.
struct Step {
    typed: String,
    shown: Option<String>,
}

#[test]
fn the_quick_start_says_what_comes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/quick-start.md");
    let page = fs::read_to_string(page).expect("the page");
    let steps: Vec<Step> = steps(&page).into_iter().filter(|step| is_alone(&step.typed)).collect();
    assert!(steps.len() >= 8, "only {} steps", steps.len());

    let folder = TempDir::with_prefix("switchyard-hour-").expect("a folder");
    let clone = folder.path().join("clone");
    fs::create_dir_all(clone.join("target")).expect("a folder");
    let programs = binary::program("switchyard");
    let programs = programs.parent().expect("a folder of programs");
    std::os::unix::fs::symlink(programs, clone.join("target/release")).expect("a link");
    // One shell for all of them: it is one terminal.
    let typed = steps.iter().flat_map(|step| commands(&step.typed));
    let script: String = typed.map(|command| format!("{command}echo \"{MARK}$?\"\n")).collect();
    let mut shell = Command::new("bash");
    shell
        .args(["--norc", "-c", &format!("exec 2>&1\n{script}")])
        .current_dir(&clone)
        .env("HOME", folder.path());
    let output = shell.output().expect("bash starts");
    let said = String::from_utf8(output.stdout).expect("plain text");

    let mut rest = said.as_str();
    for Step { typed, shown } in &steps {
        let mut all = String::new();
        let commands = commands(typed);
        for (index, command) in commands.iter().enumerate() {
            let (output, after) =
                rest.split_once(MARK).unwrap_or_else(|| panic!("it ended before {command}: {rest}"));
            let (code, after) = after.split_once('\n').expect("an exit code");
            rest = after;
            all.push_str(output);
            // What is shown may be a fault that the page has just made.
            let is_shown = shown.is_some() && index + 1 == commands.len();
            assert!(code == "0" || is_shown, "{command}{output}: ended with {code}");
        }
        if let Some(shown) = shown {
            assert_eq!(all, *shown, "{typed}");
        }
    }
}

/// What a terminal of its own does not take, or what the page's reader did an hour ago.
fn is_alone(typed: &str) -> bool {
    !["cargo ", "switchyard up", "swaks ", "switchyard-up/"].iter().any(|word| typed.contains(word))
}

/// The commands of a block, each with the lines that belong to it.
fn commands(typed: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut end = None;
    let mut goes_on = false;
    for line in typed.lines() {
        match commands.last_mut() {
            Some(command) if goes_on => *command += &format!("{line}\n"),
            _ => commands.push(format!("{line}\n")),
        }
        end = match end {
            Some(word) if line == word => None,
            Some(word) => Some(word),
            None => line.split_once("<<'").and_then(|(_, word)| word.strip_suffix('\'')),
        };
        goes_on = end.is_some() || line.ends_with('\\');
    }
    commands
}

/// The blocks of a page: a `console` one, and the `text` one behind it with no other between.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (index, block) in page.split("```").enumerate() {
        let (kind, text) = block.split_once('\n').unwrap_or_default();
        match (index % 2, kind, steps.last_mut()) {
            (1, "console", _) => steps.push(Step { typed: text.to_owned(), shown: None }),
            (1, "text", Some(step)) => step.shown = Some(text.to_owned()),
            _ => {}
        }
    }
    steps
}

/// Between what two steps say.
const MARK: &str = "=== ended with ";
