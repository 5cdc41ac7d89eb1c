//! Reading the log: which messages are live, which records nothing vouches for, what is damaged.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchyard_daemon::clock::Clock;
use switchyard_smtp::envelope::TransactionId;

use super::Survey;
use crate::spool::codec::{self, Accepted, Place as ContentPlace};
use crate::spool::disk::{Disk, DiskFile, Place, read_full, write_all};
use crate::spool::id::QueueId;
use crate::spool::ledger::{Location, Segment};
use crate::spool::message::{Progress, StoredMessage, to_micros};
use crate::spool::options::{OpenError, SpoolOptions};
use crate::spool::read::{Found, Scan};
use crate::spool::record::{FRAME, Frame, Kind};
use crate::spool::segment::{HEADER, Header, Spare};
use crate::spool::transactions::REMEMBERED;

/// A message while the log is read.
#[derive(Debug)]
struct Live {
    accepted: Accepted,
    accept: Location,
    progress: Option<(Progress, Location)>,
    /// Segments with an older copy of its accept record.
    copies: Vec<u64>,
}

/// Gathers what the segments say.
pub(super) struct Surveyor<'a> {
    disk: &'a dyn Disk,
    survey: Survey,
    live: HashMap<QueueId, Live>,
    /// Progress whose accept record was copied to a later segment, or is gone.
    early: HashMap<QueueId, (Progress, Location)>,
    /// Of all accept records that were not taken back, the finished messages' among them.
    transactions: HashMap<QueueId, (i64, TransactionId)>,
}

impl<'a> Surveyor<'a> {
    pub(super) fn new(disk: &'a dyn Disk) -> Self {
        Self {
            disk,
            survey: Survey::default(),
            live: HashMap::new(),
            early: HashMap::new(),
            transactions: HashMap::new(),
        }
    }

    pub(super) fn spare(&mut self, name: String, number: u64, options: &SpoolOptions) -> io::Result<()> {
        self.survey.last_spare = self.survey.last_spare.max(number);
        let file = self.disk.open(Place::Log, &name)?;
        let wanted = self.survey.spares.len() <= options.reserve_segments;
        if wanted && file.size()? == options.segment_bytes {
            self.survey.spares.push(Spare { name, file });
            return Ok(());
        }
        self.disk.unlink(Place::Log, &name)
    }

    /// Enters the segments into the ledger; gives each with what the next one's mark vouches for.
    pub(super) fn open_segments(
        &mut self,
        files: &BTreeMap<u64, Arc<dyn DiskFile>>,
    ) -> io::Result<BTreeMap<u64, u32>> {
        let mut vouched = BTreeMap::new();
        let mut marks = Vec::new();
        for (sequence, file) in files {
            let mut start = vec![0; HEADER as usize + 2 * FRAME];
            let filled = read_full(&**file, &mut start, 0)?;
            start.truncate(filled);
            let first = start.get(HEADER as usize..).unwrap_or_default();
            let header = Header::read(&start, *sequence);
            self.survey.high_water =
                self.survey.high_water.max(header.map_or(0, |header| header.high_water.min(QueueId::LAST)));
            let by_record = || Frame::read_any_epoch(first).map(|(_, epoch)| epoch);
            let epoch = header.map(|header| header.epoch).or_else(by_record);
            let mut segment = Segment::new(Arc::clone(file), epoch.unwrap_or(0), file.size()?);
            // A file gets a segment's name only when its header is durable.
            segment.pinned = epoch.is_none();
            if header.is_none() {
                tracing::error!(segment = sequence, "spool: the header of a segment is damaged");
                self.survey.recovered.corrupt += 1;
            }
            self.survey.ledger.opened(*sequence, segment);
            let Some(epoch) = epoch else { continue };
            vouched.insert(*sequence, 0);
            let mark = Frame::read(first, epoch).filter(|frame| frame.kind == Kind::Mark);
            let payload = mark.and_then(|frame| sound_payload(first, frame));
            marks.extend(payload.and_then(|payload| codec::read_mark(payload).ok()));
        }
        for (before, proven) in marks {
            vouched.entry(before).and_modify(|known| *known = proven.max(*known));
        }
        Ok(vouched)
    }

