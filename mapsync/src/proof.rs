//! Whether a site still does what its behaviours say, asked of its maps and settings, without a server.
//!
//! The one who pushes asks before he signs, and every host asks again before it uses anything.

use std::time::Duration;

use switchyard_behaviour::judge::{State, Verdict};
use switchyard_behaviour::offline::Offline;
use switchyard_behaviour::{Behaviour, load};
use switchyard_config::Site;
use switchyard_maps::installed::Over;

/// What the site's own behaviours came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// How many hold.
    pub hold: usize,
    /// What does not hold, a line each.
    pub broken: Vec<String>,
    /// What could not be asked, because a table's server does not answer, a line each.
    pub unasked: Vec<String>,
}

/// Asks every behaviour of a site. A site without any has nothing broken.
///
/// # Errors
/// When they cannot be read, or a host has no settings.
pub async fn prove(site: &Site) -> Result<Proof, String> {
    prove_over(site, &Over::default()).await
}

/// The same, where an installed set has some of the tables.
///
/// # Errors
/// As there.
pub async fn prove_over(site: &Site, over: &Over) -> Result<Proof, String> {
    let behaviours = load(site).map_err(|faults| faults.to_string())?;
    let offline = Offline::load_over(site, &behaviours, PATIENCE, over).map_err(|error| error.to_string())?;
    let mut proof = Proof::default();
    for behaviour in &behaviours {
        let verdict = offline.run(behaviour).await;
        match verdict.state {
            State::Holds => proof.hold += 1,
            State::Fails => match &verdict.away {
                None => proof.broken.push(line(behaviour, &verdict)),
                Some(why) => {
                    let name = &behaviour.name;
                    proof.unasked.push(format!("behaviour \"{name}\" could not be asked: {why}"));
                }
            },
            // Only a server could tell.
            State::NotAsked => {}
        }
    }
    Ok(proof)
}

/// What does not hold, and where that is written.
fn line(behaviour: &Behaviour, verdict: &Verdict) -> String {
    let broken = verdict.broken().map(|finding| {
        format!("{}: `{}`: wanted {}, seen {}", finding.place, finding.key, finding.wanted, finding.seen)
    });
    let why: Vec<String> = verdict.trouble.iter().cloned().chain(broken).collect();
    format!("behaviour \"{}\" fails: {}", behaviour.name, why.join("; "))
}

/// A table's server may be slow; it must not keep a whole fleet waiting.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    use super::*;

    fn example(folder: &Path) {
        for (name, text) in switchyard_config::example::FILES {
            let at = folder.join(name);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::File::create(at).unwrap().write_all(text.as_bytes()).unwrap();
        }
    }

    #[tokio::test]
    async fn y14_a_map_that_no_longer_does_what_the_site_says_is_told() {
        let folder = tempfile::tempdir().unwrap();
        example(folder.path());
        let site = Site::load(folder.path()).unwrap();
        let proof = prove(&site).await.unwrap();
        assert!(proof.hold > 3 && proof.broken.is_empty(), "{proof:?}");

        let mut transport = fs::File::create(folder.path().join("maps/transport")).unwrap();
        transport.write_all(b"example.org smtp:[elsewhere.example]\n").unwrap();
        let broken = prove(&site).await.unwrap().broken;
        assert!(!broken.is_empty());
        let told = &broken[0];
        assert!(told.contains("behaviour \"mail for a mailbox comes to the mailboxes"), "{told}");
        assert!(told.contains("wanted lmtp:@mailboxes") && told.contains("elsewhere.example"), "{told}");
    }
}
