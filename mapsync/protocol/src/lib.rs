//! What admins sign, hubs relay and hosts verify: heads, records, deltas, bundles. No I/O, no clock.
#![forbid(unsafe_code)]
