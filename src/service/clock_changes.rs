//! What a change of a ticket does to the clocks of its stages.
//!
//! A use case makes each change through `ClockWork`, which carries it out and keeps it for the event that tells of it: so the
//! history says everything from which the clocks can be made again.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    id::{ClockPauseId, StageVisitId, TicketId},
    vocab::Stage,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        calendar::WorkingCalendar,
        clock_change::{ClockChange, EraRef, Library, TicketClocks},
        event::Event,
        ticket::Ticket,
        visit::{Policy, Rank, Visit},
    },
    service::{Result, Service},
    store::{self, StoreError, Transaction},
};

/// The clocks of a ticket while they are being changed.
pub(super) struct ClockWork {
    clocks: TicketClocks,
    library: Library,
    changes: Vec<ClockChange>,
}

impl ClockWork {
    /// Over these visits of a ticket.
    pub(super) fn over(ticket_id: TicketId, visits: Vec<Visit>) -> Self {
        let mut library = Library::default();
        for visit in &visits {
            library.policies.insert(visit.policy.id, Arc::clone(&visit.policy));
            let versions = visit.timeline.eras().map(|era| (era.version.id, Arc::clone(&era.version)));
            library.calendars.extend(versions);
        }
        Self { clocks: TicketClocks { ticket_id, visits }, library, changes: Vec::new() }
    }

    /// The visit that has not been left.
    pub(super) fn running(&self) -> Option<&Visit> {
        self.clocks.running()
    }

    /// Carries a change out.
    pub(super) fn make(&mut self, change: ClockChange, now: DateTime<Utc>) -> Result<()> {
        self.clocks.apply(&change, &self.library, now).map_err(|error| StoreError::corrupt("clock", error))?;
        self.changes.push(change);
        Ok(())
    }

    /// Adds a visit that was left and may go on.
    fn recall(&mut self, visit: Visit) {
        let Self { clocks, library, .. } = Self::over(visit.ticket_id, vec![visit]);
        self.library.policies.extend(library.policies);
        self.library.calendars.extend(library.calendars);
        self.clocks.visits.extend(clocks.visits);
    }

    /// Starts a visit.
    pub(super) fn enter(
        &mut self,
        visit_id: StageVisitId,
        policy: &Policy,
        ticket: &Ticket,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.know(policy);
        let eras = policy.calendar.from(now).eras().map(EraRef::from).collect();
        let deadline_on = ticket.facts.estimated_delivery_date;
        let change =
            ClockChange::Entered { visit_id, policy: policy.version.id, rank: rank(ticket), deadline_on, eras };
        self.make(change, now)
    }

    /// Lets the running visit follow the policy that its stage has now, and the ticket's rank.
    pub(super) fn follow(&mut self, policy: &Policy, rank: Rank, now: DateTime<Utc>) -> Result<()> {
        let Some(visit) = self.running() else { return Ok(()) };
        let eras: Vec<_> = visit.eras_to_follow(policy, now).iter().map(EraRef::from).collect();
        if visit.policy.id == policy.version.id && visit.rank == rank && eras.is_empty() {
            return Ok(());
        }
        self.know(policy);
        self.make(ClockChange::Reckoned { policy: policy.version.id, rank, eras }, now)
    }

    /// Stores the clocks; answers the changes, for the event that tells of them.
    pub(super) async fn save(self, db: &impl ConnectionTrait) -> Result<Vec<ClockChange>> {
        if !self.changes.is_empty() {
            store::visits::save_many(db, &self.clocks.visits).await?;
        }
        Ok(self.changes)
    }

    /// What was changed, with the visits as they are now.
    pub(super) fn into_parts(self) -> (Vec<Visit>, Vec<ClockChange>) {
        (self.clocks.visits, self.changes)
    }

    fn know(&mut self, policy: &Policy) {
        self.library.policies.insert(policy.version.id, Arc::clone(&policy.version));
        self.library.calendars.extend(policy.calendar.iter().map(|version| (version.id, Arc::clone(version))));
    }
}

/// What the stages may take.
#[derive(Default)]
pub(super) struct Policies(HashMap<Stage, Policy>);

impl Policies {
    /// The policy of a stage; every open one has one from the first start on.
    pub(super) fn of(&self, stage: Stage) -> Result<&Policy> {
        let missing = || StoreError::Statement(DbErr::RecordNotFound(format!("the policy of {stage} is missing")));
        Ok(self.0.get(&stage).ok_or_else(missing)?)
    }

    /// Those of all stages.
    pub(super) fn all(&self) -> impl Iterator<Item = &Policy> {
        self.0.values()
    }

