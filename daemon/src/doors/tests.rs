use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::accept::AcceptMetrics;
use crate::metrics::Registry;
use crate::service::ServiceManager;

/// Says its word, and then lasts until the client says anything or the door is closed.
struct Says(&'static str, Drain);

impl Host for Says {
    async fn serve(self: Arc<Self>, mut stream: TcpStream, _peer: SocketAddr) {
        stream.write_all(self.0.as_bytes()).await.unwrap();
        let mut octet = [0];
        let last = stream.read(&mut octet).await;
        if matches!(last, Ok(1)) {
            stream.write_all(if self.1.started() { b"bye!!" } else { b"again" }).await.unwrap();
        }
    }

    async fn refuse(self: Arc<Self>, mut stream: TcpStream, _peer: SocketAddr) {
        stream.write_all(b"full!").await.unwrap();
    }
}

struct House {
    doors: Doors<Says>,
    process: Process,
}

impl House {
    fn new(max: usize) -> Self {
        let mut process = Process::new(ServiceManager::nobody());
        process.drain.set_deadline(Duration::from_secs(60));
        let metrics = AcceptMetrics::register(&Registry::new(), "smtp_server").unwrap();
        let doors = Doors::new(Sessions::new(max, process.drain.clone(), metrics), &mut process);
        Self { doors, process }
    }

    async fn open(&self, wanted: &[ListenOn], word: &'static str) {
        let prepared = self.doors.prepare(wanted, &mut Listeners::none()).unwrap();
        self.doors.commit(prepared, |_, drain| Says(word, drain.clone())).await;
    }
}

fn any() -> ListenOn {
    "127.0.0.1:0".parse().unwrap()
}

async fn heard(stream: &mut TcpStream) -> String {
    let mut word = [0; 5];
    stream.read_exact(&mut word).await.unwrap();
    String::from_utf8(word.to_vec()).unwrap()
}

async fn greeted(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let word = heard(&mut stream).await;
    (stream, word)
}

#[tokio::test]
async fn a_door_that_stays_keeps_its_socket_and_newcomers_meet_its_new_host() {
    let house = House::new(10);
    house.open(&[any(), any()], "hello").await;
    let before = house.doors.addresses();
    assert_eq!(before.len(), 2);
    let (mut old, word) = greeted(before[0]).await;
    assert_eq!(word, "hello");
    house.open(&[any(), any()], "servu").await;
    assert_eq!(house.doors.addresses(), before);
    assert_eq!(greeted(before[1]).await.1, "servu");
    old.write_all(b"x").await.unwrap();
    assert_eq!(heard(&mut old).await, "again", "who is in is not disturbed");
}

#[tokio::test]
async fn a_door_that_goes_lets_its_sessions_end_and_nobody_in() {
    let mut house = House::new(10);
    house.open(&[any()], "hello").await;
    let gone = house.doors.addresses()[0];
    let (mut held, _) = greeted(gone).await;
    // Its place in the list is taken by another.
    let other: ListenOn = "[::1]:0".parse().unwrap();
    house.open(&[other], "other").await;
    let now = house.doors.addresses();
    assert_eq!(greeted(now[0]).await.1, "other");
    held.write_all(b"x").await.unwrap();
    assert_eq!(heard(&mut held).await, "bye!!");
    // The socket closes with the task that holds it: soon, and for good.
    while TcpStream::connect(gone).await.is_ok() {
        tokio::task::yield_now().await;
    }
    house.process.drain.begin();
    assert_eq!(house.process.tasks.next_death().await, None, "the keeper of the doors ends with the process");
}

#[tokio::test]
async fn what_cannot_be_bound_changes_nothing() {
    let house = House::new(10);
    house.open(&[any()], "hello").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = [any(), ListenOn::Address(taken.local_addr().unwrap())];
    let error = house.doors.prepare(&wanted, &mut Listeners::none()).unwrap_err().to_string();
    assert!(error.starts_with("cannot listen on 127.0.0.1:"), "{error}");
    assert_eq!(greeted(house.doors.addresses()[0]).await.1, "hello");
    let systemd = [any(), "systemd:smtp".parse().unwrap()];
    assert!(house.doors.prepare(&systemd, &mut Listeners::none()).is_err());
}

#[tokio::test]
async fn one_cap_over_all_doors_and_it_may_change() {
    let house = House::new(1);
    house.open(&[any(), any()], "hello").await;
    let addresses = house.doors.addresses();
    let _first = greeted(addresses[0]).await;
    assert_eq!(greeted(addresses[1]).await.1, "full!");
    house.doors.set_max(2);
    assert_eq!(greeted(addresses[1]).await.1, "hello");
}
