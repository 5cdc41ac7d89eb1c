//! Verifying: SPF, DKIM, DMARC and ARC of one message, told in one Authentication-Results field (RFC 8601).
//!
//! mail-auth knows the rules; here stand their bounds. A message with a thousand signatures costs a few, one
//! whose domains' servers are silent costs the time that the settings allow, and both get a verdict.

mod arc;
mod dmarc;
pub(crate) mod forged;
pub(crate) mod policy;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use mail_auth::common::crypto::Algorithm;
use mail_auth::common::headers::{Header, HeaderWriter as _};
use mail_auth::dkim::DkimError;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput, DmarcResult,
    DnsError, Error, MessageAuthenticator, SpfOutput, SpfResult,
};
use tokio::time::{Instant, timeout_at};

use self::policy::{Disposition, Obeyed, disposition};
use crate::message::{Client, Envelope};

/// Signatures of one message that are verified, the topmost ones.
const MAX_SIGNATURES: usize = 10;
/// Octets of a client's own words that are repeated in a verdict.
const MAX_WORD: usize = 320;

/// How verdicts are found and told.
#[derive(Debug, Clone)]
pub(crate) struct Rules<'a> {
    /// Whose verdicts they are.
    pub(crate) authserv_id: &'a str,
    /// For all that the DNS is asked.
    pub(crate) timeout: Duration,
    /// How much of a DMARC policy is done.
    pub(crate) obeyed: Obeyed,
}

/// The four verdicts, over the message they borrow from.
pub(crate) struct Verdicts<'x> {
    pub(crate) spf: Option<SpfOutput>,
    pub(crate) dkim: Vec<DkimOutput<'x>>,
    pub(crate) arc: ArcOutput<'x>,
    pub(crate) dmarc: DmarcOutput,
    /// Where the policy stands that counted.
    pub(crate) policy_domain: Option<String>,
    /// What becomes of the message.
    pub(crate) disposition: Disposition,
}

/// Reads a message for [`verify`]; none when it has no fields at all.
pub(crate) fn read(octets: &[u8]) -> Option<AuthenticatedMessage<'_>> {
    let mut message = AuthenticatedMessage::parse(octets)?;
    message.dkim_headers.truncate(MAX_SIGNATURES);
    message.errors.truncate(MAX_SIGNATURES);
    // RFC 8301 §3.1: rsa-sha1 must not be taken for a signature.
    let is_weak = |algorithm| algorithm == Algorithm::RsaSha1;
    message.dkim_headers.retain(|signature| {
        let weak = is_weak(signature.header.a);
        if weak {
            let unsupported = Error::Dkim(DkimError::UnsupportedAlgorithm);
            message.errors.push(Header::new(signature.name, signature.value, unsupported));
        }
        !weak
    });
    // RFC 8617 §4.1.3 and §4.1.2 know no other algorithm than rsa-sha256 and what came after it.
    message.has_arc_errors |= message.ams_headers.iter().any(|signature| is_weak(signature.header.a))
        || message.as_headers.iter().any(|seal| is_weak(seal.header.a));
    Some(message)
}

/// Asks for everything, at once where one answer does not need another.
pub(crate) async fn verify<'x>(
    dns: &MessageAuthenticator,
    rules: &Rules<'_>,
    client: &Client,
    envelope: &Envelope,
    message: &'x AuthenticatedMessage<'x>,
) -> Verdicts<'x> {
    let deadline = Instant::now() + rules.timeout;
    let (spf, dkim, arc) = tokio::join!(
        spf(dns, rules, client, envelope, deadline),
        dkim(dns, message, deadline),
        arc::chain(dns, message, deadline)
    );
    let unknown = SpfOutput::default();
    // RFC 7489 §3.1.2: without a sender, the name in HELO stands for it.
    let sender = if envelope.sender.is_empty() { &client.hello } else { &envelope.sender };
    let domain = sender.rsplit_once('@').map_or(sender.as_str(), |(_, domain)| domain);
    let asked = || DmarcParameters::new(message, &dkim, domain, spf.as_ref().unwrap_or(&unknown));
    let (dmarc, policy_domain) = match timeout_at(deadline, dmarc::verified(dns, asked)).await {
        Ok(verified) => verified,
        Err(_elapsed) => {
            let from = message.from().rsplit_once('@').map_or("", |(_, domain)| domain);
            (DmarcOutput::new(from.to_owned()).with_dkim_result(DmarcResult::TempError(late())), None)
        }
    };
    let disposition = disposition(&dmarc, rules.obeyed);
    Verdicts { spf, dkim, arc, dmarc, policy_domain, disposition }
}

