//! What scenarios are made of: real peers, real messages, and waiting for facts.
//!
//! - [`peer`]: Postfix, smtp-source, smtp-sink, swaks, Python's smtplib and aiosmtpd, sslscan, dnsmasq, each
//!   started in a folder of its own on the loopback and killed when dropped.
//! - [`corpus`]: some hundreds of messages that Debian's packages and two crates carry as test data.
//! - [`up`]: `switchyard up` as a person starts it.
//! - [`site`]: our daemons as child processes, to be killed, restarted and cut off from power.
//! - [`network`]: hosts with addresses, ports and folders of their own, in namespaces.
//! - [`fleet`]: hubs, and hosts by the thousand, to be measured.
//! - [`ledger`]: a load and a sink whose books tell whether mail was lost, torn or doubled.
//! - [`tool`]: the operator's tool, as a person runs it.
//! - [`tables`]: maps by the thousand, with questions that hit, nearly hit and miss.
//! - [`talk`]: a client that says what it is told; [`trace`]: what hosts put on top of a message.
//! - [`proxy`]: a connection that breaks at the worst moment.
//! - [`expect`]: wait for a fact, with a deadline and a name.
//!
//! The scenarios stand in `tests/suite/`. These helpers panic with what they expected: they run in tests only.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod expect;
pub mod fleet;
pub mod ledger;
pub mod network;
pub mod peer;
pub mod proxy;
pub mod site;
pub mod tables;
pub mod talk;
mod testimony;
pub mod tool;
pub mod trace;
pub mod up;
