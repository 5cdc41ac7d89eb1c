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

#[cfg(test)]
mod tests {
    use mail_auth::report::{PolicyPublished, Record};

    use super::*;
    use crate::report::ledger::Policy;

    #[test]
    fn a_report_says_the_same_of_itself_however_often_it_is_made() {
        let sender = Sender {
            organization: "Ours".into(),
            host_name: Domain::parse("mx.example.net").unwrap(),
            from: Mailbox::parse("reports@mx.example.net").unwrap(),
        };
        let due = |begin, domain: &str| Due { begin, domain: domain.into() };
        let policy = || Policy {
            end: 172_800,
            published: PolicyPublished { domain: "example.org".to_owned(), ..PolicyPublished::default() },
            destinations: Vec::new(),
        };
        let told = || Told { policy: policy(), records: vec![Record::new().with_count(7)] };
        let to: Vec<Mailbox> =
            ["a@example.org", "b@example.com"].iter().map(|text| Mailbox::parse(text).unwrap()).collect();
        let made = || {
            let letter = letter(&sender, &report(&sender, &due(86_400, "example.org"), told()), &to).unwrap();
            let text = String::from_utf8_lossy(&letter).into_owned();
            assert!(text.contains("<a@example.org>") && text.contains("<b@example.com>"), "{text}");
            Report::parse_rfc5322(&letter, 1 << 20).unwrap()
        };
        let (first, second) = (made(), made());
        assert_eq!(first, second);
        assert_eq!(first.report_id(), "example.org.86400@mx.example.net");
        assert_eq!((first.date_range_begin(), first.date_range_end()), (86_400, 172_799));
        assert_eq!((first.org_name(), first.email()), ("Ours", "reports@mx.example.net"));
        assert_eq!(first.records().iter().map(Record::count).collect::<Vec<_>>(), [7]);
        let another =
            [due(172_800, "example.org"), due(86_400, "a.example.org")].map(|due| id(&sender, &due));
        assert!(!another.contains(&first.report_id().to_owned()));
    }
}
