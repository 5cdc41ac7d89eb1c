//! Replies off the wire.
