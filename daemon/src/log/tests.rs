use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;

/// Where a test reads what was logged.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn read(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What `story` logs through `filter`, as text or as JSON.
fn logged(format: LogFormat, filter: &str, story: impl FnOnce()) -> String {
    let paper = Paper::default();
    let copy = paper.clone();
    let writer = move || copy.clone();
    let lines = if format == LogFormat::Json { json(writer) } else { text(writer, false) };
    let subscriber = tracing_subscriber::registry().with(parse_filter(filter).unwrap()).with(lines);
    tracing::subscriber::with_default(subscriber, story);
    paper.read()
}

fn delivery() {
    let _session = tracing::info_span!("session", session_id = "S1").entered();
    let _transaction = tracing::info_span!("transaction", queue_id = "Q7").entered();
    tracing::info!(recipient = "alice@example.org", size = 4096, "sent");
    tracing::debug!("a detail");
}

#[test]
fn json_is_one_object_a_line_with_the_fields_of_all_spans() {
    let log = logged(LogFormat::Json, "info", delivery);
    assert_eq!(log.lines().count(), 1, "{log}");
    let line: Value = serde_json::from_str(&log).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "sent");
    assert_eq!(line["recipient"], "alice@example.org");
    assert_eq!(line["size"], 4096);
    assert_eq!(line["spans"][0]["session_id"], "S1");
    assert_eq!(line["spans"][1]["queue_id"], "Q7");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn text_is_for_reading() {
    let log = logged(LogFormat::Text, "debug", delivery);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for word in ["INFO", "session{session_id=S1}", "queue_id=Q7", "sent", "size=4096"] {
        assert!(lines[0].contains(word), "{word} is missing in {log}");
    }
    assert!(!log.contains('\x1b'), "no colours where there is no terminal");
}

#[test]
fn the_filter_tells_parts_apart() {
    let story = || {
        tracing::debug!(target: "switchyard_router", "wanted");
        tracing::debug!(target: "switchyard_mx", "unwanted");
    };
    let log = logged(LogFormat::Text, "info,switchyard_router=debug", story);
    assert!(log.contains("wanted") && !log.contains("unwanted"), "{log}");
    let error = parse_filter("info,router=loud").unwrap_err().to_string();
    assert!(error.starts_with("log filter `info,router=loud`: "), "{error}");
}

/// Reliability A5: a peer's words never make a line of their own, and never move a cursor.
#[test]
fn a_peer_cannot_write_a_line_of_its_own() {
    let evil = "x\r\n2026-01-01T00:00:00Z  INFO sent to=mallory \x1b[2K\x1b]0;owned\x07\u{9b}2J";
    for format in [LogFormat::Text, LogFormat::Json] {
        let log = logged(format, "info", || {
            let _session = tracing::info_span!("session", helo = %evil, name = evil).entered();
            tracing::info!(reply = %evil, text = evil, debug = ?evil, "{evil}");
        });
        assert_eq!(log.lines().count(), 1, "{log:?}");
        let body = log.strip_suffix('\n').unwrap();
        assert!(!body.chars().any(char::is_control), "{log:?}");
    }
}

#[test]
fn ordinary_words_come_out_as_they_are() {
    let words = "Grüße an ©: 日本 \"quoted\"";
    let log = logged(LogFormat::Json, "info", || tracing::info!(text = words, "{words}"));
    let line: Value = serde_json::from_str(&log).unwrap();
    assert_eq!((line["text"].as_str(), line["message"].as_str()), (Some(words), Some(words)));
    let log = logged(LogFormat::Text, "info", || tracing::info!(empty = "", error = %words, "{words}"));
    assert!(log.ends_with(&format!(": {words} empty=\"\" error={words}\n")), "{log}");
}

#[test]
fn the_words_of_the_settings() {
    for text in ["auto", "text", "json", "journald"] {
        assert_eq!(text.parse::<LogFormat>().unwrap().to_string(), text);
    }
    assert_eq!(
        "JSON".parse::<LogFormat>().unwrap_err().to_string(),
        "`JSON` is no log format: write auto, text, json or journald"
    );
    assert_eq!(LogOptions::default(), LogOptions { format: LogFormat::Auto, filter: "info".into() });
}

#[test]
fn the_journal_is_known_by_its_inode() {
    let (one, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    let stat = rustix::fs::fstat(&one).unwrap();
    let named = format!("{}:{}", stat.st_dev, stat.st_ino);
    assert!(journal_reads(&named, &one));
    assert!(!journal_reads(&named, &other), "standard error was sent elsewhere since");
    assert!(!journal_reads("", &one));
}

/// The test plays both parts: a process of its own logs, ends by a panic, and leaves whole lines behind.
#[test]
fn a_process_logs_json_to_a_pipe_and_panics_stand_in_it() {
    const CHILD: &str = "SWITCHYARD_TEST_LOGS";
    if std::env::var_os(CHILD).is_some() {
        let guard = start(&LogOptions::default()).unwrap();
        assert!(matches!(start(&LogOptions::default()), Err(LogError::Taken)));
        for number in 0..1000 {
            tracing::info!(number, "counting");
        }
        tracing::debug!("unheard");
        guard.set_filter(guard.filter("debug").unwrap()).unwrap();
        tracing::debug!("heard");
        assert!(matches!(guard.filter("=loud="), Err(LogError::BadFilter { .. })));
        tracing::debug!("heard still");
        let panicked = std::thread::spawn(|| panic!("oh no")).join();
        assert!(panicked.is_err());
        drop(guard);
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "log::tests::a_process_logs_json_to_a_pipe_and_panics_stand_in_it", "--nocapture"])
        .env(CHILD, "1")
        .env("JOURNAL_STREAM", "1:1")
        .env_remove(FILTER_VARIABLE)
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers = lines.iter().filter_map(|line| line["number"].as_u64());
    assert!(numbers.eq(0..1000), "every line is there, in order");
    let rest: Vec<&str> = lines[1000..].iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(rest, ["heard", "heard still", "oh no"]);
    let last = lines.last().unwrap();
    assert!(last["place"].as_str().unwrap().contains("tests.rs:"), "{last}");
}
