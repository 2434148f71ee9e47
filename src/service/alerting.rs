//! Mail to staff about clocks: when it may leave, and what becomes one digest.
//!
//! Such a mail is held until its recipient works, unless the ticket is Urgent. Then everything that waits for the same recipient
//! is looked at together: what is no longer true is cancelled, and more than a few alerts become one digest.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use entity::{
    id::{CalendarId, NoticeId, PersonId, SlaAlertId},
    notice, person, sla_alert,
    vocab::{AlertCause, NoticeState},
};
use sea_orm::ConnectionTrait;

use crate::{
    domain::{
        calendar::timeline::{CalendarVersions, Timeline},
        notice::{self as told, DigestedAlert, MOST_SINGLE_ALERTS, NoticeFacts},
        policy::Recipients,
        process,
        ticket::Ticket,
        visit::Visit,
    },
    service::{
        Result, Service,
        clock_changes::Policies,
        outbox::{About, addressees},
    },
    store::{self, StoreError, Transaction, directory::PersonWithTeams},
};

/// Notices that are let go in one transaction.
const MOST_AT_ONCE: u64 = 10_000;
/// A ticket goes round in circles from its second de-escalation on.
const LOOP_FROM: i32 = 2;
const WAITS: &str = "waits for the working hours of its recipient";

/// What became of notices that were held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Released {
    /// Told in a digest.
    pub digested: usize,
    /// No longer true.
    pub cancelled: usize,
}

/// Active staff, and the hours of those who have hours of their own.
pub(super) struct Staff {
    pub(super) people: Vec<PersonWithTeams>,
    calendars: HashMap<CalendarId, CalendarVersions>,
}

impl Staff {
    /// Lets a notice wait until its recipient works: in their own hours, or else in those of the team whose clock it is about.
    pub(super) fn hold(
        &self,
        notice: notice::Model,
        person: &person::Model,
        ticket: &Ticket,
        team_hours: &Timeline,
        now: DateTime<Utc>,
    ) -> notice::Model {
        let own = person.calendar_id.and_then(|id| self.calendars.get(&id)).map(|versions| versions.from(now));
        let leaves_at = told::leaves_at(ticket.facts.priority, own.as_ref().unwrap_or(team_hours), now);
        notice::Model {
            state: NoticeState::Held,
            next_attempt_at: leaves_at,
            detail: (leaves_at > now).then(|| WAITS.to_owned()),
            ..notice
        }
    }
}

impl Service {
    /// Active staff.
    pub(super) async fn staff(&self, db: &impl ConnectionTrait) -> Result<Staff> {
        let people = store::directory::active_people(db).await?;
        let own: Vec<_> = people.iter().filter_map(|row| row.person.calendar_id).collect();
        let calendars =
            if own.is_empty() { HashMap::new() } else { store::policies::calendar_versions(db, own).await? };
        Ok(Staff { people, calendars })
    }

    /// Tells the managers of both teams that a ticket goes round in circles.
    pub(super) async fn tell_loop(
        &self,
        tx: &Transaction,
        before: &Ticket,
        after: &Ticket,
        policies: &Policies,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let count = after.de_escalation_count;
        if count < LOOP_FROM || count == before.de_escalation_count {
            return Ok(());
        }
        let reasons = after.de_escalation_reasons.clone();
        let facts = NoticeFacts::DeEscalationLoop { from: before.stage, to: after.stage, count, reasons };
        let teams: Vec<_> =
            [before, after].into_iter().filter_map(|ticket| process::stage(ticket.stage).owner).collect();
        let staff = self.staff(tx).await?;
        let hours = policies.of(after.stage)?.calendar.from(now);
        let managers = staff.people.iter().filter(|row| row.manages.iter().any(|team| teams.contains(team)));
        let rows = managers.map(|row| {
            let occasion = format!("{}:{count}", after.id);
            let notice = self.to_person(after, &row.person, facts.clone(), About::default(), &occasion, now)?;
            Ok(staff.hold(notice, &row.person, after, &hours, now))
        });
        Ok(store::notices::enqueue(tx, rows.collect::<Result<_>>()?).await?)
    }

