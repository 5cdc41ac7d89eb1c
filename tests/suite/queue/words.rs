//! What the verbs say, and what they make of a bad word.

use super::filled::Filled;

#[test]
fn verbs_say_what_they_did_and_what_is_wrong() {
    let filled = Filled::new();
    let (all, share) = (filled.messages, filled.share());
    let told = filled.queue(&["hold", "--domain", "d1.example", "--dry-run"]);
    assert_eq!(
        told.data,
        format!(
            "{share} messages to {share} recipients selected\n{share:>8} would be put on hold\nnothing was changed\n"
        )
    );
    let told = filled.queue(&["list", "--recipient", "user7@d7.example"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(
        told.data.contains("deferred") && told.data.contains("user7@d7.example via smtp:[127."),
        "{told:?}"
    );
    let id = told.data.split(' ').next().expect("an id").to_owned();
    let shown = filled.queue(&["show", &id]);
    assert!(shown.data.contains("user7@d7.example, deferred") && shown.data.contains("4.4.1 "), "{shown:?}");
    assert!(
        filled
            .queue(&["list", "--by", "reply"])
            .data
            .ends_with(&format!("{all} messages to {all} recipients\n"))
    );

    for (words, why) in [
        (vec!["hold", "--colour", "red"], "unexpected argument '--colour'"),
        (vec!["hold", "--older", "long"], "\"long\" is no time"),
        (vec!["hold", "--larger", "10"], "\"10\" is no size"),
        (vec!["hold", "--queue", "dead"], "invalid value 'dead'"),
        (vec!["hold", "nonsense"], "`nonsense` is not a queue id"),
        (vec!["delete"], "which messages? select some, or say --all"),
        (
            vec!["bounce", "--domain", "nowhere.example"],
            "nothing in the queue is selected; nothing was changed",
        ),
        (vec!["release", "--all"], "nothing in the queue is selected; nothing was changed"),
        (vec!["list", "--sender", "nobody@*"], "nothing in the queue is selected"),
        (vec!["show", "0000000000"], "not in the queue"),
        (vec!["reroute", "--all", "--to", "[mx1]:25"], "unknown transport"),
    ] {
        let told = filled.queue(&words);
        assert_eq!((told.code, told.data.as_str()), (Some(2), ""), "{words:?}: {told:?}");
        assert!(told.speech.contains(why), "{words:?}: {told:?}");
    }
    assert_eq!(filled.count("deferred"), all, "nothing was changed");
}
