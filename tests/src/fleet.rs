//! A fleet on this machine: hubs as the program that is shipped, each in a process of its own so that its CPU and memory
//! can be read, and hosts by the thousand in this one. `cargo xtask bench fleet` measures with it, and a scenario of the
//! suite runs the same with few hosts.
//!
//! A host is a real client of the protocol: its own certificate, the ears and the reports of the agent that is shipped,
//! its state machine, every signature and every hash checked. Two things are left out, for a thousand hosts have two
//! cores here: nothing is written to disk or looked up there, and a change is laid over a table once for all of them
//! ([`proofs`]).
//!
//! - [`ground`]: keys, certificates, hubs and etcd. [`crowd`]: the hosts, and waiting for all of them.
//! - [`daemons`]: whole hosts beside them, with an agent and an mx each.
//! - [`lines`]: what is measured, each a line or a few of the result. [`figures`]: the result.

pub mod crowd;
pub mod daemons;
pub mod figures;
pub mod ground;
mod host;
pub mod lines;
pub mod proofs;
