//! The log: readable text on a terminal, the journal under systemd, JSON lines elsewhere.
//!
//! A line costs its caller a copy into a bounded buffer; one thread writes. When the buffer is full the
//! caller waits: a log that loses lines cannot tell a message's life. One event is one line, whatever a peer
//! put into its words.
//!
//! Spans are `session` → `transaction` → `recipient` or `attempt`; their fields stand in every line within.

mod escaped;
mod fields;

use std::fmt;
use std::io::{self, BufWriter, IsTerminal};
use std::os::fd::AsFd;
use std::str::FromStr;

use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use escaped::Escaped;
use fields::TextFields;

/// The variable that stands over the filter in the settings, for a look into one process.
pub const FILTER_VARIABLE: &str = "SWITCHYARD_LOG";

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// The form of a line.
    pub format: LogFormat,
    /// The least level, by part of the program if need be: `info`, or `info,switchyard_router=debug`.
    pub filter: String,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, the journal if it reads our standard error, else JSON.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
    /// Fields of the systemd journal, under `SWITCHYARD_`.
    Journald,
}

/// Keeps the log going; dropping it writes out what is buffered.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct LogGuard {
    filter: reload::Handle<EnvFilter, Registry>,
    _writer: WorkerGuard,
}

/// A filter that was read and is none the log has yet.
#[derive(Debug)]
pub struct Filter(EnvFilter);

/// The log cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is no filter.
    #[error(
        "log filter `{filter}`: {source}; write a level (error, warn, info, debug, trace) or `part=level,…`"
    )]
    BadFilter {
        /// The text.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The format has another name.
    #[error("`{0}` is no log format: write auto, text, json or journald")]
    BadFormat(String),
    /// The journal was asked for and cannot be reached.
    #[error("the systemd journal cannot be reached: {0}")]
    Journal(#[source] io::Error),
    /// A process has one log.
    #[error("the log is started already")]
    Taken,
}

/// Starts the log of this process, and sends panics there too. Once, first of all.
pub fn start(options: &LogOptions) -> Result<LogGuard, LogError> {
    let (filter, handle) = reload::Layer::new(filter_of(&options.filter)?);
    let stderr = io::stderr();
    let terminal = stderr.is_terminal();
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(BUFFERED_LINES)
        .thread_name("log")
        .finish(BufWriter::with_capacity(64 * 1024, stderr));
    let lines = match options.format {
        LogFormat::Text => text(writer, terminal),
        LogFormat::Json => json(writer),
        LogFormat::Journald => journal().map_err(LogError::Journal)?,
        LogFormat::Auto if terminal => text(writer, true),
        LogFormat::Auto
            if journal_reads(&std::env::var("JOURNAL_STREAM").unwrap_or_default(), io::stderr()) =>
        {
            journal().unwrap_or_else(|_| json(writer))
        }
        LogFormat::Auto => json(writer),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|_| LogError::Taken)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "{}", panic.payload_as_str().unwrap_or("panic"));
    }));
    Ok(LogGuard { filter: handle, _writer: guard })
}

/// Lines that may wait for the writing thread.
const BUFFERED_LINES: usize = 16_384;

impl LogGuard {
    /// Reads another filter; the environment's stands over it here too.
    ///
    /// # Errors
    /// When it is none.
    pub fn filter(&self, filter: &str) -> Result<Filter, LogError> {
        filter_of(filter).map(Filter)
    }

    /// Puts another filter in place, at a reload.
    ///
    /// # Errors
    /// When the log has ended.
    pub fn set_filter(&self, filter: Filter) -> Result<(), LogError> {
        self.filter.reload(filter.0).map_err(|_| LogError::Taken)
    }
}

/// The filter of the environment, or else this one from the settings.
fn filter_of(settings: &str) -> Result<EnvFilter, LogError> {
    match std::env::var(FILTER_VARIABLE) {
        Ok(filter) => parse_filter(&filter),
        Err(_) => parse_filter(settings),
    }
}

fn parse_filter(text: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(text).map_err(|source| LogError::BadFilter { filter: text.to_owned(), source })
}

// ---- the three forms ----

type Lines<S> = Box<dyn Layer<S> + Send + Sync>;

trait Spans: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> {}
impl<S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>> Spans for S {}

fn text<S: Spans, W>(writer: W, terminal: bool) -> Lines<S>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // https://no-color.org
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt::layer().with_ansi(colour).fmt_fields(TextFields).with_writer(writer).boxed()
}

fn json<S: Spans, W>(writer: W) -> Lines<S>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(true)
        .with_writer(Escaped(writer))
        .boxed()
}

fn journal<S: Spans>() -> io::Result<Lines<S>> {
    Ok(tracing_journald::layer()?.with_field_prefix(Some("SWITCHYARD".into())).boxed())
}

/// systemd.exec(5): JOURNAL_STREAM names the device and inode the journal reads; is this stream that one?
fn journal_reads(named: &str, stream: impl AsFd) -> bool {
    rustix::fs::fstat(stream).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

// ---- the words of the settings ----

impl Default for LogOptions {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into() }
    }
}

impl FromStr for LogFormat {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "journald" => Ok(Self::Journald),
            _ => Err(LogError::BadFormat(text.to_owned())),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
            Self::Journald => "journald",
        })
    }
}

#[cfg(test)]
mod tests;
