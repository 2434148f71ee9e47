//! The SLA scan: finds the clocks that reached an alert level, records it once and tells people.
//!
//! It costs what is due, not what is open, and is safe on several replicas at once: a visit that another one holds is left to
//! it, and what a batch finds is committed together or not at all.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    id::{SlaAlertId, StageVisitId, TicketId},
    notice, sla_alert,
    vocab::{AlertCause, AlertLevel, AlertOutcome, EventKind, Stage},
};

use crate::{
    domain::{
        actor::Actor,
        clock_change::ClockChange,
        event::{Event, EventData},
        notice::{Acknowledgement, NoticeFacts},
        process,
        ticket::Ticket,
        visit::Visit,
    },
    service::{
        Result, Service,
        alerting::Staff,
        clock_changes::{ClockWork, tell_clock},
        outbox::{About, alert_addressees},
    },
    store::{self, Transaction, tickets::TicketView},
};

/// Visits in one transaction: what the store writes by one statement, and few enough to hold locks only for a moment.
const BATCH: u64 = 500;

/// A level that was reached so recently is told even where a higher one was reached since: only after downtime is it old news.
/// Four scans of the default schedule.
const FRESH: TimeDelta = TimeDelta::minutes(1);

/// How long mail waits that a run of several batches makes, so that what one recipient gets from it comes together.
const GATHER: TimeDelta = TimeDelta::minutes(1);

const SNOOZED: &str = "waits until the snooze ends";

/// What one run of the scan did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Clocks that were due to be looked at.
    pub visits: usize,
    /// Alerts of which people were told.
    pub raised: usize,
    /// Alerts of which nobody could be told.
    pub without_recipients: usize,
    /// Lower levels that were found late, together with a higher one.
    pub superseded: usize,
    /// Notices put into the outbox.
    pub notices: usize,
}

