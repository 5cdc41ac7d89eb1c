//! The systemd units: they parse, and no daemon is more exposed than [`THRESHOLD`].

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::run::{self, Failure, findings};
use crate::tree;

/// The most exposure a service may have, in tenths.
const THRESHOLD: u32 = 12;

/// Verifies every unit in `systemd/`, and the exposure of each service.
pub(crate) fn run() -> Result<(), Failure> {
    let mut found = Vec::new();
    let services = tree::sources("systemd", "service")?;
    let sockets = tree::sources("systemd", "socket")?;
    // Verification looks for the programs: it is shown the units with one that is here on every machine.
    let folder = tree::target().join("units");
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    for unit in services.iter().chain(&sockets) {
        lay_out(&unit.path, &unit.text, &folder)?;
    }
    for unit in services.iter().chain(&sockets) {
        let copy = folder.join(file_name(&unit.path));
        match run::read(
            run::command("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(&copy),
        ) {
            Ok(_) => println!("{}: verified", unit.path),
            Err(failure) => found.push(format!("{}: {failure}", unit.path)),
        }
    }
    for unit in &services {
        let threshold = format!("--threshold={THRESHOLD}");
        let mut command = run::command("systemd-analyze");
        command.args(["security", "--offline=true", "--no-pager", &threshold]);
        match run::read(command.arg(folder.join(file_name(&unit.path)))) {
            Ok(report) => println!("{}", report.lines().last().unwrap_or_default().trim()),
            Err(failure) => found.push(format!("{}: {failure}", unit.path)),
        }
    }
    findings(found)
}

fn lay_out(path: &str, text: &str, folder: &Path) -> Result<(), Failure> {
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some((key @ "ExecStart", _)) => format!("{key}=/bin/true\n"),
        _ => format!("{line}\n"),
    });
    let copy = folder.join(file_name(path));
    let mut file = File::create(&copy).map_err(Failure::file(&copy))?;
    file.write_all(lines.collect::<String>().as_bytes()).map_err(Failure::file(&copy))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
