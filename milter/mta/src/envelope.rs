//! What filters change in an envelope: sender, recipients, and whether the message is held.

use std::str;

use bytes::Bytes;
use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::event::Path;
use switchyard_smtp::address::ForwardPath;
use switchyard_smtp::envelope::{Envelope, Recipient, Sender};
use switchyard_smtp::wire::command::Command;

/// An edit that names no address, or arguments that nobody has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{edit} with `{line}`, which is none of SMTP's")]
pub(crate) struct BadEdit {
    edit: &'static str,
    line: String,
}

/// Makes the edits, in order. The reason to hold the message, if there is one: the first that was given.
pub(crate) fn edited(envelope: &mut Envelope, edits: &[Edit]) -> Result<Option<String>, BadEdit> {
    let mut hold = None;
    for edit in edits {
        match edit {
            Edit::ChgFrom(path) => change(&mut envelope.sender, path)?,
            Edit::AddRcpt(path) => add(envelope, path)?,
            Edit::DelRcpt(path) => remove(envelope, path),
            Edit::Quarantine(reason) => {
                hold.get_or_insert_with(|| String::from_utf8_lossy(reason).into_owned());
            }
            // They concern the content, and are made there.
            Edit::AddHeader(_) | Edit::InsHeader { .. } | Edit::ChgHeader { .. } | Edit::ReplBody(_) => {}
        }
    }
    Ok(hold)
}

/// CHGFROM: another reverse-path. Without arguments the wishes of the sender before stay.
fn change(sender: &mut Sender, path: &Path) -> Result<(), BadEdit> {
    let line = line("MAIL FROM:", path);
    let Ok(Command::Mail(new)) = Command::parse(&line) else { return Err(bad("chgfrom", &line)) };
    if !path.arguments.is_empty() {
        sender.ret = new.ret;
        sender.envid = new.envid;
        sender.priority = new.priority.or(sender.priority);
    }
    sender.smtputf8 |= new.smtputf8 || !line.is_ascii();
    sender.reverse_path = new.reverse_path;
    Ok(())
}

/// ADDRCPT: one more, unless it is there already.
fn add(envelope: &mut Envelope, path: &Path) -> Result<(), BadEdit> {
    let line = line("RCPT TO:", path);
    let Ok(Command::Rcpt(new)) = Command::parse(&line) else { return Err(bad("addrcpt", &line)) };
    let is_there = |recipient: &Recipient| recipient.forward_path == new.forward_path;
    if !envelope.recipients.iter().any(is_there) {
        envelope.sender.smtputf8 |= !line.is_ascii();
        envelope.recipients.push(*new);
    }
    Ok(())
}

/// DELRCPT: all that are this one. What is no address is nobody's.
fn remove(envelope: &mut Envelope, path: &Bytes) {
    let path = bracketed(path);
    let Some(gone) = str::from_utf8(&path).ok().and_then(|path| ForwardPath::parse(path).ok()) else {
        return;
    };
    envelope.recipients.retain(|recipient| recipient.forward_path != gone);
}

/// As SMTP says it; nothing in it ends the line, for edits are checked when they come.
fn line(command: &str, path: &Path) -> Vec<u8> {
    let mut line = [command.as_bytes(), &bracketed(&path.path)].concat();
    for argument in &path.arguments {
        line.push(b' ');
        line.extend_from_slice(argument);
    }
    line
}

/// Filters give addresses with and without brackets.
fn bracketed(path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"<") { path.to_vec() } else { [b"<", path, b">"].concat() }
}

fn bad(edit: &'static str, line: &[u8]) -> BadEdit {
    BadEdit { edit, line: String::from_utf8_lossy(line).into_owned() }
}

#[cfg(test)]
mod tests {
    use switchyard_smtp::address::ReversePath;
    use switchyard_smtp::envelope::{Notify, Ret};

    use super::*;

    fn envelope() -> Envelope {
        let mut sender = Sender::new(ReversePath::parse("<ann@example.org>").unwrap());
        sender.ret = Some(Ret::Full);
        let recipient = |path| Recipient::new(ForwardPath::parse(path).unwrap());
        Envelope {
            sender,
            recipients: vec![recipient("<bob@example.net>"), recipient("<carol@example.net>")],
        }
    }

    fn with(path: &str, arguments: &[&str]) -> Path {
        let arguments = arguments.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        Path { path: Bytes::copy_from_slice(path.as_bytes()), arguments }
    }

    fn recipients(envelope: &Envelope) -> Vec<String> {
        envelope.recipients.iter().map(|recipient| recipient.forward_path.to_string()).collect()
    }

    #[test]
    fn sender_and_recipients_are_changed_in_order() {
        let mut changed = envelope();
        let hold = edited(
            &mut changed,
            &[
                Edit::ChgFrom(with("<list@example.org>", &[])),
                Edit::AddRcpt(with("dora@example.com", &["NOTIFY=NEVER"])),
                Edit::AddRcpt(with("<bob@EXAMPLE.net>", &[])),
                Edit::DelRcpt("<carol@example.net>".into()),
                Edit::DelRcpt("no address".into()),
                Edit::Quarantine("odd".into()),
                Edit::Quarantine("odder".into()),
            ],
        );
        assert_eq!(hold, Ok(Some("odd".into())));
        assert_eq!(changed.sender.reverse_path.to_string(), "<list@example.org>");
        assert_eq!(changed.sender.ret, Some(Ret::Full));
        assert_eq!(recipients(&changed), ["<bob@example.net>", "<dora@example.com>"]);
        assert_eq!(changed.recipients[1].notify, Some(Notify::NEVER));

        let mut changed = envelope();
        edited(&mut changed, &[Edit::ChgFrom(with("<>", &["RET=HDRS", "ENVID=a+2Bb"]))]).unwrap();
        assert!(changed.sender.reverse_path.is_null());
        assert_eq!((changed.sender.ret, changed.sender.envid.as_deref()), (Some(Ret::Hdrs), Some("a+b")));
    }

    #[test]
    fn m4_what_is_no_address_is_not_made_one() {
        for edit in [
            Edit::ChgFrom(with("<a@b>", &["NONE=1"])),
            Edit::ChgFrom(with("a b", &[])),
            Edit::AddRcpt(with("<>", &[])),
            Edit::AddRcpt(with("<a@b>", &["NOTIFY=SOMETIMES"])),
            Edit::AddRcpt(with("", &[])),
        ] {
            let mut changed = envelope();
            let result = edited(&mut changed, std::slice::from_ref(&edit));
            assert!(result.is_err(), "{edit:?} made {changed:?}");
        }
    }
}
