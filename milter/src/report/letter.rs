//! A report as a message: XML, packed, in an envelope of words that programs look for (RFC 9990 §3.5).

use bytes::Bytes;
use mail_auth::report::Report;
use switchyard_smtp::address::{Domain, Mailbox};

use super::ledger::{Due, Told};

/// Who writes reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    /// In words.
    pub(crate) organization: String,
    /// The host, in the names of reports.
    pub(crate) host_name: Domain,
    /// Their author and sender.
    pub(crate) from: Mailbox,
}

/// What a report says.
pub(super) fn report(sender: &Sender, due: &Due, told: Told) -> Report {
    let Told { policy, records } = told;
    let mut report = Report::new()
        .with_version(1.0)
        .with_org_name(&*sender.organization)
        .with_email(sender.from.to_string())
        .with_report_id(id(sender, due))
        .with_date_range_begin(due.begin)
        .with_date_range_end(policy.end.saturating_sub(1))
        .with_generator(concat!("switchyard-milter ", env!("CARGO_PKG_VERSION")))
        .with_policy_published(policy.published);
    for record in records {
        report.add_record(record);
    }
    report
}

/// The same for one period and domain whenever it is made, and another for any other.
pub(super) fn id(sender: &Sender, due: &Due) -> String {
    format!("{}.{}@{}", due.domain, due.begin, sender.host_name)
}

/// The message.
///
/// # Errors
/// When it cannot be packed.
pub(super) fn letter(sender: &Sender, report: &Report, to: &[Mailbox]) -> std::io::Result<Bytes> {
    let from = sender.from.to_string();
    let to: Vec<String> = to.iter().map(ToString::to_string).collect();
    let mut octets = Vec::new();
    report.write_rfc5322(
        sender.host_name.as_str(),
        from.as_str(),
        to.iter().map(String::as_str),
        &mut octets,
    )?;
    Ok(octets.into())
}
