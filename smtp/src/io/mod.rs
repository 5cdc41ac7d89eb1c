//! Sockets, clocks and TLS: the drivers of both sides, and the only files here that know of them.

pub mod dial;
pub mod memory;
pub mod serve;
pub mod stream;
pub mod tls_client;
pub mod tls_server;
