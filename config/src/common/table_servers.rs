//! `[maps.servers]`: how servers of tables (`socketmap:`, `tcp:`) are asked, as the options of switchyard-maps.

use std::time::Duration;

use switchyard_maps::remote::RemoteOptions;

use crate::reader::Section;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn table_servers(section: &mut Section<'_>) -> RemoteOptions {
    let known = RemoteOptions::default();
    RemoteOptions {
        timeout: section
            .live("timeout", "For a server of tables to reply, connecting and waiting for a turn included.")
            .at_least(Duration::from_millis(100))
            .at_most(Duration::from_secs(100))
            .or(known.timeout),
        fresh: section
            .live("fresh", "How long an answer is given without asking again.")
            .at_least(SECOND)
            .at_most(HOUR)
            .or(known.fresh),
        stale: section
            .live("stale", "How old an answer may be that is given while its server is away.")
            .at_most(30 * 24 * HOUR)
            .or(known.stale),
        cached_keys: section
            .live("answers", "Answers kept, for each table that a server has.")
            .at_least(1_024_usize)
            .at_most(10_000_000_usize)
            .or(known.cached_keys),
        connections: section
            .live("connections", "Connections to each server at once, and so requests.")
            .at_least(1_usize)
            .at_most(1_000_usize)
            .or(known.connections),
        breaker_failures: section
            .live("failures", "Requests in a row without a reply after which a server is left alone.")
            .at_least(1_u32)
            .or(known.breaker_failures),
        breaker_pause: section
            .live("pause", "For how long; then one request finds out.")
            .at_most(HOUR)
            .or(known.breaker_pause),
    }
}
