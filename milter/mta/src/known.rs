//! Macros: what filters are told beside the events, under the names that Sendmail and Postfix gave them.

use bytes::Bytes;
use switchyard_milter_protocol::io::client::Chain;
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::reply::Reply;

use crate::visitor::Visitor;

/// What `v` says.
const VERSION: &str = concat!("Switchyard ", env!("CARGO_PKG_VERSION"));

fn set(chain: &mut Chain, name: &'static str, value: impl Into<Bytes>) {
    chain.set(name, &value.into());
}

/// Of us and of a client that has connected.
pub(crate) fn of_connection(chain: &mut Chain, host: &str, visitor: &Visitor) {
    let name = visitor.name.as_deref().unwrap_or("unknown").to_owned();
    let address = visitor.address.ip().to_string();
    set(chain, "j", host.to_owned());
    set(chain, "daemon_name", host.to_owned());
    set(chain, "v", VERSION);
    set(chain, "_", format!("{name} [{address}]"));
    set(chain, "client_addr", address);
    set(chain, "client_port", visitor.address.port().to_string());
    set(chain, "client_ptr", name.clone());
    set(chain, "client_name", name);
}

/// Of a client that has said its name: its TLS, if it has any.
pub(crate) fn of_hello(chain: &mut Chain, visitor: &Visitor) {
    match visitor.tls.as_deref().and_then(|tls| tls.split_once(" with cipher ")) {
        Some((version, cipher)) => {
            set(chain, "tls_version", version.to_owned());
            set(chain, "cipher", cipher.to_owned());
        }
        None => {
            chain.unset("tls_version");
            chain.unset("cipher");
        }
    }
}

/// Of a message that begins.
pub(crate) fn of_sender(chain: &mut Chain, id: &str, sender: &ReversePath) {
    set(chain, "i", id.to_owned());
    set(chain, "mail_mailer", "smtp");
    set(chain, "mail_addr", sender.mailbox().map(ToString::to_string).unwrap_or_default());
}

/// Of a recipient.
pub(crate) fn of_recipient(chain: &mut Chain, recipient: &ForwardPath) {
    set(chain, "rcpt_mailer", "smtp");
    set(chain, "rcpt_addr", address(recipient));
    chain.unset("rcpt_host");
}

/// Of a recipient of a message that leaves.
pub(crate) fn of_leaving(chain: &mut Chain, recipient: &ForwardPath, transport: &str, next_hop: &str) {
    set(chain, "rcpt_mailer", transport.to_owned());
    set(chain, "rcpt_addr", address(recipient));
    set(chain, "rcpt_host", next_hop.to_owned());
}

fn address(recipient: &ForwardPath) -> String {
    recipient.mailbox().map_or_else(|| "postmaster".to_owned(), ToString::to_string)
}

/// Of a recipient that we refuse ourselves.
pub(crate) fn of_refused(chain: &mut Chain, reply: &Reply) {
    set(chain, "rcpt_mailer", "error");
    set(chain, "rcpt_addr", reply.text.replace('\n', " "));
    set(chain, "rcpt_host", reply.status.map(|status| status.to_string()).unwrap_or_default());
}
