//! Messages counted by what their recipients have in common: where the queue's weight lies.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reply_line;
use crate::queue::message::Message;
use crate::queue::select::{Selector, address_of_sender, domain_of, last_reply};
use crate::queue::walk::{Meant, Walk, way_of};
use crate::queue::{QueueHandle, Shared};

/// What messages are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupBy {
    /// A recipient's domain.
    Domain,
    /// The reverse-path.
    Sender,
    /// Where a recipient's mail goes by the maps of this moment.
    NextHop,
    /// What the last attempt at a recipient came to.
    Reply,
}

/// The ages at which messages are told apart, in minutes, as Postfix's qshape(1) does it.
pub const AGES: [u64; 9] = [5, 10, 20, 40, 80, 160, 320, 640, 1280];

/// Counts, the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// Messages in all: one with recipients in two groups counts once here.
    pub messages: u64,
    /// Recipients in all.
    pub recipients: u64,
    /// Groups in all.
    pub count: u64,
    /// The largest of them.
    pub groups: Vec<Group>,
}

/// Messages that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What that is.
    pub name: String,
    /// How many they are.
    pub messages: u64,
    /// How many of their recipients.
    pub recipients: u64,
    /// Messages younger than each of [`AGES`] and not than the one before; then the older ones.
    pub ages: [u64; AGES.len() + 1],
}

impl QueueHandle {
    /// Counts messages by what their recipients that are meant have in common: the largest `top` groups.
    ///
    /// # Errors
    /// With the word that is no queue id.
    pub async fn groups(&self, selector: Selector, by: GroupBy, top: usize) -> Result<Groups, String> {
        let mut walk = Walk::new(self, selector)?;
        let mut groups = Counting::default();
        while let Some(page) = walk.next(&self.0).await {
            for meant in page {
                groups.count(&self.0, &meant, by).await;
            }
        }
        Ok(groups.finish(top))
    }
}

#[derive(Debug, Default)]
struct Counting {
    messages: u64,
    recipients: u64,
    groups: HashMap<String, Group>,
}

impl Counting {
    async fn count(&mut self, shared: &Shared, meant: &Meant, by: GroupBy) {
        let message = &meant.message;
        let mut names: HashMap<String, u64> = HashMap::new();
        match by {
            GroupBy::Sender => drop(names.insert(address_of_sender(message), meant.recipients.len() as u64)),
            GroupBy::NextHop => {
                for (_, way) in shared.decide(message, &meant.recipients).await {
                    *names.entry(way_of(&way)).or_default() += 1;
                }
            }
            GroupBy::Domain | GroupBy::Reply => {
                for index in &meant.recipients {
                    *names.entry(name_of(message, *index, by)).or_default() += 1;
                }
            }
        }
        self.messages += 1;
        self.recipients += meant.recipients.len() as u64;
        let age = shared.now().wall.duration_since(message.arrival.wall).unwrap_or_default();
        let bucket = AGES.iter().filter(|minutes| age >= Duration::from_secs(**minutes * 60)).count();
        for (name, recipients) in names {
            let group = self.groups.entry(name).or_default();
            group.messages += 1;
            group.recipients += recipients;
            if let Some(count) = group.ages.get_mut(bucket) {
                *count += 1;
            }
        }
    }

    fn finish(self, top: usize) -> Groups {
        let named = self.groups.into_iter().map(|(name, group)| Group { name, ..group });
        let mut groups: Vec<Group> = named.collect();
        groups
            .sort_by(|one, other| other.messages.cmp(&one.messages).then_with(|| one.name.cmp(&other.name)));
        let count = groups.len() as u64;
        groups.truncate(top);
        Groups { messages: self.messages, recipients: self.recipients, count, groups }
    }
}

fn name_of(message: &Message, index: u32, by: GroupBy) -> String {
    if by == GroupBy::Domain {
        return message.envelope.recipients.get(index as usize).map(domain_of).unwrap_or_default();
    }
    let state = message.state();
    let reply = state.recipients.get(index as usize).and_then(last_reply);
    reply.map_or_else(|| "not tried yet".to_owned(), |(status, text)| reply_line(&status, text))
}
