//! The SMTP router: routes by maps, keeps mail durably, delivers.

pub mod spool;
