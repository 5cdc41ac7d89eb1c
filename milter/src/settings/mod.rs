//! The settings of the whole daemon, taken apart: each room gets its own options and knows of no others.
//!
//! This file says which setting goes where, and [`change`] is the reload. Beside `lib.rs` no other file knows of
//! settings.

mod change;

use std::path::PathBuf;
use std::time::Duration;

use switchyard_config::MilterSettings;
use switchyard_config::milter::{DmarcAction, FilterSocket, WithoutKey};

use crate::listen::Place;
use crate::message::Bounds;
use crate::report;
use crate::rules::Live;
use crate::sign::signature::Coverage;
use crate::verify::policy::Obeyed;

/// What a reload replaces.
pub(crate) fn live(settings: &MilterSettings) -> Live {
    let MilterSettings { sign, verify, limits, .. } = settings;
    Live {
        bounds: Bounds { message: limits.message_size, header: limits.header_size },
        idle: limits.idle,
        networks: sign.networks.clone(),
        authenticated: sign.authenticated,
        keys: sign.keys.clone(),
        maps: settings.maps.clone(),
        coverage: Coverage {
            headers: sign.headers.clone(),
            oversign: sign.oversign.clone(),
            lifetime: sign.expires_after.as_secs(),
        },
        recheck: sign.recheck,
        tempfail_without_key: sign.without_key == WithoutKey::Tempfail,
        authserv_id: verify.authserv_id.as_ref().unwrap_or(&settings.host_name).clone(),
        timeout: verify.timeout,
        obeyed: match verify.dmarc {
            DmarcAction::Tell => Obeyed::Nothing,
            DmarcAction::Quarantine => Obeyed::Quarantine,
            DmarcAction::Obey => Obeyed::All,
        },
        seal: verify.seal.clone(),
    }
}

/// How often is looked for reports that are due.
const REPORTS_LOOKED_FOR: Duration = Duration::from_secs(300);

/// Who is told of what was seen.
pub(crate) fn reports(settings: &MilterSettings) -> Option<report::Options> {
    let told = settings.reports.as_ref()?;
    let host_name = settings.host_name.clone();
    let organization = told.organization.clone().unwrap_or_else(|| host_name.to_string());
    Some(report::Options {
        folder: told.folder.clone(),
        store_size: told.store_size,
        interval: told.interval,
        relay: report::Relay {
            address: told.relay,
            hello_name: host_name.to_string(),
            looks_every: REPORTS_LOOKED_FOR,
        },
        sender: report::Sender { organization, host_name, from: told.from.clone() },
    })
}

/// Where to listen.
pub(crate) fn places(settings: &MilterSettings) -> Vec<Place> {
    let place = |socket: &FilterSocket| match socket {
        FilterSocket::Unix(path) => Place::Unix(PathBuf::clone(path)),
        FilterSocket::Stream(on) => Place::On(on.clone()),
    };
    settings.listen.iter().map(place).collect()
}
