//! A site as its postmaster holds it: one folder, from which every host of every role has its settings.

mod filter;
mod five;
mod hosts;
mod hub;
mod pages;
mod quick_start;
mod running;
mod schema;
mod units;
