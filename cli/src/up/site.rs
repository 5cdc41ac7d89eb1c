//! The example site, laid down in a folder, and what `switchyard up` lays over its roles: ports and folders.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::Ports;
use super::certificates::Certificates;
use super::filter::Beside;

/// Writes the example site under `site`, unless there is one: what was edited stays.
pub(super) fn lay_down(dir: &Path) -> Result<(), (PathBuf, io::Error)> {
    let site = dir.join("site");
    let told = |path: &Path, error| (path.to_path_buf(), error);
    for folder in [dir.join("mail"), site.join("maps"), site.join("role"), site.join("behaviours")] {
        fs::create_dir_all(&folder).map_err(|error| told(&folder, error))?;
    }
    if site.join("site.toml").exists() {
        return Ok(());
    }
    for (name, text) in switchyard_config::example::FILES {
        let path = site.join(name);
        let written = fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| told(&path, error))?;
    }
    Ok(())
}

/// What is this machine's in the mx's settings.
pub(super) fn mx_overlay(
    dir: &Path,
    ports: Ports,
    certificates: &Certificates,
    filter: Option<Beside>,
) -> String {
    format!(
        "{}{}\n[routers]\npool = [\"{}\"]\n",
        common(dir, certificates, "mx", ports.mx, ports.mx_metrics),
        asked(dir, filter),
        ports.router
    )
}

/// What is this machine's in the router's settings.
pub(super) fn router_overlay(
    dir: &Path,
    ports: Ports,
    certificates: &Certificates,
    filter: Option<Beside>,
) -> String {
    format!(
        "{}{}\n[spool]\nfolder = {}\nmin_free = \"64MiB\"\n\n[pools.mailboxes]\nmembers = [\"[{}]:{}\"]\n",
        common(dir, certificates, "router", ports.router, ports.router_metrics),
        asked(dir, filter),
        quoted(&dir.join("spool")),
        ports.sink.ip(),
        ports.sink.port(),
    )
}

/// What is this machine's in the settings of a filter beside one of them.
pub(super) fn filter_overlay(dir: &Path, beside: Beside, ports: Ports) -> String {
    format!(
        "listen.milter = [{{ socket = {} }}]\n\n[metrics]\nsocket = \"{}\"\n\n[control]\nsocket = {}\n\n[maps]\nfolder = {}\n",
        beside.place(dir),
        beside.metrics(ports),
        quoted(&control(dir, beside.name())),
        quoted(&dir.join("site/maps")),
    )
}

/// Where a daemon finds the filter beside it.
fn asked(dir: &Path, filter: Option<Beside>) -> String {
    filter
        .map_or_else(String::new, |beside| format!("\n[milters.filter]\nplaces = [{}]\n", beside.place(dir)))
}

/// Where a daemon of the site answers the operator's tool.
pub(super) fn control(dir: &Path, daemon: &str) -> PathBuf {
    dir.join("run").join(daemon).with_extension("sock")
}

fn common(
    dir: &Path,
    certificates: &Certificates,
    daemon: &str,
    smtp: SocketAddr,
    metrics: SocketAddr,
) -> String {
    format!(
        "listen.smtp = [{{ socket = \"{smtp}\" }}]\n\n[metrics]\nsocket = \"{metrics}\"\n\n\
         [control]\nsocket = {}\n\n[tls]\ncertificate = {}\nkey = {}\n\n[maps]\nfolder = {}\n",
        quoted(&control(dir, daemon)),
        quoted(&certificates.certificate),
        quoted(&certificates.key),
        quoted(&dir.join("site/maps")),
    )
}

/// A path as a TOML text.
pub(super) fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_edited_stays() {
        let dir = tempfile::tempdir().unwrap();
        lay_down(dir.path()).unwrap();
        let transport = dir.path().join("site/maps/transport");
        fs::File::create(&transport).unwrap().write_all(b"edited").unwrap();
        lay_down(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(transport).unwrap(), "edited");
    }
}
