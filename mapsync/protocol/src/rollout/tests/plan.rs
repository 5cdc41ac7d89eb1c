//! What an admin signs.

use super::*;
use crate::envelope::Signed;
use crate::trust::tests::key;

#[test]
fn a_host_of_each_role_at_each_site_goes_first() {
    let releases = drawn();
    let first = &releases[0];
    assert_eq!((first.canaries.len(), first.permille), (3, 0));
    for (role, site) in [("mx", "north"), ("mx", "south"), ("router", "north")] {
        let is_there = |(name, its, place)| its == role && place == site && first.moves(name);
        assert_eq!(SITE.into_iter().filter(|host| is_there(*host)).count(), 1, "{role} {site}");
    }
    let shares: Vec<_> = releases.iter().map(|release| (release.sequence, release.permille)).collect();
    assert_eq!(shares.first(), Some(&(5, 0)));
    assert!(releases.iter().rev().nth(2).is_some_and(|release| release.permille == 1000));
    let many = (0..300).map(|n| format!("site{n}")).collect::<Vec<_>>();
    let many = many.iter().map(|site| Host { name: "mx1", role: "mx", site });
    assert!(canaries(many, 1).is_err());
    // A thousand hosts have all the steps, each of which is larger.
    let names: Vec<_> = (0..1000).map(|n| format!("mx{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let drawn = draw(&Release { canaries: vec!["mx5".to_owned()], ..release(1, 9, target().hash) }, &names);
    let shares: Vec<_> = drawn.iter().map(|release| release.permille).collect();
    assert_eq!(shares, [0, 10, 50, 250, 1000, 0, 0]);
}

#[test]
fn a_plan_is_whole_and_signed_or_none() {
    let good = drawn();
    let plan = signed(&good).unwrap();
    assert_eq!((plan.names(), plan.last()), (target(), good.last().unwrap().sequence));
    let with = |change: fn(&mut Vec<Release>)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        signed(&wrong).map(|_| wrong)
    };
    for wrong in [
        with(Vec::clear),
        with(|plan| drop(plan.drain(..plan.len() - 2))),
        with(|plan| drop(plan.pop())),
        with(|plan| plan.swap(0, 1)),
        with(|plan| plan.iter_mut().for_each(|release| release.sequence = u64::MAX)),
        with(|plan| plan[0].sequence -= 1),
        with(|plan| plan[1].head = Hash::of(b"other")),
        with(|plan| plan[0].halted = true),
        with(|plan| (plan[0].permille, plan[1].permille) = (500, 400)),
        with(|plan| (plan[1].permille, plan[1].canaries) = (0, Vec::new())),
        with(|plan| plan.last_mut().unwrap().undo = false),
        with(|plan| plan.iter_mut().for_each(|release| release.environment = elsewhere())),
    ] {
        assert!(wrong.is_err(), "{wrong:?}");
    }
    let octets = plan.to_json().unwrap();
    assert_eq!(Plan::from_json(&octets, &root(1)).unwrap(), plan);
    let hurried = plan.with_express(true);
    let read = Plan::from_json(&hurried.to_json().unwrap(), &root(1)).unwrap();
    assert!(read.is_express() && read == hurried);
    let other =
        Root { roles: crate::root::Roles { release: root(1).roles.root, ..root(1).roles }, ..root(1) };
    assert!(matches!(Plan::from_json(&octets, &other), Err(BadPlan::TooFewSignatures { have: 0, need: 2 })));
    assert!(Plan::from_json(&vec![b' '; LONGEST + 1], &root(1)).is_err());
    assert!(Plan::from_json(&octets[1..], &root(1)).is_err());
}

fn elsewhere() -> crate::words::Environment {
    crate::words::Environment::try_from("test".to_owned()).unwrap()
}

#[test]
fn a_plan_that_two_must_sign_is_begun_by_one_and_ended_by_the_other() {
    let role = crate::root::Role { threshold: 2, ..root(1).roles.root };
    let root = Root { roles: crate::root::Roles { release: role, ..root(1).roles }, ..root(1) };
    let signed = |key: u8, release: &Release| Signed::from_json(&by(release, &[key]).0).unwrap();
    let begun: Vec<_> = drawn().iter().map(|release| signed(1, release)).collect();
    assert!(matches!(Plan::new(begun.clone(), &root), Err(BadPlan::TooFewSignatures { have: 1, need: 2 })));
    let foreign = drawn().iter().map(|release| signed(6, release)).collect();
    assert!(Draft::new(foreign, false, &root).is_err(), "signed by nobody whose key counts");

    let draft = Draft::new(begun, true, &root).unwrap();
    assert!(draft.clone().into_plan(&root).is_err());
    let mut read = Draft::from_json(&draft.to_json().unwrap(), &root).unwrap();
    read.sign(&key(1));
    assert_eq!(read.signers(&root), 1, "the same key once more is no second one");
    read.sign(&key(2));
    assert_eq!(read.signers(&root), 2);
    let plan = read.into_plan(&root).unwrap();
    assert!(plan.is_express() && plan.steps() == draft.plan().steps());
}
