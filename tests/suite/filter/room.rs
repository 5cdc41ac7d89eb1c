//! A message that finds no room: what its MTA hears, and who has the room then.

use switchyard_milter_protocol::response::Action;
use switchyard_tests::peer::knot::{Knot, Records};

use super::ask::{PLAIN, ask, verdict, verifying};

#[test]
fn a_message_that_finds_no_memory_is_put_off_with_a_reason_and_leaves_the_room_to_others() {
    let dns = Knot::start(&Records::default());
    let (_site, filter) =
        verifying(&dns, |filter| filter.settings.set("limits", "content_memory", "\"1MiB\""));
    let large = [PLAIN, &"more than may be held\n".repeat(100_000)].concat();
    let heard = ask(&filter, "192.0.2.1", "a@nowhere.invalid", &large);
    let Action::Reply(reply) = &heard.action else { panic!("{heard:?}") };
    assert_eq!((reply.code(), reply.status(), heard.edits.len()), (451, Some((4, 3, 0)), 0));
    assert!(reply.lines().any(|line| line.contains("too many messages")), "{reply:?}");
    let counted = |name: &str, labels: &str| filter.metric(&format!("switchyard_milter_{name}{{{labels}}}"));
    assert_eq!(counted("messages_total", "way=\"no_memory\""), 1.0);
    assert_eq!(counted("events_total", "action=\"replycode\",event=\"eom\""), 1.0);
    verdict(&ask(&filter, "192.0.2.1", "a@nowhere.invalid", PLAIN));
}
