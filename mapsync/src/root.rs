//! The first root of an environment: the file that a person put on a hub or a host, and that all trust begins with.

use std::fs;
use std::path::Path;

use switchyard_daemon::program::Fault;
use switchyard_mapsync_protocol::Environment;
use switchyard_mapsync_protocol::trust::Trusted;

/// Reads and checks it. `place` is the setting that names the environment, as a fault tells it.
pub(crate) fn first(place: &str, environment: &str, path: &Path) -> Result<(Environment, Vec<u8>), Fault> {
    let environment =
        Environment::try_from(environment.to_owned()).map_err(|error| Fault::at(place, error))?;
    let root = fs::read(path).map_err(|error| Fault::at(path.display(), error))?;
    Trusted::begin(&root, &environment).map_err(|error| Fault::at(path.display(), error))?;
    Ok((environment, root))
}
