//! What is best seen from inside: the size of a session.

use switchyard_daemon::doors::Host;
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
    let live = mx.kept.live(&settings(""), mx.kept.filters.load_full()).unwrap();
    let door = mx.kept.door(&settings(""), 0, &live, &process.drain.part());
    let session = Arc::new(Door { proxy_protocol: true, ..door }).serve(stream, peer);
    let size = size_of_val(&session);
    assert!(size <= 2560, "{size} octets");
    drop(session);
    let (_hand, wishes) = Wishes::twin();
    process.drain.begin();
    let reload = || async { Ok::<_, Fault>(Vec::new()) };
    process.run(wishes, Duration::from_secs(60), reload).await.unwrap();
}
