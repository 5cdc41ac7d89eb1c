//! HELO and EHLO: may a client call itself that? What makes a name lawful the session has seen to.

use switchyard_daemon::session::Stage;
use switchyard_maps::access::standing::Asked;
use switchyard_smtp::reply::Reply;
use switchyard_smtp::server::Client;

use super::Policy;

impl Policy {
    pub(super) async fn decide_hello(&mut self, client: &Client) -> Result<(), Reply> {
        let maps = self.rules.shared.maps.snapshot();
        let mut standing = self.of_client.clone();
        let name = client.helo_name();
        let answer = Box::pin(maps.settled(|maps| maps.access_helo(name))).await;
        self.rule(&mut standing, Asked::Helo, answer, client, &name)?;
        self.of_hello = standing;
        let word = Box::pin(self.filters.hello(client)).await;
        self.filtered(Stage::Hello, client, word)
    }
}