    /// Tells whoever has the ticket, or else the team of its stage, that a pause ended by itself.
    pub(super) async fn tell_woken(
        &self,
        tx: &Transaction,
        ticket: &Ticket,
        visit: &Visit,
        facts: &NoticeFacts,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let staff = self.staff(tx).await?;
        let assignee = ticket.assignee.as_ref().map(|person| person.id);
        let has_assignee = staff.people.iter().any(|row| Some(row.person.id) == assignee);
        let to = Recipients { assignee: has_assignee, owner_team: !has_assignee, ..Recipients::default() };
        let about = About { visit_id: Some(visit.id), ..About::default() };
        let occasion = format!("{}:{}", visit.id, now.timestamp_micros());
        let rows = addressees(&staff.people, &to, ticket.stage, assignee).into_iter().map(|person| {
            let notice = self.to_person(ticket, person, facts.clone(), about, &occasion, now)?;
            Ok(staff.hold(notice, person, ticket, &visit.timeline, now))
        });
        Ok(store::notices::enqueue(tx, rows.collect::<Result<_>>()?).await?)
    }

    /// Lets the notices go whose recipients work now: as they are, in a digest, or not at all.
    ///
    /// One transaction holds everything that waits: of two replicas the second finds what the first has left, so that nobody gets
    /// two digests.
    pub(super) async fn release_held(&self) -> Result<Released> {
        let mut released = Released::default();
        if !store::notices::is_any_held(&self.db, self.clock.now()).await? {
            return Ok(released);
        }
        let tx = self.begin().await?;
        let held = store::notices::lock_held(&tx, self.clock.now(), MOST_AT_ONCE).await?;
        let now = self.clock.now();
        let visits: Vec<_> = held.iter().filter_map(|row| row.visit_id).collect();
        let visits = store::notices::visit_states(&tx, &visits).await?;
        let (mut true_ones, mut unreadable) = (Vec::new(), Vec::new());
        let mut outlived = BTreeMap::<&str, Vec<NoticeId>>::new();
        for row in held {
            let visit = row.visit_id.and_then(|id| visits.get(&id));
            let content = store::notices::content(&row);
            match visit.zip(content.as_ref().ok()).and_then(|(visit, content)| content.facts.outlived_by(visit)) {
                Some(why) => outlived.entry(why).or_default().push(row.id),
                // One that cannot be read keeps no others from leaving: it is given up when its turn comes.
                None if content.is_err() => unreadable.push(row.id),
                None => true_ones.push(row),
            }
        }
        for (why, ids) in outlived {
            released.cancelled += ids.len();
            store::notices::cancel_held(&tx, &ids, why).await?;
        }
        let (alerts, mut single): (Vec<_>, Vec<_>) = true_ones.into_iter().partition(|row| row.alert_id.is_some());
        let mut by_recipient = BTreeMap::<Option<PersonId>, Vec<notice::Model>>::new();
        for row in alerts {
            by_recipient.entry(row.person_id).or_default().push(row);
        }
        for rows in by_recipient.into_values() {
            if rows.len() > MOST_SINGLE_ALERTS {
                released.digested += rows.len();
                self.digest(&tx, &rows, now).await?;
            } else {
                single.extend(rows);
            }
        }
        let single: Vec<_> = single.iter().map(|row| row.id).chain(unreadable).collect();
        store::notices::let_go(&tx, &single).await?;
        self.commit(tx).await?;
        Ok(released)
    }