    pub(super) fn scan(&mut self, sequence: u64, vouched: u32) -> io::Result<()> {
        let Some((file, epoch)) =
            self.survey.ledger.segment(sequence).map(|segment| (Arc::clone(&segment.file), segment.epoch))
        else {
            return Ok(());
        };
        let mut scan = Scan::new(Arc::clone(&file), epoch, vouched)?;
        let mut accepted = Vec::new();
        loop {
            match scan.next()? {
                Found::Record { frame, payload, offset } => {
                    let length = frame.record_len() as u32;
                    let at = Location { segment: sequence, offset, length };
                    self.survey.high_water = self.survey.high_water.max(frame.id.number());
                    if self.record(frame, payload, at).is_err() {
                        self.put_aside(&*file, at);
                    } else if matches!(frame.kind, Kind::Accept | Kind::Progress) {
                        accepted.push((frame.id, at));
                    }
                }
                Found::Damage { offset, length } => {
                    self.put_aside(&*file, Location { segment: sequence, offset, length });
                }
                Found::End { torn } => {
                    self.survey.recovered.torn += u64::from(torn);
                    break;
                }
            }
        }
        accepted.retain(|(_, at)| u64::from(at.offset) >= scan.proven());
        self.survey.unproven.extend(accepted);
        Ok(())
    }

    fn record(&mut self, frame: Frame, payload: &[u8], at: Location) -> Result<(), codec::Malformed> {
        let id = frame.id;
        match frame.kind {
            Kind::Accept => {
                let accepted = codec::read_accept(payload)?;
                let wall = to_micros(accepted.arrival.wall);
                if let Some(transaction) = accepted.envelope.sender.transaction {
                    self.transactions.insert(id, (wall, transaction));
                }
                match self.live.get_mut(&id) {
                    Some(live) => {
                        self.survey.ledger.must_outlive(at.segment, live.accept.segment);
                        live.copies.push(live.accept.segment);
                        live.accept = at;
                    }
                    None => {
                        let count = accepted.envelope.recipients.len();
                        let progress = self.early.remove(&id);
                        let progress = progress.filter(|(progress, _)| progress.recipients.len() == count);
                        self.live.insert(id, Live { accepted, accept: at, progress, copies: Vec::new() });
                    }
                }
            }
            Kind::Progress => {
                let progress = codec::read_progress(payload)?;
                let Some(live) = self.live.get_mut(&id) else {
                    self.early.insert(id, (progress, at));
                    return Ok(());
                };
                if progress.recipients.len() != live.accepted.envelope.recipients.len() {
                    return Err(codec::Malformed);
                }
                live.progress = Some((progress, at));
            }
            Kind::Done | Kind::Void => {
                if frame.kind == Kind::Void {
                    self.transactions.remove(&id);
                }
                self.early.remove(&id);
                if let Some(live) = self.live.remove(&id) {
                    for earlier in live.copies.into_iter().chain([live.accept.segment]) {
                        self.survey.ledger.must_outlive(at.segment, earlier);
                    }
                }
            }
            Kind::Mark => {}
        }
        Ok(())
    }

