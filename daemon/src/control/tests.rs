use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::service::ServiceManager;

fn routes() -> Router {
    let echo = async |Asked(words): Asked<Vec<String>>| answer(&words);
    Router::new().route("/words", post(echo)).route("/alive", get(async || "alive\n"))
}

async fn ask(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    // A server that refuses while we still write may close before all is read.
    let _refused_early = stream.write_all(request.as_bytes()).await;
    let mut told = Vec::new();
    let _cut = stream.read_to_end(&mut told).await;
    String::from_utf8(told).unwrap()
}

async fn post_words(path: &Path, body: &str) -> String {
    let length = body.len();
    ask(path, &format!("POST /words HTTP/1.1\r\nHost: here\r\nContent-Length: {length}\r\n\r\n{body}")).await
}

#[tokio::test]
async fn a_question_is_read_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own/control.sock");
    let mut process = Process::new(ServiceManager::nobody());
    start(Some(&path), routes(), &mut process).unwrap();

    let told = post_words(&path, r#"["a","b"]"#).await;
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n") && told.ends_with("\r\n\r\n[\"a\",\"b\"]"), "{told}");
    let told = post_words(&path, "[1]").await;
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("the question cannot be read: "), "{told}");
    let told = post_words(&path, &format!("[\"{}\"]", "x".repeat(MAX_QUESTION))).await;
    assert!(told.starts_with("HTTP/1.1 413 "), "{told}");
    let told = ask(&path, "EHLO here\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    assert!(ask(&path, "GET /else HTTP/1.1\r\nHost: here\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn it_moves_and_a_place_it_cannot_have_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("own/old.sock"), folder.path().join("own/new.sock"));
    let mut process = Process::new(ServiceManager::nobody());
    let control = start(Some(&old), routes(), &mut process).unwrap();
    let get = "GET /alive HTTP/1.1\r\nHost: here\r\n\r\n";

    control.prepare(Some(Path::new("/proc/no.sock"))).unwrap_err();
    drop(control.prepare(Some(&new)).unwrap());
    assert!(!new.exists(), "what is prepared and not wanted leaves nothing behind");
    assert!(ask(&old, get).await.ends_with("alive\n"));

    control.commit(control.prepare(Some(&old)).unwrap()).await;
    control.commit(control.prepare(Some(&new)).unwrap()).await;
    assert!(ask(&new, get).await.ends_with("alive\n"));
    assert!(!old.exists());
    // Taken in turn: the first is in place when the second can be sent.
    control.commit(control.prepare(None).unwrap()).await;
    control.commit(control.prepare(Some(&old)).unwrap()).await;
    assert!(ask(&old, get).await.ends_with("alive\n"));
    assert!(!new.exists());
}

#[tokio::test]
async fn only_the_owner_may_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own/control.sock");
    let mut process = Process::new(ServiceManager::nobody());
    start(Some(&path), routes(), &mut process).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));

    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let error = start(Some(&open.join("control.sock")), routes(), &mut process).unwrap_err().to_string();
    assert!(error.contains("others may write to "), "{error}");
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own/control.sock");
    let mut process = Process::new(ServiceManager::nobody());
    start(Some(&path), routes(), &mut process).unwrap();
    let mut second = Process::new(ServiceManager::nobody());
    let error = start(Some(&path), routes(), &mut second).unwrap_err();
    assert!(matches!(error, ControlError::InUse(_)), "{error}");
    process.tasks.stop().await;
    assert!(!path.exists(), "its file goes with it");

    // A listener that is dropped without a word leaves its file, as a killed process does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    start(Some(&path), routes(), &mut second).unwrap();
    assert!(ask(&path, "GET /alive HTTP/1.1\r\nHost: here\r\n\r\n").await.ends_with("alive\n"));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");

    second.tasks.stop().await;
    let mut third = Process::new(ServiceManager::nobody());
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    fs::write(&path, "a person's file").unwrap();
    let error = start(Some(&path), routes(), &mut third).unwrap_err().to_string();
    assert!(error.contains("something that is no socket stands there"), "{error}");
    assert!(path.exists(), "and it stays");
}

/// The paused clock moves on as soon as nothing else can: at the deadline, and not before.
#[tokio::test(start_paused = true)]
async fn a_question_that_never_ends_is_cut() {
    let (client, server) = UnixStream::pair().unwrap();
    let mut client = client;
    client.write_all(b"POST /words HTTP/1.1\r\nX: ").await.unwrap();
    let start = tokio::time::Instant::now();
    converse(server, routes()).await;
    assert_eq!(start.elapsed(), http::HEADER_TIME);
    client.write_all(b"y\r\n\r\n").await.unwrap_err();
}

/// Asks at the other end of a pair, and gives what was heard and how long it took.
async fn heard(routes: Router, request: &str) -> (String, Duration) {
    let (mut client, server) = UnixStream::pair().unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    let start = tokio::time::Instant::now();
    let mut told = Vec::new();
    let reading = async {
        let _cut = client.read_to_end(&mut told).await;
    };
    tokio::join!(converse(server, routes), reading);
    (String::from_utf8(told).unwrap(), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_goes_on_while_something_of_it_comes() {
    let long = async || {
        let pieces = futures_util::stream::unfold(0, async |count: u32| {
            tokio::time::sleep(IDLE_TIME * 9 / 10).await;
            (count < 5).then(|| (Ok::<_, io::Error>(format!("piece {count}\n")), count + 1))
        });
        axum::body::Body::from_stream(pieces).into_response()
    };
    let routes = Router::new().route("/long", get(long));
    let (told, took) = heard(routes, "GET /long HTTP/1.1\r\nHost: here\r\n\r\n").await;
    assert!(told.contains("piece 4\n") && told.ends_with("\r\n0\r\n\r\n"), "{told}");
    assert!(took > 5 * IDLE_TIME * 9 / 10, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_cut_when_nothing_has_moved_for_long() {
    let routes = Router::new().route("/never", get(std::future::pending::<Response>));
    let (told, took) = heard(routes, "GET /never HTTP/1.1\r\nHost: here\r\n\r\n").await;
    assert_eq!(told, "");
    assert_eq!(took, IDLE_TIME);
}
