//! The live view: what the daemons log, told in one short line each.
//!
//! A message shows as it walks: taken at the mx, queued at the router, delivered to the mailbox, sent. Events
//! that are not part of that way are shown with all their fields, so that nothing is hidden.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Starts the view; a process has one log.
pub(super) fn start() -> Result<(), TryInitError> {
    let filter = EnvFilter::try_from_env(switchyard_daemon::log::FILTER_VARIABLE)
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let view = View { colours: io::stdout().is_terminal() };
    tracing_subscriber::registry().with(filter).with(view).try_init()
}

struct View {
    colours: bool,
}

impl<S: Subscriber> Layer<S> for View {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        let metadata = event.metadata();
        let part = part(metadata.target());
        let text = told.way(part).unwrap_or_else(|| told.all());
        let mark = match (*metadata.level(), self.colours) {
            (Level::ERROR, true) => "\x1b[31m",
            (Level::WARN, true) => "\x1b[33m",
            (_, true) => "\x1b[0m",
            (_, false) => "",
        };
        let end = if self.colours { "\x1b[0m" } else { "" };
        let level = match *metadata.level() {
            Level::ERROR => "ERROR ",
            Level::WARN => "WARN  ",
            _ => "",
        };
        let time = Timestamp::now().strftime("%H:%M:%S");
        // If the terminal is gone there is nobody to tell.
        let _best_effort = writeln!(io::stdout(), "{mark}{time}  {part:<9}{level}{text}{end}");
    }
}

/// The part of the suite that speaks.
fn part(target: &str) -> &'static str {
    match target.split("::").next().unwrap_or_default() {
        "switchyard_mx" => "mx",
        "switchyard_router" => "router",
        "switchyard_maps" => "maps",
        "switchyard" => "mailbox",
        _ => "-",
    }
}

/// The fields of one event, in their order.
#[derive(Default)]
struct Told {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Told {
    fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// A step on a message's way, in short.
    fn way(&self, part: &str) -> Option<String> {
        let get = |name| self.get(name);
        Some(match (part, self.message.as_str()) {
            ("mx", "message handed over") => {
                let seconds: f64 = get("hand_over_seconds").parse().unwrap_or_default();
                format!(
                    "{} → {}  {} octets from {}, handed over in {:.1} ms",
                    get("from"),
                    get("to"),
                    get("size"),
                    get("helo"),
                    seconds * 1000.0
                )
            }
            ("mx", "message not taken") => format!("{} → {}  {}", get("from"), get("to"), get("reply")),
            ("router", "queued") => format!("{}  queued, {} octets", get("id"), get("size")),
            ("router", reply) if !get("status").is_empty() => {
                format!("{}  {} to {} by {}  {reply}", get("id"), get("status"), get("to"), get("relay"))
            }
            ("mailbox", "delivered to the mailbox") => {
                format!("{} → {}  in its Maildir, by {}", get("from"), get("to"), get("protocol"))
            }
            ("maps", "maps swapped") => format!("new maps are in use, generation {}", get("generation")),
            ("maps", what) if !get("fault").is_empty() => {
                format!("{}:{}:{}: {} ({what})", get("file"), get("line"), get("column"), get("fault"))
            }
            _ => return None,
        })
    }

    /// Everything that was said.
    fn all(&self) -> String {
        let mut text = self.message.clone();
        for (name, value) in &self.fields {
            // Writing to a String can't fail.
            let _ = write!(text, "  {name}={value}");
        }
        text
    }
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // What a peer said must not steer the terminal.
        let shown: String =
            format!("{value:?}").chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        match field.name() {
            "message" => self.message = shown,
            name => self.fields.push((name, shown)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str, fields: &[(&'static str, &str)]) -> Told {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Told { message: message.to_owned(), fields }
    }

    #[test]
    fn a_step_is_told_in_short_and_the_rest_in_full() {
        let sent =
            told("250 Ok", &[("id", "4ZK"), ("to", "<a@b.example>"), ("relay", "x:25"), ("status", "sent")]);
        assert_eq!(sent.way("router").as_deref(), Some("4ZK  sent to <a@b.example> by x:25  250 Ok"));
        let fault =
            [("file", "maps/transport"), ("line", "3"), ("column", "1"), ("fault", "no such transport")];
        let told = told("the new maps are bad", &fault);
        assert_eq!(
            told.way("maps").as_deref(),
            Some("maps/transport:3:1: no such transport (the new maps are bad)")
        );
        assert_eq!(told.way("mx"), None);
        assert!(told.all().starts_with("the new maps are bad  file=maps/transport  line=3"));
    }

    #[test]
    fn parts_are_known_by_their_crates() {
        assert_eq!(part("switchyard_router::queue::log"), "router");
        assert_eq!(part("switchyard::up::sink"), "mailbox");
        assert_eq!(part("hickory_resolver"), "-");
    }
}
