//! What a fleet stands on: an admin with keys, an authority, hubs that run, and etcd under them if they are several.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::ClientConfig;
use switchyard_mapsync::admin::{Admin, Earlier, Memory, Reach, Wish};
use switchyard_mapsync::client::Hub;
use switchyard_mapsync::site::{SiteFile, pack};
use switchyard_mapsync::tls::MutualTls;
use switchyard_mapsync_protocol::envelope::{Message, Signed};
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::root::{Role, Roles, Root};
use switchyard_mapsync_protocol::{Environment, Timestamp};
use tokio::time::{Instant, sleep};

use crate::expect;
use crate::peer::etcd::Etcd;
use crate::peer::process::{Group, Process};
use crate::site::Site;

/// Before a push is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long what is signed here counts.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Hubs, and who pushes to them.
pub struct Ground {
    // Programs end before their folder goes.
    hubs: Vec<Option<Process>>,
    etcd: Option<Etcd>,
    site: Site,
    addresses: Vec<SocketAddr>,
    authority: CertifiedIssuer<'static, KeyPair>,
    keys: Keys,
    /// The first root.
    pub(super) root: Vec<u8>,
}

struct Keys {
    push: SecretKey,
    release: SecretKey,
}

impl Ground {
    /// Starts so many hubs by this program: one alone, or several on an etcd of three members.
    ///
    /// # Panics
    /// When something of it does not start.
    #[must_use]
    pub fn new(program: &Path, hubs: usize) -> Self {
        let site = Site::new();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key"));
        let authority = authority.expect("an authority");
        let [root, push, release] = [(); 3].map(|()| SecretKey::generate().expect("a key"));
        let role = |key: &SecretKey| Role { keys: vec![key.public()], threshold: 1 };
        let roles = Roles { root: role(&root), push: role(&push), release: role(&release) };
        let message = Root { environment: environment(), version: 1, expires: Timestamp(u64::MAX), roles };
        let addresses = (0..hubs).map(|_| site.free_address()).collect();
        let etcd = (hubs > 1).then(Etcd::start);
        let keys = Keys { push, release };
        let root = signed(&message, &root);
        let mut ground = Self { hubs: Vec::new(), etcd, site, addresses, authority, keys, root };
        ground.write("authority.pem", ground.authority.pem().as_bytes());
        ground.write("root.json", &ground.root);
        fs::create_dir(ground.site.path("live")).expect("a folder");
        ground.hubs = (0..hubs).map(|hub| Some(ground.start(program, hub))).collect();
        for address in &ground.addresses {
            expect::holds("a hub to listen", || TcpStream::connect(address).is_ok());
        }
        ground
    }

    fn start(&self, program: &Path, hub: usize) -> Process {
        let own = self.addresses[hub];
        self.certificate(&format!("spiffe://live/hub/hub{hub}"), &format!("hub{hub}"));
        let quoted = |addresses: Vec<String>| addresses.join(", ");
        let others = self.addresses.iter().filter(|other| **other != own);
        let peers = quoted(others.map(|other| format!("\"{other}\"")).collect());
        let members = self.etcd.iter().flat_map(Etcd::addresses).map(|member| format!("\"{member}\""));
        let members = quoted(members.collect());
        let settings = format!(
            "host_name = \"hub{hub}.example.org\"\npeers = [{peers}]\nmetrics.socket = \"{}\"\n\
             store.folder = \"{}\"\nenvironments.live.root = \"root.json\"\nlimits.connections = 20000\n\
             [[listen.hub]]\nsocket = \"{own}\"\n[etcd]\nmembers = [{members}]\n\
             [tls]\ncertificate = \"hub{hub}.pem\"\nkey = \"hub{hub}.key\"\nclient_ca = \"authority.pem\"\n",
            self.site.free_address(),
            self.site.path(format!("hub{hub}")).display(),
        );
        self.write(&format!("hub{hub}.toml"), settings.as_bytes());
        let log = File::create(self.site.path(format!("hub{hub}.log"))).expect("a log");
        let mut command = Command::new(program);
        command.args(["hub", "--config"]).arg(self.site.path(format!("hub{hub}.toml")));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process::start(&mut command, Group::Ours)
    }

