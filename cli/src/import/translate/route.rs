//! Where mail goes when no table says: `relayhost` and `default_transport`.

use switchyard_config::site::Role;
use switchyard_config::words::read_hop;

use super::Import;

impl Import<'_> {
    pub(super) fn routes(&mut self) {
        let transport = self.default_transport();
        let relayhost = self.main.value("relayhost");
        // "The next hop of default_transport overrides relayhost" (postconf(5)).
        let (from, hops) = match transport.as_str() {
            "" => ("relayhost", relayhost.as_str()),
            nexthop => ("default_transport", nexthop),
        };
        if from == "default_transport" && !relayhost.is_empty() {
            self.not_needed("relayhost", "default_transport names a next hop, which holds over it");
        }
        if hops.is_empty() {
            return self
                .not_needed("relayhost", "names nothing: mail goes to the recipients' own mail exchangers");
        }
        if !self.draft.has(Role::Router) {
            return self.dropped(
                from,
                "an mx alone sends nothing to the world",
                "set it in the site of the routers",
            );
        }
        let wrong = hops.split([',', ' ']).filter(|hop| !hop.is_empty()).find_map(|hop| read_hop(hop).err());
        match wrong {
            None => {
                self.draft.fact("relayhost", hops, "where mail goes that no map routes");
                self.carried(from, "the fact `relayhost` in site.toml");
            }
            Some(error) => self.dropped(
                from,
                error,
                "write the fact `relayhost`: without it, mail goes to the recipients' own mail exchangers",
            ),
        }
    }

    /// Carries the transport; its next hop, or nothing.
    fn default_transport(&mut self) -> String {
        let value = self.main.value("default_transport");
        let (name, nexthop) = value.split_once(':').unwrap_or((&value, ""));
        let (name, nexthop) = (name.to_owned(), nexthop.trim().to_owned());
        let word = match self.tables.clones.get(&name) {
            Some(word) => *word,
            None => match name.as_str() {
                "smtp" | "relay" => "smtp",
                "lmtp" => "lmtp",
                _ => {
                    self.dropped(
                        "default_transport",
                        format!("`{value}`: smtp and lmtp are what mail goes out by when no map says"),
                        "write a line `* error:…` or the like at the end of the transport map",
                    );
                    return String::new();
                }
            },
        };
        if word != "smtp" {
            self.draft.set(Role::Router, "route.default_transport", word, "");
        }
        if nexthop.is_empty() {
            self.carried("default_transport", format!("`route.default_transport`: {word}"));
        }
        nexthop
    }
}
