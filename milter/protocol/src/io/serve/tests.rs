//! A filter behind a socket: answers, signs of life, limits and the drain.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{UnixListener, UnixStream};

use super::*;
use crate::command::Command;
use crate::event::{Client, Connect, Field, Path};
use crate::frame::{self, LARGEST};
use crate::negotiate::{Actions, Options, Steps};
use crate::response::Response;
use crate::stage::Stage;

/// Notes what it is told, and takes its time for a message.
#[derive(Debug, Clone, Default)]
struct Notes {
    told: Arc<Mutex<Vec<String>>>,
    takes: Duration,
    /// Said to every sender.
    refuses: Option<Action>,
    /// It never answers the end of a header.
    hangs: bool,
}

impl Notes {
    fn note(&self, text: &str) {
        self.told.lock().unwrap().push(text.to_owned());
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

impl Filter for Notes {
    async fn event(&mut self, event: Event, _context: Context) -> Action {
        let stage = event.stage();
        self.note(stage.as_str());
        if self.hangs && stage == Stage::Eoh {
            std::future::pending::<()>().await;
        }
        match &self.refuses {
            Some(action) if stage == Stage::EnvFrom => action.clone(),
            _ => Action::Continue,
        }
    }

    async fn end(&mut self, _rest: Bytes, context: Context) -> Verdict {
        tokio::time::sleep(self.takes).await;
        self.note(context.macros.text("i").unwrap_or("no id"));
        let field = Field { name: "X-Seen".into(), value: "yes".into() };
        Verdict { action: Action::Accept, edits: vec![Edit::AddHeader(field)] }
    }

    fn abort(&mut self) {
        self.note("abort");
    }

    fn next_session(&mut self) {
        self.note("next session");
    }
}

fn options() -> ServeOptions {
    let wants = Wants {
        actions: Actions::ADD_HEADERS,
        steps: Steps::NO_HEADERS | Steps::NO_DATA,
        ..Wants::default()
    };
    ServeOptions::new(wants, CancellationToken::new())
}

fn serving(options: &ServeOptions, notes: &Notes) -> (DuplexStream, tokio::task::JoinHandle<Ended>) {
    let (ours, theirs) = duplex(1 << 16);
    let (options, mut filter) = (options.clone(), notes.clone());
    let served = tokio::spawn(async move { serve(Box::new(theirs), &options, &mut filter).await });
    (ours, served)
}

async fn say(socket: &mut (impl AsyncWriteExt + Unpin), commands: &[Command]) {
    let mut output = BytesMut::new();
    for command in commands {
        command.encode(&mut output);
    }
    socket.write_all(&output).await.unwrap();
}

async fn hear(socket: &mut (impl AsyncReadExt + Unpin), input: &mut BytesMut) -> Response {
    loop {
        if let Some(frame) = frame::take(input, LARGEST).unwrap() {
            return Response::decode(frame).unwrap();
        }
        assert_ne!(socket.read_buf(input).await.unwrap(), 0, "closed");
    }
}

fn connect() -> Command {
    Command::Event(Event::Connect(Connect { host: "h".into(), client: Client::Unknown }))
}

const CONTINUE: Response = Response::Action(Action::Continue);

/// Says all up to the end of a message, each after the answer to the one before.
async fn message(socket: &mut DuplexStream, input: &mut BytesMut) {
    let id = vec![(Bytes::from("i"), Bytes::from("4Xyz"))];
    let macros = Command::Macros(crate::macros::Defined { stage: Stage::EnvFrom, macros: id });
    say(socket, &[macros, Command::Event(Event::EnvFrom(Path::new("<>")))]).await;
    assert_eq!(hear(socket, input).await, CONTINUE);
    say(socket, &[Command::Event(Event::EnvRcpt(Path::new("<b@c>")))]).await;
    assert_eq!(hear(socket, input).await, CONTINUE);
    say(socket, &[Command::Event(Event::Eoh)]).await;
    assert_eq!(hear(socket, input).await, CONTINUE);
    say(socket, &[Command::Event(Event::Eom("hi\r\n".into()))]).await;
}

async fn opened(
    options: &ServeOptions,
    notes: &Notes,
) -> (DuplexStream, BytesMut, tokio::task::JoinHandle<Ended>) {
    let (mut socket, served) = serving(options, notes);
    let mut input = BytesMut::new();
    say(&mut socket, &[Command::Negotiate(Options::offer())]).await;
    assert!(matches!(hear(&mut socket, &mut input).await, Response::Negotiate(_)));
    say(&mut socket, &[connect()]).await;
    assert_eq!(hear(&mut socket, &mut input).await, CONTINUE);
    (socket, input, served)
}

fn added() -> Response {
    Response::Edit(Edit::AddHeader(Field { name: "X-Seen".into(), value: "yes".into() }))
}

#[tokio::test(start_paused = true)]
async fn a_message_is_answered_and_a_slow_answer_shows_signs_of_life() {
    let notes = Notes { takes: Duration::from_secs(12), ..Notes::default() };
    let (mut socket, mut input, served) = opened(&options(), &notes).await;
    message(&mut socket, &mut input).await;
    for expected in [Response::Progress, Response::Progress, added(), Response::Action(Action::Accept)] {
        assert_eq!(hear(&mut socket, &mut input).await, expected);
    }
    say(&mut socket, &[Command::QuitNewConnection, connect()]).await;
    assert_eq!(hear(&mut socket, &mut input).await, CONTINUE);
    say(&mut socket, &[Command::Quit]).await;
    assert_eq!(served.await.unwrap(), Ended::Closed);
    let told = ["connect", "envfrom", "envrcpt", "eoh", "4Xyz", "next session", "connect"];
    assert_eq!(notes.told(), told);
}

#[tokio::test(start_paused = true)]
async fn what_came_in_a_row_with_the_end_is_answered_before_the_end_is_worked_on() {
    let notes = Notes { takes: Duration::from_secs(3), ..Notes::default() };
    let (mut socket, mut input, _served) = opened(&options(), &notes).await;
    let path = || Path::new("<a@b>");
    let row = [Event::EnvFrom(path()), Event::EnvRcpt(path()), Event::Eoh, Event::Eom(Bytes::new())];
    let began = tokio::time::Instant::now();
    say(&mut socket, &row.map(Command::Event)).await;
    for _ in 0..3 {
        assert_eq!(hear(&mut socket, &mut input).await, CONTINUE);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(hear(&mut socket, &mut input).await, added());
    assert!(began.elapsed() >= notes.takes);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_too_long_is_put_off() {
    let notes = Notes { takes: Duration::from_secs(3600), ..Notes::default() };
    let (mut socket, mut input, _served) = opened(&options(), &notes).await;
    message(&mut socket, &mut input).await;
    let mut heard = hear(&mut socket, &mut input).await;
    while heard == Response::Progress {
        heard = hear(&mut socket, &mut input).await;
    }
    assert_eq!(heard, Response::Action(Action::Tempfail));
    // What the filter has of it is dropped.
    assert_eq!(notes.told(), ["connect", "envfrom", "envrcpt", "eoh", "abort"]);
}

#[tokio::test(start_paused = true)]
async fn a_filter_drops_what_it_refused_or_did_not_answer_in_time() {
    let mail = Command::Event(Event::EnvFrom(Path::new("<>")));
    let notes = Notes { refuses: Some(Action::Reject), ..Notes::default() };
    let (mut socket, mut input, _served) = opened(&options(), &notes).await;
    say(&mut socket, std::slice::from_ref(&mail)).await;
    assert_eq!(hear(&mut socket, &mut input).await, Response::Action(Action::Reject));
    // Once: the MTA's own word for it comes behind.
    say(&mut socket, &[Command::Abort, Command::Quit]).await;
    assert_eq!(socket.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(notes.told(), ["connect", "envfrom", "abort"]);

    let notes = Notes { hangs: true, ..Notes::default() };
    let (mut socket, mut input, _served) = opened(&options(), &notes).await;
    say(&mut socket, &[mail]).await;
    assert_eq!(hear(&mut socket, &mut input).await, CONTINUE);
    say(&mut socket, &[Command::Event(Event::Eoh)]).await;
    assert_eq!(hear(&mut socket, &mut input).await, Response::Action(Action::Tempfail));
    assert_eq!(notes.told(), ["connect", "envfrom", "eoh", "abort"]);
}

#[tokio::test(start_paused = true)]
async fn m7_a_broken_mta_is_hung_up_on_and_its_message_dropped() {
    for last in [&b"\0\0\0\0"[..], b"\xff\xff\xff\xff", b"\0\0\0\x01z", b"\0\0\0\x01L"] {
        let notes = Notes::default();
        let (mut socket, mut input, served) = opened(&options(), &notes).await;
        say(&mut socket, &[Command::Event(Event::EnvFrom(Path::new("<>")))]).await;
        assert_eq!(hear(&mut socket, &mut input).await, CONTINUE);
        socket.write_all(last).await.unwrap();
        assert_eq!(served.await.unwrap(), Ended::Broken, "{last:?}");
        assert_eq!(notes.told(), ["connect", "envfrom", "abort"]);
    }
}

#[tokio::test(start_paused = true)]
async fn m7_a_silent_mta_is_hung_up_on() {
    let (_socket, served) = serving(&options(), &Notes::default());
    assert_eq!(served.await.unwrap(), Ended::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn the_drain_waits_for_the_end_of_the_message() {
    let (options, notes) = (options(), Notes::default());
    let (mut socket, mut input, served) = opened(&options, &notes).await;
    message(&mut socket, &mut input).await;
    options.drain.cancel();
    assert_eq!(hear(&mut socket, &mut input).await, added());
    assert_eq!(hear(&mut socket, &mut input).await, Response::Action(Action::Accept));
    assert_eq!(served.await.unwrap(), Ended::Drained);
}

#[tokio::test]
async fn m7_connections_are_bounded_and_end_with_the_drain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filter");
    let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
    let options = Arc::new(ServeOptions { connections: 2, ..options() });
    let drain = options.drain.clone();
    let ends: Arc<Mutex<Vec<Ended>>> = Arc::default();
    let heard = ends.clone();
    let house = tokio::spawn(accept(listener, options, Notes::default, move |ended| {
        heard.lock().unwrap().push(ended);
    }));
    let mut guests = Vec::new();
    for _ in 0..2 {
        let mut guest = UnixStream::connect(&path).await.unwrap();
        say(&mut guest, &[Command::Negotiate(Options::offer())]).await;
        assert!(matches!(hear(&mut guest, &mut BytesMut::new()).await, Response::Negotiate(_)));
        guests.push(guest);
    }
    let mut third = UnixStream::connect(&path).await.unwrap();
    assert_eq!(third.read(&mut [0; 1]).await.unwrap(), 0);
    drain.cancel();
    house.await.unwrap();
    assert_eq!(*ends.lock().unwrap(), [Ended::Drained, Ended::Drained]);
}
