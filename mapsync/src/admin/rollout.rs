//! An admin signs a rollout: every step of it, the halt and the undoing, at once.

use std::time::Duration;

use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::rollout::{Draft, Host, Plan, canaries, draw};

use super::bring::Message;
use super::{Admin, AdminError, Reach, Signing, signed};
use crate::client::Newest;

impl Admin {
    /// The plan of the last rollout, over or not.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Signs the rollout of a generation for these hosts, in a hurry if it is `express`; brings the plan to the hub, which
    /// begins it, if the root asks for no more signatures than these keys make.
    ///
    /// # Errors
    /// When none of the keys counts, or the hub does not take it.
    pub async fn roll_out(
        &mut self,
        head: HeadRef,
        hosts: &[Host<'_>],
        lifetime: Duration,
        express: bool,
        keys: &[SecretKey],
    ) -> Result<Signing, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let canaries = canaries(hosts.iter().copied(), head.generation)?;
        let reach = Reach { permille: 0, canaries, halted: false, undo: false, lifetime };
        let first = self.next_release(reach, head);
        let names: Vec<&str> = hosts.iter().map(|host| host.name).collect();
        let releases = draw(&first, &names);
        let releases = releases.iter().map(|release| signed(release, keys)).collect::<Result<_, _>>()?;
        let draft = Draft::new(releases, express, self.trusted.root())?;
        // Before it leaves this machine, as with every number.
        self.memory.saw(None, draft.plan().last());
        self.memory.keep()?;
        self.bring_or_wait(draft).await
    }

    /// Brings a rollout that is signed by enough; one that is not waits.
    pub(super) async fn bring_or_wait(&mut self, draft: Draft) -> Result<Signing, AdminError> {
        let (root, number) = (self.trusted.root(), draft.plan().last());
        if draft.signers(root) < self.signatures(true) {
            return Ok(Signing::Waits { sequence: draft.plan().first(), envelope: draft.to_json()? });
        }
        let plan = draft.into_plan(root)?;
        let octets = plan.to_json()?;
        self.bring_message(Message { what: Newest::Plan, number, after: 0, octets }).await?;
        self.plan = Some(plan);
        Ok(Signing::InForce(number))
    }
}