/// What one batch reads.
struct Scene {
    tickets: HashMap<TicketId, TicketView>,
    staff: Staff,
    /// Who took charge of the clocks, where somebody did.
    acknowledged: HashMap<StageVisitId, Acknowledgement>,
    now: DateTime<Utc>,
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
            report.without_recipients += batch.without_recipients;
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
        let acknowledged = acknowledged(&tx, &visits).await?;
        let mut findings = Findings::default();
        let found = visits.len();
        let scene = Scene { tickets, staff, acknowledged, now };
        for visit in visits {
            self.look_at(visit, &scene, &mut findings)?;
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
            without_recipients: count(AlertOutcome::NoRecipients),
            superseded: count(AlertOutcome::Superseded),
            notices: findings.notices.len(),
        };
        store::alerts::insert_many(&tx, findings.alerts).await?;
        let events = findings.events.iter().map(|(ticket, event)| (*ticket, event));
        store::events::append_many(&tx, &Actor::System, now, events).await?;
        store::notices::enqueue(&tx, findings.notices).await?;
        self.commit(tx).await?;
        if report.without_recipients > 0 {
            let alerts = report.without_recipients;
            tracing::error!(alerts, "SLA alerts reached nobody: no team, manager or administrator is active");
        }
        Ok(report)
    }

    /// Records every level that the clock has reached; people hear of the highest, and of others that are fresh.
    fn look_at(
        &self,
        mut visit: Visit,
        Scene { tickets, staff, acknowledged, now }: &Scene,
        findings: &mut Findings,
    ) -> Result<()> {
        let now = *now;
        let acknowledged = acknowledged.get(&visit.id);
        let reached = visit.clock().crossed(visit.alerted_level, now);
        let ticket = tickets.get(&visit.ticket_id).map(|view| &view.ticket);
        let (Some(ticket), Some(highest)) = (ticket, reached.last().map(|(level, _)| *level)) else {
            visit.refresh(now);
            findings.visits.push(visit);
            return Ok(());
        };
        let mut events = Vec::new();
        for (level, reached_at) in reached {
            let Some(mut alert) = self.alert(&visit, (level, reached_at), highest, now) else { continue };
            if alert.outcome == AlertOutcome::Raised {
                findings.notices.extend(self.tell_staff((&visit, ticket), staff, acknowledged, &mut alert)?);
                events.push(raised(&alert));
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
        (visit, ticket): (&Visit, &Ticket),
        staff: &Staff,
        acknowledged: Option<&Acknowledgement>,
        alert: &mut sla_alert::Model,
    ) -> Result<Vec<notice::Model>> {
        let sla_alert::Model { stage, level, due_at, detected_at, .. } = *alert;
        let rule = visit.policy.terms.alerts.iter().find(|rule| rule.level == level);
        let to = rule.map(|rule| rule.to.clone()).unwrap_or_default();
        let assignee = ticket.assignee.as_ref().map(|person| person.id);
        let (people, in_place) = alert_addressees(&staff.people, &to, stage, assignee);
        let taken = acknowledged.map(|taken| {
            let by = taken.by.as_deref().unwrap_or("an integration");
            format!("{by} had acknowledged {}", taken.level)
        });
        if people.is_empty() {
            alert.outcome = AlertOutcome::NoRecipients;
        }
        let place = match in_place {
            Some(_) if people.is_empty() => Some("nobody is active who could be told".to_owned()),
            Some(place) => Some(format!("nobody whom the policy names is there: {place} told in their place")),
            None => None,
        };
        alert.detail = [place, taken].into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
        let acknowledged = acknowledged.cloned();
        let assignee = ticket.assignee.as_ref().map(|person| person.name.clone());
        let facts = match (level, visit.deadline_on) {
            (AlertLevel::Reminder | AlertLevel::Warning, _) => {
                NoticeFacts::SlaWarning { stage, level, due_at, assignee, acknowledged }
            }
            (AlertLevel::Breach, Some(date)) if stage == Stage::Fixing => {
                NoticeFacts::DeliveryOverdue { date, due_at, assignee, acknowledged }
            }
            (AlertLevel::Breach, _) => NoticeFacts::SlaBreach { stage, due_at, assignee, acknowledged },
            (AlertLevel::EscalationTwo | AlertLevel::EscalationThree, _) => {
                NoticeFacts::SlaEscalation { stage, level, due_at, assignee, acknowledged }
            }
        };
        let about = About { visit_id: Some(visit.id), alert_id: Some(alert.id), ..About::default() };
        let occasion = format!("{}:{}", visit.id, level.word());
        people
            .into_iter()
            .map(|person| {
                let notice = self.to_person(ticket, person, facts.clone(), about, &occasion, detected_at)?;
                let notice = staff.hold(notice, person, ticket, &visit.timeline, detected_at);
                Ok(snoozed(notice, visit.snoozed_until))
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

/// Who took charge of the highest acknowledged level of each visit.
async fn acknowledged(tx: &Transaction, visits: &[Visit]) -> Result<HashMap<StageVisitId, Acknowledgement>> {
    let ids: Vec<_> = visits.iter().filter(|visit| visit.acknowledged_at.is_some()).map(|visit| visit.id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let alerts = store::alerts::acknowledged(tx, &ids).await?;
    let people: Vec<_> = alerts.iter().filter_map(|alert| alert.acknowledged_by).collect();
    let people = store::directory::person_rows(tx, &people).await?;
    let taken = |alert: &sla_alert::Model| {
        let by = alert.acknowledged_by.and_then(|id| people.get(&id)).map(|person| person.name.clone());
        Some((alert.visit_id, Acknowledgement { level: alert.level, by, at: alert.acknowledged_at? }))
    };
    // The lowest comes first, so that the highest stays.
    Ok(alerts.iter().filter_map(taken).collect())
}

/// Lets mail wait until a snooze ends.
fn snoozed(notice: notice::Model, until: Option<DateTime<Utc>>) -> notice::Model {
    match until {
        Some(until) if until > notice.next_attempt_at => {
            notice::Model { next_attempt_at: until, detail: Some(SNOOZED.to_owned()), ..notice }
        }
        _ => notice,
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
