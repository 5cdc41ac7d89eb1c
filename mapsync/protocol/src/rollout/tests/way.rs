//! The way of a good one, what holds it, and who drives it.

use super::*;

#[test]
fn a_good_generation_goes_everywhere_step_by_step() {
    let mut site = Site::new();
    let steps = site.rollout.plan().steps();
    let mut using = 0;
    for step in 1..=steps {
        assert_eq!(site.step(), format!("step {step} of {steps}"));
        assert!(site.using() >= using);
        using = site.using();
        site.passes(20);
        site.look();
        assert_eq!(site.rollout.step(), step);
    }
    let (end, held) = site.next();
    assert_eq!(end, Verdict::Over(End::Complete));
    assert_eq!(site.using(), 6);
    assert!(held.iter().any(|why| why.starts_with("all is well")), "{held:?}");
}

#[test]
fn no_word_holds_a_step_and_then_halts_it() {
    let mut site = Site::new().at_canaries();
    let canary = site.a_canary();
    site.hosts.iter_mut().find(|(status, _)| status.host == canary).unwrap().1 = Duration::from_secs(31);
    let (verdict, held) = site.next();
    assert!(held.iter().all(|why| *why == format!("no word of {canary}")), "{held:?}");
    assert!(matches!(&verdict, Verdict::Publish { why, .. } if why.starts_with("held for")), "{verdict:?}");
    site.ends(End::Halted, "no word of");
    // One that was silent all along, and is not named, stops nobody.
    let mut site = Site::new();
    let other = SITE.iter().position(|(name, ..)| !drawn()[0].moves(name)).unwrap();
    site.hosts[other].1 = Duration::from_secs(10_000);
    for _ in 0..site.rollout.plan().steps() {
        site.step();
    }
    assert_eq!((site.next().0, site.using()), (Verdict::Over(End::Complete), 5));
    // With no host at all, nothing begins.
    let mut site = Site::new();
    site.hosts.clear();
    assert!(matches!(site.look(), Verdict::Hold(why) if why.starts_with("no word")));
}

#[test]
fn hosts_that_get_no_mail_any_more_are_no_good_sign() {
    let mut site = Site::new().at_canaries();
    let mut last = String::new();
    for _ in 0..20 {
        site.passes(0);
        let canaries = drawn()[0].canaries.clone();
        for (status, _) in site.hosts.iter_mut().filter(|(status, _)| !canaries.contains(&status.host)) {
            status.counters.taken += 100;
        }
        match site.look() {
            Verdict::Hold(why) => last = why,
            other => panic!("{other:?}"),
        }
    }
    assert!(last.contains("too few to tell"), "{last}");
}

#[test]
fn any_hub_takes_over_and_bakes_anew() {
    let mut site = Site::new().at_canaries();
    site.passes(20);
    site.passes(20);
    let plan = Plan::from_json(&site.rollout.plan().to_json().unwrap(), &root(1)).unwrap();
    assert_eq!(plan, *site.rollout.plan());
    site.rollout = Rollout::new(plan, Gates::default(), site.now);
    assert_eq!(site.look(), Verdict::Hold("all is well; 60 s to go".to_owned()));
    // A host that has it and fell silent before this hub came is waited for.
    let other = drawn()[0].canaries[1].clone();
    let position = site.hosts.iter().position(|(status, _)| status.host == other).unwrap();
    site.hosts[position].1 = Duration::from_secs(100);
    assert_eq!(site.look(), Verdict::Hold(format!("no word of {other}")));
    // A hub that has just begun to listen knows of nobody whom it does not hear.
    let listening = Duration::from_secs(1);
    let mut site = Site::new();
    let words: Vec<_> = site.hosts.iter().map(|(status, age)| Word { status, age: *age }).collect();
    let verdict = site.rollout.look(4, &words, listening, site.now);
    assert!(matches!(verdict, Verdict::Hold(_)), "{verdict:?}");
}

#[test]
fn what_an_admin_releases_meanwhile_counts() {
    let mut site = Site::new().at_canaries();
    site.newest = site.rollout.plan().last() + 1;
    assert_eq!(site.look(), Verdict::Over(End::Overtaken));
}
