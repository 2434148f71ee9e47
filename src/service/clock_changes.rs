//! What a change of a ticket does to the clocks of its stages.

use chrono::{DateTime, Utc};
use entity::{
    id::{ClockPauseId, StageVisitId},
    vocab::Stage,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use crate::{
    domain::{
        ticket::Ticket,
        visit::{Policy, Visit},
    },
    service::{Result, Service},
    store::{self, StoreError},
};

impl Service {
    /// Starts the clock of the stage that a ticket entered.
    pub(super) async fn start_clock(
        &self,
        tx: &DatabaseTransaction,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let policy = self.policy(tx, ticket.stage).await?;
        let id = self.clock.new_id(StageVisitId);
        let visit = Visit::enter(id, ticket.id, &policy, ticket.facts.estimated_delivery_date, now);
        Ok(store::visits::save(tx, &visit).await?)
    }

    /// Leaves one stage's clock and starts the next one's, or moves Fixing's deadline with the date.
    pub(super) async fn move_clock(
        &self,
        tx: &DatabaseTransaction,
        before: &Ticket,
        after: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let date = after.facts.estimated_delivery_date;
        let is_moved = before.stage != after.stage;
        if !is_moved && before.facts.estimated_delivery_date == date {
            return Ok(());
        }
        let current = store::visits::lock_open_of(tx, after.id).await?;
        if is_moved {
            if let Some(mut visit) = current {
                visit.leave(now);
                store::visits::save(tx, &visit).await?;
            }
            return if after.is_open() { self.enter(tx, before, after, now).await } else { Ok(()) };
        }
        let (Some(mut visit), Some(date)) = (current, date) else { return Ok(()) };
        if visit.deadline_on.is_some() && visit.is_spent(now) {
            visit.leave(now);
            store::visits::save(tx, &visit).await?;
            return self.start_clock(tx, after, now).await;
        }
        visit.set_deadline(date, now);
        Ok(store::visits::save(tx, &visit).await?)
    }

    /// A return within a moment goes on with the old visit; a reopening never does.
    async fn enter(&self, tx: &DatabaseTransaction, before: &Ticket, after: &Ticket, now: DateTime<Utc>) -> Result<()> {
        if before.is_open() {
            let latest = store::visits::latest_of(tx, after.id, after.stage).await?;
            if let Some(mut visit) = latest.filter(|visit| visit.resumes_at(now)) {
                visit.come_back(self.clock.new_id(ClockPauseId), after.facts.estimated_delivery_date, now);
                // The policy may have changed while the ticket was away.
                visit.follow(&self.policy(tx, after.stage).await?, now);
                return Ok(store::visits::save(tx, &visit).await?);
            }
        }
        self.start_clock(tx, after, now).await
    }

    /// The policy of a stage; every stage has one from the first start on.
    pub(super) async fn policy(&self, db: &impl ConnectionTrait, stage: Stage) -> Result<Policy> {
        let policy = store::policies::of_stage(db, stage).await?;
        let missing = || StoreError::Statement(DbErr::RecordNotFound(format!("the policy of {stage} is missing")));
        Ok(policy.ok_or_else(missing)?)
    }
}
