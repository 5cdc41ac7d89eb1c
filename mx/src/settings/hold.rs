//! What a running daemon cannot take: it keeps the old value until it starts anew, and says so.

use switchyard_config::MxSettings;

/// Puts back what differs and can't change while the daemon runs, and names it.
pub(crate) fn hold(before: &MxSettings, now: &mut MxSettings) -> Vec<&'static str> {
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
    keep(&mut held, "maps", &before.maps, &mut now.maps);
    let (old, new) = (&before.common.limits, &mut now.common.limits);
    keep(&mut held, "limits.sessions", &old.sessions, &mut new.sessions);
    keep(&mut held, "limits.drain_deadline", &old.drain_deadline, &mut new.drain_deadline);
    keep(&mut held, "limits.content_memory", &old.content_memory, &mut new.content_memory);
    held
}
