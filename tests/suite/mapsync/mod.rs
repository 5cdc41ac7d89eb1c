//! A site that is pushed, and its hosts that follow: hub, agents and daemons as processes on one machine.

mod again;
mod answers;
mod api;
mod back;
mod cluster;
mod credentials;
mod drip;
mod fleet;
mod follow;
mod hubs;
mod kills;
mod live;
mod lost;
mod monitoring;
mod page;
mod pause;
mod push;
mod query;
mod rejects;
mod rollout;
mod roots;
mod second;
mod settings;
mod silence;
mod takeover;
mod world;
