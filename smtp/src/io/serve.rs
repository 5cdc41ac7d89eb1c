//! Drives a server session over a stream: reads, asks the [`Service`], writes, and keeps every time limit.

mod driver;
mod service;

use std::io;
use std::net::SocketAddr;

use self::driver::Driver;
pub use self::service::{Calm, Ended, ServeOptions, Service, Stress};
use super::stream::Stream;
use crate::extension::Offer;
use crate::server::{Client, Session};

/// Serves one client until its session ends. `address` is the client's, as the PROXY protocol may have told.
pub async fn serve<S: Service>(
    stream: Stream,
    address: SocketAddr,
    options: &ServeOptions,
    service: &mut S,
) -> Ended {
    let client = Client { address, hello: None, tls: None, verified: false, forwarded: None };
    let (offer, verdict) = match service.connect(&client).await {
        Ok(offer) => (offer, Ok(())),
        Err(reply) => (refused_offer(options), Err(reply)),
    };
    let session =
        Session::new(options.host_name.clone(), options.limits.clone(), offer, options.dialect, client);
    match Driver::new(stream, session, options).run(verdict, service).await {
        Ok(ended) => ended,
        Err(error) => match error.kind() {
            io::ErrorKind::TimedOut => Ended::TimedOut,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Ended::ByClient
            }
            _ => Ended::Broken,
        },
    }
}

fn refused_offer(options: &ServeOptions) -> Offer {
    Offer {
        size: options.limits.message_size,
        recipients: 0,
        starttls: false,
        require_tls: false,
        xclient: false,
        xforward: false,
        priority: false,
        xtxn: false,
    }
}

#[cfg(test)]
mod tests;
