//! Content that is told in a row, and what a filter may say in the middle of it.

use std::time::Instant;

use super::*;
use crate::response::Action;

/// A message with so many fields.
fn with_fields(count: usize) -> Message {
    let wire = ["Subject: hi\r\n".repeat(count), "\r\nhello\r\n".to_owned()].concat();
    Message::from_wire(&Bytes::new(), &wire.into())
}

async fn send(session: &mut Session, message: &Message) -> Outcome {
    for event in envelope() {
        assert_eq!(session.tell(event).await.verdict, Verdict::GoOn);
    }
    session.message(message).await
}

/// One more message of a session.
async fn send_again(session: &mut Session) -> Outcome {
    assert_eq!(session.tell(Event::EnvFrom(Path::new("<>"))).await.verdict, Verdict::GoOn);
    session.message(&with_fields(1)).await
}

#[tokio::test]
async fn no_part_of_a_message_waits_for_the_answer_to_another() {
    let house = House::new(Fault::Gathers);
    let (pool, registry) = pool(&[&house], |_| ());
    let outcome = send(&mut Session::new(pool), &with_fields(20)).await;
    assert_eq!(outcome.edits, house::edits());
    assert_eq!(house.told().iter().filter(|stage| **stage == "header").count(), 20);
    assert_eq!(observed(&registry, &["header", "continue"]), 20);
}

#[tokio::test]
async fn a_long_header_goes_in_several_rows() {
    let house = House::new(Fault::None);
    let (pool, _) = pool(&[&house], |_| ());
    let outcome = send(&mut Session::new(pool), &with_fields(1000)).await;
    assert_eq!(outcome.edits, house::edits());
    assert_eq!(house.told().iter().filter(|stage| **stage == "header").count(), 1000);
}

