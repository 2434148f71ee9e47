//! What people do to clocks: pausing, going on, a due time by hand, excuses, and taking charge of alerts.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use entity::{
    id::{ClockPauseId, ContactId, SlaAlertId, StageVisitId, TicketId},
    sla_alert,
    vocab::{AuditAction, EventKind, PauseReason},
};
use serde_json::json;

use crate::{
    domain::{
        actor::{Action, Actor, may},
        clock_change::ClockChange,
        event::{Event, EventData},
        facts::{TEXT_LIMIT, clean_text},
        moves,
        notice::NoticeFacts,
        policy::is_for_staff,
        refusal::{Code, Problem},
        ticket::Ticket,
        visit::{Visit, VisitPause},
    },
    service::{
        Result, Service, ServiceError,
        audit::Change,
        clock_changes::{ClockWork, tell_clock},
        require_scope,
    },
    store::{self, Transaction},
};

/// A pause, a snooze or a due time by hand ends within this: what lies further ahead is forgotten.
const WITHIN: TimeDelta = TimeDelta::days(366);
/// Tickets woken in one run; those after them are woken by the next.
const WAKE_BATCH: u64 = 200;

/// A pause as staff make it.
#[derive(Clone, Debug)]
pub struct Pausing {
    /// Why.
    pub reason: PauseReason,
    /// What is waited for.
    pub note: String,
    /// When it ends by itself.
    pub resume_at: Option<DateTime<Utc>>,
}

/// What a change of a clock leaves behind: the event that tells of it, and what the audit log says.
struct Told {
    event: Event,
    action: AuditAction,
    what: serde_json::Value,
}

impl Service {
    /// Pauses the clock of a ticket's stage, for a reason that its policy allows.
    pub async fn pause_clock(
        &self,
        actor: &Actor,
        id: TicketId,
        Pausing { reason, note, resume_at }: Pausing,
        expected_version: Option<i32>,
    ) -> Result<Ticket> {
        let (tx, ticket, now) = self.open_ticket(actor, id, expected_version).await?;
        require_team(actor, &ticket, "only the stage's team or a manager pauses its clock")?;
        let note = words(&note, "note")?;
        let resume_at = resume_at.map(|at| ahead(at, "resumeAt", now)).transpose()?;
        let mut work = self.running_clock(&tx, id).await?;
        let visit = running(&work)?;
        if !visit.policy.terms.pause_reasons.contains(&reason) {
            let allowed: Vec<_> = visit.policy.terms.pause_reasons.iter().map(|reason| reason.word()).collect();
            let allowed =
                if allowed.is_empty() { "for no reason".to_owned() } else { format!("for {}", allowed.join(", ")) };
            let message = format!("the clock of {} can be paused {allowed}", visit.stage);
            return Err(Problem::at(Code::Invalid, "reason", message).into());
        }
        if visit.is_paused_for(reason) {
            let message = format!("the clock is paused for {} already; resume it first", reason.word());
            return Err(Problem::at(Code::Invalid, "reason", message).into());
        }
        let pause_id = self.clock.new_id(ClockPauseId);
        work.make(ClockChange::Paused { pause_id, reason, resume_at }, now)?;
        let what = json!({ "reason": reason, "note": note, "resumeAt": resume_at });
        let data =
            EventData { pause_reason: Some(reason), until: resume_at, reason: Some(note), ..EventData::default() };
        let told = Told { event: Event { kind: EventKind::ClockPaused, data }, action: AuditAction::ClockPause, what };
        self.store_clock(tx, actor, (ticket, now), work, told).await
    }

    /// Lets the clock of a ticket's stage go on. What the client was asked stays open: their answer ends that pause.
    pub async fn resume_clock(&self, actor: &Actor, id: TicketId, expected_version: Option<i32>) -> Result<Ticket> {
        let (tx, ticket, now) = self.open_ticket(actor, id, expected_version).await?;
        require_team(actor, &ticket, "only the stage's team or a manager resumes its clock")?;
        let mut work = self.running_clock(&tx, id).await?;
        let reasons = paused_for(running(&work)?, |pause| is_for_staff(pause.reason));
        if reasons.is_empty() {
            let message = "staff have not paused the clock; a question to the client is ended by its answer";
            return Err(Problem::of(Code::Invalid, message).into());
        }
        let what = json!({ "reasons": reasons });
        let event = resumed(&mut work, &reasons, now)?;
        self.store_clock(tx, actor, (ticket, now), work, Told { event, action: AuditAction::ClockResume, what }).await
    }

