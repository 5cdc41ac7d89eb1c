//! Where our programs are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A folder with the programs to test, for those that were built elsewhere or otherwise.
const FOLDER: &str = "SWITCHYARD_BIN_DIR";

/// Finds a program: in `SWITCHYARD_BIN_DIR`, or beside this test, built anew if it is older than its sources.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| env::var_os(FOLDER).map_or_else(build, PathBuf::from));
    let program = folder.join(name);
    assert!(program.is_file(), "{} is not there", program.display());
    program
}

/// A test's package has no way to ask cargo for another package's programs; cargo itself has.
fn build() -> PathBuf {
    let own = env::current_exe().expect("a running program knows where it is");
    // target/PROFILE/deps/suite-HASH
    let folder = own.ancestors().nth(2).expect("a test stands in its target folder").to_owned();
    let target = folder.parent().expect("a profile's folder stands in the target folder");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--bins"]);
    command.args([
        "-p",
        "switchyard",
        "-p",
        "switchyard-router",
        "-p",
        "switchyard-mx",
        "-p",
        "switchyard-milter",
        "-p",
        "switchyard-mapsync",
    ]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    command.arg("--target-dir").arg(target).current_dir(workspace());
    let status = command.status().expect("cargo starts");
    assert!(status.success(), "the daemons cannot be built: {status}");
    folder
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package stands in the workspace")
}
