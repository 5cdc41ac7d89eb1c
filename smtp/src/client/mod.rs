//! The client's side of SMTP and LMTP.
