//! A site that is pushed, and its hosts that follow: hub, agents and daemons as processes on one machine.

mod back;
mod drip;
mod kills;
mod lost;
mod push;
mod world;
