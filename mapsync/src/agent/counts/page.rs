//! A daemon's page of metrics, in Prometheus's text format, summed up to what a rollout asks.
//!
//! An mx counts each verdict by what the client was told; a router each verdict by its name, each attempt of delivery, and
//! each report of a failure. Both count what the set to come would have answered otherwise, and say which set that is. Lines
//! that say nothing of this are passed over, whatever they say.

use super::{Fate, Mail, Surprises};

/// What a page comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) mail: Mail,
    /// Of the candidate that the daemon asks, if it asks one.
    pub(super) surprises: Option<Surprises>,
}

/// Adds a page up.
pub(super) fn read(page: &str) -> Page {
    let mut all = Page::default();
    for (sample, count) in page.lines().filter_map(sample) {
        if let Some(fate) = fate(sample) {
            all.mail.count(fate, count);
        } else if sample.0 == SURPRISES {
            let candidate = label(sample, "candidate").to_owned();
            all.surprises = Some(Surprises { candidate, count });
        }
    }
    all
}

/// A metric's name, and its labels as they are written.
type Sample<'a> = (&'a str, &'a str);

/// `name{label="value",…} 12`.
fn sample(line: &str) -> Option<(Sample<'_>, u64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    Some(((name, labels), value.trim().parse().ok()?))
}

/// The value of a label; nothing where there is none.
fn label<'a>((_, labels): Sample<'a>, name: &str) -> &'a str {
    let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value.trim_matches('"'))
}

/// What a sample counts; none for what is of no account.
fn fate(sample: Sample<'_>) -> Option<Fate> {
    let label = |name: &str| label(sample, name);
    Some(match sample.0 {
        VERDICTS => match (label("stage"), label("verdict")) {
            // Of connections and greetings only those count that came to nothing.
            ("recipient" | "content", "accept" | "accepted") => Fate::Taken,
            (
                _,
                "reject" | "access_refused" | "filter_refused" | "relay_denied" | "unknown_user" | "bad_srs"
                | "refused_by_map",
            ) => Fate::Rejected,
            (_, "defer" | "access_deferred" | "filter_deferred" | "map_unavailable") => Fate::Deferred,
            _ => return None,
        },
        // What bounced without an attempt, or after many, is in the reports below.
        ATTEMPTS => match label("outcome") {
            "sent" => Fate::Taken,
            "deferred" => Fate::Deferred,
            _ => return None,
        },
        // A failure that nobody may be told of is one all the same.
        REPORTS if matches!(label("action"), "failed" | "suppressed") => Fate::Bounced,
        _ => return None,
    })
}

const VERDICTS: &str = "switchyard_policy_verdicts_total";
const ATTEMPTS: &str = "switchyard_deliver_attempts_seconds_count";
const REPORTS: &str = "switchyard_dsn_total";
/// What lines that the change touched say otherwise, an admin meant: it is not among these.
const SURPRISES: &str = "switchyard_map_shadow_unexpected_total";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_summed_up_and_what_is_strange_passed_over() {
        let mx = "# HELP switchyard_policy_verdicts_total What clients were allowed, and why not.\n\
                  # TYPE switchyard_policy_verdicts_total counter\n\
                  switchyard_policy_verdicts_total{reason=\"none\",stage=\"connect\",verdict=\"accept\"} 900\n\
                  switchyard_policy_verdicts_total{reason=\"none\",stage=\"recipient\",verdict=\"accept\"} 40\n\
                  switchyard_policy_verdicts_total{reason=\"router\",stage=\"content\",verdict=\"accept\"} 2\n\
                  switchyard_policy_verdicts_total{reason=\"unknown\",stage=\"recipient\",verdict=\"reject\"} 7\n\
                  switchyard_policy_verdicts_total{reason=\"access\",stage=\"connect\",verdict=\"reject\"} 1\n\
                  switchyard_policy_verdicts_total{reason=\"map\",stage=\"recipient\",verdict=\"defer\"} 3\n\
                  switchyard_map_shadow_differences_total{intended=\"yes\",kind=\"route\",map=\"recipients\"} 70\n\
                  switchyard_map_shadow_differences_total{intended=\"no\",kind=\"unavailable\",map=\"recipients\"} 5\n\
                  switchyard_map_shadow_unexpected_total{candidate=\"5f0c\"} 5\n\
                  switchyard_map_entries{map=\"transport\"} 6\n";
        let of = |mail: Mail| {
            let all = mail.told(0);
            [all.taken, all.rejected, all.deferred, all.bounced, all.differing]
        };
        let mx = read(mx);
        assert_eq!(of(mx.mail), [42, 8, 3, 0, 0]);
        assert_eq!(mx.surprises, Some(Surprises { candidate: "5f0c".to_owned(), count: 5 }));
        let router = "switchyard_policy_verdicts_total{stage=\"recipient\",verdict=\"accepted\"} 10\n\
                      switchyard_policy_verdicts_total{stage=\"recipient\",verdict=\"unknown_user\"} 2\n\
                      switchyard_policy_verdicts_total{stage=\"sender\",verdict=\"filter_deferred\"} 1\n\
                      switchyard_deliver_attempts_seconds_bucket{outcome=\"sent\",transport=\"smtp\",le=\"1\"} 30\n\
                      switchyard_deliver_attempts_seconds_sum{outcome=\"sent\",transport=\"smtp\"} 1.25\n\
                      switchyard_deliver_attempts_seconds_count{outcome=\"sent\",transport=\"smtp\"} 30\n\
                      switchyard_deliver_attempts_seconds_count{outcome=\"deferred\",transport=\"lmtp\"} 4\n\
                      switchyard_deliver_attempts_seconds_count{outcome=\"bounced\",transport=\"smtp\"} 9\n\
                      switchyard_dsn_total{action=\"failed\"} 11\nswitchyard_dsn_total{action=\"delayed\"} 8\n\
                      switchyard_dsn_total{action=\"suppressed\"} 1\n";
        let router = read(router);
        assert_eq!((of(router.mail), router.surprises), ([40, 2, 5, 12, 0], None));
        for strange in [
            "",
            "\n}{\n{} \n",
            "switchyard_dsn_total{action=\"failed\"} -3",
            "switchyard_dsn_total{action=\"failed\"} NaN",
            "switchyard_dsn_total{action=\"failed\" 3",
            "switchyard_dsn_total 3",
        ] {
            assert_eq!(read(strange), Page::default(), "{strange}");
        }
    }

    /// The daemons' own list of what they count.
    #[test]
    fn daemons_count_by_these_names() {
        let list = include_str!("../../../../docs/metrics.md");
        for (name, labels) in [
            (VERDICTS, "`stage`, `verdict`"),
            (ATTEMPTS.trim_end_matches("_count"), "`transport`, `outcome`"),
            (REPORTS, "`action`"),
        ] {
            let row = list.lines().find(|line| line.contains(name) && line.contains(labels));
            assert!(row.is_some(), "{name} with {labels}");
        }
        // Of what has not happened yet, the list does not tell.
        let maps = include_str!("../../../../maps/src/metrics.rs");
        let counted = maps.split_once(SURPRISES).and_then(|(_, behind)| behind.split_once("]"));
        assert!(counted.is_some_and(|(behind, _)| behind.ends_with(r#"&["candidate""#)), "{SURPRISES}");
    }
}
