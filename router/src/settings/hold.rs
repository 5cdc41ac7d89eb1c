//! What a running daemon cannot take: it keeps the old value until it starts anew, and says so.

use switchyard_config::RouterSettings;

/// Puts back what differs and can't change while the daemon runs, and names it.
pub(crate) fn hold(before: &RouterSettings, now: &mut RouterSettings) -> Vec<&'static str> {
    fn keep<T: PartialEq + Clone>(held: &mut Vec<&'static str>, name: &'static str, old: &T, new: &mut T) {
        if old != new {
            new.clone_from(old);
            held.push(name);
        }
    }
    let mut held = Vec::new();
    let (old, new) = (&before.common, &mut now.common);
    keep(&mut held, "host_name", &old.host_name, &mut new.host_name);
    keep(&mut held, "listen", &old.listen, &mut new.listen);
    keep(&mut held, "metrics", &old.metrics, &mut new.metrics);
    keep(&mut held, "control", &old.control, &mut new.control);
    keep(&mut held, "log", &old.log, &mut new.log);
    keep(&mut held, "dns", &old.dns, &mut new.dns);
    let (old, new) = (&before.common.limits, &mut now.common.limits);
    keep(&mut held, "limits.sessions", &old.sessions, &mut new.sessions);
    keep(&mut held, "limits.content_memory", &old.content_memory, &mut new.content_memory);
    keep(&mut held, "limits.drain_deadline", &old.drain_deadline, &mut new.drain_deadline);
    keep(&mut held, "maps", &before.maps, &mut now.maps);
    keep(&mut held, "rewrite", &before.rewrite, &mut now.rewrite);
    keep(&mut held, "route", &before.route, &mut now.route);
    keep(&mut held, "pools", &before.pools, &mut now.pools);
    keep(&mut held, "srs", &before.srs, &mut now.srs);
    keep(&mut held, "spool", &before.spool, &mut now.spool);
    keep(&mut held, "queue", &before.queue, &mut now.queue);
    keep(&mut held, "deliver", &before.deliver, &mut now.deliver);
    keep(&mut held, "bounce", &before.bounce, &mut now.bounce);
    held
}
