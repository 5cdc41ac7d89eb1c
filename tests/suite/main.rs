//! The suite's scenarios, in one binary.

mod peers;
