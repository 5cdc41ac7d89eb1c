//! The settings of the whole daemon, taken apart: each room gets its own options and knows of no others.
//!
//! This file says which setting goes where, and [`change`] is the reload. Beside `lib.rs` no other file knows of
//! settings.

mod change;

use std::path::PathBuf;

use switchyard_config::MilterSettings;
use switchyard_config::milter::{DmarcAction, FilterSocket, WithoutKey};

use crate::listen::Place;
use crate::message::Bounds;
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

/// Where to listen.
pub(crate) fn places(settings: &MilterSettings) -> Vec<Place> {
    let place = |socket: &FilterSocket| match socket {
        FilterSocket::Unix(path) => Place::Unix(PathBuf::clone(path)),
        FilterSocket::Stream(on) => Place::On(on.clone()),
    };
    settings.listen.iter().map(place).collect()
}
