//! Running clocks follow what policies and calendars say now.
//!
//! A batch is a transaction: visits that lag behind are claimed, reckoned anew, and stored with the events that tell of it. It costs
//! what lags behind, and is safe on several replicas at once.

use chrono::{DateTime, Utc};
use entity::{id::TicketId, vocab::EventKind};

use crate::{
    domain::{
        actor::Actor,
        event::{Event, EventData},
        visit::{Rank, Visit},
    },
    service::{
        Result, Service,
        clock_changes::{ClockWork, Policies},
    },
    store::{self, Transaction},
};

/// Visits in one transaction.
const BATCH: usize = 500;

impl Service {
    /// Lets all running clocks follow, by itself.
    pub async fn follow_all_changes(&self) -> Result<usize> {
        self.follow_changes(&Actor::System, None).await
    }

    /// Lets running clocks follow, up to `most` of them, on behalf of whoever changed what they follow; answers how many did.
    pub async fn follow_changes(&self, actor: &Actor, most: Option<usize>) -> Result<usize> {
        let policies = self.policies(&self.db, self.clock.now()).await?;
        let overtaken = store::policies::overtaken(&self.db, policies.all()).await?;
        // Looked at before a transaction is begun: mostly nothing lags behind.
        let mut lags = store::visits::lags_behind(&self.db, &overtaken).await?;
        let mut followed = 0;
        while lags {
            let wanted = most.map_or(BATCH, |most| BATCH.min(most - followed));
            let batch = self.follow_batch(actor, wanted).await?;
            followed += batch;
            lags = batch == BATCH;
        }
        Ok(followed)
    }

    async fn follow_batch(&self, actor: &Actor, limit: usize) -> Result<usize> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let tx = self.begin().await?;
        let policies = self.policies(&tx, self.clock.now()).await?;
        let overtaken = store::policies::overtaken(&tx, policies.all()).await?;
        let visits = store::visits::claim_behind(&tx, &overtaken, limit).await?;
        let found = visits.len();
        let lagging = visits.into_iter().map(|visit| (visit.clone(), visit.rank)).collect();
        self.reckon(&tx, actor, lagging, &policies, self.clock.now()).await?;
        self.commit(tx).await?;
        Ok(found)
    }

    /// Lets visits, which are held, follow the policies of their stages at this rank.
    pub(super) async fn reckon(
        &self,
        tx: &Transaction,
        actor: &Actor,
        visits: Vec<(Visit, Rank)>,
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (mut reckoned, mut events): (Vec<Visit>, Vec<(TicketId, Event)>) = (Vec::new(), Vec::new());
        for (visit, rank) in visits {
            let (ticket, stage, due_at) = (visit.ticket_id, visit.stage, visit.due_at);
            let mut work = ClockWork::over(ticket, vec![visit]);
            work.follow(policies.of(stage)?, rank, now)?;
            let (visits, clock) = work.into_parts();
            if !clock.is_empty() {
                let is_moved = visits.iter().any(|visit| visit.due_at != due_at);
                let kind = if is_moved { EventKind::ClockRecomputed } else { EventKind::PolicyFollowed };
                let data = EventData { to_stage: Some(stage), clock, ..EventData::default() };
                events.push((ticket, Event { kind, data }));
                reckoned.extend(visits);
            }
        }
        store::visits::save_many(tx, &reckoned).await?;
        let events = events.iter().map(|(ticket, event)| (*ticket, event));
        Ok(store::events::append_many(tx, actor, now, events).await?)
    }
}
