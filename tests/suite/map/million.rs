//! A transport map of a million entries: how soon it is in use, and how soon an edit of it is.

use std::fmt::Write as _;
use std::time::Instant;

use switchyard_tests::expect;
use switchyard_tests::peer::nexthop;
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::swaks::swaks;
use switchyard_tests::up::Up;

use crate::crash::long;

/// Fewer for programs that were built to be looked into, unless the long form is wanted.
fn entries() -> usize {
    if cfg!(debug_assertions) && !long() { 50_000 } else { 1_000_000 }
}

/// The map, in which the example site's own domain goes somewhere.
fn text(route: &str) -> String {
    let mut text = format!("example.org  {route}\n");
    for number in 1..entries() {
        let _ = writeln!(text, "d{number}.customers.example  smtp:[gw{}.example.net]:25", number % 200);
    }
    text
}

#[test]
fn a_site_with_a_million_routes_starts_and_takes_an_edit() {
    let (first, second) = (Sink::start(&[], None), Sink::start(&[], None));
    let to = |sink: &Sink| text(&format!("smtp:{}", nexthop(sink.address())));
    let swaps = |up: &Up| up.log().matches("new maps are in use").count();
    let send = |up: &Up| {
        let outcome = swaks(up.mx(), "alice@example.org", &[]);
        assert!(outcome.well, "{}", outcome.transcript);
    };
    let up = Up::start();
    up.edit("transport", &to(&first));

    let stopped = up.stop();
    let again = Instant::now();
    let up = stopped.start();
    let started = again.elapsed();
    send(&up);
    let _ = first.wait_for(1, expect::PATIENCE);

    let known = swaps(&up);
    up.edit("transport", &to(&second));
    let saved = Instant::now();
    expect::holds("the edit to be live", || swaps(&up) > known);
    let live = saved.elapsed();
    send(&up);
    let _ = second.wait_for(1, expect::PATIENCE);
    assert_eq!(first.messages(), 1);

    println!("{} routes: in use {started:.2?} after the start, an edit {live:.2?} after saving", entries());
    assert!(up.interrupt().success());
}
