//! Mail filters: our side of the talk against those that the world runs.

mod chosen;
mod clients;
mod judges;
mod leaving;
mod libmilter;
mod mx;
mod router;
