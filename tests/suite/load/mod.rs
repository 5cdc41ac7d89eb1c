//! Many clients, slow clients, and clients that must not notice anything.

mod ledger;
