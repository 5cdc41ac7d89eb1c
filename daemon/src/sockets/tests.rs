use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use super::*;

#[test]
fn the_settings_words_are_read_and_written_alike() {
    for text in ["127.0.0.1:25", "[::1]:2525", "systemd:smtp", "systemd:smtp-in_2"] {
        assert_eq!(text.parse::<ListenOn>().unwrap().to_string(), text);
    }
    for text in ["", "25", "localhost:25", "127.0.0.1", "systemd:", "systemd:a b", "systemd:a:b", "systemd:ä"]
    {
        let error = text.parse::<ListenOn>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is no place to listen on")), "{error}");
    }
}

#[test]
fn names_stand_in_the_order_of_the_descriptors() {
    assert_eq!(names_of("smtp:admin:smtp", 3), ["smtp", "admin", "smtp"]);
    assert_eq!(names_of("smtp::admin", 4), ["smtp", "unknown", "admin", "unknown"]);
    assert_eq!(names_of("", 1), ["unknown"]);
    assert_eq!(names_of("smtp:admin", 1), ["smtp"]);
    assert!(names_of("smtp", 0).is_empty());
}

#[test]
fn an_absent_name_says_what_to_do() {
    let error = Listeners::none().take("smtp").unwrap_err().to_string();
    assert!(error.contains("no socket named `smtp` (passed: none)"), "{error}");
    assert!(error.contains("FileDescriptorName=smtp"), "{error}");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    drop(first);
    assert!(bind(address).is_ok());
}

#[tokio::test]
async fn ipv6_leaves_ipv4_alone() {
    let Ok(six) = bind("[::]:0".parse().unwrap()) else {
        return; // a host without IPv6 has nothing to mix up
    };
    assert!(SockRef::from(&six).only_v6().unwrap());
}

/// The test plays both parts: it starts itself again, as systemd would, with two sockets and a file.
#[tokio::test]
async fn sockets_come_from_the_service_manager_by_name() {
    const CHILD: &str = "SWITCHYARD_TEST_TAKES_SOCKETS";
    if std::env::var_os(CHILD).is_some() {
        let mut listeners = Listeners::from_environment();
        assert_eq!(listeners.unclaimed(), ["smtp", "file", "smtp"]);
        let file = listeners.take("file").unwrap_err().to_string();
        assert!(file.contains("`file` from systemd cannot be used"), "{file}");
        let mut taken = listeners.open(&ListenOn::Systemd("smtp".into())).unwrap();
        assert_eq!(taken.len(), 2);
        assert!(matches!(listeners.take("smtp"), Err(SocketError::InUse(_))), "each is taken once");
        assert_eq!(listeners.unclaimed(), ["file"]);
        assert!(listeners.take("other").unwrap_err().to_string().contains("(passed: smtp, file, smtp)"));
        for listener in &mut taken {
            let (stream, _) = listener.accept().await.unwrap();
            let port = listener.local_addr().unwrap().port().to_string();
            stream.writable().await.unwrap();
            assert_eq!(stream.try_write(port.as_bytes()).unwrap(), port.len());
        }
        return;
    }
    let sockets = ["one", "two"].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    // The clients wait in the backlog until the other process accepts them.
    let clients = addresses.map(|address| std::net::TcpStream::connect(address).unwrap());
    let [one, two] = sockets.map(|socket| Stdio::from(OwnedFd::from(socket)));
    let name = "sockets::tests::sockets_come_from_the_service_manager_by_name";
    let script = "exec 3<&0 4</dev/null 5<&1 1>&2; LISTEN_PID=$$ exec \"$0\" --exact \"$1\" --nocapture";
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(CHILD, "1")
        .envs([("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "smtp:file:smtp")])
        .stdin(one)
        .stdout(two)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (mut client, address) in clients.into_iter().zip(addresses) {
        let mut port = String::new();
        io::Read::read_to_string(&mut client, &mut port).unwrap();
        assert_eq!(port, address.port().to_string());
    }
}
