//! Manual pages and completions, by the programs that read them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use switchyard_tests::site::binary;
use switchyard_tests::tool::switchyard;
use tempfile::TempDir;

#[test]
fn every_verb_and_daemon_has_a_page_that_man_reads_without_a_word() {
    let folder = TempDir::with_prefix("switchyard-man-").expect("a folder");
    let told = switchyard(["man", folder.path().to_str().expect("a plain path")]);
    assert_eq!((told.code, told.speech.as_str()), (Some(0), ""));
    let pages: Vec<PathBuf> =
        ["man1", "man8"].iter().flat_map(|part| files(&folder.path().join(part))).collect();
    let names: BTreeSet<String> = pages.iter().map(|page| name(page)).collect();
    for verb in verbs() {
        assert!(names.contains(&format!("switchyard-{verb}.1")), "{verb}: {names:?}");
    }
    for daemon in [
        "switchyard-mx.8",
        "switchyard-router.8",
        "switchyard-milter.8",
        "switchyard-mapsync-hub.8",
        "switchyard-mapsync-agent.8",
    ] {
        assert!(names.contains(daemon), "{daemon}: {names:?}");
    }
    for page in &pages {
        let mut man = Command::new("/usr/bin/man");
        man.args(["--warnings=all", "--local-file"]).arg(page).env("MANPAGER", "cat").env("MANWIDTH", "100");
        let output = man.output().expect("man starts");
        let (text, warnings) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && warnings.is_empty(), "{}: {warnings}", page.display());
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(text.contains(section), "{}: no {section}: {text}", page.display());
        }
    }
    let render = fs::read_to_string(folder.path().join("man1/switchyard-render.1")).expect("a page");
    assert!(render.contains(".SH \"EXAMPLES\"\n.nf\nswitchyard render site"), "{render}");
    assert!(render.contains(".SH \"EXIT STATUS\"\n0 fine"), "{render}");
}

#[test]
fn bash_completes_verbs_options_and_their_values() {
    let told = switchyard(["completions", "bash"]);
    assert_eq!((told.code, told.speech.as_str()), (Some(0), ""));
    for (line, wanted) in [
        ("switchyard ren", "render"),
        ("switchyard render --orig", "--origin"),
        ("switchyard completions z", "zsh"),
        ("switchyard map rollb", "rollback"),
    ] {
        let script = format!(
            "{}\nCOMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()\n\
             _switchyard switchyard \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
             echo \"${{COMPREPLY[@]}}\"",
            told.data
        );
        let output = Command::new("bash").args(["--norc", "-c", &script]).output().expect("bash starts");
        let completed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(completed.trim(), wanted, "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for shell in ["zsh", "fish"] {
        let told = switchyard(["completions", shell]);
        assert!(told.code == Some(0) && told.data.contains("render"), "{shell}: {}", told.speech);
    }
}

/// The verbs that `--help` lists.
fn verbs() -> Vec<String> {
    let output = Command::new(binary::program("switchyard")).arg("--help").output().expect("it starts");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let verbs =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs = verbs.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
    let verbs: Vec<String> = verbs.filter(|verb| !verb.is_empty() && verb != "help").collect();
    assert!(verbs.len() > 8, "{help}");
    verbs
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}
