//! Transactions between our own hosts, remembered for a quarter of an hour: a hand-over whose reply was lost
//! is repeated, and must not make a second message.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use switchyard_smtp::envelope::TransactionId;
use tokio::sync::oneshot;

use super::SpoolError;
use super::id::QueueId;

/// How long a committed transaction is known.
pub(super) const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// Who waits for another's commit.
type Waiter = oneshot::Sender<Result<QueueId, SpoolError>>;

#[derive(Debug)]
enum State {
    /// Somebody hands it over right now.
    Open(Vec<Waiter>),
    /// It is on the disk under this id.
    Committed(QueueId),
}

/// What is to be done with a transaction that comes.
#[derive(Debug)]
pub(super) enum Begun {
    /// It is new: commit it, then settle it.
    New,
    /// It is committed already.
    Known(QueueId),
    /// Another hand-over of it is under way: share its end.
    Shared(oneshot::Receiver<Result<QueueId, SpoolError>>),
}

/// The table, bounded in time and number.
#[derive(Debug)]
pub(super) struct Transactions {
    states: HashMap<TransactionId, State>,
    /// Committed ones, the oldest first.
    committed: VecDeque<(Instant, TransactionId)>,
    most: usize,
}

impl Transactions {
    pub(super) fn new(most: usize) -> Self {
        Self { states: HashMap::new(), committed: VecDeque::new(), most: most.max(1) }
    }

    /// The message that a committed transaction became.
    pub(super) fn known(&mut self, id: TransactionId, now: Instant) -> Option<QueueId> {
        self.forget_old(now);
        match self.states.get(&id) {
            Some(State::Committed(message)) => Some(*message),
            Some(State::Open(_)) | None => None,
        }
    }

    pub(super) fn begin(&mut self, id: TransactionId, now: Instant) -> Begun {
        self.forget_old(now);
        match self.states.get_mut(&id) {
            Some(State::Committed(message)) => Begun::Known(*message),
            Some(State::Open(waiters)) => {
                let (sender, receiver) = oneshot::channel();
                waiters.push(sender);
                Begun::Shared(receiver)
            }
            None => {
                self.states.insert(id, State::Open(Vec::new()));
                Begun::New
            }
        }
    }

    /// The end of what [`Begun::New`] began.
    pub(super) fn settle(&mut self, id: TransactionId, end: Result<QueueId, SpoolError>, now: Instant) {
        let waiters = match self.states.remove(&id) {
            Some(State::Open(waiters)) => waiters,
            Some(State::Committed(_)) | None => Vec::new(),
        };
        if let Ok(message) = end {
            self.remember(id, message, now);
        }
        for waiter in waiters {
            // Who went away in the meantime asks again, and finds it known.
            let _ = waiter.send(end);
        }
    }

    /// A committed transaction, at the time it was committed; call in the order of time.
    pub(super) fn remember(&mut self, id: TransactionId, message: QueueId, when: Instant) {
        if self.states.insert(id, State::Committed(message)).is_none() {
            self.committed.push_back((when, id));
        }
        self.forget_old(when);
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((when, id)) = self.committed.front() {
            if self.committed.len() <= self.most && now.saturating_duration_since(*when) < REMEMBERED {
                break;
            }
            self.states.remove(id);
            self.committed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_transaction_is_one_message() {
        let start = Instant::now();
        let [first, second] = [1, 2].map(TransactionId);
        let message = QueueId::new(7).unwrap();
        let mut table = Transactions::new(2);

        assert!(matches!(table.begin(first, start), Begun::New));
        assert_eq!(table.known(first, start), None, "not committed yet");
        let Begun::Shared(mut shared) = table.begin(first, start) else { panic!("two at a time are one") };
        table.settle(first, Ok(message), start);
        assert_eq!(shared.try_recv(), Ok(Ok(message)));
        assert_eq!(table.known(first, start + REMEMBERED - Duration::from_secs(1)), Some(message));

        assert!(matches!(table.begin(second, start), Begun::New));
        let Begun::Shared(mut shared) = table.begin(second, start) else { panic!("two at a time are one") };
        table.settle(second, Err(SpoolError::Full), start);
        assert_eq!(shared.try_recv(), Ok(Err(SpoolError::Full)));
        assert!(matches!(table.begin(second, start), Begun::New), "a failed one may come again");

        assert_eq!(table.known(first, start + REMEMBERED), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let now = Instant::now();
        let mut table = Transactions::new(2);
        for number in 1..=3 {
            table.remember(TransactionId(number), QueueId::new(number as u64).unwrap(), now);
        }
        let known = [1, 2, 3].map(|number| table.known(TransactionId(number), now).is_some());
        assert_eq!(known, [false, true, true]);
        assert_eq!((table.states.len(), table.committed.len()), (2, 2));
    }
}
