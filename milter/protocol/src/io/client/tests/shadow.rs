//! A shadow is told the same and only counted.

use super::*;
use crate::response::Action;

async fn shadowed(fault: Fault) -> (Outcome, Registry) {
    let (real, ghost) = (House::new(Fault::None), House::new(fault));
    let (real, _) = pool(&[&real], |_| ());
    let (ghost_pool, registry) = pool(&[&ghost], |_| ());
    let mut session = Session::new(real);
    let mut shadow = Shadow::new(ghost_pool);
    for event in envelope() {
        shadow.tell(event.clone(), session.macros());
        assert_eq!(session.tell(event).await.verdict, Verdict::GoOn);
    }
    shadow.message(&mail(), session.macros());
    let outcome = session.message(&mail()).await;
    shadow.settled(&outcome);
    while count(&registry, "switchyard_milter_shadow_total", &[]) == 0 {
        tokio::task::yield_now().await;
    }
    (outcome, registry)
}

#[tokio::test]
async fn what_a_shadow_says_is_compared_and_never_done() {
    for (fault, result) in [
        (Fault::None, "same"),
        (Fault::Answers(Stage::Eom, Action::Accept), "edits"),
        (Fault::Answers(Stage::Eom, Action::Reject), "verdict"),
        (Fault::Answers(Stage::EnvFrom, Action::Tempfail), "verdict"),
        (Fault::Dies(Stage::Body), "down"),
    ] {
        let (outcome, registry) = shadowed(fault.clone()).await;
        assert_eq!(outcome.edits, house::edits());
        assert_eq!(count(&registry, "switchyard_milter_shadow_total", &[result]), 1, "{fault:?}");
    }
}
