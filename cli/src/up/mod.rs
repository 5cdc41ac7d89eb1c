//! `switchyard up`: a whole site on loopback in one process, to look at and to try things on.
//!
//! An example site is laid down in a folder ([`site`]), test certificates are made ([`certificates`]), and
//! its mx and router start with the settings that their roles render, with only ports and folders laid over
//! them; so do the filters beside them ([`filter`]), where the site has any. A [`sink`] stands for the mailboxes, and a [`view`] shows what passes.

mod certificates;
mod filter;
mod running;
mod sink;
mod site;
mod view;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use switchyard_config::document::Document;
use switchyard_config::site::{Host, Role, Site};
use switchyard_config::{Faults, MxSettings, RouterSettings, Settings};
use switchyard_daemon::drain::Drain;
use switchyard_daemon::signal::{Wish, Wishes};
use switchyard_daemon::sockets;
use switchyard_mx::Mx;
use switchyard_router::Router;
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::io::serve::{Calm, ServeOptions};
use switchyard_smtp::server::{Dialect, Limits};

use crate::output::Exit;
use certificates::Certificates;
use filter::Beside;
use running::Loaded;
use sink::Sink;

/// Run a whole site on loopback: mx, router and a mailbox, from an example site
#[derive(Debug, Args)]
#[command(after_help = "Example:
  switchyard up --dir /tmp/try --port-base 2525")]
pub(crate) struct Arguments {
    /// Where the site, the spool and the mail are kept; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "switchyard-up")]
    dir: PathBuf,
    /// mx listens on this port, the router on the next, the mailbox on the one after, metrics from N+10 on
    #[arg(long, value_name = "N", default_value_t = 2525, value_parser = clap::value_parser!(u16).range(1024..=65500))]
    port_base: u16,
}

