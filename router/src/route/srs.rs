//! SRS, the Sender Rewriting Scheme: mail that is forwarded to the world leaves with a reverse-path of ours, and
//! reports about it find their way back.
//!
//! `user@sender.example` becomes `SRS0=HHHH=TT=sender.example=user@ours`: a keyed hash, a day, and the address.
//! What another forwarder has rewritten already becomes `SRS1=HHHH=forwarder==HHHH=TT=…@ours`, which leads back
//! to that forwarder and never grows beyond that. The hash is HMAC-SHA1 as in libsrs2 and Mail::SRS, so that
//! addresses of theirs and of ours, made with one secret, are each other's. The first secret signs and all of
//! them verify: a new one is put in front, and the old one goes when `max_age` has passed.

mod day;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::{constant_time, hmac};
use switchyard_daemon::metrics::{CounterVec, MetricsError, Registry};
use switchyard_smtp::address::{Domain, Host, LocalPart, MAX_PATH, Mailbox};

use self::day::{DAY, DAYS, read_day, today, write_day};

/// What the settings say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrsOptions {
    /// The domain of rewritten addresses; its mail must come back to us.
    pub domain: Domain,
    /// Files with one secret each.
    pub secrets: Vec<PathBuf>,
    /// How long a rewritten address is good for.
    pub max_age: Duration,
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SrsError {
    /// The file.
    #[error("SRS secret {}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Short of [`MIN_SECRET`], or over [`MAX_SECRET`].
    #[error("SRS secret {}: {octets} octets; {MIN_SECRET} to {MAX_SECRET} are expected", path.display())]
    Length {
        /// Which.
        path: PathBuf,
        /// As read, at most one more than the limit.
        octets: usize,
    },
}

/// An address in our own domain that is not to be reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadSrs {
    /// Not made with a secret of ours.
    #[error("SRS address is forged")]
    Forged,
    /// Made too long ago.
    #[error("SRS address is too old")]
    Expired,
}

/// Octets of a secret at least.
pub const MIN_SECRET: usize = 8;
/// Octets of a secret at most.
pub const MAX_SECRET: usize = 1024;
/// Characters of the hash in an address; local parts have room for no more.
const HASH: usize = 4;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Rewrites and reverses.
#[derive(Debug)]
pub struct Srs {
    domain: Domain,
    keys: Vec<hmac::Key>,
    max_days: u64,
    counted: CounterVec,
}

impl Srs {
    /// Reads the secrets.
    ///
    /// # Errors
    /// When a file cannot be read, or holds too little.
    pub fn load(options: &SrsOptions, counted: SrsMetrics) -> Result<Self, SrsError> {
        let secrets: Vec<Vec<u8>> =
            options.secrets.iter().map(|path| secret(path)).collect::<Result<_, _>>()?;
        Ok(Self::new(options.domain.clone(), &secrets, options.max_age, counted))
    }

    /// With these secrets; the first one signs.
    #[must_use]
    pub fn new(domain: Domain, secrets: &[Vec<u8>], max_age: Duration, counted: SrsMetrics) -> Self {
        let key = |secret: &Vec<u8>| hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
        Self {
            domain,
            keys: secrets.iter().map(key).collect(),
            max_days: max_age.as_secs().div_ceil(DAY).min(DAYS / 2),
            counted: counted.0,
        }
    }

    /// The domain of rewritten addresses.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// True for what looks like an address that [`Self::rewrite`] made: ask [`Self::reverse`] what it stands for.
    #[must_use]
    pub fn is_rewritten(&self, mailbox: &Mailbox) -> bool {
        matches!(&mailbox.host, Host::Domain(domain) if *domain == self.domain)
            && Tagged::read(mailbox.local.as_str()).is_some()
    }

    /// The sender's address as mail leaves with it. None when that has no room for it (64 octets of local part), or
    /// the sender has no domain: then it leaves as it came.
    #[must_use]
    pub fn rewrite(&self, sender: &Mailbox, now: SystemTime) -> Option<Mailbox> {
        let rewritten = self.rewritten(sender, now);
        self.count(if rewritten.is_some() { "rewritten" } else { "too_long" });
        rewritten
    }

    fn rewritten(&self, sender: &Mailbox, now: SystemTime) -> Option<Mailbox> {
        let key = self.keys.first()?;
        let Host::Domain(domain) = &sender.host else { return None };
        let host = domain.as_str();
        let local = match Tagged::read(sender.local.as_str()) {
            // The first forwarder is kept, however many there were since: that is where a report goes.
            Some(Tagged::Srs1 { host, opaque, .. }) => {
                format!("SRS1={}={host}={opaque}", hash(key, &[host, opaque]))
            }
            Some(Tagged::Srs0 { opaque, .. }) => {
                format!("SRS1={}={host}={opaque}", hash(key, &[host, opaque]))
            }
            None => {
                let user = sender.local.as_str();
                let day = write_day(today(now));
                format!("SRS0={}={day}={host}={user}", hash(key, &[&day, host, user]))
            }
        };
        let local = LocalPart::new(&local).ok()?;
        let mailbox = Mailbox { local, host: Host::Domain(self.domain.clone()) };
        // RFC 5321 §4.5.3.1.3, with the brackets.
        (mailbox.to_string().len() + 2 <= MAX_PATH).then_some(mailbox)
    }

