//! What subscriptions pay for what they are told.
//!
//! Of what has happened there may be millions of events, which a client could have told as fast as the machine can; and of what
//! happens, each event could go to ten thousand subscriptions of one client. Each answer costs what its request did, from a bucket
//! that requests do not use. Once it is empty the subscription goes on as the bucket fills; nothing is left out.

use std::sync::Arc;

use super::{Gate, budget::Principal};

/// What an answer costs, and whom.
#[derive(Clone)]
pub struct Toll {
    gate: Arc<Gate>,
    principal: Principal,
    cost: u64,
}

impl Toll {
    /// The toll of a subscription that costs so much.
    pub fn new(gate: &Arc<Gate>, principal: Principal, cost: u64) -> Self {
        Self { gate: Arc::clone(gate), principal, cost }
    }

    /// Pays for an answer, and waits until it can be paid.
    pub async fn pay(&self) {
        while let Err(overdrawn) = self.gate.replays.charge(self.principal, self.cost) {
            tokio::time::sleep(overdrawn.retry_after).await;
        }
    }
}
