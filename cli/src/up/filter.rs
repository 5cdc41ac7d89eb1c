//! The filters of the site, if it has any: one beside the mx, one beside the router, wherever a layer of the site says
//! how that host filters. Each listens on a unix socket in the folder, and the daemon beside it asks it there.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use switchyard_config::document::Document;
use switchyard_config::site::{Daemon, Role, Site};
use switchyard_config::{MilterSettings, Settings as _};
use switchyard_milter::Filter;

use super::running::{self, Loaded, Running};
use super::site::{filter_overlay, quoted};
use super::{Place, Ports, UpError, folder_error, host};

/// Whose filter it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// The mx's.
    Mx,
    /// The router's.
    Router,
}

impl Beside {
    /// That of the host of a role, if the site gives it one.
    pub(super) fn of(site: &Site, role: Role) -> Result<Option<Self>, UpError> {
        let has_one = site.daemons(host(site, role)?).contains(&Daemon::Milter);
        Ok(has_one.then_some(if role == Role::Mx { Self::Mx } else { Self::Router }))
    }

    /// The stem of its control socket's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Mx => "mx-milter",
            Self::Router => "router-milter",
        }
    }

    /// Where it listens, as a TOML text.
    pub(super) fn place(self, dir: &Path) -> String {
        let path = dir.join("run").join(format!("{}.filter", self.name()));
        quoted(Path::new(&format!("unix:{}", path.display())))
    }

    /// Where its metrics are.
    pub(super) const fn metrics(self, ports: Ports) -> SocketAddr {
        match self {
            Self::Mx => ports.mx_filter_metrics,
            Self::Router => ports.router_filter_metrics,
        }
    }

    const fn role(self) -> Role {
        match self {
            Self::Mx => Role::Mx,
            Self::Router => Role::Router,
        }
    }
}

/// Starts the filters that the site has.
pub(super) async fn start(place: &Place) -> Result<Vec<Running>, UpError> {
    let site = place.site()?;
    let mut running = Vec::new();
    for role in [Role::Mx, Role::Router] {
        let Some(beside) = Beside::of(&site, role)? else { continue };
        // The control sockets' folder: nobody else may open what lies in it.
        let run = place.dir.join("run");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&run);
        made.map_err(|error| folder_error(&run, error))?;
        let place = place.clone();
        running.push(running::start::<Filter>(move || settings(&place, beside)).await?);
    }
    Ok(running)
}

/// Its settings, with this machine's sockets and folders.
fn settings(place: &Place, beside: Beside) -> Result<Loaded<Filter>, UpError> {
    let site = place.site()?;
    let overlay = filter_overlay(&place.dir, beside, place.ports);
    let overlay = Document::parse("switchyard up", &overlay).map_err(UpError::Site)?;
    let host = host(&site, beside.role())?;
    let mut document = site.document_of(host, Daemon::Milter, Some(overlay)).map_err(UpError::Site)?;
    // What is tried here is told to nobody, and nothing of it is written where the site's own filters count.
    document.root.entries.retain(|entry| entry.key != "reports");
    MilterSettings::effective(&document, None).map_err(UpError::Site)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::super::certificates::Certificates;
    use super::super::site::lay_down;
    use super::*;

    #[test]
    fn what_is_tried_is_reported_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        lay_down(dir.path()).unwrap();
        let layer = dir.path().join("site/role/mx/milter.toml");
        fs::create_dir_all(layer.parent().unwrap()).unwrap();
        let text = b"[reports]\nfrom = 'r@example.org'\nrelay = '127.0.0.1:25'\n";
        fs::File::create(&layer).unwrap().write_all(text).unwrap();
        let certificates = Certificates::provide(&dir.path().join("tls"), &["localhost"]).unwrap();
        let place = Place { dir: dir.path().to_owned(), ports: Ports::from_base(2525), certificates };
        assert_eq!(Beside::of(&place.site().unwrap(), Role::Mx).unwrap(), Some(Beside::Mx));
        assert_eq!(settings(&place, Beside::Mx).unwrap().0.reports, None);
    }
}
