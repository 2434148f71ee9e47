//! What a mail to the client that was given up means for its ticket.
//!
//! It is told in the ticket's history, and to its owner team and the Project Manager. A question that did not reach the client
//! stops no clock: its pause is undone from its beginning. Where it reaches the client later, the clock pauses from then on.

use chrono::{DateTime, Utc};
use entity::{
    clarification,
    id::{ClarificationId, ClockPauseId, TicketId},
    notice,
    vocab::{EventKind, PauseReason, Team},
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::{
    domain::{
        actor::Actor,
        clock_change::ClockChange,
        event::{Event, EventData},
        notice::NoticeFacts,
        policy::Recipients,
        ticket::Ticket,
    },
    service::{
        Result, Service,
        clock_changes::{ClockWork, tell_clock},
        outbox::{About, addressees},
    },
    store::{self, Transaction, outbox::Settlement},
};

impl Service {
    /// Settles a claimed notice, with what follows from it; says whether the claim still held.
    pub(super) async fn settle(&self, notice: &notice::Model, lease: Uuid, settlement: Settlement) -> Result<bool> {
        let ends_untold = matches!(settlement, Settlement::Failed { .. } | Settlement::Cancelled { .. });
        let is_failure = matches!(settlement, Settlement::Failed { .. });
        let is_sent = settlement == Settlement::Sent;
        match (notice.ticket_id, notice.contact_id, notice.clarification_id) {
            (Some(ticket), Some(_), question) if is_failure || (ends_untold && question.is_some()) => {
                self.settle_untold(notice, ticket, lease, settlement).await
            }
            (Some(ticket), Some(_), Some(question)) if is_sent => {
                // First, whatever comes of the rest: a mail that left is not sent again.
                let now = self.clock.now();
                let held = store::outbox::settle(&self.db, notice.id, lease, now, settlement).await?;
                self.pause_since_delivery(ticket, question).await?;
                Ok(held)
            }
            _ => Ok(store::outbox::settle(&self.db, notice.id, lease, self.clock.now(), settlement).await?),
        }
    }

    /// Settles a mail that the client will not get.
    async fn settle_untold(
        &self,
        notice: &notice::Model,
        ticket: TicketId,
        lease: Uuid,
        settlement: Settlement,
    ) -> Result<bool> {
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, &Actor::System, ticket, None).await?;
        if !store::outbox::settle(&tx, notice.id, lease, now, settlement.clone()).await? {
            return Ok(false);
        }
        let (cause, is_failure) = match settlement {
            Settlement::Failed { detail } => (detail, true),
            Settlement::Cancelled { detail } => (detail, false),
            _ => return Ok(false),
        };
        let changes = match notice.clarification_id {
            Some(question) => self.void_question_pause(&tx, &ticket, question, now).await?,
            None => Vec::new(),
        };
        let clock_goes_on = !changes.is_empty();
        if is_failure || clock_goes_on {
            let data = EventData {
                to_stage: Some(ticket.stage),
                notice_kind: Some(notice.kind),
                pause_reason: clock_goes_on.then_some(PauseReason::WaitingClient),
                reason: Some(cause.clone()),
                ..EventData::default()
            };
            let mut events = [Event { kind: EventKind::ClientNotTold, data }];
            tell_clock(&mut events, changes);
            store::events::append(&tx, ticket.id, &Actor::System, now, &events).await?;
        }
        if is_failure {
            let contact = notice.to_name.clone();
            let facts = NoticeFacts::ClientNotTold { what: notice.kind, contact, cause, clock_goes_on };
            self.tell_owner_team(&tx, &ticket, notice, &facts, now).await?;
        }
        self.commit(tx).await?;
        Ok(true)
    }

    /// Undoes the pause that a question began which nobody has answered.
    async fn void_question_pause(
        &self,
        tx: &Transaction,
        ticket: &Ticket,
        question: ClarificationId,
        now: DateTime<Utc>,
    ) -> Result<Vec<ClockChange>> {
        let Some(asked) = unanswered(tx, question).await? else { return Ok(Vec::new()) };
        // Holds the running visit against the scan, and then reads those that were left, too.
        store::visits::lock_open_of(tx, ticket.id).await?;
        let visits = store::visits::all_of_many(tx, &[ticket.id]).await?;
        let found = visits.iter().find_map(|visit| Some((visit.id, visit.question_pause(asked.asked_at)?)));
        let Some((visit_id, pause_id)) = found.filter(|(_, pause)| !pause.is_void()).map(|(id, pause)| (id, pause.id))
        else {
            return Ok(Vec::new());
        };
        let mut work = ClockWork::over(ticket.id, visits);
        work.make(ClockChange::PauseVoided { visit_id, pause_id }, now)?;
        work.save(tx).await
    }

    /// Pauses the clock from now on, if it is a question that reaches the client only now, after its pause was undone.
    async fn pause_since_delivery(&self, ticket: TicketId, question: ClarificationId) -> Result<()> {
        let Some(asked) = unanswered(&self.db, question).await? else { return Ok(()) };
        let visits = store::visits::open_of_many(&self.db, &[ticket]).await?;
        let was_undone = |visit: &crate::domain::visit::Visit| {
            visit.question_pause(asked.asked_at).is_some_and(crate::domain::visit::VisitPause::is_void)
        };
        if !visits.get(&ticket).is_some_and(was_undone) {
            return Ok(());
        }
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, &Actor::System, ticket, None).await?;
        let mut work = self.running_clock(&tx, ticket.id).await?;
        if unanswered(&tx, question).await?.is_none() || !work.running().is_some_and(was_undone) {
            return Ok(());
        }
        let pause_id = self.clock.new_id(ClockPauseId);
        let reason = PauseReason::WaitingClient;
        work.make(ClockChange::Paused { pause_id, reason, resume_at: None }, now)?;
        let data = EventData {
            to_stage: Some(ticket.stage),
            pause_reason: Some(reason),
            reason: Some("the question has reached the client now".to_owned()),
            ..EventData::default()
        };
        let mut events = [Event { kind: EventKind::ClockPaused, data }];
        tell_clock(&mut events, work.save(&tx).await?);
        store::events::append(&tx, ticket.id, &Actor::System, now, &events).await?;
        self.commit(tx).await
    }

    /// Tells the team that has the ticket, and the Project Manager; where nobody is there, all managers, or else administrators.
    async fn tell_owner_team(
        &self,
        tx: &Transaction,
        ticket: &Ticket,
        notice: &notice::Model,
        facts: &NoticeFacts,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let people = store::directory::active_people(tx).await?;
        let of = |to: &Recipients| addressees(&people, to, ticket.stage, None);
        let team = Recipients { owner_team: true, teams: vec![Team::ProjectManager], ..Recipients::default() };
        let mut told = of(&team);
        if told.is_empty() {
            told = of(&Recipients { all_managers: true, ..Recipients::default() });
        }
        if told.is_empty() {
            told = people.iter().filter(|row| row.person.administrator).map(|row| &row.person).collect();
        }
        // Sent again and given up again, it is told again.
        let occasion = format!("{}:{}", notice.id, now.timestamp_micros());
        let rows = told
            .into_iter()
            .map(|person| self.to_person(ticket, person, facts.clone(), About::default(), &occasion, now));
        Ok(store::notices::enqueue(tx, rows.collect::<Result<_>>()?).await?)
    }
}

/// A question that nobody has answered yet.
async fn unanswered(db: &impl ConnectionTrait, id: ClarificationId) -> Result<Option<clarification::Model>> {
    let found = store::clarifications::by_id(db, None, &[id]).await?.pop();
    Ok(found.filter(|question| question.answered_at.is_none()))
}
