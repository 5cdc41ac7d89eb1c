//! The hubs of this host, by their place in the settings: connections to ask by, kept for the next question.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use switchyard_mapsync_protocol::Environment;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::client::{ClientError, Hub};

/// Every hub that is asked.
#[derive(Debug)]
pub struct Hubs {
    environment: Environment,
    tls: Arc<ClientConfig>,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    address: String,
    idle: Mutex<Vec<Hub>>,
    at_once: Semaphore,
}

/// A connection for one question; who got an answer to its end gives it back.
#[derive(Debug)]
pub struct Lent<'a> {
    /// What is asked.
    pub hub: Hub,
    place: &'a Place,
    _turn: Option<SemaphorePermit<'a>>,
}

impl Hubs {
    /// The hubs at these addresses; nothing is dialled yet.
    #[must_use]
    pub fn new(addresses: &[String], environment: Environment, tls: Arc<ClientConfig>) -> Self {
        let place = |address: &String| Place {
            address: address.clone(),
            idle: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
        };
        Self { environment, tls, places: addresses.iter().map(place).collect() }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The address of a hub.
    #[must_use]
    pub fn address(&self, place: usize) -> &str {
        self.places.get(place).map_or("of before", |place| &place.address)
    }

    /// A connection of one's own, for as long as one listens; none for a hub that is not asked.
    #[must_use]
    pub fn dial(&self, place: usize) -> Option<Hub> {
        self.places.get(place).map(|place| self.hub(place))
    }

    /// A connection for a question, in one's turn.
    ///
    /// # Errors
    /// When it is none of ours any more.
    pub async fn ask(&self, place: usize) -> Result<Lent<'_>, ClientError> {
        let gone = || ClientError {
            hub: "of before".into(),
            status: None,
            not_yet: false,
            why: "is not asked any more".into(),
        };
        let place = self.places.get(place).ok_or_else(gone)?;
        let turn = place.at_once.acquire().await.map_err(|_closed: AcquireError| gone())?;
        Ok(self.lent(place, Some(turn)))
    }

    /// A connection for what is short and must not wait for those who fetch; none for a hub that is not asked.
    #[must_use]
    pub fn ask_now(&self, place: usize) -> Option<Lent<'_>> {
        self.places.get(place).map(|place| self.lent(place, None))
    }

    fn lent<'a>(&self, place: &'a Place, turn: Option<SemaphorePermit<'a>>) -> Lent<'a> {
        let idle = place.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { hub: idle.unwrap_or_else(|| self.hub(place)), place, _turn: turn }
    }

    fn hub(&self, place: &Place) -> Hub {
        Hub::new(place.address.clone(), self.environment.clone(), Arc::clone(&self.tls))
    }
}

impl Lent<'_> {
    /// For the next question.
    pub fn give_back(self) {
        let mut idle = self.place.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < AT_ONCE {
            idle.push(self.hub);
        }
    }
}

/// Questions that one hub answers at once.
const AT_ONCE: usize = 4;
