//! The mailbox at the end of the way: an SMTP and LMTP server that writes each message to a Maildir.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use switchyard_smtp::address::ForwardPath;
use switchyard_smtp::envelope::{Content, Envelope, MailObject, Recipient, Sender};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::serve::{ServeOptions, Service, serve};
use switchyard_smtp::io::stream::Stream;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Event, Took, Transaction};
use switchyard_smtp::wire::data::unstuff;
use tokio::net::TcpStream;

/// Takes every message for every recipient.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    /// Each recipient has a Maildir under this folder, by the name of its address.
    pub(crate) folder: PathBuf,
    pub(crate) options: ServeOptions,
}

impl Sink {
    /// Serves one client to its end.
    pub(crate) async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let mut service = SinkService { sink: &self };
        serve(Stream::Plain(stream), peer, &self.options, &mut service).await;
    }
}

struct SinkService<'a> {
    sink: &'a Sink,
}

/// Every copy is in its Maildir, under `new`.
struct Stored;

impl Took for Stored {
    fn reply(&self) -> Reply {
        table::TAKEN.with_text("Ok, delivered")
    }
}

impl Service for SinkService<'_> {
    type Kept = ();
    type Took = Stored;

    async fn connect(&mut self, _client: &Client) -> Result<Offer, Reply> {
        let limits = &self.sink.options.limits;
        Ok(Offer {
            size: limits.message_size,
            recipients: u32::try_from(limits.recipients).unwrap_or(u32::MAX),
            starttls: self.sink.options.tls.is_some(),
            require_tls: false,
            xclient: false,
            xforward: false,
            priority: false,
            xtxn: false,
        })
    }

    async fn hello(&mut self, _client: &Client) -> Result<(), Reply> {
        Ok(())
    }

    async fn sender(&mut self, _client: &Client, _sender: &Sender) -> Result<(), Reply> {
        Ok(())
    }

    async fn recipient(
        &mut self,
        _client: &Client,
        _transaction: &mut Transaction<()>,
        _recipient: &Recipient,
    ) -> Result<(), Reply> {
        Ok(())
    }

    fn room(&mut self, _octets: Option<u64>) -> Result<(), Reply> {
        Ok(())
    }

    async fn content(&mut self, client: &Client, (): (), mail: MailObject) -> Result<Stored, Reply> {
        let folder = self.sink.folder.clone();
        let envelope = mail.envelope.clone();
        let stored = tokio::task::spawn_blocking(move || deliver(&folder, &mail)).await;
        match stored {
            Ok(Ok(())) => {
                for recipient in &envelope.recipients {
                    tracing::info!(
                        to = %recipient.forward_path,
                        from = %envelope.sender.reverse_path,
                        protocol = client.protocol(envelope.sender.smtputf8),
                        "delivered to the mailbox"
                    );
                }
                Ok(Stored)
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the mailbox cannot be written");
                Err(table::LOCAL_ERROR)
            }
            Err(_panicked) => Err(table::LOCAL_ERROR),
        }
    }

    fn event(&mut self, _event: Event) {}
}

// ---------------------------------------------------------------------------------------------------------

fn deliver(folder: &Path, mail: &MailObject) -> io::Result<()> {
    for recipient in &mail.envelope.recipients {
        store(&folder.join(mailbox_name(&recipient.forward_path)), &mail.envelope, &mail.content)?;
    }
    Ok(())
}

/// One file in a Maildir: written under `tmp`, then moved to `new`, so that readers never see half of one.
fn store(maildir: &Path, envelope: &Envelope, content: &Content) -> io::Result<()> {
    for name in ["tmp", "new", "cur"] {
        fs::create_dir_all(maildir.join(name))?;
    }
    let name = unique_name();
    let aside = maildir.join("tmp").join(&name);
    let mut file = fs::File::create_new(&aside)?;
    // RFC 5321 §4.4: final delivery adds the return path.
    let return_path = format!("Return-Path: {}\r\n", envelope.sender.reverse_path);
    for part in [return_path.as_bytes(), &content.added, &unstuff(&content.wire)] {
        io::Write::write_all(&mut file, part)?;
    }
    file.sync_all()?;
    fs::rename(aside, maildir.join("new").join(name))
}

/// An address as a folder's name: nothing in it may lead out of the folder.
fn mailbox_name(path: &ForwardPath) -> String {
    let text = path.to_string();
    let name: String = text
        .trim_matches(['<', '>'])
        .chars()
        .map(|character| if character == '/' || character.is_control() { '_' } else { character })
        .collect();
    if name.starts_with('.') { format!("_{name}") } else { name }
}

/// Time, process and a count, as Maildir names are made.
fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}.M{:06}P{}Q{count}.switchyard", since.as_secs(), since.subsec_micros(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard_smtp::address::ReversePath;

    #[test]
    fn a_message_lies_in_its_maildir_as_it_was_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = ForwardPath::parse("<\"../x/y\"@example.org>").unwrap();
        let envelope =
            Envelope { sender: Sender::new(ReversePath::Null), recipients: vec![Recipient::new(path)] };
        let content = Content { added: "A: 1\r\n".into(), wire: "B: 2\r\n\r\n..dot\r\n".into() };
        deliver(folder.path(), &MailObject { envelope, content }).unwrap();
        let mailboxes: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [mailbox] = &*mailboxes else { panic!("{mailboxes:?}") };
        let [message] = &*fs::read_dir(mailbox.join("new")).unwrap().collect::<Vec<_>>() else { panic!() };
        let text = fs::read_to_string(message.as_ref().unwrap().path()).unwrap();
        assert_eq!(text, "Return-Path: <>\r\nA: 1\r\nB: 2\r\n\r\n.dot\r\n");
    }
}
