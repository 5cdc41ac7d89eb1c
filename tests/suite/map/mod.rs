//! Where mail goes: by the maps, and by the DNS where they say nothing.

mod candidate;
mod difference;
mod dns;
mod explain;
mod map_tool;
mod million;
mod postmap;
mod routing;
mod servers;
mod swap;
mod unreadable;
