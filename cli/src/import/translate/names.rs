//! Who the host is, and which hosts the site has.

use std::net::IpAddr;

use switchyard_config::site::Role;
use switchyard_maps::spec::words;
use switchyard_smtp::address::Domain;

use super::Import;
use crate::import::Roles;
use crate::import::draft::Host;
use crate::import::lines::load;

/// Where the router of a site of one machine listens.
pub(super) const INNER: &str = "127.0.0.1:2526";

const NO_NAME: &str =
    "main.cf does not set myhostname, so Postfix takes the machine's own name: give it with --host-name";

impl Import<'_> {
    pub(super) fn names(&mut self) -> Result<(), String> {
        let host = match (&self.question.host_name, self.main.get("myhostname")) {
            (Some(name), _) => name.clone(),
            (None, Some(_)) => self.main.value("myhostname"),
            (None, None) => return Err(NO_NAME.to_owned()),
        };
        let host = Domain::parse(&host).map_err(|error| format!("`{host}` is no host's name: {error}"))?;
        let host = host.as_str().to_owned();
        self.carried("myhostname", "the host's name in site.toml");
        self.carried("mydomain", "filled in where it was named; nothing here has a setting for it");

        let addresses = self.addresses();
        match self.question.role.unwrap_or_else(|| self.roles()) {
            Roles::Both => {
                let domain = self.main.value("mydomain");
                let router = format!("router.{domain}");
                let router = if router == host { format!("router1.{domain}") } else { router };
                let inner = vec!["127.0.0.1".to_owned()];
                self.draft.hosts.push(Host { name: host.clone(), role: Role::Mx, addresses });
                self.draft.hosts.push(Host { name: router, role: Role::Router, addresses: inner });
                self.one_machine(&host);
            }
            Roles::Mx => {
                self.draft.hosts.push(Host { name: host, role: Role::Mx, addresses });
                // No router is known: the person names them.
                let pool = vec![INNER];
                self.draft.set(Role::Mx, "routers.pool", pool, "to do: the routers of the site");
            }
            Roles::Router => self.draft.hosts.push(Host { name: host, role: Role::Router, addresses }),
        }
        self.origin();
        Ok(())
    }

    /// The mx before the router on the machine that was one Postfix.
    fn one_machine(&mut self, host: &str) {
        let draft = &mut self.draft;
        // Both socket units of the suite hold port 25: one of the two must be told another.
        let told = format!("on a machine with an mx, let switchyard-router.socket listen on {INNER}");
        draft.listen(Role::Router, "systemd:smtp", &told);
        draft.set(Role::Mx, "routers.pool", vec![INNER], "the router on the same machine");
        let own = vec!["127.0.0.0/8", "${role.mx.addresses}"];
        draft.set(Role::Router, "relay.xforward_networks", own, "the mx connects from one of these");
        draft.set(Role::Router, "deliver.helo_name", host, "the name that the world knows");
        draft.set(Role::Router, "deliver.own_names", vec!["${role.mx.names}"], "");
        let addresses = vec!["${host.addresses}", "${role.mx.addresses}"];
        draft.set(Role::Router, "deliver.own_addresses", addresses, "");
    }

    /// Whether it took mail from the world for domains, or only sent mail on.
    fn roles(&self) -> Roles {
        let inside = self.named_interfaces();
        let inside = !inside.is_empty() && inside.iter().all(IpAddr::is_loopback);
        let listens = self.services.is_empty()
            || self.services.iter().any(|service| service.kind == "inet" && service.command == "smtpd");
        let names =
            ["relay_domains", "virtual_alias_maps", "virtual_alias_domains", "virtual_mailbox_domains"];
        let takes =
            names.iter().any(|name| self.main.get(name).is_some() && !self.main.value(name).is_empty());
        if listens && !inside && takes { Roles::Both } else { Roles::Router }
    }

    fn addresses(&mut self) -> Vec<String> {
        if !self.question.addresses.is_empty() {
            self.carried("inet_interfaces", "the addresses that were given stand in site.toml");
            return self.question.addresses.iter().map(ToString::to_string).collect();
        }
        let mut named = self.named_interfaces();
        // The first is the one that others connect to.
        named.sort_by_key(IpAddr::is_loopback);
        if named.is_empty() {
            let interfaces = self.main.value("inet_interfaces");
            let what = format!("`{interfaces}` names no address, and a site names its hosts by address");
            self.changed(
                "inet_interfaces",
                what,
                "write the host's addresses in site.toml instead of 127.0.0.1",
            );
            return vec!["127.0.0.1".to_owned()];
        }
        self.carried("inet_interfaces", "the host's addresses in site.toml, and the sockets it listens on");
        named.iter().map(ToString::to_string).collect()
    }

    /// The addresses that main.cf has the host listen on; none stands for all.
    pub(super) fn named_interfaces(&self) -> Vec<IpAddr> {
        let interfaces = self.main.value("inet_interfaces");
        let address = |word: &str| match word {
            "loopback-only" | "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
            _ => word.trim_matches(['[', ']']).parse().ok(),
        };
        words(&interfaces).filter_map(address).collect()
    }

    fn origin(&mut self) {
        let mut origin = self.main.value("myorigin");
        if origin.starts_with('/') {
            // Debian: the first line of a file.
            let read = self.tree.find(&origin).and_then(|path| load(&path).ok());
            let Some(line) = read.and_then(|lines| lines.into_iter().next()) else {
                return self.dropped(
                    "myorigin",
                    "the file that holds the name is not there",
                    "write `origin = \"…\"` into [facts]: without it, it is the router's own name",
                );
            };
            origin = line.text;
        }
        match Domain::parse(&origin) {
            Ok(domain) => {
                self.draft.fact("origin", domain.as_str(), "the domain of an address without one");
                self.carried("myorigin", "the fact `origin` in site.toml");
            }
            Err(error) => {
                let what = format!("`{origin}`: {error}");
                self.dropped("myorigin", what, "write a domain into the fact `origin`");
            }
        }
    }
}
