//! The SLA scan: finds the clocks that reached an alert level, records it once and tells people.
//!
//! It costs what is due, not what is open, and is safe on several replicas at once: a visit that another one holds is left to
//! it, and what a batch finds is committed together or not at all.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    id::{SlaAlertId, TicketId},
    notice, sla_alert,
    vocab::{AlertCause, AlertLevel, AlertOutcome, EventKind, Stage},
};

use crate::{
    domain::{
        actor::Actor,
        clock_change::ClockChange,
        event::{Event, EventData},
        notice::NoticeFacts,
        process,
        ticket::Ticket,
        visit::Visit,
    },
    service::{
        Result, Service,
        alerting::Staff,
        clock_changes::{ClockWork, tell_clock},
        outbox::{About, addressees},
    },
    store::{self, tickets::TicketView},
};

/// Visits in one transaction: what the store writes by one statement, and few enough to hold locks only for a moment.
const BATCH: u64 = 500;

/// A level that was reached so recently is told even where a higher one was reached since: only after downtime is it old news.
/// Four scans of the default schedule.
const FRESH: TimeDelta = TimeDelta::minutes(1);

/// How long mail waits that a run of several batches makes, so that what one recipient gets from it comes together.
const GATHER: TimeDelta = TimeDelta::minutes(1);

/// What one run of the scan did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Clocks that were due to be looked at.
    pub visits: usize,
    /// Alerts of which people were told.
    pub raised: usize,
    /// Lower levels that were found late, together with a higher one.
    pub superseded: usize,
    /// Notices put into the outbox.
    pub notices: usize,
}

/// What one batch writes.
#[derive(Default)]
struct Findings {
    visits: Vec<Visit>,
    alerts: Vec<sla_alert::Model>,
    events: Vec<(TicketId, Event)>,
    notices: Vec<notice::Model>,
}

