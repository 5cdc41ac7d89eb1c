//! A site that is pushed, and its hosts that follow: hub, agents and daemons as processes on one machine.

mod back;
mod kills;
mod push;
mod world;
