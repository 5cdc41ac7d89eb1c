//! What a hub keeps on its disk: signed messages in a small database, files by their hash.
//!
//! Nothing here is trusted when it is read by others: messages are signed, and files are named by what they hold.

pub(crate) mod blobs;
pub(crate) mod heads;