/// Why the site does not come up.
#[derive(Debug, thiserror::Error)]
enum UpError {
    /// The folder can't be written.
    #[error("{}: {error}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The site in it has faults.
    #[error("{0}")]
    Site(Faults),
    /// Test certificates.
    #[error(transparent)]
    Certificates(#[from] certificates::CertificatesError),
    /// A daemon said no.
    #[error("{name} does not start: {error}")]
    Daemon {
        /// Which.
        name: &'static str,
        /// Why.
        error: String,
    },
    /// The site has no host of a role that is needed here.
    #[error("site.toml names no host of the role `{0}`: add one, `switchyard up` runs the first of each")]
    NoHost(&'static str),
    /// Something of the process.
    #[error("{0}")]
    Process(String),
}

/// Where everything listens.
#[derive(Debug, Clone, Copy)]
struct Ports {
    mx: SocketAddr,
    router: SocketAddr,
    sink: SocketAddr,
    mx_metrics: SocketAddr,
    router_metrics: SocketAddr,
    mx_filter_metrics: SocketAddr,
    router_filter_metrics: SocketAddr,
}

impl Ports {
    fn from_base(base: u16) -> Self {
        let at = |offset| SocketAddr::from((Ipv4Addr::LOCALHOST, base + offset));
        Self {
            mx: at(0),
            router: at(1),
            sink: at(2),
            mx_metrics: at(10),
            router_metrics: at(11),
            mx_filter_metrics: at(12),
            router_filter_metrics: at(13),
        }
    }
}

/// Runs the site until Ctrl-C.
pub(crate) fn run(arguments: &Arguments) -> io::Result<Exit> {
    view::start().map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(arguments.live());
    drop(runtime);
    match ended {
        Ok(()) => Ok(Exit::Fine),
        Err(error) => {
            writeln!(io::stderr(), "{error}")?;
            Ok(Exit::Wrong)
        }
    }
}

impl Arguments {
    async fn live(&self) -> Result<(), UpError> {
        let ports = Ports::from_base(self.port_base);
        let mut wishes = Wishes::listen().map_err(|error| UpError::Process(format!("signals: {error}")))?;
        let dir = std::path::absolute(&self.dir).map_err(|error| folder_error(&self.dir, error))?;
        site::lay_down(&dir).map_err(|(path, error)| UpError::Folder { path, error })?;
        let names = ["mx1.example.org", "router1.example.org", "localhost"];
        let certificates = Certificates::provide(&dir.join("tls"), &names)?;

        let drain = Drain::new();
        start_sink(&dir, ports, &drain)?;
        let place = Place { dir: dir.clone(), ports, certificates };
        let again = place.clone();
        let beside = place.clone();
        let filters = filter::start(&place).await?;
        let router = running::start::<Router>(move || Ok(settings(&again)?.1)).await?;
        let mx = running::start::<Mx>(move || Ok(settings(&place)?.0)).await?;
        // If the terminal is gone there is nobody to tell.
        let _best_effort = io::stdout().write_all(self.welcome(&beside)?.as_bytes());

        while wishes.next().await == Wish::Reload {
            for running in filters.iter().chain([&router, &mx]) {
                running.reload().await;
            }
        }
        // From the front to the back, so that none is asked that has ended.
        for running in [mx, router].into_iter().chain(filters) {
            running.end().await?;
        }
        drain.finished(Duration::from_secs(5)).await;
        Ok(())
    }

    /// What is running, and a line to try.
    fn welcome(&self, place: &Place) -> Result<String, UpError> {
        let Place { dir, ports, .. } = place;
        let Ports { mx, router, sink, mx_metrics, router_metrics, .. } = ports;
        let mail = dir.join("mail");
        let transport = dir.join("site/maps/transport");
        Ok(format!(
            "\n  mx        {mx}   takes mail for the recipients in the maps\n  \
             router    {router}   routes, keeps and delivers it\n  \
             mailbox   {sink}   SMTP and LMTP, writes {}\n  \
             metrics   http://{mx_metrics}/metrics  http://{router_metrics}/metrics\n{}\n  \
             Send a message:\n    \
             swaks --to alice@example.org --server {mx}\n  \
             Route the next one elsewhere: edit {}\n  \
             Change a setting: edit {}, and\n    \
             switchyard reload --daemon {}\n  \
             What becomes of it, and why:\n    \
             switchyard explain --daemon {} --daemon {} --to alice@example.org\n  \
             Ctrl-C ends it.\n\n",
            mail.display(),
            beside(place)?,
            transport.display(),
            dir.join("site/base.toml").display(),
            site::control(dir, "router").display(),
            site::control(dir, "mx").display(),
            site::control(dir, "router").display(),
        ))
    }
}

/// What else the site has: its filters run, its hubs do not.
fn beside(place: &Place) -> Result<String, UpError> {
    let site = place.site()?;
    let mut lines = String::new();
    for (role, at) in [(Role::Mx, place.ports.mx), (Role::Router, place.ports.router)] {
        if let Some(beside) = Beside::of(&site, role)? {
            let metrics = beside.metrics(place.ports);
            lines.push_str(&format!("  filter    asked by {at}, metrics   http://{metrics}/metrics\n"));
        }
    }
    if site.has_hubs() {
        lines.push_str("  hub       left out, with the agents: here the site's folder is read itself\n");
    }
    Ok(lines)
}

/// The first host of a role.
fn host(site: &Site, role: Role) -> Result<&Host, UpError> {
    site.hosts.iter().find(|host| host.role == role).ok_or(UpError::NoHost(role.as_str()))
}

fn folder_error(path: &Path, error: io::Error) -> UpError {
    UpError::Folder { path: path.into(), error }
}

/// What of this machine its daemons are given.
#[derive(Debug, Clone)]
struct Place {
    dir: PathBuf,
    ports: Ports,
    certificates: Certificates,
}

impl Place {
    fn site(&self) -> Result<Site, UpError> {
        Site::load(&self.dir.join("site")).map_err(UpError::Site)
    }
}

/// The settings of the first mx and the first router of the site, with this machine's ports and folders.
fn settings(place: &Place) -> Result<(Loaded<Mx>, Loaded<Router>), UpError> {
    let Place { dir, ports, certificates } = place;
    let site = place.site()?;
    let document = |role: Role, overlay: &str| {
        let overlay = Document::parse("switchyard up", overlay).map_err(UpError::Site)?;
        site.document(host(&site, role)?, Some(overlay)).map_err(UpError::Site)
    };
    let filter = |role| Beside::of(&site, role);
    let mx = document(Role::Mx, &site::mx_overlay(dir, *ports, certificates, filter(Role::Mx)?))?;
    let overlay = site::router_overlay(dir, *ports, certificates, filter(Role::Router)?);
    let router = document(Role::Router, &overlay)?;
    let mx = MxSettings::effective(&mx, None).map_err(UpError::Site)?;
    let router = RouterSettings::effective(&router, None).map_err(UpError::Site)?;
    Ok((mx, router))
}

fn start_sink(dir: &Path, ports: Ports, drain: &Drain) -> Result<(), UpError> {
    let listener = sockets::bind(ports.sink)
        .map_err(|error| UpError::Daemon { name: "the mailbox", error: error.to_string() })?;
    let sink = Sink {
        folder: dir.join("mail"),
        options: ServeOptions {
            host_name: "mailbox.example.org".into(),
            limits: Arc::new(Limits::default()),
            dialect: Dialect::Either,
            tls: None,
            memory: MemoryBudget::new(256 << 20),
            drain: drain.token(),
            stress: Arc::new(Calm),
        },
    };
    let sessions = drain.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = sessions.wait_started() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => sessions.track(sink.clone().serve(stream, peer)),
                    Err(error) => {
                        tracing::warn!(%error, "the mailbox takes no connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    });
    Ok(())
}
