//! Sockets and clocks: the drivers of both sides, and the only files here that know of them.

pub mod client;
pub mod serve;
pub mod stream;
pub mod unix;
