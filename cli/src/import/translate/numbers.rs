//! Sizes, times and counts: each one parameter, one setting.

use switchyard_config::site::Role;
use toml::Value;

use super::Import;

/// What a number counts, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Of things.
    Count,
    /// Octets.
    Size,
    /// Time, in this unit when none is written.
    Time(char),
}
use Unit::{Count, Size, Time};

/// Parameter, setting, unit, and the least that the setting takes.
const NUMBERS: [(&str, &str, Unit, u64); 19] = [
    ("message_size_limit", "limits.message_size", Size, 64 << 10),
    ("header_size_limit", "limits.header_size", Size, 4096),
    ("smtpd_recipient_limit", "limits.recipients", Count, 100),
    ("smtpd_recipient_overshoot_limit", "limits.recipient_overshoot", Count, 0),
    ("smtpd_hard_error_limit", "limits.errors", Count, 1),
    ("smtpd_junk_command_limit", "limits.junk_commands", Count, 1),
    ("hopcount_limit", "limits.hops", Count, 50),
    ("smtpd_timeout", "limits.command_timeout", Time('s'), 1),
    ("smtpd_client_connection_count_limit", "limits.sessions_per_network", Count, 0),
    ("maximal_queue_lifetime", "queue.queue_lifetime", Time('d'), 0),
    ("bounce_queue_lifetime", "queue.bounce_queue_lifetime", Time('d'), 0),
    ("minimal_backoff_time", "queue.minimal_backoff", Time('s'), 1),
    ("maximal_backoff_time", "queue.maximal_backoff", Time('s'), 1),
    ("delay_warning_time", "queue.delay_warning", Time('h'), 0),
    ("qmgr_message_active_limit", "queue.active_limit", Count, 1),
    ("default_destination_concurrency_limit", "queue.destination_concurrency", Count, 1),
    ("initial_destination_concurrency", "queue.initial_destination_concurrency", Count, 1),
    ("bounce_size_limit", "bounce.size_limit", Size, 0),
    ("smtp_connect_timeout", "deliver.connect_timeout", Time('s'), 1),
];

/// Carried when main.cf sets them, by their text.
const TEXTS: [(&str, &str); 2] =
    [("smtp_helo_name", "deliver.helo_name"), ("smtp_bind_address", "deliver.bind_address")];

/// What a default of Postfix's changes, so that it is written even where main.cf is silent.
const ALWAYS: [&str; 2] = ["message_size_limit", "delay_warning_time"];

impl Import<'_> {
    pub(super) fn numbers(&mut self) {
        for (name, path, unit, least) in NUMBERS {
            if self.main.get(name).is_some() || ALWAYS.contains(&name) {
                self.number(name, path, unit, least);
            }
        }
        for (name, path) in TEXTS {
            let value = self.main.value(name);
            if self.main.get(name).is_some() && !value.is_empty() {
                if self.draft.set(Role::Router, path, value.as_str(), "") {
                    self.carried(name, format!("`{path}` of the router"));
                } else {
                    self.not_needed(name, "an mx alone sends nothing to the world");
                }
            }
        }
    }

    fn number(&mut self, name: &str, path: &str, unit: Unit, least: u64) {
        let value = self.main.value(name);
        let Some((number, said)) = read(&value, unit) else {
            return self.dropped(
                name,
                format!("`{value}` is no number that is read here"),
                "write it into the layer",
            );
        };
        if name == "message_size_limit" && number == 0 {
            return self.dropped(
                name,
                "0 is no bound in Postfix, and there is always one here",
                "`limits.message_size` is 50MiB",
            );
        }
        let too_small = number < least;
        let (number, said) = if too_small { (least, shown(least, unit)) } else { (number, said) };
        let comment = if self.main.get(name).is_some() { "" } else { "Postfix's default" };
        let value = match unit {
            Count => Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)),
            Size | Time(_) => Value::from(said.as_str()),
        };
        if !self.draft.set_all(path, value, comment) {
            return self.not_needed(name, format!("no host of the site has `{path}`"));
        }
        if too_small {
            self.changed(
                name,
                format!("`{path}` is {said}: less is not allowed"),
                "RFC 5321 asks for that much, or a session could not go on",
            );
        } else {
            self.carried(name, format!("`{path}`: {said}"));
        }
    }
}

/// A number and how it is written here.
fn read(text: &str, unit: Unit) -> Option<(u64, String)> {
    let split = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (digits, letter) = text.split_at(split);
    let number: u64 = digits.parse().ok()?;
    match (unit, letter) {
        (Count | Size, "") => Some((number, shown(number, unit))),
        (Time(default), _) => {
            let letter = if letter.is_empty() { default.to_string() } else { letter.to_ascii_lowercase() };
            matches!(letter.as_str(), "s" | "m" | "h" | "d" | "w")
                .then(|| (number, format!("{number}{letter}")))
        }
        _ => None,
    }
}

fn shown(number: u64, unit: Unit) -> String {
    match unit {
        Count => number.to_string(),
        Size => {
            let units =
                [(1 << 30, "GiB"), (1 << 20, "MiB"), (1_000_000, "MB"), (1 << 10, "KiB"), (1_000, "kB")];
            let unit = units.into_iter().find(|(octets, _)| number > 0 && number.is_multiple_of(*octets));
            unit.map_or_else(|| format!("{number}B"), |(octets, unit)| format!("{}{unit}", number / octets))
        }
        Time(letter) => format!("{number}{letter}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_own_units() {
        assert_eq!(read("5", Time('d')), Some((5, "5d".into())));
        assert_eq!(read("300s", Time('d')), Some((300, "300s".into())));
        assert_eq!(read("10240000", Size), Some((10_240_000, "10000KiB".into())));
        assert_eq!(read("50", Count), Some((50, "50".into())));
        for (text, unit) in [("", Count), ("5x", Time('s')), ("5k", Size), ("-1", Count)] {
            assert_eq!(read(text, unit), None, "{text}");
        }
    }
}
