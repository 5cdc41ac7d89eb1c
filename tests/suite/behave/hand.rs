//! One site twice: a Postfix set up by hand, and an mx before a router, both on the same map files, both handing
//! mail to the same two places.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::{free_address, nexthop};
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};

/// Both of them, and the site's folder with its behaviours.
pub(super) struct Twice {
    pub(super) postfix: Postfix,
    pub(super) mx: Daemon,
    pub(super) mailboxes: SocketAddr,
    pub(super) lists: SocketAddr,
    _router: Daemon,
    site: Site,
}

const SITE: &str = "\
[[host]]
name = 'mx1.example.org'
role = 'mx'
addresses = ['127.0.0.1']
";

/// The addresses that exist.
pub(super) const RECIPIENTS: &str = "alice@example.org OK\nbob@example.org OK\nhole@example.org OK\n\
                                     users@lists.example.org OK\n";

impl Twice {
    pub(super) fn start() -> Self {
        let site = Site::new();
        let (mailboxes, lists) = (free_address(), free_address());
        let transport = format!(
            "example.org smtp:{}\nlists.example.org smtp:{}\nhole@example.org discard:\n",
            nexthop(mailboxes),
            nexthop(lists)
        );
        for (name, text) in [
            ("maps/relay_domains", "example.org\nlists.example.org\n"),
            ("maps/recipients", RECIPIENTS),
            ("maps/virtual_alias", ALIASES),
            ("maps/transport", &transport),
            ("maps/clients", "192.0.2.66 REJECT\n"),
            ("site.toml", SITE),
        ] {
            site.write(name, text);
        }
        fs::create_dir(site.path("behaviours")).expect("a folder");
        site.write("behaviours/all.toml", include_str!("postfix.toml"));
        // Postfix looks at its tables as another user.
        fs::set_permissions(site.path("."), Permissions::from_mode(0o755)).expect("our own folder");
        let certificates = Certificates::make(&site.path("."), &["mx1.example.org"]);
        let postfix = postfix(&site, &certificates);
        let (mx, router) = suite(&site, &certificates, mailboxes);
        Self { postfix, mx, mailboxes, lists, _router: router, site }
    }

    /// The site's folder.
    pub(super) fn folder(&self) -> PathBuf {
        self.site.path("")
    }

    /// Changes a map of the mx, which starts anew with it; Postfix has its own copy.
    pub(super) fn plant(&mut self, map: &str, text: &str) {
        assert!(self.mx.terminate().success(), "{}", self.mx.log_end());
        self.site.write(&format!("maps/{map}"), text);
        self.mx.start();
    }
}

const ALIASES: &str = "team@example.org alice@example.org, bob@example.org\n\
                       abuse@example.org alice@example.org\n\
                       both@example.org alice@example.org, users@lists.example.org\n";

fn postfix(site: &Site, certificates: &Certificates) -> Postfix {
    // Its own copies: what is planted later is planted on one side.
    let table = |name: &str| {
        let copy = site.path(format!("postfix-{name}"));
        fs::copy(site.path(format!("maps/{name}")), &copy).expect("a copy of a map");
        format!("texthash:{}", copy.display())
    };
    let settings = [
        ("relay_domains", "example.org, lists.example.org".to_owned()),
        ("relay_recipient_maps", table("recipients")),
        ("virtual_alias_maps", table("virtual_alias")),
        ("transport_maps", table("transport")),
        ("recipient_delimiter", "+".to_owned()),
        ("mynetworks", "127.0.0.2/32".to_owned()),
        ("smtpd_authorized_xclient_hosts", "127.0.0.0/8".to_owned()),
        ("smtpd_client_restrictions", format!("check_client_access {}", table("clients"))),
        ("smtpd_relay_restrictions", "permit_mynetworks, reject_unauth_destination".to_owned()),
        ("smtpd_tls_security_level", "may".to_owned()),
        ("smtpd_tls_received_header", "yes".to_owned()),
        ("smtpd_tls_cert_file", certificates.certificate("mx1.example.org").display().to_string()),
        ("smtpd_tls_key_file", certificates.key("mx1.example.org").display().to_string()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let nowhere = Onward::Relay(free_address());
    Postfix::start(&Options { settings: &settings, host_name: "mx1.example.org", ..Options::new(nowhere) })
}

fn suite(site: &Site, certificates: &Certificates, onward: SocketAddr) -> (Daemon, Daemon) {
    let mut router = site.router("router1", onward);
    router.settings.set("maps", "folder", &quoted(site.path("maps").display()));
    for map in ["relay_domains", "recipients", "virtual_alias", "transport"] {
        router.settings.set("maps", map, &quoted(map));
    }
    let mut mx = site.mx("mx1", &[router.address()]);
    for map in ["recipients", "virtual_alias"] {
        mx.settings.set("maps", map, &quoted(map));
    }
    mx.settings.set("maps", "client_access", &quoted("clients"));
    mx.settings.set("tls", "certificate", &quoted(certificates.certificate("mx1.example.org").display()));
    mx.settings.set("tls", "key", &quoted(certificates.key("mx1.example.org").display()));
    mx.settings.set("trust", "xclient_networks", "[\"127.0.0.0/8\"]");
    for daemon in [&mut mx, &mut router] {
        daemon.settings.set("maps", "recipient_delimiter", &quoted("+"));
        daemon.start();
    }
    (mx, router)
}
