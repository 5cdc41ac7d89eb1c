//! A filter for tests: it notes all that it is told, and answers by words.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::event::{Event, Path};
use switchyard_milter_protocol::io::serve::{Context, Filter, Listener, ServeOptions, Verdict, accept};
use switchyard_milter_protocol::negotiate::{Actions, Steps, Wants};
use switchyard_milter_protocol::response::Action;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// What it answers, by a part of what it is told.
pub(super) type Answers = &'static [(&'static str, Action)];

#[derive(Debug)]
pub(super) struct House {
    folder: TempDir,
    told: Arc<Mutex<Vec<String>>>,
    served: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Notes {
    told: Arc<Mutex<Vec<String>>>,
    answers: Answers,
    edits: Vec<Edit>,
}

impl House {
    pub(super) fn start(answers: Answers, edits: Vec<Edit>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::Unix(UnixListener::bind(folder.path().join("filter")).unwrap());
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let steps = Steps::REJECTED_RCPT | Steps::NO_BODY | Steps::NO_HEADERS | Steps::NO_EOH;
        let wants = Wants { actions: Actions::of_version(6), steps, ..Wants::default() };
        let options = Arc::new(ServeOptions::new(wants, tokio_util::sync::CancellationToken::new()));
        let notes = Notes { told: told.clone(), answers, edits };
        let served = tokio::spawn(accept(listener, options, move || notes.clone(), |_ended| ()));
        Self { folder, told, served }
    }

    pub(super) fn place(&self) -> String {
        format!("unix:{}", self.folder.path().join("filter").display())
    }

    /// What it was told since the last question.
    pub(super) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Notes {
    fn answer(&self, told: String) -> Action {
        let answer = self.answers.iter().find(|(part, _)| told.contains(part));
        let action = answer.map_or(Action::Continue, |(_, action)| action.clone());
        self.told.lock().unwrap().push(told);
        action
    }
}

impl Filter for Notes {
    async fn event(&mut self, event: Event, context: Context) -> Action {
        let text = |octets: &Bytes| String::from_utf8_lossy(octets).into_owned();
        let path = |path: &Path| {
            let words: Vec<String> = std::iter::once(&path.path).chain(&path.arguments).map(text).collect();
            words.join(" ")
        };
        let of = |name| context.macros.text(name).unwrap_or("-").to_owned();
        self.answer(match &event {
            Event::Connect(connect) => {
                format!("connect {} {:?} {}", text(&connect.host), connect.client, of("j"))
            }
            Event::Helo(name) => format!("helo {} {}", text(name), of("tls_version")),
            Event::EnvFrom(from) => format!("mail {} {} {}", path(from), of("i"), of("mail_addr")),
            Event::EnvRcpt(to) => format!("rcpt {} {} {}", path(to), of("rcpt_mailer"), of("rcpt_addr")),
            other => other.stage().to_string(),
        })
    }

    async fn end(&mut self, _rest: Bytes, _context: Context) -> Verdict {
        Verdict { action: self.answer("end".to_owned()), edits: self.edits.clone() }
    }

    fn abort(&mut self) {
        self.told.lock().unwrap().push("abort".to_owned());
    }

    fn next_session(&mut self) {
        self.told.lock().unwrap().push("next".to_owned());
    }
}
