//! A client connects, or XCLIENT has told whom it stands for: is there room for it, and may it send?

use switchyard_daemon::session::Stage;
use switchyard_maps::access::standing::{Asked, Standing};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::Client;

use super::Policy;
use crate::accept::is_in;
use crate::metrics::Reason;

impl Policy {
    /// 421 where a cap is reached, what an access table says, or what is offered.
    pub(super) async fn decide_connect(&mut self, client: &Client) -> Result<Offer, Reply> {
        let rules = &self.rules;
        let address = client.address.ip();
        let may_xclient = *self.may_xclient.get_or_insert_with(|| is_in(&rules.xclient_networks, address));
        // A client whose address XCLIENT has changed leaves its old network first.
        self.place = None;
        self.place = rules.shared.networks.enter(address, rules.sessions_per_network);
        let refusal = if self.place.is_none() {
            Some((table::TOO_MANY_FROM_YOU, Reason::Network))
        } else if rules.shared.hand_over.load().is_full() {
            Some((table::TOO_BUSY, Reason::Busy))
        } else {
            None
        };
        if let Some((reply, reason)) = refusal {
            rules.shared.metrics.verdict(Stage::Connect, Some(reply.code), reason);
            tracing::info!(session = %self.id, client = %address, reason = reason.label(), %reply, "refused");
            return Err(reply);
        }
        let mut standing = Standing::default();
        let maps = rules.shared.maps.snapshot();
        let answer = Box::pin(maps.settled(|maps| maps.access_client(None, address))).await;
        self.rule(&mut standing, Asked::Client, answer, client, &address)?;
        let chosen = rules.filters.session(standing.milters().or(self.usual.as_deref()));
        std::mem::replace(&mut self.filters, chosen).close();
        (self.of_hello, self.of_client) = (standing.clone(), standing);
        let word = Box::pin(self.filters.connect(client)).await;
        self.filtered(Stage::Connect, client, word)?;
        let rules = &self.rules;
        rules.shared.metrics.verdict(Stage::Connect, None, Reason::None);
        Ok(Offer { xclient: may_xclient, ..rules.offer.clone() })
    }
}