#[tokio::test]
async fn a_word_in_the_middle_of_a_row_counts_and_the_connection_goes_on_if_what_is_owed_behind_it_comes() {
    for (said, verdict) in [
        (Action::Reject, Verdict::Reject),
        (Action::Tempfail, Verdict::Tempfail),
        (Action::Discard, Verdict::Discard),
        (Action::Accept, Verdict::GoOn),
    ] {
        // Those behind it are answered by one filter and not by another: neither is waited for.
        for (fault, connections) in
            [(Fault::Answers(Stage::Header, said.clone()), 1), (Fault::Ends(Stage::Header, said.clone()), 2)]
        {
            let house = House::new(fault.clone());
            let (pool, registry) = pool(&[&house], |options| options.kept = 1);
            let mut session = Session::new(pool);
            let outcome = send(&mut session, &with_fields(3)).await;
            assert_eq!((&outcome.verdict, outcome.edits.len()), (&verdict, 0), "{fault:?}");
            session.abort();
            while connections == 1 && !house.told().contains(&"answered") {
                tokio::task::yield_now().await;
            }
            // What is said of this one is not taken for an answer to that.
            assert_eq!(send_again(&mut session).await.verdict, verdict, "{fault:?}");
            assert_eq!(house.connections(), connections, "{fault:?}");
            assert_eq!(count(&registry, "switchyard_milter_failures_total", &[]), 0, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_filter_that_often_has_its_word_after_header_or_body_keeps_its_connection() {
    for stage in [Stage::Eoh, Stage::Body] {
        let house = House::new(Fault::Ends(stage, Action::Accept));
        let (pool, _) = pool(&[&house], |_| ());
        let mut session = Session::new(pool);
        assert_eq!(session.tell(connect()).await.verdict, Verdict::GoOn);
        for connections in [1, 2, 2, 2] {
            assert_eq!(send_again(&mut session).await.verdict, Verdict::GoOn);
            assert_eq!(house.connections(), connections, "{stage}");
        }
    }
}

#[tokio::test]
async fn a_body_that_was_heard_by_itself_is_told_to_the_place_that_takes_over() {
    let ends = House::new(Fault::Ends(Stage::Body, Action::Accept));
    let (other, dies, lives) =
        (House::new(Fault::None), House::new(Fault::Dies(Stage::Eom)), House::new(Fault::None));
    let (pool, _) = pool(&[&ends, &other, &dies, &lives], |_| ());
    let mut first = Session::new(pool.clone());
    assert_eq!(send(&mut first, &with_fields(1)).await.verdict, Verdict::GoOn);
    let mail = first.tell(Event::EnvFrom(Path::new("<>"))).await;
    assert_eq!((mail.verdict, ends.connections(), other.connections()), (Verdict::GoOn, 1, 1));
    let outcome = send(&mut Session::new(pool), &with_fields(1)).await;
    assert_eq!((outcome.edits, ends.connections()), (house::edits(), 1));
    assert_eq!((dies.told().len(), lives.told()), (9, ALL.to_vec()));
}

#[tokio::test]
async fn a_body_of_many_chunks_is_waited_for_between_them_and_may_be_left_at_each() {
    let wire = ["Subject: hi\r\n\r\n".to_owned(), "hello, world\r\n".repeat(20_000)].concat();
    let message = Message::from_wire(&Bytes::new(), &wire.into());
    for (fault, chunks) in [(Fault::None, 5), (Fault::Answers(Stage::Body, Action::Skip), 1)] {
        let house = House::new(fault);
        let (pool, _) = pool(&[&house], |_| ());
        assert_eq!(send(&mut Session::new(pool), &message).await.edits, house::edits());
        assert_eq!(house.told().iter().filter(|stage| **stage == "body").count(), chunks);
    }
}

#[tokio::test]
async fn a_filter_that_dies_in_a_row_leaves_the_message_to_another() {
    let (dies, lives) = (House::new(Fault::Dies(Stage::Header)), House::new(Fault::None));
    let (pool, _) = pool(&[&dies, &lives], |_| ());
    let outcome = send(&mut Session::new(pool), &with_fields(3)).await;
    assert_eq!(outcome.edits, house::edits());
    assert_eq!(lives.told().iter().filter(|stage| **stage == "header").count(), 3);
}

#[tokio::test]
async fn m6_each_part_of_a_row_is_waited_for_as_long_as_its_stage_may_take() {
    let (short, long) = (Duration::from_millis(100), Duration::from_secs(3600));
    for (stalls, content, end) in [(Stage::Header, short, long), (Stage::Eom, long, short)] {
        let house = House::new(Fault::Stalls(stalls));
        let (pool, registry) = pool(&[&house], |options| {
            options.times = Times { content, end, total: long, ..options.times };
        });
        let mut session = Session::new(pool);
        // Far longer than it takes, and far shorter than the other stage's time.
        let outcome = tokio::time::timeout(Duration::from_secs(60), send(&mut session, &mail())).await;
        assert_eq!(outcome.map(|outcome| outcome.by), Ok(By::WhenDown), "{stalls}");
        assert_eq!(count(&registry, "switchyard_milter_failures_total", &["timed_out"]), 1, "{stalls}");
    }
}

#[tokio::test]
async fn no_answer_of_a_row_is_counted_with_the_time_of_the_one_before_it() {
    let house = House::new(Fault::Gathers);
    let (pool, registry) = pool(&[&house], |_| ());
    let began = Instant::now();
    let outcome = send(&mut Session::new(pool), &with_fields(50)).await;
    let took = began.elapsed();
    assert_eq!(outcome.edits, house::edits());
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "switchyard_milter_events_seconds").unwrap();
    let seconds: f64 = family.get_metric().iter().map(|metric| metric.get_histogram().get_sample_sum()).sum();
    assert!(seconds > 0.0 && seconds <= took.as_secs_f64(), "{seconds} s of {took:?}");
}

/// How many answers a histogram has seen.
fn observed(registry: &Registry, values: &[&str]) -> u64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "switchyard_milter_events_seconds").unwrap();
    let fits = |metric: &&prometheus::proto::Metric| {
        values.iter().all(|value| metric.get_label().iter().any(|label| label.value() == *value))
    };
    let metrics = family.get_metric().iter().filter(fits);
    metrics.map(|metric| metric.get_histogram().get_sample_count()).sum()
}
