//! Allowed or not: what a legal command of a client is answered with. The order of the stages is that of the
//! session: [`access`] is asked at each of them, [`relay`] tells at connect and at RCPT who may send where, and
//! [`recipient`] who exists.

pub mod access;
pub mod priority;
pub mod recipient;
pub mod relay;