    /// Lets go of waits that were decided by a clock that was set since: what waits for its next attempt is due, and what waits for
    /// working hours waits for those that come next.
    pub(super) async fn mend_waits(&self) -> Result<()> {
        if !store::outbox::is_any_misdated(&self.db, self.clock.now()).await? {
            return Ok(());
        }
        let tx = self.begin().await?;
        let now = self.clock.now();
        let mended = store::outbox::mend_waits(&tx, now).await?;
        let held = store::outbox::lock_misdated(&tx, now, MOST_AT_ONCE).await?;
        tracing::warn!(
            outbox.queued = mended,
            outbox.held = held.len(),
            "notices waited by a clock that was set since, and wait no longer"
        );
        let staff = self.staff(&tx).await?;
        let tickets: Vec<_> = held.iter().filter_map(|row| row.ticket_id).collect();
        let tickets = store::tickets::find_many(&tx, None, &tickets).await?;
        let visits: Vec<_> = held.iter().filter_map(|row| row.visit_id).collect();
        let visits: HashMap<_, _> =
            store::visits::by_id(&tx, &visits).await?.into_iter().map(|visit| (visit.id, visit)).collect();
        for row in held {
            let ticket = row.ticket_id.and_then(|id| tickets.get(&id)).map(|view| &view.ticket);
            let visit = row.visit_id.and_then(|id| visits.get(&id));
            let person = staff.people.iter().map(|row| &row.person).find(|person| Some(person.id) == row.person_id);
            let id = row.id;
            let (until, detail) = match (ticket, visit, person) {
                (Some(ticket), Some(visit), Some(person)) => {
                    let held = staff.hold(row, person, ticket, &visit.timeline, now);
                    (held.next_attempt_at, held.detail)
                }
                _ => (now, None),
            };
            store::outbox::hold_until(&tx, id, until, detail.as_deref(), now).await?;
        }
        self.commit(tx).await
    }

    /// Puts one digest in the place of alerts to one recipient. One whose alert cannot be read leaves by itself.
    async fn digest(&self, tx: &Transaction, rows: &[notice::Model], now: DateTime<Utc>) -> Result<()> {
        let alerts: Vec<_> = rows.iter().filter_map(|row| row.alert_id).collect();
        let alerts = store::alerts::by_id(tx, &alerts).await?;
        let (mut rows, mut lines, mut others) = (rows.iter().collect::<Vec<_>>(), Vec::new(), Vec::new());
        rows.retain(|row| match digested(row, &alerts) {
            Ok(line) => {
                lines.push(line);
                true
            }
            Err(_) => {
                others.push(row.id);
                false
            }
        });
        store::notices::let_go(tx, &others).await?;
        let Some(first) = rows.first().copied() else { return Ok(()) };
        let content = told::NoticeContent { ticket: None, facts: NoticeFacts::digest(lines) };
        let id = self.clock.new_id(NoticeId);
        let digest = notice::Model {
            id,
            ticket_id: None,
            visit_id: None,
            alert_id: None,
            kind: content.facts.kind(),
            content: serde_json::to_value(&content).map_err(|error| StoreError::corrupt("notice", error))?,
            dedupe_key: format!("{}:{}", content.facts.kind().word(), first.id),
            state: NoticeState::Queued,
            next_attempt_at: now,
            decided_at: None,
            detail: None,
            created_at: now,
            ..first.clone()
        };
        store::notices::enqueue(tx, vec![digest]).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        Ok(store::notices::tell_in(tx, &ids, id, &format!("told in a digest of {} alerts", rows.len())).await?)
    }
}

fn digested(row: &notice::Model, alerts: &HashMap<SlaAlertId, sla_alert::Model>) -> Result<DigestedAlert> {
    let content = store::notices::content(row)?;
    let acknowledged = content.facts.acknowledged().cloned();
    let ticket = content.ticket;
    let alert = row.alert_id.and_then(|id| alerts.get(&id));
    let (ticket, alert) = ticket
        .zip(alert)
        .ok_or_else(|| StoreError::corrupt("notice", "an alert without its ticket or its record".to_owned()))?;
    Ok(DigestedAlert {
        ticket,
        stage: alert.stage,
        level: alert.level,
        due_at: alert.due_at,
        cause: alert.cause.unwrap_or(AlertCause::Clock),
        acknowledged,
    })
}
