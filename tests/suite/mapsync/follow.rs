//! Hubs that follow: with a certificate that is renewed while they run, and with files that only one of two others has.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use switchyard_tests::expect;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::peer::process::Process;
use switchyard_tests::tool::{switchyard, write};

use super::cluster::quoted;
use super::world::World;

/// A hub that takes no pushes.
struct Follower {
    name: &'static str,
    address: SocketAddr,
    process: Process,
}

impl Follower {
    fn start(world: &World, name: &'static str, follows: &[SocketAddr]) -> Self {
        let address = world.site.free_address();
        let folder = world.site.path(name);
        world.site.write(
            &format!("{name}.toml"),
            &format!(
                "host_name = \"{name}.example.org\"\nlog.format = \"text\"\nmetrics.socket = \"{}\"\npeers = [{}]\n\
                 store.folder = \"{}\"\nenvironments.live.root = \"root.json\"\n[[listen.hub]]\nsocket = \"{address}\"\n\
                 [tls]\ncertificate = \"tls/{name}.pem\"\nkey = \"tls/{name}.key\"\nclient_ca = \"tls/authority.pem\"\n",
                world.site.free_address(),
                quoted(follows),
                folder.display(),
            ),
        );
        let own = world.hub_address.to_string();
        write(
            &world.site.path(format!("push-{name}.toml")),
            &world.log("push.toml").replace(&own, &address.to_string()),
        );
        let process = world.start("switchyard-mapsync", &["hub", "--config"], &format!("{name}.toml"));
        expect::holds("a hub to listen", || TcpStream::connect(address).is_ok());
        Self { name, address, process }
    }

    /// The newest generation that it shows, as an admin reads it.
    fn shows(&self, world: &World) -> Option<u64> {
        let with = world.file(format!("push-{}.toml", self.name));
        let told = switchyard(["log", "--with", with.as_str()]);
        told.data.split_whitespace().next()?.parse().ok()
    }

    fn reload(&self) {
        let process = Pid::from_raw(self.process.id().cast_signed()).expect("a process");
        kill_process(process, Signal::HUP).expect("a running hub");
    }
}

fn identity(world: &World, name: &str) -> String {
    format!("URI:spiffe://live/hub/{name},IP:{}", world.site.ip())
}

/// Every file that a hub keeps.
fn files(hub: &Path) -> Vec<PathBuf> {
    let shelves = fs::read_dir(hub.join("files")).expect("what it keeps").flatten();
    let files = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).expect("a shelf").flatten());
    files.map(|file| file.path()).collect()
}

#[test]
fn a_follower_takes_its_renewed_certificate_and_fetches_what_one_hub_lost_from_another() {
    let world = World::new();
    assert_eq!(world.push(&[]).code, Some(0));

    // By an authority that the hub does not know, it hears nothing; with a certificate by the right one it does, and is
    // not started anew.
    let strange = world.site.path("strange");
    fs::create_dir(&strange).expect("a folder");
    let strange = Certificates::make(&strange, &[]);
    strange.add("hub2", &identity(&world, "hub2"));
    let place = |name: &str| world.site.path(format!("tls/{name}"));
    fs::copy(strange.certificate("hub2"), place("hub2.pem")).expect("room");
    fs::copy(strange.key("hub2"), place("hub2.key")).expect("room");
    let second = Follower::start(&world, "hub2", &[world.hub_address]);
    expect::holds("it to be refused", || world.log("hub2.log").contains("another hub is not heard"));
    assert!(files(&world.site.path("hub2")).is_empty());
    world.certificates.add("hub2", &identity(&world, "hub2"));
    second.reload();
    expect::holds("it to follow", || second.shows(&world) == Some(1));

    // A hub that lost its files shows what it has, and who follows it has them from another.
    let kept = files(&world.site.path("hub"));
    assert!(kept.len() > 3, "{kept:?}");
    expect::holds("it to have the files", || files(&world.site.path("hub2")).len() == kept.len());
    kept.iter().for_each(|file| fs::remove_file(file).expect("a file"));
    world.certificates.add("hub3", &identity(&world, "hub3"));
    let third = Follower::start(&world, "hub3", &[world.hub_address, second.address]);
    expect::holds("it to follow as well", || third.shows(&world) == Some(1));
    expect::holds("the third to have the files", || files(&world.site.path("hub3")).len() == kept.len());
}
