//! What is left of the mail when a process or the power goes. Every scenario ends with the same question to
//! the books: was anything that was acknowledged lost, torn, or doubled without a reason?

mod handover;
mod kills;
mod power;
mod spool;

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};

use switchyard_tests::expect;
use switchyard_tests::ledger::sink::Sink;
use switchyard_tests::ledger::{Audit, Ledger};
use switchyard_tests::site::daemon::Daemon;

/// The long form of the suite; the short one is for every change.
pub(crate) fn long() -> bool {
    env::var_os("SWITCHYARD_LONG").is_some_and(|value| value == "1")
}

/// Scenarios that use the whole machine take turns.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until a router has nothing left to deliver.
pub(crate) fn await_empty(router: &Daemon) {
    let what = format!("an empty spool; see {}", router.file().display());
    expect::holds(&what, || router.metric("switchyard_spool_messages") == 0.0);
}

/// A restart that finds everything done: no message comes back, and none goes out.
pub(crate) fn demand_idle_restart(router: &mut Daemon, sink: &Sink) {
    let (copies, connections) = (sink.count(), sink.connections());
    router.kill();
    router.start();
    assert_eq!(router.metric("switchyard_spool_messages"), 0.0, "a message came back");
    assert!(router.terminate().success(), "{}", router.log_end());
    assert_eq!((sink.count(), sink.connections()), (copies, connections), "something went out again");
}

/// Lets the sink take mail, or lets everything that is acknowledged pile up in the spool.
pub(crate) fn take_mail(sink: &Sink, taking: bool) {
    if taking {
        sink.open();
    } else {
        sink.close();
    }
}

/// Says how a scenario went, for the log of a run.
pub(crate) fn report(scenario: &str, ledger: &Ledger, sink: &Sink, figures: &str) -> Audit {
    let audit = ledger.audit(&sink.copies());
    for copy in sink.copies().iter().filter(|copy| copy.id.is_none()) {
        println!("{scenario}: not ours: from <{}> to {:?}:\n{}", copy.sender, copy.recipients, copy.trace);
    }
    println!("{scenario}: {audit}; {:?}; {figures}", ledger.tally());
    audit
}
