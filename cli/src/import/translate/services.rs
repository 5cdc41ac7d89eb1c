//! master.cf: where SMTP is listened for, and which services have no counterpart.

use super::{Import, note};
use crate::import::master_cf::Service;
use crate::import::report::{Fate, Note};

/// What every master.cf has, and what here is part of a daemon. The last line is Debian's examples.
const USUAL: [&str; 32] = [
    "pickup",
    "cleanup",
    "qmgr",
    "tlsmgr",
    "rewrite",
    "bounce",
    "defer",
    "trace",
    "verify",
    "flush",
    "proxymap",
    "proxywrite",
    "smtp",
    "relay",
    "lmtp",
    "showq",
    "error",
    "retry",
    "discard",
    "hold",
    "local",
    "virtual",
    "anvil",
    "scache",
    "postlog",
    "smtpd",
    "maildrop",
    "uucp",
    "ifmail",
    "bsmtp",
    "scalemail-backend",
    "mailman",
];
const SUBMISSION: [&str; 5] = ["submission", "587", "smtps", "submissions", "465"];

impl Import<'_> {
    /// A service's own settings hold over main.cf's where it is the one that main.cf's are for.
    pub(in crate::import) fn overlay(&mut self) {
        for service in &self.services {
            let (_, port) = service.endpoint();
            let server =
                service.kind == "inet" && service.command == "smtpd" && matches!(port, "smtp" | "25");
            let behind_postscreen = service.kind == "pass" && service.command == "smtpd";
            let client = service.kind == "unix" && service.name == "smtp" && service.command == "smtp";
            if server || behind_postscreen || client {
                for (name, value) in &service.overrides {
                    self.main.overlay(name, value, service.line);
                }
            }
        }
    }

    pub(super) fn listeners(&mut self) {
        let services = std::mem::take(&mut self.services);
        for service in &services {
            match service.kind.as_str() {
                "inet" => self.listener(service),
                _ => self.inner_service(service),
            }
        }
        self.services = services;
        self.sockets();
    }

    /// Port 25 stands with systemd's socket unit, unless main.cf names addresses.
    fn sockets(&mut self) {
        let front = self.front();
        for address in self.named_interfaces() {
            let socket = std::net::SocketAddr::new(address, 25).to_string();
            self.draft.listen(
                front,
                &socket,
                "as inet_interfaces said; the unit then needs CAP_NET_BIND_SERVICE",
            );
        }
    }

    fn listener(&mut self, service: &Service) {
        let (_, port) = service.endpoint();
        let submission = SUBMISSION.contains(&port)
            || service.get("smtpd_sasl_auth_enable") == Some("yes")
            || service.get("smtpd_tls_wrappermode") == Some("yes");
        match (service.command.as_str(), port) {
            ("smtpd", "smtp" | "25") => self.service(
                service,
                Fate::Carried,
                "port 25 of the unit's socket, or the sockets that inet_interfaces names; its own settings are \
                 read as if they stood in main.cf",
                None,
            ),
            ("postscreen", _) => self.service(
                service,
                Fate::Dropped,
                "postscreen's tests before a session have no counterpart; port 25 itself is listened on",
                Some("`limits.greeting_wait` listens for clients that talk before the greeting"),
            ),
            ("smtpd", _) if submission => self.service(
                service,
                Fate::Dropped,
                "mail submission with passwords has no counterpart",
                Some("leave submission to Postfix or to the mailbox server, with a router as its relayhost"),
            ),
            ("smtpd", _) if service.get("content_filter") == Some("") => self.service(
                service,
                Fate::Dropped,
                "mail comes back here from a content filter, and there is none",
                Some("put the filter before the mx or behind the router, as a next hop"),
            ),
            ("smtpd", _) => self.service(
                service,
                Fate::Dropped,
                "another port with its own rules",
                Some("add a [[listen.smtp]] with this socket to a layer in role/, if the role's rules fit it"),
            ),
            (command, _) => {
                let what = format!("{command} has no counterpart");
                self.service(service, Fate::Dropped, &what, Some("keep it with Postfix if it is needed"));
            }
        }
    }

    fn inner_service(&mut self, service: &Service) {
        let name = service.name.as_str();
        match service.command.as_str() {
            command @ ("smtp" | "lmtp") if !USUAL.contains(&name) => {
                let word = if command == "smtp" { "smtp" } else { "lmtp" };
                self.tables.clones.insert(name.to_owned(), word);
                let what = format!("tables that name `{name}:` get `{word}:`");
                if service.overrides.is_empty() {
                    self.service(service, Fate::Carried, &what, None);
                } else {
                    let what = format!("{what}; the settings of its own are not carried");
                    let advice = "what one next hop needs can stand in `deliver.tls_policy` or a pool";
                    self.service(service, Fate::Changed, &what, Some(advice));
                }
            }
            "pipe" | "spawn" if !USUAL.contains(&name) => self.service(
                service,
                Fate::Dropped,
                "programs are not started for a message",
                Some("let the program listen for LMTP, and name its socket in the transport map"),
            ),
            "dnsblog" | "tlsproxy" => {}
            _ if USUAL.contains(&name) => {}
            command => {
                let what = format!("{command} has no counterpart");
                self.service(service, Fate::Dropped, &what, None);
            }
        }
    }

    fn service(&mut self, service: &Service, fate: Fate, what: &str, advice: Option<&str>) {
        let value = format!("{} {} {}", service.name, service.kind, service.command);
        let advice = advice.map(str::to_owned);
        self.report.push(Note { advice, ..note("master.cf", service.line, &value, fate, what) });
    }
}