async fn spf(
    dns: &MessageAuthenticator,
    rules: &Rules<'_>,
    client: &Client,
    envelope: &Envelope,
    deadline: Instant,
) -> Option<SpfOutput> {
    let address = client.address?;
    let asked = if envelope.sender.is_empty() {
        // RFC 7208 §2.4: the null reverse-path stands for postmaster at the name in HELO.
        SpfParameters::verify_ehlo(address, &client.hello, rules.authserv_id)
    } else {
        SpfParameters::verify_mail_from(address, &client.hello, rules.authserv_id, &envelope.sender)
    };
    Some(match timeout_at(deadline, dns.verify_spf(asked)).await {
        Ok(output) => output,
        Err(_elapsed) => SpfOutput::new(String::new()).with_result(SpfResult::TempError),
    })
}

async fn dkim<'x>(
    dns: &MessageAuthenticator,
    message: &'x AuthenticatedMessage<'x>,
    deadline: Instant,
) -> Vec<DkimOutput<'x>> {
    match timeout_at(deadline, dns.verify_dkim(message)).await {
        Ok(outputs) => outputs.into_iter().map(|output| failed_by_its_body(message, output)).collect(),
        Err(_elapsed) => {
            let signatures = message.dkim_headers.iter();
            signatures
                .map(|signature| DkimOutput::temp_err(late()).with_signature(&signature.header))
                .collect()
        }
    }
}

/// RFC 8601 §2.7.1: a signature that can be read and does not fit the body has failed; mail-auth calls it neutral.
fn failed_by_its_body<'x>(message: &'x AuthenticatedMessage<'x>, output: DkimOutput<'x>) -> DkimOutput<'x> {
    let DkimResult::Neutral(why @ Error::Dkim(DkimError::FailedBodyHashMatch)) = output.result() else {
        return output;
    };
    let is_its = |signature| output.signature().is_some_and(|its| std::ptr::eq(its, signature));
    match message.dkim_headers.iter().find(|field| is_its(&field.header)) {
        Some(field) => DkimOutput::fail(why.clone()).with_signature(&field.header),
        None => output,
    }
}

fn late() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".to_owned()))
}

impl Verdicts<'_> {
    /// All of them as one field, as mail-auth writes it and as ARC seals it.
    pub(crate) fn told<'a>(
        &self,
        rules: &Rules<'a>,
        client: &Client,
        envelope: &Envelope,
    ) -> AuthenticationResults<'a> {
        let mut results = AuthenticationResults::new(rules.authserv_id);
        let address = client.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let hello = short(&client.hello);
        if let Some(spf) = &self.spf {
            results = if envelope.sender.is_empty() {
                results.with_spf_ehlo_result(spf, address, hello)
            } else {
                results.with_spf_mailfrom_result(spf, address, short(&envelope.sender), hello)
            };
        }
        results = results.with_dkim_results(&self.dkim, short(self.dmarc.domain()));
        if self.dmarc.result() != DmarcResult::None {
            results = results.with_dmarc_result(&self.dmarc);
        }
        // RFC 8617 §4.4 has no word for what the DNS could not say in time: then nothing is told.
        if !matches!(self.arc.result(), DkimResult::None | DkimResult::TempError(_)) {
            results = results.with_arc_result(&self.arc, address);
        }
        results
    }

    /// Each check's word, for metrics and the log.
    pub(crate) fn words(&self) -> [(&'static str, &'static str); 4] {
        let best = self.dkim.iter().map(|output| word(output.result()));
        let dkim = best.min_by_key(|word| WORDS.iter().position(|known| known == word)).unwrap_or("none");
        [
            ("spf", self.spf.as_ref().map_or("none", |spf| spf_word(spf.result()))),
            ("dkim", dkim),
            ("dmarc", dmarc_word(&self.dmarc.result())),
            ("arc", word(self.arc.result())),
        ]
    }
}

/// The value of an Authentication-Results field, with its space; its lines are parted by CR LF.
pub(crate) fn value(results: &AuthenticationResults<'_>) -> String {
    let field = results.to_header();
    field.strip_prefix("Authentication-Results:").unwrap_or(&field).trim_end().to_owned()
}

fn short(text: &str) -> &str {
    let end = (0..=MAX_WORD.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// RFC 8601 §2.7.1, the best first.
const WORDS: [&str; 6] = ["pass", "temperror", "fail", "permerror", "neutral", "none"];

fn word(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    }
}

fn spf_word(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}

fn dmarc_word(result: &DmarcResult) -> &'static str {
    match result {
        DmarcResult::Pass => "pass",
        DmarcResult::Fail(_) => "fail",
        DmarcResult::TempError(_) => "temperror",
        DmarcResult::PermError(_) => "permerror",
        DmarcResult::None => "none",
    }
}
