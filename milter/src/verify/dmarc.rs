//! DMARC (RFC 9989), with the one rule that mail-auth does not know: two records at one name are none.
//!
//! It takes the first record that it can read. So what it found is noted, each name that it found is counted by the
//! resolver, which remembers the answer, and where there are two the question is put again without them.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hickory_resolver::proto::rr::RData;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{DmarcOutput, DnsError, Error, MessageAuthenticator, Parameters, ResolverCache, Txt};

/// Names with two records that are passed over for one message; a walk has eight steps (RFC 9989 §4.10).
const MOST_PASSED_OVER: usize = 8;

/// The verdict, and the name at which its policy stands. `asked` makes the question.
pub(super) async fn verified<'x>(
    dns: &MessageAuthenticator,
    asked: impl Fn() -> DmarcParameters<'x>,
) -> (DmarcOutput, Option<String>) {
    let records = Records::default();
    let mut output = dns.verify_dmarc(Parameters::new(asked()).with_txt_cache(&records)).await;
    for _ in 0..MOST_PASSED_OVER {
        if !records.pass_over_doubles(dns).await {
            break;
        }
        output = dns.verify_dmarc(Parameters::new(asked()).with_txt_cache(&records)).await;
    }
    let at = records.name_of(&output);
    (output, at)
}

/// What is known of names while one message is looked at.
#[derive(Default)]
struct Records(Mutex<HashMap<Box<str>, Known>>);

struct Known {
    said: Txt,
    is_counted: bool,
}

impl Records {
    /// RFC 9989 §4.10: where more than one record is found, all of them are discarded. Whether there were any.
    async fn pass_over_doubles(&self, dns: &MessageAuthenticator) -> bool {
        let mut names = Vec::new();
        for (name, known) in self.known().iter_mut() {
            if matches!(known.said, Txt::Dmarc(_)) && !known.is_counted {
                names.push(name.clone());
            }
            known.is_counted = true;
        }
        let mut has_doubles = false;
        for name in names {
            if count(dns, &name).await > 1 {
                tracing::debug!(%name, "more than one DMARC record: none counts");
                let said = Txt::Error(Error::Dns(DnsError::InvalidRecordType));
                self.known().insert(name, Known { said, is_counted: true });
                has_doubles = true;
            }
        }
        has_doubles
    }

    /// Where the record stands that counted.
    fn name_of(&self, output: &DmarcOutput) -> Option<String> {
        let record = output.dmarc_record_cloned()?;
        let is_it = |known: &Known| matches!(&known.said, Txt::Dmarc(said) if Arc::ptr_eq(said, &record));
        let known = self.known();
        let name = known.iter().find(|(_, known)| is_it(known)).map(|(name, _)| &**name)?;
        Some(name.strip_prefix("_dmarc.")?.trim_end_matches('.').to_ascii_lowercase())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// DMARC records at a name.
async fn count(dns: &MessageAuthenticator, name: &str) -> usize {
    // It has just been asked for: whoever cannot say now has said it before.
    let Ok(lookup) = dns.resolver().txt_lookup(name).await else { return 0 };
    let texts = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(text) => Some(text.txt_data.concat()),
        _ => None,
    });
    texts.filter(|text| is_dmarc(text)).count()
}

/// RFC 9989 §4.7: the version comes first, and in these letters.
fn is_dmarc(text: &[u8]) -> bool {
    let mut octets = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace());
    let begins = b"v=DMARC1".iter().all(|wanted| octets.next() == Some(*wanted));
    begins && octets.next().is_none_or(|octet| octet == b';')
}

impl ResolverCache<Box<str>, Txt> for Records {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.known().get(name).map(|known| known.said.clone())
    }

    fn remove<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.known().remove(name).map(|known| known.said)
    }

    fn insert(&self, name: Box<str>, said: Txt, _valid_until: Instant) {
        self.known().insert(name, Known { said, is_counted: false });
    }
}

#[cfg(test)]
mod tests {
    use super::is_dmarc;

    #[test]
    fn only_records_of_this_version_count() {
        for text in ["v=DMARC1", "v=DMARC1;p=none", " v = DMARC1 ; p=none"] {
            assert!(is_dmarc(text.as_bytes()), "{text}");
        }
        for text in ["", "v=DMARC", "v=DMARC12; p=none", "V=DMARC1", "v=spf1 -all", "p=none; v=DMARC1"] {
            assert!(!is_dmarc(text.as_bytes()), "{text}");
        }
    }
}
