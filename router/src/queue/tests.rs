//! The queue from end to end, against peers on loopback.
