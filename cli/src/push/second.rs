//! `--all-at-once`, and `switchyard release N --countersign FILE`: to all hosts past every step, which two admins sign.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use switchyard_mapsync::admin::{Admin, ByTwo, Reach};
use switchyard_mapsync_protocol::envelope;
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::{ALL, Release};

use super::fleet::printable;
use super::watch::looked_on;
use super::{Office, date, text};
use crate::output::{Exit, Output};

/// Signs a release to all hosts at once; without a second key here it is laid down for another admin.
pub(super) async fn at_once(
    office: &Office,
    admin: &mut Admin,
    at: HeadRef,
    keys: &[SecretKey],
    output: &mut Output,
) -> Result<Exit, String> {
    let lifetime = office.lifetime();
    let reach = Reach { permille: ALL, canaries: Vec::new(), halted: false, undo: false, lifetime };
    let signed = admin.put_in_use_by_two(reach, at, keys).await.map_err(text)?;
    told(admin, signed, at.generation, |sequence| office.waiting(at.generation, sequence), output).await
}

/// Shows what another admin signed, signs it as well, and brings it.
pub(super) async fn countersign(
    admin: &mut Admin,
    file: &Path,
    generation: u64,
    keys: &[SecretKey],
    output: &mut Output,
) -> Result<Exit, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut envelope = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MOST).read_to_end(&mut envelope));
    read.map_err(|error| failed(&error))?;
    let looked = admin.look_at_first(&envelope, generation).await;
    let (first, release, head) = looked.map_err(|error| failed(&error))?;
    let (author, note, made) = (printable(&head.author), printable(&head.note), date(head.created));
    output.data(format_args!("generation {generation} by {author}, {made}: {note}\n")).map_err(text)?;
    output.data(in_words(&release)).map_err(text)?;
    if release.halted || release.undo || release.permille != ALL {
        return Err(failed(
            &"signs what needs no second signature; only a release to all hosts at once does",
        ));
    }
    let signed = admin.sign_as_second(first, release, keys).await.map_err(|error| failed(&error))?;
    told(admin, signed, generation, |_| file.with_added_extension("signed"), output).await
}

impl Office {
    /// Where a release waits for a second signature: beside the settings.
    fn waiting(&self, generation: u64, sequence: u64) -> PathBuf {
        self.memory.with_file_name(format!("release-{generation}-{sequence}.json"))
    }
}

/// What became of it; what waits for one more is laid down.
async fn told(
    admin: &mut Admin,
    signed: ByTwo,
    generation: u64,
    place: impl FnOnce(u64) -> PathBuf,
    output: &mut Output,
) -> Result<Exit, String> {
    match signed {
        ByTwo::Brought(sequence) => {
            let told =
                format!("generation {generation}: released to all hosts at once (release {sequence})\n");
            output.data(told).map_err(text)?;
            looked_on(admin, output).await
        }
        ByTwo::Waits { sequence, envelope } => {
            let file = place(sequence);
            let written = File::create_new(&file).and_then(|mut file| file.write_all(&envelope));
            written.map_err(|error| format!("{}: {error}", file.display()))?;
            let file = file.display();
            let what = format!(
                "release {sequence} is not in force yet: it needs one more signature. Hand {file} to another admin, for\n  \
                 switchyard release {generation} --countersign {file}"
            );
            output.say(what).map_err(text)?;
            Ok(Exit::Wrong)
        }
    }
}

/// What the second one is about to sign.
fn in_words(release: &Release) -> String {
    let Release { sequence, permille, canaries, expires, halted, undo, .. } = release;
    let whom = match (undo, halted, permille) {
        (true, ..) => "undoes it: who uses it goes back".to_owned(),
        (false, true, _) => "halts it".to_owned(),
        (false, false, &ALL) => "all hosts at once".to_owned(),
        (false, false, permille) => {
            format!("{permille} of a thousand hosts, and {} by name", canaries.len())
        }
    };
    format!("release {sequence}: {whom}, until {}\n", date(*expires))
}

/// Octets of an envelope that are read: one more is too long.
const MOST: u64 = envelope::LONGEST as u64 + 1;
