//! A site that is pushed, and its hosts that follow: hub, agents and daemons as processes on one machine.

mod back;
<<<<<<< HEAD
mod drip;
=======
mod cluster;
mod hubs;
>>>>>>> e238f28 (mapsync: three hubs on an etcd of three, any one of which may die: the scenario, what they agree by, and its documents)
mod kills;
mod lost;
mod push;
mod world;