    /// The same as [`Self::reverse`], counted: for who judges a recipient.
    ///
    /// # Errors
    /// As there.
    pub fn judge(&self, mailbox: &Mailbox, now: SystemTime) -> Result<(), BadSrs> {
        let reversed = self.reverse(mailbox, now);
        self.count(match reversed {
            Ok(_) => "reversed",
            Err(BadSrs::Forged) => "forged",
            Err(BadSrs::Expired) => "expired",
        });
        reversed.map(drop)
    }

    /// The address that a rewritten one stands for.
    ///
    /// # Errors
    /// When none of our secrets made it, or too long ago.
    pub fn reverse(&self, mailbox: &Mailbox, now: SystemTime) -> Result<Mailbox, BadSrs> {
        match Tagged::read(mailbox.local.as_str()).ok_or(BadSrs::Forged)? {
            Tagged::Srs1 { hash, host, opaque } => {
                self.verify(hash, &[host, opaque])?;
                address(&format!("SRS0{opaque}"), host)
            }
            Tagged::Srs0 { opaque, .. } => {
                let mut parts = opaque.get(1..).unwrap_or_default().splitn(4, '=');
                let mut part = || parts.next().ok_or(BadSrs::Forged);
                let (hash, day, host, user) = (part()?, part()?, part()?, part()?);
                self.verify(hash, &[day, host, user])?;
                let age = (today(now) + DAYS - read_day(day).ok_or(BadSrs::Forged)?) % DAYS;
                // Another router's clock may have passed midnight already.
                if age > self.max_days && age != DAYS - 1 {
                    return Err(BadSrs::Expired);
                }
                address(user, host)
            }
        }
    }

    fn verify(&self, given: &str, parts: &[&str]) -> Result<(), BadSrs> {
        if given.len() != HASH {
            return Err(BadSrs::Forged);
        }
        // Some hosts on the way fold the case of local parts.
        let given = given.to_ascii_lowercase();
        let fits = |key: &hmac::Key| {
            let expected = hash(key, parts).to_ascii_lowercase();
            constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok()
        };
        if self.keys.iter().any(fits) { Ok(()) } else { Err(BadSrs::Forged) }
    }

    fn count(&self, what: &str) {
        self.counted.with_label_values(&[what]).inc();
    }
}

fn address(local: &str, host: &str) -> Result<Mailbox, BadSrs> {
    let local = LocalPart::new(local).map_err(|_| BadSrs::Forged)?;
    let domain = Domain::parse(host).map_err(|_| BadSrs::Forged)?;
    Ok(Mailbox { local, host: Host::Domain(domain) })
}

fn secret(path: &Path) -> Result<Vec<u8>, SrsError> {
    let unreadable = |error| SrsError::Unreadable { path: path.to_owned(), error };
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_SECRET as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
    // An editor ends the line.
    let secret = text.trim_ascii_end();
    if (MIN_SECRET..=MAX_SECRET).contains(&secret.len()) {
        Ok(secret.to_vec())
    } else {
        Err(SrsError::Length { path: path.to_owned(), octets: secret.len() })
    }
}

// ---------------------------------------------------------------------------------------------------------

/// The parts of a rewritten local part.
enum Tagged<'a> {
    /// What stands after `SRS0`, its separator first.
    Srs0 { opaque: &'a str },
    /// Another forwarder's.
    Srs1 { hash: &'a str, host: &'a str, opaque: &'a str },
}

impl<'a> Tagged<'a> {
    fn read(local: &'a str) -> Option<Self> {
        let (tag, opaque) = local.split_at_checked(4)?;
        if !is_separated(opaque) {
            return None;
        }
        if tag.eq_ignore_ascii_case("SRS0") {
            return Some(Self::Srs0 { opaque });
        }
        if !tag.eq_ignore_ascii_case("SRS1") {
            return None;
        }
        let mut parts = opaque.get(1..)?.splitn(3, '=');
        let (hash, host, opaque) = (parts.next()?, parts.next()?, parts.next()?);
        is_separated(opaque).then_some(Self::Srs1 { hash, host, opaque })
    }
}

/// Other forwarders may write `+` or `-` after the tag.
fn is_separated(text: &str) -> bool {
    text.starts_with(['=', '+', '-'])
}

/// The first [`HASH`] characters in base 64 of the HMAC over the parts, in lower case.
fn hash(key: &hmac::Key, parts: &[&str]) -> String {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part.to_ascii_lowercase().as_bytes());
    }
    let tag = context.sign();
    let [first, second, third, ..] = *tag.as_ref() else { return String::new() };
    let bits = u32::from_be_bytes([0, first, second, third]);
    [18, 12, 6, 0].map(|shift| char::from(BASE64[(bits >> shift) as usize & 63])).iter().collect()
}

// ---------------------------------------------------------------------------------------------------------

/// What is counted; clones count together.
#[derive(Debug, Clone)]
pub struct SrsMetrics(CounterVec);

impl SrsMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn register(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self(registry.counters(
            "srs_addresses_total",
            "Sender addresses rewritten for forwarding, and addresses of reports reversed.",
            &["what"],
        )?))
    }
}

#[cfg(test)]
mod tests;
