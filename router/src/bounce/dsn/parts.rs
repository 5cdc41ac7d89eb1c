//! What stands in a report's parts: its header and its words for people, the fields for programs, and the head of
//! what comes back.

use switchyard_smtp::extension::to_xtext;

use super::text::{ascii, date, fold, line, printable};
use super::{Action, Report, Reported};

impl Report<'_> {
    pub(super) fn write_header(&self, text: &mut String) {
        let subject = match self.action() {
            Action::Failed => "Undelivered mail returned to sender",
            Action::Delayed => "Delayed mail (still being retried)",
            Action::Delivered | Action::Relayed => "Successful mail delivery report",
        };
        let mta = self.reporting_mta;
        line(text, format_args!("Date: {}", date(&self.now)));
        line(text, format_args!("From: Mail Delivery System <MAILER-DAEMON@{mta}>"));
        line(text, format_args!("To: <{}>", self.sender));
        line(text, format_args!("Subject: {subject}"));
        line(text, format_args!("Message-ID: <{}@{mta}>", self.unique));
        // RFC 3834 §5: no program answers this.
        line(text, format_args!("Auto-Submitted: auto-replied"));
        line(text, format_args!("MIME-Version: 1.0"));
        line(text, format_args!("Content-Type: multipart/report; report-type=delivery-status;"));
        line(text, format_args!("\tboundary=\"{}\"", self.boundary()));
        line(text, format_args!(""));
        line(text, format_args!("This is a MIME-encapsulated message."));
    }

    pub(super) fn write_words(&self, text: &mut String) {
        let charset = if self.recipients.iter().all(is_ascii) { "us-ascii" } else { "utf-8" };
        line(text, format_args!("\r\n--{}", self.boundary()));
        line(text, format_args!("Content-Description: Notification"));
        line(text, format_args!("Content-Type: text/plain; charset={charset}"));
        if charset == "utf-8" {
            line(text, format_args!("Content-Transfer-Encoding: 8bit"));
        }
        line(text, format_args!(""));
        line(text, format_args!("This is the mail system at host {}.\r\n", self.reporting_mta));
        text.push_str(match self.action() {
            Action::Failed => {
                "Your message could not be delivered to the recipients below.\r\n\
                 It's attached, whole or its header.\r\n\r\n"
            }
            Action::Delayed => {
                "THIS IS A WARNING ONLY. YOU DO NOT NEED TO SEND YOUR MESSAGE AGAIN.\r\n\r\n\
                 Your message could not be delivered yet to the recipients below.\r\n\
                 It will be tried again until it is too old.\r\n\r\n"
            }
            Action::Delivered | Action::Relayed => {
                "Your message was delivered to the recipients below, or handed to a\r\n\
                 host that sends no further report.\r\n\r\n"
            }
        });
        for recipient in self.recipients {
            fold(
                text,
                &format!("<{}>:", recipient.final_recipient),
                &printable(&recipient.diagnostic),
                "    ",
            );
            line(text, format_args!(""));
        }
    }

    pub(super) fn write_fields(&self, text: &mut String, is_global: bool) {
        let kind = if is_global { "message/global-delivery-status" } else { "message/delivery-status" };
        line(text, format_args!("--{}", self.boundary()));
        line(text, format_args!("Content-Description: Delivery report"));
        line(text, format_args!("Content-Type: {kind}"));
        if is_global {
            line(text, format_args!("Content-Transfer-Encoding: 8bit"));
        }
        line(text, format_args!(""));
        // RFC 3464 §2.2: fields of the message.
        line(text, format_args!("Reporting-MTA: dns; {}", self.reporting_mta));
        if let Some(envid) = self.envid {
            line(text, format_args!("Original-Envelope-Id: {}", printable(envid)));
        }
        line(text, format_args!("X-Switchyard-Queue-ID: {}", self.queue_id));
        line(text, format_args!("Arrival-Date: {}", date(&self.arrival)));
        for recipient in self.recipients {
            line(text, format_args!(""));
            recipient.write(text, is_global);
        }
        line(text, format_args!(""));
    }

    pub(super) fn write_returned_head(&self, text: &mut String, is_global: bool, returned: &[u8]) {
        let whole = self.returns_all();
        let (description, kind) = match (whole, is_global) {
            (true, false) => ("Undelivered message", "message/rfc822"),
            (true, true) => ("Undelivered message", "message/global"),
            (false, false) => ("Undelivered message headers", "text/rfc822-headers"),
            (false, true) => ("Undelivered message headers", "message/global-headers"),
        };
        let description = if self.action() == Action::Failed {
            description
        } else {
            &description["Undelivered m".len() - 1..]
        };
        line(text, format_args!("--{}", self.boundary()));
        line(text, format_args!("Content-Description: {description}"));
        line(text, format_args!("Content-Type: {kind}"));
        if !returned.is_ascii() {
            line(text, format_args!("Content-Transfer-Encoding: 8bit"));
        }
        line(text, format_args!(""));
    }
}

impl Reported {
    /// RFC 3464 §2.3: fields of one recipient.
    fn write(&self, text: &mut String, is_global: bool) {
        if let Some(original) = &self.original_recipient {
            let address = printable(&original.address);
            // RFC 3464 §2.3.1: as it came in ORCPT, whose xtext the field keeps where it is not plain.
            let plain = address.bytes().all(|byte| byte.is_ascii_graphic());
            let shown = if plain || is_global { address } else { to_xtext(&original.address) };
            line(text, format_args!("Original-Recipient: {};{shown}", printable(&original.address_type)));
        }
        let kind = if self.final_recipient.needs_smtputf8() { "utf-8" } else { "rfc822" };
        line(text, format_args!("Final-Recipient: {kind};{}", self.final_recipient));
        line(text, format_args!("Action: {}", self.action.as_str()));
        line(text, format_args!("Status: {}", self.status));
        let told_by_peer = !self.remote_mta.is_empty();
        if told_by_peer {
            line(text, format_args!("Remote-MTA: dns; {}", printable(&self.remote_mta)));
        }
        if !self.diagnostic.is_empty() {
            let kind = if told_by_peer { "smtp" } else { "x-switchyard" };
            let diagnostic = printable(&self.diagnostic);
            let diagnostic = if is_global { diagnostic } else { ascii(&diagnostic) };
            fold(text, &format!("Diagnostic-Code: {kind};"), &diagnostic, "    ");
        }
        line(text, format_args!("Last-Attempt-Date: {}", date(&self.last_attempt)));
        if let Some(until) = &self.will_retry_until {
            line(text, format_args!("Will-Retry-Until: {}", date(until)));
        }
    }
}

/// True when nothing that a report says of this recipient needs more than ASCII.
pub(super) fn is_ascii(recipient: &Reported) -> bool {
    !recipient.final_recipient.needs_smtputf8()
        && recipient.diagnostic.is_ascii()
        && recipient.original_recipient.as_ref().is_none_or(|orcpt| orcpt.address.is_ascii())
}
