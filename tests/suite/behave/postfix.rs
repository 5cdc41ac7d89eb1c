//! The same behaviours on the old machine and on the new, and a difference that was planted.

use switchyard_tests::tool::{Told, switchyard};

use super::hand::{RECIPIENTS, Twice};
use super::{states, unasked};

fn behave(twice: &Twice, more: &[&str]) -> Told {
    let site = twice.folder().display().to_string();
    let (old, new) = (format!("old={}", twice.postfix.address()), format!("new={}", twice.mx.address()));
    let (mailboxes, lists) = (format!("mailboxes={}", twice.mailboxes), format!("lists={}", twice.lists));
    let words =
        ["behave", &site, "--against", &old, "--against", &new, "--catch", &mailboxes, "--catch", &lists];
    switchyard(words.iter().chain(more))
}

#[test]
fn a_postfix_set_up_by_hand_and_the_suite_do_the_same() {
    let mut twice = Twice::start();
    let told = behave(&twice, &["--json"]);
    for server in ["old", "new"] {
        let states = states(&told, server);
        let others: Vec<_> = states.iter().filter(|(_, state)| state != "holds").collect();
        assert!(
            states.len() == 14 && others.is_empty(),
            "{server}: {others:?}\n{}\n{}",
            told.data,
            twice.postfix.log()
        );
        assert_eq!(unasked(&told, server), 0, "{server}: {}", told.data);
    }
    assert_eq!((told.code, told.speech.as_str()), (Some(0), ""), "{told:?}");
    let run = told.json();
    let behaviours = run["behaviours"].as_array().expect("behaviours");
    let times = behaviours.iter().flat_map(|behaviour| {
        ["old", "new"].map(|server| behaviour["verdicts"][server]["milliseconds"].as_u64().expect("a time"))
    });
    let longest = times.max().expect("a behaviour");
    println!("14 behaviours on both: the longest took {longest} ms");
    assert!(longest < 5000, "each ends within its deadline");

    // A slip of the new machine: bob was forgotten.
    twice.plant("recipients", &RECIPIENTS.replace("bob@example.org OK\n", ""));
    let told = behave(&twice, &["--only", "a mailbox's mail*"]);
    println!("{}", told.data);
    assert_eq!(told.code, Some(1), "{told:?}");
    let lines: Vec<&str> = told.data.lines().collect();
    let line = lines.iter().position(|line| line.contains("bob+lists")).expect("the behaviour that fails");
    assert!(lines[line].contains("ok   FAIL") && lines[line].ends_with("they differ"), "{}", told.data);
    let columns: Vec<&str> = lines[line + 1].split_whitespace().collect();
    assert_eq!(columns, ["wanted", "old", "new"], "{}", told.data);
    let row = lines[line + 2];
    assert!(
        row.contains("reply") && row.contains("250 2.0.0 Ok") && row.contains("! 550 5.1.1"),
        "{}",
        told.data
    );
    assert!(told.data.contains("old: 4 behaviours hold\n"), "{}", told.data);
    assert!(told.data.contains("new: 2 behaviours hold, 2 fail"), "{}", told.data);
}
