//! One thing that is wanted, looked for in what was seen.

use switchyard_config::Place;

use super::{Finding, Holds, once};
use crate::language::{Arrives, FieldWanted, Wanted, What};
use crate::pattern::{Compared, Pattern};
use crate::seen::{After, Answered, Caught, Routed, Seen, Stage, Went};

/// What was seen of one thing, and how it compares.
struct Look {
    seen: String,
    holds: Holds,
}

impl Look {
    fn at(seen: impl Into<String>, holds: bool) -> Self {
        Self { seen: seen.into(), holds: if holds { Holds::Yes } else { Holds::No } }
    }

    fn needs(what: impl Into<String>) -> Self {
        Self { seen: String::new(), holds: Holds::NotAsked(what.into()) }
    }
}

const NEEDS_MAPS: &str = "needs the site's maps: run without --against";
const NEEDS_ROUTER: &str = "needs a host of the role `router` in site.toml";
const NEEDS_CATCHER: &str = "needs --catch: an address that the server delivers to";
const NEEDS_SERVER: &str = "needs a running server: --against and --catch";

/// Looks at one thing that is wanted.
pub(super) fn finding(wanted: &Wanted, seen: &Seen) -> Finding {
    let (text, look) = match &wanted.what {
        What::Reply(reply) => (reply.to_string(), replies(seen, |answer| reply.compare(&answer.reply))),
        What::At(stage) => (stage.to_string(), at(*stage, seen)),
        What::Route(routes) => (list(routes), route(routes, seen)),
        What::Becomes(addresses) => (list(addresses), addresses_of(seen, addresses, |to, _| to)),
        What::SenderBecomes(sender) => {
            let one = std::slice::from_ref(sender);
            (sender.to_string(), addresses_of(seen, one, |_, from| from))
        }
        What::Field(name, wanted) => (field_text(wanted), field(name, wanted, seen)),
        What::Arrives(arrives) => (arrives_text(arrives), arrival(arrives, seen)),
    };
    let Place { file, line, .. } = &wanted.place;
    let place = format!("{file}:{line}");
    Finding { key: wanted.what.key(), place, wanted: text, seen: look.seen, holds: look.holds }
}

fn replies(seen: &Seen, compare: impl Fn(&Answered) -> Compared) -> Look {
    let told = once(seen.answers.iter().map(ToString::to_string)).join("; ");
    let compared: Vec<Compared> = seen.answers.iter().map(compare).collect();
    if compared.contains(&Compared::Other) {
        Look::at(told, false)
    } else if compared.contains(&Compared::TextUnknown) {
        Look::needs("the text of this reply needs a running server: --against")
    } else {
        Look::at(told, true)
    }
}

fn at(stage: Stage, seen: &Seen) -> Look {
    let word = |answer: &Answered| match answer.reply.is_positive() {
        true => "taken".to_owned(),
        false => answer.stage.to_string(),
    };
    let stages = once(seen.answers.iter().map(word)).join(", ");
    let is_refused = |answer: &Answered| !answer.reply.is_positive() && answer.stage == stage;
    Look::at(stages, seen.answers.iter().all(is_refused))
}

fn route(routes: &[Pattern], seen: &Seen) -> Look {
    match &seen.after {
        After::Maps(routed) => {
            let mut taken = once(routed.iter().map(|one| match &one.went {
                Went::To { route, .. } => route.clone(),
                Went::Nowhere(why) => format!("nowhere: {why}"),
            }));
            taken.sort();
            let told = or_nothing(&taken, seen);
            Look::at(told, pair_up(routes, &taken))
        }
        After::NoRouter => Look::needs(NEEDS_ROUTER),
        After::Caught { .. } | After::NoCatcher => Look::needs(NEEDS_MAPS),
    }
}

/// Addresses of what leaves: the recipients', each copy counts, or the sender's, each once.
fn addresses_of(seen: &Seen, wanted: &[Pattern], which: for<'a> fn(&'a str, &'a str) -> &'a str) -> Look {
    let is_sender = which("to", "from") == "from";
    let found: Vec<String> = match &seen.after {
        After::Maps(routed) => routed.iter().map(|one| which(&one.to, &one.from).to_owned()).collect(),
        After::Caught { mail, .. } => mail.iter().map(|one| which(&one.to, &one.from).to_owned()).collect(),
        After::NoRouter => return Look::needs(NEEDS_ROUTER),
        After::NoCatcher => return Look::needs(NEEDS_CATCHER),
    };
    let mut found = if is_sender { once(found.into_iter()) } else { found };
    found.sort();
    let shown: Vec<String> =
        found.iter().map(|one| if one.is_empty() { "<>".to_owned() } else { one.clone() }).collect();
    Look::at(or_nothing(&shown, seen), pair_up(wanted, &found))
}

