//! What is best seen from inside: the size of a session, and which settings a reload takes.

use switchyard_config::reference::Change;
use switchyard_daemon::signal::Wishes;

use super::*;

fn settings(more: &str) -> MxSettings {
    let text = format!(
        "host_name = \"mx.example.org\"\nlisten.smtp = [{{ socket = \"127.0.0.1:0\" }}]\n\
         metrics.socket = \"127.0.0.1:0\"\nrouters.pool = [\"127.0.0.1:9\"]\n\
         maps = {{ folder = \"/nowhere\", recipients = \"recipients\" }}\n{more}"
    );
    MxSettings::parse("mx.toml", &text).unwrap()
}

#[tokio::test]
async fn r1_an_idle_session_is_small() {
    let mut process = Process::new(ServiceManager::nobody());
    let mx = Mx::start(settings(""), &mut Listeners::none(), &mut process).await.unwrap();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = tokio::net::TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = socket.accept().await.unwrap();
    let door = Door {
        live: Arc::clone(&mx.live),
        load: Arc::clone(&mx.kept.load),
        name: "test".into(),
        proxy_protocol: true,
    };
    let session = Arc::new(door).session(stream, peer);
    let size = size_of_val(&session);
    assert!(size <= 2560, "{size} octets");
    drop(session);
    let (_hand, wishes) = Wishes::twin();
    process.drain.begin();
    let reload = || async { Ok::<(), MxError>(()) };
    process.run(wishes, Duration::from_secs(60), reload).await.unwrap();
}

#[test]
fn every_setting_is_live_or_named_as_not() {
    let before = settings("");
    let mut changed = settings(
        "log.level = \"debug\"\ndns.timeout = \"1s\"\nlimits = { sessions = 5, content_memory = \"9MB\", hops = 60 }\n\
         trust.xclient_networks = [\"127.0.0.1\"]",
    );
    let names = ["log", "dns", "limits.sessions", "limits.content_memory"];
    assert_eq!(hold(&before, &mut changed), names);
    let live = (changed.common.limits.session.hops, changed.trust.xclient_networks.len());
    assert_eq!((changed.common.limits.sessions, live), (before.common.limits.sessions, (60, 1)));
    assert!(hold(&before, &mut changed).is_empty());

    let named = [
        "host_name",
        "listen",
        "metrics",
        "control",
        "log",
        "dns",
        "maps",
        "limits.sessions",
        "limits.drain_deadline",
        "limits.content_memory",
    ];
    for setting in MxSettings::reference() {
        let is_named = named.iter().any(|name| {
            setting
                .path
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
        assert_eq!(is_named, setting.change == Change::Restart, "{}", setting.path);
    }
}
