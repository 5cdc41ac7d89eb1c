//! The front as a whole, on loopback: a client in front of it, routers of our own making behind it.

mod caps;
mod client;
mod handing_over;
mod life;
mod router;
mod site;
mod who;
