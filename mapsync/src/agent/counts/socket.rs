//! Where a daemon tells what it counts whose socket systemd holds: the settings have only its name, and the service
//! manager knows the rest. Anybody may ask it that.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use switchyard_daemon::sockets::ListenOn;

use super::address;

/// Where a daemon with these settings is asked; none where it does not listen, or nobody says where. Blocks.
pub(super) fn listens(manager: &str, daemon: &str, settings: &Path) -> Option<SocketAddr> {
    let name = name(&std::fs::read_to_string(settings).ok()?)?;
    // systemd.service(5): `Sockets=` makes them trigger the service, as does a unit of the same name.
    let service = format!("switchyard-{daemon}.service");
    let units = show(manager, &["TriggeredBy"], &[&service])?;
    let units = units.lines().find_map(|line| line.strip_prefix("TriggeredBy="))?;
    let units: Vec<&str> =
        units.split_whitespace().filter(|unit| unit.ends_with(".socket")).take(MOST).collect();
    if units.is_empty() {
        return None;
    }
    place(&show(manager, &["FileDescriptorName", "Listen"], &units)?, &name)
}

/// The name by which the settings take it from systemd.
fn name(settings: &str) -> Option<String> {
    let settings: toml::Table = settings.parse().ok()?;
    match settings.get("metrics")?.get("socket")?.as_str()?.parse() {
        Ok(ListenOn::Systemd(name)) => Some(name),
        Ok(ListenOn::Address(_)) | Err(_) => None,
    }
}

/// systemctl(1): a line for each property, and an empty one between units.
fn show(manager: &str, properties: &[&str], units: &[&str]) -> Option<String> {
    let mut command = Command::new(manager);
    command.arg("show").args(properties.iter().map(|property| format!("--property={property}")));
    command.arg("--").args(units).stdin(Stdio::null());
    let told = command.output().ok().filter(|told| told.status.success())?;
    String::from_utf8(told.stdout).ok()
}

/// The address of the unit that passes its socket by this name.
fn place(told: &str, name: &str) -> Option<SocketAddr> {
    let unit = |unit: &&str| unit.lines().any(|line| line.strip_prefix("FileDescriptorName=") == Some(name));
    // A unix socket is no address, and one for datagrams no place to ask at.
    let listens = |line: &str| {
        let stream = line.strip_prefix("Listen=")?.strip_suffix(" (Stream)")?;
        address(&ListenOn::Address(stream.parse().ok()?))
    };
    told.split("\n\n").filter(unit).find_map(|unit| unit.lines().find_map(listens))
}

/// Units that are looked at.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const TOLD: &str = "Listen=[::]:25 (Stream)\nFileDescriptorName=smtp\n\n\
        Listen=/run/switchyard/metrics (Stream)\nListen=[::]:9125 (Datagram)\nListen=0.0.0.0:9126 (Stream)\n\
        FileDescriptorName=metrics\n";

    #[test]
    fn the_unit_that_passes_it_by_its_name_says_where_it_listens() {
        assert_eq!(place(TOLD, "metrics"), "127.0.0.1:9126".parse().ok());
        assert_eq!(place(TOLD, "smtp"), "[::1]:25".parse().ok());
        assert_eq!(place(TOLD, "submission"), None);
        assert_eq!(place("", "metrics"), None);
    }

    #[test]
    fn only_what_the_settings_take_from_systemd_is_asked_for() {
        assert_eq!(name("[metrics]\nsocket = \"systemd:counts\"\n").as_deref(), Some("counts"));
        for none in
            ["", "metrics = 1", "[metrics]\nsocket = \"127.0.0.1:9125\"\n", "[metrics]\nsocket = 1\n", "["]
        {
            assert_eq!(name(none), None, "{none}");
        }
    }

    #[test]
    fn a_service_manager_is_asked_for_the_sockets_of_a_service() {
        let folder = tempfile::tempdir().unwrap();
        let manager = folder.path().join("systemctl");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n\
             *TriggeredBy*switchyard-mx.service) echo 'TriggeredBy=switchyard-mx.socket a.timer switchyard-mx-metrics.socket';;\n\
             *Listen*'-- switchyard-mx.socket switchyard-mx-metrics.socket') printf '{}';;\n*) exit 1;;\nesac\n",
            TOLD.replace('\n', "\\n")
        );
        File::create(&manager).unwrap().write_all(script.as_bytes()).unwrap();
        fs::set_permissions(&manager, fs::Permissions::from_mode(0o755)).unwrap();
        let settings = folder.path().join("mx.toml");
        File::create(&settings).unwrap().write_all(b"[metrics]\nsocket = \"systemd:metrics\"\n").unwrap();
        let asked = |daemon: &str| listens(manager.to_str().unwrap(), daemon, &settings);
        assert_eq!(asked("mx"), "127.0.0.1:9126".parse().ok());
        assert_eq!(asked("router"), None, "systemd knows no such service");
        assert_eq!(listens("/nowhere/systemctl", "mx", &settings), None);
        assert_eq!(listens(manager.to_str().unwrap(), "mx", folder.path()), None);
    }
}
