//! Our SMTP sessions, as mail filters are told of them: what mx and router ask with.
//!
//! [`options`] is how a filter is set up, and [`Filters`] are all that a daemon asks. Each client's session has a
//! [`FilterSession`] of its own, which goes with it: connect, hello, sender, recipient, data, content. A refusal comes
//! back as the reply to give; what a filter changes comes back with the message, as a [`Judged`]. On its way out a message
//! has a session for each next hop, which is asked in one go ([`Leaving`]).
//!
//! What holds:
//! - Edits are made when a filter's answer is complete and all of them can be made; otherwise the client comes again.
//! - A refusal holds for what it was said of: said of the client, for all that this client says; said of a message,
//!   until that ends. No second try gets round it.
//! - Our own Received field is no filter's to see.
//! - Who hands over mail of others (XFORWARD) is not the client that filters judge: they are told of the one behind it,
//!   once MAIL says that there is one.

#![forbid(unsafe_code)]

mod asking;
mod envelope;
mod filters;
mod known;
mod leaving;
pub mod options;
mod session;
mod visitor;
mod words;

pub use filters::{Asked, Filters};
pub use leaving::{Leaving, Left};
pub use session::{FilterSession, Judged};
pub use switchyard_milter_protocol::io::client::ClientMetrics;
