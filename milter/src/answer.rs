//! The answer to a message: verified or signed, copied, and told as edits and one action.

use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults};
use switchyard_maps::Snapshot;
use switchyard_smtp::address::Domain;

use crate::by_map::{self, MapUnavailable, Wishes};
use crate::draft::{Draft, Edit};
use crate::message::{Client, Envelope, Message, Unread};
use crate::report::seen::seen;
use crate::rules::{Live, Origin};
use crate::sign::seal::seal;
use crate::sign::{self, Signed};
use crate::talk::Shared;
use crate::verify::policy::Disposition;
use crate::verify::{self, Rules, forged};

/// What the MTA is told at the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) edits: Vec<Edit>,
    pub(crate) action: Action,
}

/// What becomes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// It goes on, with the edits.
    Continue,
    /// Its client shall come again.
    Tempfail(&'static str),
    /// RFC 7372 §3: it failed its author's policy.
    Reject(String),
}

/// Everything that an answer is made of.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) live: &'a Live,
    pub(crate) maps: &'a Snapshot,
    pub(crate) client: &'a Client,
    pub(crate) envelope: &'a Envelope,
    pub(crate) message: &'a Message,
}

impl Answer {
    pub(crate) fn unchanged() -> Self {
        Self { edits: Vec::new(), action: Action::Continue }
    }

    fn tempfail(why: &'static str) -> Self {
        Self { edits: Vec::new(), action: Action::Tempfail(why) }
    }
}

