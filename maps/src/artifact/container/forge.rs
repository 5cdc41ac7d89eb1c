//! Hashes made to fit octets that somebody changed: what a forger would do. For tests and fuzzing, which would
//! otherwise never get past the hashes.

use super::{CHECK, ENTRY, HEAD, check_of};

/// Makes the sections' hashes fit, as far as the table says where sections are, and then the head's check.
pub fn reseal(octets: &mut [u8]) {
    let Some(sections) = octets.get(7).map(|count| usize::from(*count)) else { return };
    for entry in (0..sections).map(|number| HEAD + number * ENTRY) {
        let Some(hash) = section(octets, entry).map(blake3::hash) else { continue };
        if let Some(place) = octets.get_mut(entry + 24..entry + ENTRY) {
            place.copy_from_slice(hash.as_bytes());
        }
    }
    reseal_head(octets);
}

/// Makes only the head's check fit, if the octets hold a whole table.
pub fn reseal_head(octets: &mut [u8]) {
    let Some(sections) = octets.get(7).map(|count| usize::from(*count)) else { return };
    let Some(table) = octets.get(HEAD..HEAD + sections * ENTRY) else { return };
    let check = check_of(&octets[..CHECK.start], table);
    octets[CHECK].copy_from_slice(&check);
}

/// The octets of the section whose line of the table starts at `entry`.
fn section(octets: &[u8], entry: usize) -> Option<&[u8]> {
    let number = |at: usize| {
        let field = octets.get(at..)?.first_chunk::<8>()?;
        usize::try_from(u64::from_le_bytes(*field)).ok()
    };
    let start = number(entry + 8)?;
    octets.get(start..start.checked_add(number(entry + 16)?)?)
}