impl Service {
    /// Looks at every clock that is due to be looked at.
    pub async fn sla_scan(&self) -> Result<ScanReport> {
        let mut report = ScanReport::default();
        loop {
            let batch = self.scan_batch(report.visits > 0).await?;
            report.visits += batch.visits;
            report.raised += batch.raised;
            report.superseded += batch.superseded;
            report.notices += batch.notices;
            if batch.visits < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(report);
            }
        }
    }

    async fn scan_batch(&self, is_continued: bool) -> Result<ScanReport> {
        let tx = self.begin().await?;
        let visits = store::visits::claim_due(&tx, self.clock.now(), BATCH).await?;
        let now = self.clock.now();
        if visits.is_empty() {
            return Ok(ScanReport::default());
        }
        let ids: Vec<_> = visits.iter().map(|visit| visit.ticket_id).collect();
        let tickets = store::tickets::find_many(&tx, None, &ids).await?;
        let staff = self.staff(&tx).await?;
        let mut findings = Findings::default();
        let found = visits.len();
        for visit in visits {
            self.look_at(visit, &tickets, &staff, now, &mut findings)?;
        }
        if is_continued || u64::try_from(found).is_ok_and(|found| found == BATCH) {
            for notice in &mut findings.notices {
                notice.next_attempt_at = notice.next_attempt_at.max(now + GATHER);
            }
        }
        store::visits::save_many(&tx, &findings.visits).await?;
        let count = |outcome| findings.alerts.iter().filter(|alert| alert.outcome == outcome).count();
        let report = ScanReport {
            visits: found,
            raised: count(AlertOutcome::Raised),
            superseded: count(AlertOutcome::Superseded),
            notices: findings.notices.len(),
        };
        store::alerts::insert_many(&tx, findings.alerts).await?;
        let events = findings.events.iter().map(|(ticket, event)| (*ticket, event));
        store::events::append_many(&tx, &Actor::System, now, events).await?;
        store::notices::enqueue(&tx, findings.notices).await?;
        self.commit(tx).await?;
        Ok(report)
    }

    /// Records every level that the clock has reached; people hear of the highest, and of others that are fresh.
    fn look_at(
        &self,
        mut visit: Visit,
        tickets: &HashMap<TicketId, TicketView>,
        staff: &Staff,
        now: DateTime<Utc>,
        findings: &mut Findings,
    ) -> Result<()> {
        let reached = visit.clock().crossed(visit.alerted_level, now);
        let ticket = tickets.get(&visit.ticket_id).map(|view| &view.ticket);
        let (Some(ticket), Some(highest)) = (ticket, reached.last().map(|(level, _)| *level)) else {
            visit.refresh(now);
            findings.visits.push(visit);
            return Ok(());
        };
        let mut events = Vec::new();
        for (level, reached_at) in reached {
            let Some(alert) = self.alert(&visit, (level, reached_at), highest, now) else { continue };
            if alert.outcome == AlertOutcome::Raised {
                events.push(raised(&alert));
                findings.notices.extend(self.tell_staff(&visit, ticket, staff, &alert)?);
            }
            findings.alerts.push(alert);
        }
        let mut work = ClockWork::over(visit.ticket_id, vec![visit]);
        work.make(ClockChange::LevelReached { level: highest }, now)?;
        let (visits, changes) = work.into_parts();
        tell_clock(&mut events, changes);
        findings.visits.extend(visits);
        findings.events.extend(events.into_iter().map(|event| (ticket.id, event)));
        Ok(())
    }

    /// The alert that a level is; none for a stage without an owner, which has no clock.
    fn alert(
        &self,
        visit: &Visit,
        (level, reached_at): (AlertLevel, DateTime<Utc>),
        highest: AlertLevel,
        now: DateTime<Utc>,
    ) -> Option<sla_alert::Model> {
        let is_told = level == highest || now - reached_at <= FRESH;
        let cause = match visit.moved_at {
            Some(moved_at) if reached_at <= moved_at => AlertCause::Change,
            _ if now - reached_at > FRESH => AlertCause::Downtime,
            _ => AlertCause::Clock,
        };
        let superseded = || match cause {
            AlertCause::Change => format!("a change moved it into the past, together with {highest}"),
            _ => format!("found {} after it was reached, together with {highest}", elapsed(now - reached_at)),
        };
        Some(sla_alert::Model {
            id: self.clock.new_id(SlaAlertId),
            visit_id: visit.id,
            ticket_id: visit.ticket_id,
            stage: visit.stage,
            team: process::stage(visit.stage).owner?,
            level,
            outcome: if is_told { AlertOutcome::Raised } else { AlertOutcome::Superseded },
            reached_at,
            detected_at: now,
            due_at: due(visit, now)?,
            cause: Some(cause),
            detail: (!is_told).then(superseded),
            acknowledged_at: None,
            acknowledged_by: None,
            acknowledgement: None,
        })
    }

    fn tell_staff(
        &self,
        visit: &Visit,
        ticket: &Ticket,
        staff: &Staff,
        alert: &sla_alert::Model,
    ) -> Result<Vec<notice::Model>> {
        let sla_alert::Model { stage, level, due_at, detected_at, .. } = *alert;
        let Some(rule) = visit.policy.terms.alerts.iter().find(|rule| rule.level == level) else {
            return Ok(Vec::new());
        };
        let assignee = ticket.assignee.as_ref().map(|person| person.name.clone());
        let facts = match (level, visit.deadline_on) {
            (AlertLevel::Reminder | AlertLevel::Warning, _) => NoticeFacts::SlaWarning { stage, due_at, assignee },
            (AlertLevel::Breach, Some(date)) if stage == Stage::Fixing => {
                NoticeFacts::DeliveryOverdue { date, due_at, assignee }
            }
            (AlertLevel::Breach, _) => NoticeFacts::SlaBreach { stage, due_at, assignee },
            (AlertLevel::EscalationTwo | AlertLevel::EscalationThree, _) => {
                NoticeFacts::SlaEscalation { stage, level, due_at, assignee }
            }
        };
        let about = About { visit_id: Some(visit.id), alert_id: Some(alert.id), ..About::default() };
        let occasion = format!("{}:{}", visit.id, level.word());
        addressees(&staff.people, &rule.to, stage, ticket.assignee.as_ref().map(|person| person.id))
            .into_iter()
            .map(|person| {
                let notice = self.to_person(ticket, person, facts.clone(), about, &occasion, detected_at)?;
                Ok(staff.hold(notice, person, ticket, &visit.timeline, detected_at))
            })
            .collect()
    }
}

/// A length of time as people read it, in its largest unit.
fn elapsed(time: TimeDelta) -> String {
    match (time.num_days(), time.num_hours(), time.num_minutes()) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, _) => format!("{hours} h"),
        (days, ..) => format!("{days} d"),
    }
}

/// The due time, also of a clock that is paused.
fn due(visit: &Visit, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let clock = visit.clock();
    clock.due_at(now).or_else(|| clock.due_if_resumed_at(now))
}

fn raised(alert: &sla_alert::Model) -> Event {
    let data = EventData {
        to_stage: Some(alert.stage),
        alert_id: Some(alert.id),
        alert_level: Some(alert.level),
        ..EventData::default()
    };
    Event { kind: EventKind::SlaAlertRaised, data }
}
