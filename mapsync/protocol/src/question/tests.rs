//! What may be asked, and answered, and what of it may not.

use super::*;

fn question() -> Question {
    let mail = Check::Mail { to: "bob@example.org".to_owned(), from: Some(String::new()) };
    let file = Check::File { path: "maps/transport".to_owned().try_into().unwrap() };
    Question { checks: vec![Check::Generation, mail, file], hosts: vec!["mx1".to_owned()], wait: 5 }
}

#[test]
fn a_question_comes_back_and_stays_in_its_bounds() {
    let octets = question().to_json().unwrap();
    assert_eq!(Question::from_json(&octets).unwrap(), question());
    let with = |change: fn(&mut Question)| {
        let mut wrong = question();
        change(&mut wrong);
        wrong
    };
    for wrong in [
        with(|question| question.checks.clear()),
        with(|question| question.checks = vec![Check::Age; CHECKS + 1]),
        with(|question| question.checks = vec![Check::Unknown]),
        with(|question| question.checks = vec![Check::Mail { to: "x".repeat(257), from: None }]),
        with(|question| question.hosts = vec!["x".to_owned(); HOSTS + 1]),
        with(|question| question.hosts = vec!["x".repeat(HOST + 1)]),
        with(|question| question.wait = 0),
        with(|question| question.wait = LONGEST_WAIT + 1),
    ] {
        assert!(wrong.to_json().is_err(), "{wrong:?}");
        assert!(Question::from_json(&serde_json::to_vec(&wrong).unwrap()).is_err(), "{wrong:?}");
    }
    assert!(Question::from_json(&vec![b' '; LONGEST + 1]).is_err());
    assert!(Question::from_json(br#"{"checks":[{"check":"file","path":"../key"}],"wait":1}"#).is_err());
    assert!(Question::from_json(br#"{"checks":[{"check":"run","what":"ls"}],"wait":1}"#).is_err());
}

#[test]
fn a_host_passes_over_checks_that_it_does_not_know() {
    let asked = br#"[{"number":7,"checks":[{"check":"weather","at":"noon"},{"check":"age"}]}]"#;
    let asked = Asked::all_from_json(asked).unwrap();
    assert_eq!(asked, [Asked { number: 7, checks: vec![Check::Unknown, Check::Age] }]);
    let many = Asked { number: 7, checks: vec![Check::Age; CHECKS + 1] };
    assert!(Asked::all_from_json(&serde_json::to_vec(&[many]).unwrap()).is_err());
}

#[test]
fn the_largest_answer_fits_whatever_a_host_finds() {
    let finding = Finding::wrong("\"\\\u{e9}\n\u{0}".repeat(SAYS));
    assert!(finding.says.len() <= SAYS && !finding.says.contains('\n'));
    let answer = Answer {
        environment: Environment::try_from("live".to_owned()).unwrap(),
        host: "x".repeat(HOST),
        role: "x".repeat(ROLE),
        question: u64::MAX,
        findings: vec![finding; CHECKS],
    };
    assert_eq!(Answer::from_json(&answer.to_json().unwrap()).unwrap(), answer);
    let long = Finding { outcome: Outcome::Fine, says: "x".repeat(SAYS + 1) };
    assert!(Answer { findings: vec![long], ..answer.clone() }.to_json().is_err());
    assert!(Answer { findings: vec![Finding::fine(""); CHECKS + 1], ..answer }.to_json().is_err());
}