    /// Sets the due time of a ticket's stage by hand, or gives it back to the clock.
    pub async fn override_due_time(
        &self,
        actor: &Actor,
        id: TicketId,
        due_at: Option<DateTime<Utc>>,
        reason: &str,
        expected_version: Option<i32>,
    ) -> Result<Ticket> {
        let (tx, ticket, now) = self.open_ticket(actor, id, expected_version).await?;
        require_right(actor, Action::OverrideSla, "only a manager sets due times by hand")?;
        let reason = words(reason, "reason")?;
        let due_at = due_at.map(|at| ahead(at, "dueAt", now)).transpose()?;
        let mut work = self.running_clock(&tx, id).await?;
        let visit = running(&work)?;
        if visit.deadline_on.is_some() {
            let message =
                format!("the deadline of {} is a promised date; change it with setEstimatedDeliveryDate", visit.stage);
            return Err(Problem::of(Code::WrongStage, message).into());
        }
        let before = visit.due_at;
        work.make(ClockChange::DueOverridden { due_at }, now)?;
        let after = running(&work)?.due_at;
        let what = json!({ "before": before, "after": after, "reason": reason });
        let data = EventData { due_before: before, due_after: after, reason: Some(reason), ..EventData::default() };
        let event = Event { kind: EventKind::DueTimeOverridden, data };
        self.store_clock(tx, actor, (ticket, now), work, Told { event, action: AuditAction::ClockOverrideDue, what })
            .await
    }

    /// Excuses the breach of a visit. It stays a breach; reports show both.
    pub async fn excuse_breach(&self, actor: &Actor, id: StageVisitId, reason: &str) -> Result<Visit> {
        require_scope(actor, Action::OverrideSla)?;
        if !actor.is_internal() {
            return Err(ServiceError::NotFound("visit"));
        }
        let tx = self.begin().await?;
        let visit = store::visits::by_id(&tx, &[id]).await?.pop().ok_or(ServiceError::NotFound("visit"))?;
        let (_, now) = self.lock_ticket(&tx, actor, visit.ticket_id, None).await?;
        require_right(actor, Action::OverrideSla, "only a manager excuses a breach")?;
        let reason = words(reason, "reason")?;
        if visit.reading(now).breached_at.is_none() {
            return Err(Problem::of(Code::Invalid, "this visit is in time: there is nothing to excuse").into());
        }
        if !store::visits::excuse(&tx, id, actor.person_id(), &reason, now).await? {
            return Err(Problem::of(Code::AlreadyExists, "this breach is excused already").into());
        }
        let data = EventData { to_stage: Some(visit.stage), reason: Some(reason.clone()), ..EventData::default() };
        let event = Event { kind: EventKind::BreachExcused, data };
        store::events::append(&tx, visit.ticket_id, actor, now, &[event]).await?;
        self.audit(&tx, actor, now, Change::made(AuditAction::BreachExcuse, id, json!({ "reason": reason }))).await?;
        self.commit(tx).await?;
        Ok(visit)
    }

    /// Takes charge of an alert. Later levels of its visit still follow, and say who took it.
    pub async fn acknowledge_alert(&self, actor: &Actor, id: SlaAlertId, note: &str) -> Result<sla_alert::Model> {
        let (tx, (ticket, now), alert, mut work) = self.alert_to_handle(actor, id).await?;
        let note = words(note, "note")?;
        if alert.acknowledged_at.is_some() {
            return Err(Problem::of(Code::AlreadyExists, "somebody has acknowledged this alert already").into());
        }
        store::alerts::acknowledge(&tx, id, actor.person_id(), &note, now).await?;
        work.make(ClockChange::Acknowledged, now)?;
        let data = EventData {
            alert_id: Some(id),
            alert_level: Some(alert.level),
            reason: Some(note.clone()),
            ..EventData::default()
        };
        let event = Event { kind: EventKind::SlaAlertAcknowledged, data };
        self.store_handled(&tx, actor, &ticket, (work, event), now).await?;
        self.audit(&tx, actor, now, Change::made(AuditAction::AlertAcknowledge, id, json!({ "note": note }))).await?;
        self.commit(tx).await?;
        self.alerts_by_id(actor, &[id]).await?.remove(&id).ok_or(ServiceError::NotFound("alert"))
    }

