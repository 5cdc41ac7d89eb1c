//! The questions that are open in one environment: who still has to answer, and where answers go.
//!
//! A question lives as long as the one who asked listens, and at most as long as he would wait. Nothing of it is kept:
//! after a restart, or at another hub, it was never asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use switchyard_mapsync_protocol::question::{Answer, Asked, Question};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// Questions that are open at once.
const OPEN: usize = 8;

/// Questions of one minute: hosts have mail to do.
const A_MINUTE: usize = 120;

/// Answers that wait for the one who asked; a host that has one more waits.
const WAITING: usize = 64;

/// The questions of one environment.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    open: Mutex<Open>,
    /// The number of the newest one; 0 before the first.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Open {
    asked: BTreeMap<u64, Put>,
    /// When the last ones were asked.
    recent: VecDeque<Instant>,
}

/// A question that is open.
#[derive(Debug)]
struct Put {
    question: Question,
    ends: Instant,
    /// Who has answered.
    heard: BTreeSet<String>,
    answers: mpsc::Sender<Answer>,
}

/// A question as the one has it who asked.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) number: u64,
    /// Until when answers are taken.
    pub(crate) ends: Instant,
    pub(crate) answers: mpsc::Receiver<Answer>,
}

/// Why a question is not asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAsked {
    #[error("{OPEN} questions are open, and no more may be")]
    Open,
    #[error("{A_MINUTE} questions were asked within a minute, and no more may be")]
    Often,
}

/// There is no such question, or not for this host, or it is over.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody waits for this answer")]
pub(crate) struct Over;

impl Questions {
    /// Asks. Numbers rise over restarts too: they are not below `least`, which a clock gives.
    pub(crate) fn ask(&self, question: Question, least: u64) -> Result<Asking, NotAsked> {
        let (now, mut open) = (Instant::now(), self.lock());
        open.recent.retain(|asked| now.saturating_duration_since(*asked) < Duration::from_secs(60));
        // Who does not read what comes does not close his question either.
        open.asked.retain(|_, put| put.ends > now);
        if open.asked.len() >= OPEN {
            return Err(NotAsked::Open);
        }
        if open.recent.len() >= A_MINUTE {
            return Err(NotAsked::Often);
        }
        open.recent.push_back(now);
        let number = self.newest().saturating_add(1).max(least);
        let ends = now + Duration::from_secs(question.wait);
        let (to, answers) = mpsc::channel(WAITING);
        open.asked.insert(number, Put { question, ends, heard: BTreeSet::new(), answers: to });
        drop(open);
        self.newest.send_replace(number);
        Ok(Asking { number, ends, answers })
    }

    /// Nobody listens any more.
    pub(crate) fn close(&self, number: u64) {
        self.lock().asked.remove(&number);
    }

    /// The number of the newest question; 0 before the first.
    pub(crate) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// The number of the newest question, and every change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Waits until another question than this one is the newest.
    pub(crate) async fn after(&self, known: u64) {
        let mut newest = self.newest.subscribe();
        // The sender is our own.
        drop(newest.wait_for(|newest| *newest != known).await);
    }

    /// What a host has still to answer.
    pub(crate) fn of(&self, host: &str) -> Vec<Asked> {
        let (now, open) = (Instant::now(), self.lock());
        let is_waited_for = |put: &Put| put.ends > now && put.is_for(host) && !put.heard.contains(host);
        let asked = open.asked.iter().filter(|(_, put)| is_waited_for(put));
        asked.map(|(number, put)| Asked { number: *number, checks: put.question.checks.clone() }).collect()
    }

    /// Hands an answer on. The same once more changes nothing.
    pub(crate) async fn answer(&self, answer: Answer) -> Result<(), Over> {
        let (to, ends) = {
            let mut open = self.lock();
            let put = open.asked.get_mut(&answer.question).filter(|put| put.is_for(&answer.host));
            let put = put.filter(|put| put.question.checks.len() == answer.findings.len()).ok_or(Over)?;
            if !put.heard.insert(answer.host.clone()) {
                return Ok(());
            }
            (put.answers.clone(), put.ends)
        };
        match timeout_at(ends, to.send(answer)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Put {
    fn is_for(&self, host: &str) -> bool {
        self.question.hosts.is_empty() || self.question.hosts.iter().any(|named| named == host)
    }
}

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::question::{Check, Finding};

    use super::*;
    use crate::testing::live;

    fn question(hosts: &[&str]) -> Question {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        Question { checks: vec![Check::Version], hosts, wait: 5 }
    }

    fn answer(host: &str, question: u64) -> Answer {
        let findings = vec![Finding::fine("1")];
        Answer { environment: live(), host: host.to_owned(), role: "mx".to_owned(), question, findings }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_once_from_who_is_asked_while_it_is_open() {
        let questions = Questions::default();
        let mut asking = questions.ask(question(&["mx1"]), 1000).unwrap();
        assert_eq!((asking.number, questions.newest()), (1000, 1000));
        questions.after(0).await;
        assert!(questions.of("mx2").is_empty());
        assert_eq!(questions.of("mx1").len(), 1);
        assert_eq!(questions.answer(answer("mx2", 1000)).await, Err(Over));
        assert_eq!(questions.answer(answer("mx1", 999)).await, Err(Over));
        let none = Answer { findings: Vec::new(), ..answer("mx1", 1000) };
        assert_eq!(questions.answer(none).await, Err(Over), "one finding for each check");
        for _ in 0..2 {
            assert_eq!(questions.answer(answer("mx1", 1000)).await, Ok(()));
        }
        assert_eq!(asking.answers.recv().await, Some(answer("mx1", 1000)));
        assert!(asking.answers.try_recv().is_err() && questions.of("mx1").is_empty());
        questions.close(asking.number);
        assert_eq!(questions.answer(answer("mx1", 1000)).await, Err(Over));
        assert_eq!(questions.ask(question(&[]), 5).unwrap().number, 1001, "the clock went back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_his_answers_keeps_hosts_no_longer_than_he_would_wait() {
        let questions = Questions::default();
        let asking = questions.ask(question(&[]), 0).unwrap();
        for host in 0..WAITING {
            assert_eq!(questions.answer(answer(&format!("mx{host}"), asking.number)).await, Ok(()));
        }
        assert_eq!(questions.of("early").len(), 1);
        assert_eq!(questions.answer(answer("late", asking.number)).await, Err(Over));
        assert!(Instant::now() >= asking.ends);
        assert!(questions.of("early").is_empty(), "nobody waits for it");
        let more: Vec<_> = (0..OPEN).map(|_| questions.ask(question(&[]), 0)).collect();
        assert!(more.iter().all(Result::is_ok), "it is in nobody's way");
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_questions_at_once_and_in_a_minute() {
        let questions = Questions::default();
        let asking: Vec<_> = (0..OPEN).map(|_| questions.ask(question(&[]), 0).unwrap().number).collect();
        assert_eq!(questions.ask(question(&[]), 0).unwrap_err(), NotAsked::Open);
        asking.into_iter().for_each(|number| questions.close(number));
        for _ in OPEN..A_MINUTE {
            questions.close(questions.ask(question(&[]), 0).unwrap().number);
        }
        assert_eq!(questions.ask(question(&[]), 0).unwrap_err(), NotAsked::Often);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(questions.ask(question(&[]), 0).is_ok());
    }
}