fn field(name: &str, wanted: &FieldWanted, seen: &Seen) -> Look {
    let After::Caught { mail, .. } = &seen.after else {
        return Look::needs(if seen.after == After::NoCatcher { NEEDS_CATCHER } else { NEEDS_SERVER });
    };
    if mail.is_empty() {
        return Look::at(or_nothing(&[], seen), false);
    }
    let of_one = |copy: &Caught| -> Vec<String> {
        let named = copy.header.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone()).collect()
    };
    let fits = |copy: &Caught| {
        let values = of_one(copy);
        match wanted {
            FieldWanted::Values(patterns) => {
                patterns.iter().all(|pattern| values.iter().any(|value| pattern.matches(value)))
            }
            FieldWanted::Present(present) => *present != values.is_empty(),
            FieldWanted::Count(count) => values.len() == *count,
        }
    };
    let told = once(mail.iter().map(|copy| match (of_one(copy), wanted) {
        (values, FieldWanted::Count(_)) => values.len().to_string(),
        (values, _) if values.is_empty() => "no such field".to_owned(),
        (values, _) => values.join(" | "),
    }));
    Look::at(told.join("; "), mail.iter().all(fits))
}

fn arrival(wanted: &Arrives, seen: &Seen) -> Look {
    match &seen.after {
        After::Maps(routed) => routed_arrival(wanted, routed, seen),
        After::NoRouter => Look::needs(NEEDS_ROUTER),
        After::NoCatcher => Look::needs(NEEDS_CATCHER),
        After::Caught { places, mail } => {
            let mut found = once(mail.iter().map(|copy| copy.place.clone()));
            found.sort();
            match wanted {
                Arrives::Somewhere => Look::at(or_nothing(&found, seen), !found.is_empty()),
                Arrives::Nowhere => Look::at(or_nothing(&found, seen), found.is_empty()),
                Arrives::At(wanted) => match wanted.iter().find(|name| !places.contains(name)) {
                    Some(name) => Look::needs(format!("needs --catch {name}=ADDRESS")),
                    None => {
                        let mut wanted = wanted.clone();
                        wanted.sort();
                        wanted.dedup();
                        Look::at(or_nothing(&found, seen), wanted == found)
                    }
                },
            }
        }
    }
}

fn routed_arrival(wanted: &Arrives, routed: &[Routed], seen: &Seen) -> Look {
    let gone = |one: &Routed| matches!(one.went, Went::To { .. });
    let told = once(routed.iter().map(|one| match &one.went {
        Went::To { route, .. } => route.clone(),
        Went::Nowhere(why) => format!("nowhere: {why}"),
    }));
    let told = or_nothing(&told, seen);
    match wanted {
        Arrives::Somewhere => Look::at(told, !routed.is_empty() && routed.iter().all(gone)),
        Arrives::Nowhere => Look::at(told, !routed.iter().any(gone)),
        Arrives::At(places) => {
            let each_is_met = places.iter().all(|place| routed.iter().any(|one| one.went.is_at(place)));
            let no_other = routed.iter().all(|one| places.iter().any(|place| one.went.is_at(place)));
            Look::at(told, each_is_met && no_other)
        }
    }
}

impl Went {
    /// Whether a place's name is this route's: the route itself, its next hop, its pool, or a hop behind it.
    fn is_at(&self, place: &str) -> bool {
        let Self::To { route, hops } = self else { return false };
        let nexthop = route.split_once(':').map_or("", |(_, nexthop)| nexthop);
        let pool = nexthop.strip_prefix('@').map(|pool| pool.split('/').next().unwrap_or_default());
        [route.as_str(), nexthop].contains(&place)
            || pool == Some(place)
            || hops.iter().any(|hop| hop == place)
    }
}

/// Whether each pattern stands for one of the texts, and none is left over. Those with `*` come last, so that they
/// take what the plain ones leave.
fn pair_up(patterns: &[Pattern], texts: &[String]) -> bool {
    let mut left: Vec<&String> = texts.iter().collect();
    let (plain, open): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| !pattern.is_open());
    for pattern in plain {
        let Some(at) = left.iter().position(|text| pattern.matches(text)) else { return false };
        left.remove(at);
    }
    // One `*` may stand for several: `bob*@example.org` for each of bob's copies.
    open.iter().all(|pattern| texts.iter().any(|text| pattern.matches(text)))
        && left.iter().all(|text| open.iter().any(|pattern| pattern.matches(text)))
}

/// What was found, or in its place why there is nothing.
fn or_nothing(found: &[String], seen: &Seen) -> String {
    if !found.is_empty() {
        return found.join(", ");
    }
    match (seen.is_taken(), seen.answers.first()) {
        (false, Some(answer)) => format!("nothing, for it was refused: {answer}"),
        _ => "nothing".to_owned(),
    }
}

fn list(patterns: &[Pattern]) -> String {
    patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn field_text(wanted: &FieldWanted) -> String {
    match wanted {
        FieldWanted::Values(patterns) => list(patterns),
        FieldWanted::Present(true) => "there".to_owned(),
        FieldWanted::Present(false) => "not there".to_owned(),
        FieldWanted::Count(count) => count.to_string(),
    }
}

fn arrives_text(arrives: &Arrives) -> String {
    match arrives {
        Arrives::Somewhere => "somewhere".to_owned(),
        Arrives::Nowhere => "nowhere".to_owned(),
        Arrives::At(places) => places.join(", "),
    }
}
