//! Who signs: an admin with a line of generations and now and then a twin, and a release key that a hub holds too.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use switchyard_mapsync_protocol::agent::Kept;
use switchyard_mapsync_protocol::envelope::{Message, Signed};
use switchyard_mapsync_protocol::head::{File, Head, HeadRef};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::path::Path;
use switchyard_mapsync_protocol::release::{ALL, Release};
use switchyard_mapsync_protocol::rollout::{self, Plan};
use switchyard_mapsync_protocol::root::{Role, Roles, Root};
use switchyard_mapsync_protocol::trust::Trusted;
use switchyard_mapsync_protocol::{Environment, Timestamp, records};

/// A signed message.
pub(crate) type Octets = Rc<Vec<u8>>;

/// A generation as it was signed.
#[derive(Clone)]
pub(crate) struct Pushed {
    pub(crate) name: HeadRef,
    pub(crate) octets: Octets,
}

pub(crate) struct Admin {
    push: SecretKey,
    release: SecretKey,
    root: Root,
    /// What a new host keeps.
    pub(crate) first: Vec<u8>,
    pub(crate) line: Vec<Pushed>,
    pub(crate) sequence: u64,
    /// Heads of which an undone release was signed.
    pub(crate) undone: BTreeSet<HeadRef>,
    /// Every head, twins too.
    pub(crate) signed: BTreeMap<HeadRef, Head>,
}

pub(crate) fn environment() -> Environment {
    Environment::try_from("live".to_owned()).unwrap()
}

fn signed<M: Message>(message: &M, key: &SecretKey) -> (Octets, Signed) {
    let mut signed = Signed::new(message).unwrap();
    signed.sign(key);
    (Rc::new(signed.to_json().unwrap()), signed)
}

fn table(name: &str, version: u64) -> File {
    let octets = format!("{name}\t{version}\n");
    let path = Path::try_from(format!("maps/{name}")).unwrap();
    File::table(path, records::measure(octets.as_bytes()).unwrap())
}

impl Admin {
    pub(crate) fn new() -> Self {
        let key = |seed| SecretKey::from_seed([seed; 32]).unwrap();
        let role = |seed| Role { keys: vec![key(seed).public()], threshold: 1 };
        let roles = Roles { root: role(1), push: role(2), release: role(3) };
        let root = Root { environment: environment(), version: 1, expires: Timestamp(u64::MAX), roles };
        let trusted = Trusted::begin(&signed(&root, &key(1)).0, &environment()).unwrap();
        let first = Kept::new(trusted).to_json().unwrap();
        Self {
            push: key(2),
            release: key(3),
            root,
            first,
            line: Vec::new(),
            sequence: 0,
            undone: BTreeSet::new(),
            signed: BTreeMap::new(),
        }
    }

    /// The next generation, and its twin if there is to be one. The line goes on with the first.
    pub(crate) fn push(&mut self, now: u64, twin: bool) -> (Pushed, Option<Pushed>) {
        let generation = self.line.len() as u64 + 1;
        let mut head = Head {
            environment: environment(),
            generation,
            previous: self.line.last().map(|pushed| pushed.name.hash),
            created: Timestamp(now),
            expires: Timestamp(now + 1_000_000),
            author: "ann".to_owned(),
            note: String::new(),
            files: vec![table("a", generation), table("b", generation / 3), table("c", 0)],
        };
        let pushed = self.sign(&head);
        head.note = "twin".to_owned();
        let twin = twin.then(|| self.sign(&head));
        self.line.push(pushed.clone());
        (pushed, twin)
    }

    fn sign(&mut self, head: &Head) -> Pushed {
        let (octets, signed) = signed(head, &self.push);
        let name = HeadRef { generation: head.generation, hash: signed.hash() };
        self.signed.insert(name, head.clone());
        Pushed { name, octets }
    }

    /// Every step of a rollout to these hosts, whose first names some of them.
    pub(crate) fn plan(&mut self, now: u64, head: HeadRef, hosts: &[rollout::Host<'_>]) -> Plan {
        let canaries = rollout::canaries(hosts.iter().copied(), head.generation).unwrap();
        let names: Vec<_> = hosts.iter().map(|host| host.name).collect();
        let drawn = rollout::draw(&Release { canaries, ..self.next(now, head) }, &names);
        let plan =
            Plan::new(drawn.iter().map(|release| signed(release, &self.release).1).collect(), &self.root);
        let plan = plan.unwrap();
        self.sequence = plan.last();
        plan
    }

    /// The next release.
    pub(crate) fn release(&mut self, now: u64, head: HeadRef, permille: u16, undo: bool) -> Octets {
        if undo {
            self.undone.insert(head);
        }
        let release = Release { permille, halted: undo, undo, ..self.next(now, head) };
        self.sequence = release.sequence;
        signed(&release, &self.release).0
    }

    /// To all hosts.
    fn next(&self, now: u64, head: HeadRef) -> Release {
        Release {
            environment: environment(),
            sequence: self.sequence + 1,
            generation: head.generation,
            head: head.hash,
            permille: ALL,
            canaries: Vec::new(),
            halted: false,
            undo: false,
            expires: Timestamp(now + 1_000_000),
        }
    }
}
