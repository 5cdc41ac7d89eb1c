//! The queue tools, on a queue with much in it: 2,000 messages with every change, 100,000 in the long form
//! (`SWITCHYARD_LONG=1`); and on small ones, who goes first and who waits.

mod filled;
mod orders;
mod suspended;
mod urgent;
mod words;