    /// Where hubs are asked.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Kills a hub without a word.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill_hub(&mut self, hub: usize) {
        self.hubs[hub].take().expect("it runs").kill();
    }

    /// Kills the member of etcd that leads.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill_leader(&mut self) {
        self.etcd.as_mut().expect("several hubs have an etcd").kill_leader();
    }

    /// CPU time that a hub has used.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn cpu(&self, hub: usize) -> Duration {
        self.hubs[hub].as_ref().expect("it runs").cpu()
    }

    /// Octets of memory that a hub has resident.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident(&self, hub: usize) -> u64 {
        self.hubs[hub].as_ref().expect("it runs").resident()
    }

    /// Who somebody is, as TLS needs it.
    pub(super) fn tls(&self, uri: &str, name: &str) -> Arc<ClientConfig> {
        self.certificate(uri, name).client().expect("certificates of our own")
    }

    /// A certificate, and the files that it lies in.
    pub(super) fn certificate(&self, uri: &str, name: &str) -> MutualTls {
        let mut parameters = CertificateParams::default();
        let uri = SanType::URI(uri.try_into().expect("a plain identity"));
        parameters.subject_alt_names = vec![uri, SanType::IpAddress(self.site.ip())];
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.authority).expect("a certificate");
        self.write(&format!("{name}.pem"), certificate.pem().as_bytes());
        self.write(&format!("{name}.key"), key.serialize_pem().as_bytes());
        let file = |name: &str| self.site.path(name);
        MutualTls {
            certificate: file(&format!("{name}.pem")),
            key: file(&format!("{name}.key")),
            authorities: file("authority.pem"),
        }
    }

    /// A file in the folder of it all.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, octets: &[u8]) {
        let mut file = File::create(self.site.path(name)).expect("a file to write");
        file.write_all(octets).expect("room for a file");
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.site.path(name)
    }

    /// An address that nobody listens on.
    #[must_use]
    pub fn free_address(&self) -> SocketAddr {
        self.site.free_address()
    }

    /// An admin at a hub.
    ///
    /// # Panics
    /// When the hub is not to be asked.
    pub async fn admin(&self, hub: usize) -> Pusher {
        let tls = self.tls("spiffe://live/push/ann", "ann");
        let hub = Hub::new(self.addresses[hub].to_string(), environment(), tls);
        let memory = Memory::open(self.site.path("push.memory")).expect("a memory");
        let admin = Admin::meet(hub, &self.root, &environment(), memory, now()).await;
        let folder = self.site.path("live");
        Pusher { admin: admin.expect("a hub that answers"), folder, published: Instant::now() }
    }

    /// Signs and pushes what lies in `live/`; what it brings, or why not.
    ///
    /// # Errors
    /// When the hub does not take it.
    pub async fn push(&self, by: &mut Pusher) -> Result<HeadRef, String> {
        let files: Vec<SiteFile> = pack(&by.folder).expect("a site that travels");
        by.admin.bring(&files, |_, _| {}).await.map_err(|error| error.to_string())?;
        let wish = Wish {
            author: "ann".to_owned(),
            note: "one change".to_owned(),
            lifetime: LIFETIME,
            files: files.into_iter().map(|file| file.file).collect(),
            hub_is_lost: false,
        };
        let key = std::slice::from_ref(&self.keys.push);
        by.published = Instant::now();
        by.admin.push(wish, key).await.map_err(|error| error.to_string())
    }

    /// The same until a hub takes it, which may have to find out with others who leads them.
    ///
    /// # Panics
    /// When none does for a minute.
    pub async fn push_until_taken(&self, by: &mut Pusher, hub: usize) -> HeadRef {
        let end = Instant::now() + expect::PATIENCE;
        loop {
            let why = match self.push(by).await {
                Ok(head) => return head,
                Err(why) => why,
            };
            assert!(Instant::now() < end, "no hub takes it: {why}");
            sleep(PAUSE).await;
            *by = self.admin(hub).await;
            let files = pack(&by.folder).expect("a site that travels");
            if let Ok(Earlier::Brought(head)) = by.admin.bring_unsure(&files).await {
                return head;
            }
        }
    }

    /// Releases a generation to every host.
    ///
    /// # Panics
    /// When the hub does not take it.
    pub async fn release(&self, by: &mut Pusher, head: HeadRef) {
        let all = switchyard_mapsync_protocol::release::ALL;
        let reach =
            Reach { permille: all, canaries: Vec::new(), halted: false, undo: false, lifetime: LIFETIME };
        let key = std::slice::from_ref(&self.keys.release);
        by.admin.put_in_use(reach, head, true, key).await.expect("a release that is taken");
    }
}

/// An admin at work.
#[derive(Debug)]
pub struct Pusher {
    /// As it is shipped.
    pub admin: Admin,
    /// When the last generation was signed and shown to the hub, its files being there.
    pub published: Instant,
    folder: PathBuf,
}

fn signed(message: &impl Message, key: &SecretKey) -> Vec<u8> {
    let mut signed = Signed::new(message).expect("a message in its form");
    signed.sign(key);
    signed.to_json().expect("a message that can be written")
}

/// The one environment.
pub(super) fn environment() -> Environment {
    Environment::try_from("live".to_owned()).expect("a plain name")
}

/// The clock of this machine.
pub(super) fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
}