    /// Copies what cannot be read to a file of its own, for people; what cannot be copied keeps its segment.
    fn put_aside(&mut self, file: &dyn DiskFile, at: Location) {
        self.survey.recovered.corrupt += 1;
        let name = format!("{:016x}-{:08x}", at.segment, at.offset);
        tracing::error!(
            segment = at.segment,
            offset = at.offset,
            octets = at.length,
            name,
            "spool: a damaged record is put aside"
        );
        match save(self.disk, &name, file, at) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                tracing::error!(name, %error, "spool: cannot put it aside; its segment is kept");
                self.survey.ledger.pin(at.segment);
            }
            _ => {}
        }
    }

    /// Finds contents that are missing, and files that no message names.
    pub(super) fn check_blobs(&mut self, options: &SpoolOptions) -> Result<(), OpenError> {
        let folder = options.folder.join(Place::Blob.name());
        let failed = |error: io::Error| OpenError::io(&folder, "read", error);
        let missing: Vec<QueueId> = self
            .live
            .iter()
            .filter(|(id, live)| {
                live.accepted.place.blob_len().is_some_and(|length| {
                    let size = self.disk.open(Place::Blob, &id.to_string()).and_then(|file| file.size());
                    size.ok() != Some(length)
                })
            })
            .map(|(id, _)| *id)
            .collect();
        for id in missing {
            tracing::error!(queue_id = %id, "spool: the content of a message is missing or cut short");
            if let Some(live) = self.live.remove(&id) {
                let file =
                    self.survey.ledger.segment(live.accept.segment).map(|segment| Arc::clone(&segment.file));
                if let Some(file) = file {
                    self.put_aside(&*file, live.accept);
                }
            }
        }
        for name in self.disk.list(Place::Blob).map_err(failed)? {
            match name.parse::<QueueId>() {
                Ok(id) if self.has_blob(id) => {}
                Ok(_) => self.disk.unlink(Place::Blob, &name).map_err(failed)?,
                Err(_) => tracing::warn!(name, "spool: a file that is not ours is in the folder of contents"),
            }
        }
        Ok(())
    }

    fn has_blob(&self, id: QueueId) -> bool {
        self.live.get(&id).is_some_and(|live| matches!(live.accepted.place, ContentPlace::Blob { .. }))
    }

    pub(super) fn finish(mut self, clock: &Clock) -> Survey {
        let mut survey = self.survey;
        for (id, live) in self.live {
            survey.ledger.accepted(id, live.accept, live.accepted.place.blob_len());
            if let Some((_, at)) = &live.progress {
                survey.ledger.progressed(id, *at);
            }
            let Accepted { envelope, arrival, origin, hold, place } = live.accepted;
            let fresh = || Progress::fresh(envelope.recipients.len(), arrival.wall, hold);
            let progress = live.progress.map_or_else(fresh, |(progress, _)| progress);
            survey.recovered.messages.push(StoredMessage {
                id,
                envelope,
                arrival,
                origin,
                progress,
                content_len: place.content_len(),
            });
        }
        survey.recovered.messages.sort_unstable_by_key(|message| message.id);
        let ledger = &survey.ledger;
        survey.unproven.retain(|(id, at)| {
            ledger.entry(*id).is_some_and(|entry| entry.accept == *at || entry.progress == Some(*at))
        });
        survey.transactions = recent(std::mem::take(&mut self.transactions), clock);
        survey
    }
}

/// Those of the last quarter of an hour, the oldest first, on the monotonic clock.
fn recent(
    transactions: HashMap<QueueId, (i64, TransactionId)>,
    clock: &Clock,
) -> Vec<(Instant, TransactionId, QueueId)> {
    let now = clock.now_monotonic();
    let wall = to_micros(clock.now_wall());
    let mut recent: Vec<_> = transactions
        .into_iter()
        .filter_map(|(id, (arrived, transaction))| {
            // With the clock set back, what comes from the future counts as new.
            let age = u64::try_from(wall.saturating_sub(arrived)).unwrap_or(0);
            let age = Duration::from_micros(age);
            (age < REMEMBERED).then(|| (now.checked_sub(age).unwrap_or(now), transaction, id))
        })
        .collect();
    recent.sort_unstable_by_key(|(when, _, id)| (*when, *id));
    recent
}

fn sound_payload(octets: &[u8], frame: Frame) -> Option<&[u8]> {
    let payload = octets.get(FRAME..FRAME + frame.length as usize)?;
    (crc32c::crc32c(payload) == frame.sum).then_some(payload)
}

fn save(disk: &dyn Disk, name: &str, from: &dyn DiskFile, at: Location) -> io::Result<()> {
    let file = disk.create(Place::Corrupt, name)?;
    let mut buffer = vec![0; 256 << 10];
    let mut done = 0;
    while done < u64::from(at.length) {
        let wanted = (u64::from(at.length) - done).min(buffer.len() as u64) as usize;
        let filled = read_full(from, &mut buffer[..wanted], u64::from(at.offset) + done)?;
        if filled == 0 {
            break;
        }
        write_all(&*file, &mut [IoSlice::new(&buffer[..filled])], done)?;
        done += filled as u64;
    }
    file.fdatasync()?;
    disk.sync_folder(Place::Corrupt)
}
