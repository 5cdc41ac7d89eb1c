//! Allowed or not: what a legal command of a client is answered with. The order of the stages is that of the
//! session: [`relay`] tells at connect and at RCPT who may send where, [`recipient`] who exists.

pub mod recipient;
pub mod relay;