impl Work<'_> {
    pub(crate) async fn answer(&self) -> Answer {
        let Envelope { sender, queue_id, .. } = self.envelope;
        match self.message.unread() {
            Some(Unread::TooLarge) => {
                tracing::warn!(queue_id, sender, "larger than the settings allow: it goes on unread");
                self.count("too_large");
                return Answer::unchanged();
            }
            Some(Unread::NoMemory) => {
                self.count("no_memory");
                return Answer::tempfail(NO_MEMORY);
            }
            None => {}
        }
        let Some(message) = verify::read(self.message.octets()) else {
            self.count("empty");
            return Answer::unchanged();
        };
        let mut draft = Draft::new(self.message);
        let origin = self.live.origin(self.client);
        // RFC 8601 §5: before anybody can believe them. Our own hosts may well speak in our name.
        if origin != Origin::OurHost {
            let authserv_id = &self.live.authserv_id;
            let removed = draft.remove(|field| forged::claims(field.name, field.value, authserv_id));
            self.shared.metrics.forged.inc_by(removed as u64);
        }
        let wishes = match by_map::asked(self.maps, self.envelope).await {
            Ok(wishes) => wishes,
            Err(MapUnavailable) => {
                tracing::warn!(queue_id, sender, "a map of copies or of headers cannot say");
                self.count("map");
                return Answer::tempfail(NO_MAP);
            }
        };
        let action = match origin {
            Origin::World => self.verified(&message, &wishes, &mut draft).await,
            Origin::OurHost | Origin::OurUser => {
                // No verdict is given on mail of ours; what is signed is what goes out.
                wishes.apply(&mut draft, &[]);
                self.signed(&message, &mut draft).await
            }
        };
        for copy in &wishes.copies {
            draft.note(Edit::AddRecipient(format!("<{copy}>")));
        }
        match action {
            Action::Continue => Answer { edits: draft.into_edits(), action },
            // What is refused is not changed.
            Action::Tempfail(_) | Action::Reject(_) => Answer { edits: Vec::new(), action },
        }
    }

    async fn signed(&self, message: &AuthenticatedMessage<'_>, draft: &mut Draft<'_>) -> Action {
        let Envelope { sender, queue_id, .. } = self.envelope;
        let Some(author) = author(message) else {
            self.count("no_author");
            return Action::Continue;
        };
        let keys = sign::keys_of(&author, self.maps, &self.live.keys, &self.shared.ring).await;
        let signed = match keys {
            Ok(keys) => {
                let now = self.shared.clock.now_wall();
                sign::sign(draft, &keys, &self.live.coverage, now, &self.shared.metrics)
            }
            Err(signed) => signed,
        };
        match signed {
            Signed::By(signatures) => {
                tracing::info!(queue_id, sender, %author, signatures, "signed");
                self.count("signed");
                Action::Continue
            }
            Signed::NotOurs => {
                self.count("unsigned");
                Action::Continue
            }
            Signed::WithoutKey if self.live.tempfail_without_key => {
                tracing::warn!(queue_id, sender, %author, "no key may sign: its client comes again");
                self.count("without_key");
                Action::Tempfail(NO_KEY)
            }
            Signed::WithoutKey => {
                tracing::warn!(queue_id, sender, %author, "no key may sign: it goes on unsigned");
                self.count("without_key");
                Action::Continue
            }
            Signed::MapUnavailable => {
                tracing::warn!(queue_id, sender, %author, "the map of keys cannot say");
                self.count("map");
                Action::Tempfail(NO_MAP)
            }
        }
    }

    async fn verified(
        &self,
        message: &AuthenticatedMessage<'_>,
        wishes: &Wishes,
        draft: &mut Draft<'_>,
    ) -> Action {
        let Envelope { sender, queue_id, .. } = self.envelope;
        let authserv_id = self.live.authserv_id.as_str();
        let rules = Rules { authserv_id, timeout: self.live.timeout, obeyed: self.live.obeyed };
        let dns = self.shared.dns.load_full();
        let verdicts = verify::verify(&dns, &rules, self.client, self.envelope, message).await;
        let words = verdicts.words();
        for (check, word) in words {
            self.shared.metrics.checks.with_label_values(&[check, word]).inc();
        }
        let [(_, spf), (_, dkim), (_, dmarc), (_, arc)] = words;
        let (author, disposition) = (verdicts.dmarc.domain(), verdicts.disposition);
        tracing::info!(queue_id, sender, author, spf, dkim, dmarc, arc, ?disposition, "verified");
        if let Some(reports) = &self.shared.reports
            && let Some(seen) = seen(&verdicts, self.client, self.envelope)
        {
            reports.note(seen);
        }
        if disposition == Disposition::Reject {
            self.count("rejected");
            let author = Domain::parse(author)
                .map_or_else(|_| "its author's domain".to_owned(), |author| author.to_string());
            return Action::Reject(format!("this message fails the DMARC policy of {author}"));
        }
        let has_changed = wishes.apply(draft, &words);
        let results = verdicts.told(&rules, self.client, self.envelope);
        draft.prepend("Authentication-Results", &verify::value(&results));
        if let Some(domain) = &self.live.seal {
            // RFC 8617 §5.1: a seal is over the message as it goes on.
            let mut share = self.shared.memory.share();
            if has_changed && !share.grow_to(self.message.octets().len() as u64) {
                self.count("no_memory");
                return Action::Tempfail(NO_MEMORY);
            }
            let changed = has_changed.then(|| draft.octets());
            let now = changed.as_deref().and_then(verify::read);
            self.seal(domain, now.as_ref().unwrap_or(message), &verdicts.arc, &results, draft).await;
        }
        if disposition == Disposition::Quarantine {
            self.count("quarantined");
            draft.note(Edit::Quarantine("it fails its author's DMARC policy".to_owned()));
        } else {
            self.count("verified");
        }
        Action::Continue
    }

    /// Seals the verdicts, with the first key that may.
    async fn seal(
        &self,
        domain: &Domain,
        message: &AuthenticatedMessage<'_>,
        arc: &ArcOutput<'_>,
        results: &AuthenticationResults<'_>,
        draft: &mut Draft<'_>,
    ) {
        let keys = sign::keys_of(domain, self.maps, &self.live.keys, &self.shared.ring).await;
        let Some(ready) = keys.ok().and_then(|keys| keys.into_iter().next()) else {
            tracing::warn!(%domain, "no key may seal");
            return;
        };
        if seal(draft, &ready, &self.live.coverage.headers, message, arc, results) {
            self.shared.metrics.seals.inc();
        }
    }

    fn count(&self, way: &str) {
        self.shared.metrics.messages.with_label_values(&[way]).inc();
    }
}

/// The domain of the first author (RFC 5322 §3.6.2).
fn author(message: &AuthenticatedMessage<'_>) -> Option<Domain> {
    let (_, domain) = message.from().rsplit_once('@')?;
    Domain::parse(domain).ok()
}

const NO_MEMORY: &str = "too many messages are being looked at; come again later";
const NO_KEY: &str = "this message cannot be signed now; come again later";
const NO_MAP: &str = "a table cannot be asked now; come again later";