    /// Puts off the levels that follow an alert until an instant, and the mail of a breach, which is recorded all the same.
    pub async fn snooze_alerts(
        &self,
        actor: &Actor,
        id: SlaAlertId,
        until: DateTime<Utc>,
        reason: &str,
    ) -> Result<sla_alert::Model> {
        let (tx, (ticket, now), alert, mut work) = self.alert_to_handle(actor, id).await?;
        let reason = words(reason, "reason")?;
        let until = ahead(until, "until", now)?;
        work.make(ClockChange::Snoozed { until }, now)?;
        let data = EventData {
            alert_id: Some(id),
            alert_level: Some(alert.level),
            until: Some(until),
            reason: Some(reason.clone()),
            ..EventData::default()
        };
        let event = Event { kind: EventKind::SlaAlertsSnoozed, data };
        self.store_handled(&tx, actor, &ticket, (work, event), now).await?;
        let what = json!({ "until": until, "reason": reason });
        self.audit(&tx, actor, now, Change::made(AuditAction::AlertSnooze, id, what)).await?;
        self.commit(tx).await?;
        Ok(alert)
    }

    /// Ends the pauses whose time has come; answers how many tickets were woken.
    pub async fn wake_clocks(&self) -> Result<usize> {
        let tickets = store::visits::tickets_to_wake(&self.db, self.clock.now(), WAKE_BATCH).await?;
        let mut woken = 0;
        for id in tickets {
            woken += usize::from(self.wake_clock(id).await?);
        }
        Ok(woken)
    }

    async fn wake_clock(&self, id: TicketId) -> Result<bool> {
        let actor = Actor::System;
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, &actor, id, None).await?;
        let mut work = self.running_clock(&tx, id).await?;
        let is_over = |pause: &VisitPause| pause.resume_at.is_some_and(|at| at <= now);
        let reasons = work.running().map(|visit| paused_for(visit, is_over)).unwrap_or_default();
        if reasons.is_empty() {
            // Another replica was faster, or the ticket moved on.
            return Ok(false);
        }
        let event = resumed(&mut work, &reasons, now)?;
        self.store_woken(&tx, &actor, &ticket, (work, event, reasons), now).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Lets the clocks go on that wait for the answers of a contact who left. The questions stay, for colleagues can still
    /// answer them; whoever has a ticket is told that nothing holds its clock any more.
    pub(super) async fn stop_waiting_for(&self, tx: &Transaction, actor: &Actor, contact: ContactId) -> Result<()> {
        for id in store::clarifications::tickets_waiting_for(tx, contact).await? {
            let (ticket, now) = self.lock_ticket(tx, &Actor::System, id, None).await?;
            let mut work = self.running_clock(tx, id).await?;
            let is_meant = |pause: &VisitPause| pause.reason == PauseReason::WaitingClient;
            let reasons = work.running().map(|visit| paused_for(visit, is_meant)).unwrap_or_default();
            if !reasons.is_empty() {
                let mut event = resumed(&mut work, &reasons, now)?;
                event.data.reason = Some("the contact who was asked has left".to_owned());
                self.store_woken(tx, actor, &ticket, (work, event, reasons), now).await?;
            }
        }
        Ok(())
    }

    /// Stores that pauses ended which nobody ended by hand, and tells whoever has the ticket.
    async fn store_woken(
        &self,
        tx: &Transaction,
        actor: &Actor,
        ticket: &Ticket,
        (work, event, reasons): (ClockWork, Event, Vec<PauseReason>),
        now: DateTime<Utc>,
    ) -> Result<()> {
        if let Some(visit) = work.running() {
            let facts = NoticeFacts::PauseEnded { stage: visit.stage, reasons, due_at: visit.due_at };
            self.tell_woken(tx, ticket, visit, &facts, now).await?;
        }
        self.store_handled(tx, actor, ticket, (work, event), now).await
    }

    /// An open ticket, held, for a change of its clock.
    async fn open_ticket(
        &self,
        actor: &Actor,
        id: TicketId,
        expected_version: Option<i32>,
    ) -> Result<(Transaction, Ticket, DateTime<Utc>)> {
        require_scope(actor, Action::ChangeFacts)?;
        let tx = self.begin().await?;
        let (ticket, now) = self.lock_ticket(&tx, actor, id, expected_version).await?;
        moves::open(&ticket)?;
        Ok((tx, ticket, now))
    }

