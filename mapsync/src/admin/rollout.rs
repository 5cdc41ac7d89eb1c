//! An admin signs a rollout: every step of it, the halt and the undoing, at once.

use std::time::Duration;

use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::rollout::{Host, Plan, canaries, draw};

use super::{Admin, AdminError, Reach, signed};
use crate::client::Newest;

impl Admin {
    /// The plan of the last rollout, over or not.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Signs the rollout of a generation for these hosts, and brings the plan to the hub, which begins it; in a hurry if
    /// it is `express`.
    ///
    /// # Errors
    /// When the keys are not enough, or the hub does not take it.
    pub async fn roll_out(
        &mut self,
        head: HeadRef,
        hosts: &[Host<'_>],
        lifetime: Duration,
        express: bool,
        keys: &[SecretKey],
    ) -> Result<&Plan, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let canaries = canaries(hosts.iter().copied(), head.generation)?;
        let reach = Reach { permille: 0, canaries, halted: false, undo: false, lifetime };
        let first = self.next_release(reach, head);
        let names: Vec<&str> = hosts.iter().map(|host| host.name).collect();
        let releases = draw(&first, &names);
        let releases = releases.iter().map(|release| signed(release, keys)).collect::<Result<_, _>>()?;
        let plan = Plan::new(releases, self.trusted.root())?.with_express(express);
        let octets = plan.to_json()?;
        // Before it leaves this machine, as with every number.
        self.memory.saw(None, plan.last());
        self.memory.keep()?;
        self.hub.push_message(Newest::Plan, octets).await?;
        Ok(self.plan.insert(plan))
    }
}
