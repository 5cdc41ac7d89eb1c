//! Checks as they are written, and answers as they are told.

use switchyard_mapsync_protocol::Environment;

use super::*;

fn answer(host: &str, role: &str, findings: Vec<Finding>) -> Answer {
    let environment = Environment::try_from("live".to_owned()).unwrap();
    Answer { environment, host: host.to_owned(), role: role.to_owned(), question: 1, findings }
}

#[test]
fn checks_are_read_as_they_are_written() {
    for word in ["generation", "age", "disk", "file=maps/transport", "mail=a@b.example", "mail=a@b.example,"]
    {
        assert_eq!(name(&check(word).unwrap()), word);
    }
    for word in ["", "weather", "mail", "file", "file=../key", "generation=1"] {
        assert!(check(word).is_err(), "{word}");
    }
}

#[test]
fn who_says_otherwise_than_the_others_of_a_role_is_named() {
    let checks = [check("generation").unwrap(), check("mail=a@b.example").unwrap()];
    let says = |generation: &str, mail: &str| vec![Finding::fine(generation), Finding::fine(mail)];
    let mut told = Told { hosts: 3, ..Told::default() };
    told.answers = vec![
        answer("mx1", "mx", says("12", "250 Ok")),
        answer("mx2", "mx", says("12", "250 Ok")),
        answer("out1", "router", says("12", "<a@b.example> to smtp:")),
    ];
    assert!(told.is_well(&checks), "roles may differ");
    let page = told.page(&checks, Duration::from_millis(1200));
    let expected = "\
generation
      2 mx: 12
      1 router: 12 (out1)
mail=a@b.example
      2 mx: 250 Ok
      1 router: <a@b.example> to smtp: (out1)
3 of 3 hosts answered within 1.2s
";
    assert_eq!(page, expected);

    told.answers.push(answer("mx3", "mx", says("11", "250 Ok")));
    assert!(!told.is_well(&checks));
    let page = told.page(&checks, Duration::ZERO);
    assert!(page.contains("      2 mx: 12 (mx1, mx2)\n      1 mx: 11 (mx3)\n"), "{page}");
    assert!(told.is_well(&[]));
    told.silent = vec!["mx9\n".to_owned()];
    assert!(!told.is_well(&[]));
    assert!(told.page(&[], Duration::ZERO).ends_with("silent: mx9 \n"));
}

#[test]
fn what_is_measured_may_differ_and_what_is_wrong_is_not_well() {
    let checks = [check("disk").unwrap()];
    let answers = vec![
        answer("mx1", "mx", vec![Finding::fine("1000")]),
        answer("mx2", "mx", vec![Finding::fine("2000")]),
    ];
    let mut told = Told { answers, ..Told::default() };
    assert!(told.is_well(&checks));
    told.answers.push(answer("mx3", "mx", vec![Finding::unknown("the agent has just started")]));
    assert!(!told.is_well(&checks));
    let page = told.page(&checks, Duration::ZERO);
    assert!(page.contains("1 mx: not known: the agent has just started (mx3)\n"), "{page}");
    let json = told.json(&checks, Duration::from_secs(1));
    assert_eq!((&json["well"], &json["milliseconds"]), (&false.into(), &1000.into()));
    assert_eq!(json["hosts"][0]["findings"][0]["says"], "1000");
}
