//! The settings of a hub, an agent and an admin, and the site that is pushed.

use std::fs;

use super::{HOST, World};

/// What its mail does, so that a push that breaks it is seen.
const BEHAVIOURS: &str = r#"
[[behaviour]]
name = "the postmaster is there"
role = "mx"
from = "ann@client.example"
to = "postmaster@example.org"
reply = 250
"#;

impl World {
    pub(super) fn write_settings(&self, more_of_hub: &str) {
        let (hub, folder) = (self.hub_address, self.site.path(""));
        let folder = folder.display();
        let metrics = self.site.free_address();
        self.site.write(
            "hub.toml",
            &format!(
                "host_name = \"hub1.example.org\"\nlog.format = \"text\"\nmetrics.socket = \"{metrics}\"\n\
                 store.folder = \"{folder}/hub\"\nenvironments.live.root = \"{folder}/root.json\"\n\
                 [[listen.hub]]\nsocket = \"{hub}\"\n\
                 [tls]\ncertificate = \"tls/hub.pem\"\nkey = \"tls/hub.key\"\nclient_ca = \"tls/authority.pem\"\n{more_of_hub}"
            ),
        );
        let tls = |name: &str| {
            format!(
                "[tls]\ncertificate = \"tls/{name}.pem\"\nkey = \"tls/{name}.key\"\nhub_ca = \"tls/authority.pem\"\n"
            )
        };
        let metrics = self.agent_metrics;
        self.site.write(
            "agent.toml",
            &format!(
                "host_name = \"{HOST}\"\nenvironment = \"live\"\nroot = \"root.json\"\nhubs = [\"{hub}\"]\n\
                 folder = \"{folder}/agent\"\nlog.format = \"text\"\nmetrics.socket = \"{metrics}\"\n{}",
                tls("mx1")
            ),
        );
        self.site.write(
            "push.toml",
            &format!(
                "author = \"ann\"\nenvironment = \"live\"\nroot = \"root.json\"\nhubs = [\"{hub}\"]\n\
                 push_keys = [\"ann.key\"]\nrelease_keys = [\"release.key\"]\n{}",
                tls("ann")
            ),
        );
    }

    /// A front host whose daemon listens on the scenario's own address.
    pub(super) fn write_site(&self) {
        for folder in ["live", "live/maps", "live/role", "live/behaviours"] {
            fs::create_dir(self.site.path(folder)).expect("a folder");
        }
        let host = |name: &str, role: &str| {
            format!("[[host]]\nname = \"{name}\"\nrole = \"{role}\"\naddresses = [\"{}\"]\n", self.site.ip())
        };
        let router = host("router1.example.org", "router");
        self.site.write(
            "live/site.toml",
            &format!("[facts]\norigin = \"example.org\"\n{}{router}", host(HOST, "mx")),
        );
        let mx = format!(
            "[[listen.smtp]]\nsocket = \"{}\"\n[metrics]\nsocket = \"{}\"\n[control]\nsocket = \"{}\"\n\
             [dns]\nservers = [\"127.0.0.1:9\"]\n[log]\nformat = \"text\"\n",
            self.mx_address,
            self.site.free_address(),
            self.site.path("mx.sock").display()
        );
        self.site.write("live/role/mx.toml", &mx);
        self.site.write("live/maps/relay_domains", "example.org\n");
        self.site.write("live/maps/recipients", "postmaster@example.org\n");
        self.site.write("live/maps/virtual_alias", "abuse@example.org postmaster@example.org\n");
        self.site.write("live/maps/transport", "example.org smtp:[127.0.0.1]\n");
        self.site.write("live/behaviours/mx.toml", BEHAVIOURS);
    }
}