    /// What is asked about when a ticket is judged: the calendar of delivery dates is that of Fixing.
    pub(super) fn delivery_calendar(&self, now: DateTime<Utc>) -> Result<&WorkingCalendar> {
        Ok(&self.of(Stage::Fixing)?.calendar.at(now).calendar)
    }
}

/// What decides a ticket's budgets.
pub(super) const fn rank(ticket: &Ticket) -> Rank {
    Rank { priority: ticket.facts.priority, tier: ticket.company.tier }
}

/// The end of a visit, with whoever has the ticket.
fn left(ticket: &Ticket) -> ClockChange {
    ClockChange::Left { assignee: ticket.assignee.as_ref().map(|person| person.id) }
}

/// Lets the last of the events tell what happened to the clocks.
pub(super) fn tell_clock(events: &mut [Event], changes: Vec<ClockChange>) {
    if let Some(event) = events.last_mut() {
        event.data.clock.extend(changes);
    }
}

impl Service {
    /// The clock of the stage that a ticket is in, held.
    pub(super) async fn running_clock(&self, tx: &Transaction, ticket: TicketId) -> Result<ClockWork> {
        let visits = store::visits::lock_open_of(tx, ticket).await?.into_iter().collect();
        Ok(ClockWork::over(ticket, visits))
    }

    /// Starts the clock of the stage that a new ticket entered.
    pub(super) async fn start_clock(
        &self,
        tx: &Transaction,
        ticket: &Ticket,
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<Vec<ClockChange>> {
        let mut work = ClockWork::over(ticket.id, Vec::new());
        work.enter(self.clock.new_id(StageVisitId), policies.of(ticket.stage)?, ticket, now)?;
        work.save(tx).await
    }

    /// Leaves one stage's clock and starts the next one's, or lets it follow the ticket's rank and delivery date.
    pub(super) async fn move_clock(
        &self,
        tx: &Transaction,
        (before, after): (&Ticket, &Ticket),
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<Vec<ClockChange>> {
        let date = after.facts.estimated_delivery_date;
        let is_moved = before.stage != after.stage;
        let has_new_date = before.facts.estimated_delivery_date != date;
        if !is_moved && !has_new_date && rank(before) == rank(after) {
            return Ok(Vec::new());
        }
        let mut work = self.running_clock(tx, after.id).await?;
        if work.running().is_some() {
            work.follow(policies.of(before.stage)?, rank(if is_moved { before } else { after }), now)?;
            if is_moved {
                work.make(left(before), now)?;
            }
        }
        if is_moved {
            if after.is_open() {
                self.enter(tx, &mut work, (before, after), policies, now).await?;
            }
        } else if let (true, Some(date)) = (has_new_date, date) {
            self.move_deadline(&mut work, after, date, policies, now)?;
        }
        work.save(tx).await
    }

    /// A deadline of which people heard, or that passed, is left as it is: the new promise has a visit of its own.
    fn move_deadline(
        &self,
        work: &mut ClockWork,
        ticket: &Ticket,
        date: NaiveDate,
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Some(visit) = work.running().filter(|visit| visit.deadline_on.is_some()) else { return Ok(()) };
        if visit.is_spent(now) {
            work.make(left(ticket), now)?;
            return work.enter(self.clock.new_id(StageVisitId), policies.of(ticket.stage)?, ticket, now);
        }
        work.make(ClockChange::DeadlineMoved { deadline_on: date }, now)
    }

    /// A return within a moment goes on with the old visit, and any return where the policy says so; a reopening never does.
    async fn enter(
        &self,
        tx: &Transaction,
        work: &mut ClockWork,
        (before, after): (&Ticket, &Ticket),
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let policy = policies.of(after.stage)?;
        if before.is_open() {
            let date = after.facts.estimated_delivery_date;
            let latest = store::visits::latest_of(tx, after.id, after.stage).await?;
            if let Some(visit) = latest.filter(|visit| visit.resumes_at(date, now)) {
                let pause_id = self.clock.new_id(ClockPauseId);
                let change = ClockChange::CameBack { visit_id: visit.id, pause_id, deadline_on: date };
                work.recall(visit);
                work.make(change, now)?;
                // The policy may have changed while the ticket was away.
                return work.follow(policy, rank(after), now);
            }
        }
        work.enter(self.clock.new_id(StageVisitId), policy, after, now)
    }

    /// What the stages may take now.
    pub(super) async fn policies(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Policies> {
        Ok(Policies(store::policies::in_effect(db, now).await?))
    }
}