    /// An alert of a running visit, whose ticket and clock are held.
    async fn alert_to_handle(
        &self,
        actor: &Actor,
        id: SlaAlertId,
    ) -> Result<(Transaction, (Ticket, DateTime<Utc>), sla_alert::Model, ClockWork)> {
        require_scope(actor, Action::ChangeFacts)?;
        if !actor.is_internal() {
            return Err(ServiceError::NotFound("alert"));
        }
        let tx = self.begin().await?;
        let alert = store::alerts::by_id(&tx, &[id]).await?.remove(&id).ok_or(ServiceError::NotFound("alert"))?;
        let (ticket, now) = self.lock_ticket(&tx, actor, alert.ticket_id, None).await?;
        require_team(actor, &ticket, "only the stage's team or a manager handles its alerts")?;
        let work = self.running_clock(&tx, alert.ticket_id).await?;
        if work.running().is_none_or(|visit| visit.id != alert.visit_id) {
            return Err(Problem::of(Code::WrongStage, "the ticket has left the stage that this alert is about").into());
        }
        Ok((tx, (ticket, now), alert, work))
    }

    /// Stores a change of a clock that is a change of its ticket, with its event and audit entry; and commits.
    async fn store_clock(
        &self,
        tx: Transaction,
        actor: &Actor,
        (mut ticket, now): (Ticket, DateTime<Utc>),
        work: ClockWork,
        Told { event, action, what }: Told,
    ) -> Result<Ticket> {
        ticket.updated_at = now;
        store::tickets::save(&tx, &mut ticket).await?;
        self.store_handled(&tx, actor, &ticket, (work, event), now).await?;
        self.audit(&tx, actor, now, Change::made(action, ticket.id, what)).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// Stores a change of a clock with its event.
    async fn store_handled(
        &self,
        tx: &Transaction,
        actor: &Actor,
        ticket: &Ticket,
        (work, mut event): (ClockWork, Event),
        now: DateTime<Utc>,
    ) -> Result<()> {
        event.data.to_stage = Some(ticket.stage);
        let mut events = [event];
        tell_clock(&mut events, work.save(tx).await?);
        Ok(store::events::append(tx, ticket.id, actor, now, &events).await?)
    }
}

fn running(work: &ClockWork) -> Result<&Visit> {
    Ok(work.running().ok_or_else(|| Problem::of(Code::WrongStage, "no clock runs for this ticket"))?)
}

/// The reasons of the pauses that go on and are meant, each once.
fn paused_for(visit: &Visit, is_meant: impl Fn(&VisitPause) -> bool) -> Vec<PauseReason> {
    let going_on = visit.pauses.iter().filter(|pause| pause.ended_at.is_none() && is_meant(pause));
    let mut reasons: Vec<_> = going_on.map(|pause| pause.reason).collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

fn resumed(work: &mut ClockWork, reasons: &[PauseReason], now: DateTime<Utc>) -> Result<Event> {
    for reason in reasons {
        work.make(ClockChange::Resumed { reason: *reason }, now)?;
    }
    let data = EventData { pause_reason: reasons.first().copied(), ..EventData::default() };
    Ok(Event { kind: EventKind::ClockResumed, data })
}

fn require_team(actor: &Actor, ticket: &Ticket, who: &str) -> Result<()> {
    require_right(actor, Action::HandleClock(ticket.stage), who)
}

/// Refuses what the actor's role does not allow, as something to mend: the ticket is theirs to see.
fn require_right(actor: &Actor, action: Action, who: &str) -> Result<()> {
    if may(actor, action) { Ok(()) } else { Err(Problem::of(Code::NotAllowed, who).into()) }
}

/// An instant that has not come, and comes within a year.
fn ahead(at: DateTime<Utc>, field: &'static str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if at > now && at <= now + WITHIN {
        return Ok(at.trunc_subsecs(6));
    }
    Err(Problem::at(Code::Invalid, field, format!("{field} must lie ahead, within a year")).into())
}

fn words(text: &str, field: &str) -> Result<String> {
    Ok(clean_text(text, TEXT_LIMIT, true)
        .map_err(|(code, why)| Problem::at(code, field, format!("the {field} {why}")))?)
}
