//! A daemon played by hand: it answers late, in pieces, or not at all.

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use super::*;

/// A daemon that hears a question and says these pieces, with a pause before each; then it closes, or never.
fn daemon(pieces: &'static [&'static str], pause: Duration, closes: bool) -> (TempDir, Control) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 4096];
        assert_ne!(stream.read(&mut heard).await.unwrap(), 0);
        for piece in pieces {
            tokio::time::sleep(pause).await;
            stream.write_all(piece.as_bytes()).await.unwrap();
        }
        if !closes {
            std::future::pending::<()>().await;
        }
    });
    (folder, Control::new(&path))
}

async fn order(control: &Control) -> Result<Vec<u8>, ControlError> {
    control.exchange(Method::POST, "/order", Bytes::new()).await.map_err(ControlError::of_order)
}

const NO: &str = "HTTP/1.1 409 Conflict\r\ncontent-length: 3\r\n\r\nno\n";
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn an_answer_in_pieces_may_take_longer_than_the_wait_for_one() {
    let (_folder, control) = daemon(&[HEAD, "a", "b", "c", "d"], PATIENCE * 9 / 10, false);
    let start = tokio::time::Instant::now();
    assert_eq!(order(&control).await.unwrap(), b"abcd");
    assert!(start.elapsed() > 4 * PATIENCE, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_order_without_an_answer_goes_on_and_says_so() {
    for (pieces, closes, why) in [
        (&[][..], false, "nothing was heard for 130 s"),
        (&[HEAD, "ab"], false, "nothing was heard for 130 s"),
        (&[], true, "connection closed"),
        (&[HEAD, "ab"], true, "error reading a body"),
    ] {
        let (_folder, control) = daemon(pieces, Duration::ZERO, closes);
        let error = order(&control).await.unwrap_err();
        assert_eq!(error.exit(), Exit::GoesOn);
        let told = error.to_string();
        assert!(told.contains(why) && told.contains("goes on in the daemon"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_daemon_refuses_or_never_heard_does_not_go_on() {
    let (folder, control) = daemon(&[NO], Duration::ZERO, true);
    let error = order(&control).await.unwrap_err();
    assert!(matches!(&error, ControlError::Refused { why, .. } if why == "no"), "{error}");
    assert_eq!(error.exit(), Exit::Misuse);
    let nobody = Control::new(&folder.path().join("nobody.sock"));
    assert_eq!(order(&nobody).await.unwrap_err().exit(), Exit::Misuse);
}
