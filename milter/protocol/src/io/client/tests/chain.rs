//! Filters in a row.

use super::*;
use crate::response::Action;

const ADDED: Bytes = Bytes::from_static(b"Received: by us\r\n");
const WIRE: Bytes = Bytes::from_static(b"Subject: hi\r\n\r\nhello\r\n");

async fn run(houses: &[&House]) -> (Chain, Verdict, Option<Filtered>) {
    let mut chain = Chain::new(houses.iter().map(|house| pool(&[house], |_| ()).0));
    for event in envelope() {
        let outcome = chain.tell(&event).await;
        if outcome.verdict != Verdict::GoOn {
            return (chain, outcome.verdict, None);
        }
    }
    let filtered = chain.message(&ADDED, &WIRE).await;
    (chain, filtered.verdict.clone(), Some(filtered))
}

#[tokio::test]
async fn each_filter_gets_what_the_one_before_has_left() {
    let (first, second) = (House::new(Fault::None), House::new(Fault::None));
    let (chain, verdict, filtered) = run(&[&first, &second]).await;
    let content = filtered.unwrap().edited.unwrap().content();
    assert_eq!((verdict, content.added), (Verdict::GoOn, ADDED));
    assert_eq!(&content.wire[..], b"Subject: hi\r\nX-Seen: yes\r\nX-Seen: yes\r\n\r\nnew\r\n");
    // The second was told one field more.
    assert_eq!(second.told().iter().filter(|stage| **stage == "header").count(), 2);
    chain.close();
}

#[tokio::test]
async fn the_first_refusal_has_the_word_and_nothing_is_changed() {
    for stage in [Stage::EnvFrom, Stage::Data, Stage::Eoh, Stage::Eom] {
        let (first, second) = (House::new(Fault::None), House::new(Fault::Answers(stage, Action::Reject)));
        let third = House::new(Fault::None);
        let (mut chain, verdict, filtered) = run(&[&first, &second, &third]).await;
        assert_eq!(verdict, Verdict::Reject, "{stage}");
        if let Some(filtered) = filtered {
            assert!(filtered.edited.is_none());
        }
        assert!(!third.told().contains(&stage.as_str()), "{stage}");
        chain.abort();
        assert_eq!(
            chain.tell(&Event::EnvFrom(Path::new("<>"))).await.verdict == Verdict::GoOn,
            stage != Stage::EnvFrom
        );
    }
}

#[tokio::test]
async fn without_filters_everything_goes_on() {
    let (_, verdict, filtered) = run(&[]).await;
    assert_eq!((verdict, filtered.unwrap().edited.is_none()), (Verdict::GoOn, true));
}
