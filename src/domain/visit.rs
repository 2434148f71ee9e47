//! One stay of a ticket in one stage, and its clock.
//!
//! Pure. A [`Visit`] keeps the facts (entered, left, pauses, policy) and, beside them, what the scan and front ends read
//! (`due_at`, `next_alert_at`, …); [`Visit::refresh`] makes the second follow from the first. Example: asking the client pauses
//! the visit and clears `due_at`; the answer resumes it and sets a later one.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::{
    id::{CalendarId, ClockPauseId, StageVisitId, TicketId},
    vocab::{AlertLevel, PauseReason, SlaStatus, Stage},
};

use crate::domain::{
    calendar::WorkingCalendar,
    process::{self, StageSla},
    sla::{self, Budget, BudgetLength, Pause, VisitClock},
};

/// What a stage may take, and the calendar it is counted in.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The stage it is for.
    pub stage: Stage,
    /// The budget; none is an explicit none, and what Fixing has.
    pub budget: Option<BudgetLength>,
    /// Which calendar.
    pub calendar_id: CalendarId,
    /// The calendar itself.
    pub calendar: Arc<WorkingCalendar>,
}

/// One stay of a ticket in a stage.
#[derive(Clone, Debug)]
pub struct Visit {
    pub id: StageVisitId,
    pub ticket_id: TicketId,
    pub stage: Stage,
    pub entered_at: DateTime<Utc>,
    pub left_at: Option<DateTime<Utc>>,
    pub calendar_id: CalendarId,
    pub calendar: Arc<WorkingCalendar>,
    pub budget: Option<BudgetLength>,
    /// The day whose end is the deadline: Fixing's Estimated Delivery Date.
    pub deadline_on: Option<NaiveDate>,
    pub pauses: Vec<VisitPause>,
    pub due_at: Option<DateTime<Utc>>,
    /// The first due time; nothing moves it.
    pub original_due_at: Option<DateTime<Utc>>,
    pub warns_at: Option<DateTime<Utc>>,
    /// The due time that was missed; nothing undoes it.
    pub breached_at: Option<DateTime<Utc>>,
    /// Working time spent, frozen when the stage was left.
    pub elapsed: Option<TimeDelta>,
    pub next_alert_at: Option<DateTime<Utc>>,
    pub alerted_level: Option<AlertLevel>,
}

/// A pause of a visit's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitPause {
    pub id: ClockPauseId,
    pub reason: PauseReason,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// What a clock shows at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub status: SlaStatus,
    pub due_at: Option<DateTime<Utc>>,
    pub due_if_resumed_at: Option<DateTime<Utc>>,
    pub warns_at: Option<DateTime<Utc>>,
    pub breached_at: Option<DateTime<Utc>>,
    pub elapsed: TimeDelta,
    /// Working time to the due time; negative when it is over.
    pub remaining: Option<TimeDelta>,
}

impl Visit {
    /// Starts a visit under the stage's policy.
    pub fn enter(
        id: StageVisitId,
        ticket_id: TicketId,
        policy: &Policy,
        deadline_on: Option<NaiveDate>,
        now: DateTime<Utc>,
    ) -> Self {
        let has_deadline = process::stage(policy.stage).sla == StageSla::DeliveryDate;
        let mut visit = Self {
            id,
            ticket_id,
            stage: policy.stage,
            entered_at: now,
            left_at: None,
            calendar_id: policy.calendar_id,
            calendar: Arc::clone(&policy.calendar),
            budget: policy.budget,
            deadline_on: deadline_on.filter(|_| has_deadline),
            pauses: Vec::new(),
            due_at: None,
            original_due_at: None,
            warns_at: None,
            breached_at: None,
            elapsed: None,
            next_alert_at: None,
            alerted_level: None,
        };
        visit.refresh(now);
        visit
    }

    /// The clock that the facts make.
    pub fn clock(&self) -> VisitClock<'_> {
        let budget = match (self.deadline_on, self.budget) {
            (Some(date), _) => Budget::Until(self.calendar.end_of_day(date)),
            (None, Some(length)) => Budget::Working(length.in_calendar(&self.calendar)),
            (None, None) => Budget::None,
        };
        let pauses = self.pauses.iter().map(|pause| Pause { from: pause.started_at, until: pause.ended_at }).collect();
        VisitClock { calendar: &self.calendar, entered_at: self.entered_at, left_at: self.left_at, budget, pauses }
    }

    /// Computes again what follows from the facts. A breach stays, and so does the first due time.
    pub fn refresh(&mut self, now: DateTime<Utc>) {
        let clock = self.clock();
        let due_at = clock.due_at(now);
        let warns_at = clock.warns_at(now);
        let breached_at = clock.breached_at(now);
        let next_alert_at = clock.next_alert(self.alerted_level, now).map(|(_, at)| at);
        self.due_at = due_at;
        self.warns_at = warns_at;
        self.breached_at = self.breached_at.or(breached_at);
        self.next_alert_at = next_alert_at;
        self.original_due_at = self.original_due_at.or(due_at);
    }

    /// Stops the clock from counting.
    pub fn pause(&mut self, id: ClockPauseId, reason: PauseReason, now: DateTime<Utc>) {
        self.pauses.push(VisitPause { id, reason, started_at: now, ended_at: None });
        self.refresh(now);
    }

    /// Ends every pause that goes on; says whether there was one.
    pub fn resume(&mut self, now: DateTime<Utc>) -> bool {
        let mut was_paused = false;
        for pause in self.pauses.iter_mut().filter(|pause| pause.ended_at.is_none()) {
            pause.ended_at = Some(now);
            was_paused = true;
        }
        if was_paused {
            self.refresh(now);
        }
        was_paused
    }

    /// Ends the visit: first the pause, then the clock. What it used is frozen.
    pub fn leave(&mut self, now: DateTime<Utc>) {
        self.resume(now);
        self.left_at = Some(now);
        self.refresh(now);
        self.elapsed = Some(self.clock().elapsed(now));
    }

    /// Whether a return at `now` goes on with this visit, which was left.
    pub fn resumes_at(&self, now: DateTime<Utc>) -> bool {
        self.left_at.is_some_and(|left_at| sla::resumes(left_at, now, &self.calendar))
    }

    /// Goes on with a visit that was left a moment ago; the time in between is a pause.
    pub fn come_back(&mut self, id: ClockPauseId, deadline_on: Option<NaiveDate>, now: DateTime<Utc>) {
        if let Some(left_at) = self.left_at.take() {
            self.pauses.push(VisitPause { id, reason: PauseReason::Away, started_at: left_at, ended_at: Some(now) });
        }
        self.elapsed = None;
        if self.deadline_on.is_some() {
            self.deadline_on = deadline_on;
        }
        self.refresh(now);
    }

    /// Moves the deadline with the Estimated Delivery Date.
    pub fn set_deadline(&mut self, date: NaiveDate, now: DateTime<Utc>) {
        if self.deadline_on.is_some() {
            self.keep_breach(now);
            self.deadline_on = Some(date);
            self.refresh(now);
        }
    }

    /// Whether people heard of this clock, or it ran out: a new promise then needs a clock, and alerts, of its own.
    pub fn is_spent(&self, now: DateTime<Utc>) -> bool {
        self.alerted_level.is_some() || self.breached_at.is_some() || self.clock().breached_at(now).is_some()
    }

    /// Goes on under a changed policy or calendar; says whether anything that people see moved.
    pub fn follow(&mut self, policy: &Policy, now: DateTime<Utc>) -> bool {
        let before = self.due_at;
        self.keep_breach(now);
        self.budget = policy.budget;
        self.calendar_id = policy.calendar_id;
        self.calendar = Arc::clone(&policy.calendar);
        self.refresh(now);
        before != self.due_at
    }

    /// Writes down that the due time has passed, before another one takes its place: the scan may not have noticed yet.
    fn keep_breach(&mut self, now: DateTime<Utc>) {
        let passed = self.due_at.filter(|due_at| *due_at < now);
        self.breached_at = self.breached_at.or(passed);
    }

    /// What the clock shows at `now`. A visit that was left shows what was frozen.
    pub fn reading(&self, now: DateTime<Utc>) -> Reading {
        let clock = self.clock();
        let status = match (self.left_at, self.breached_at) {
            (Some(_), Some(_)) => SlaStatus::Missed,
            (Some(_), None) if self.due_at.is_some() => SlaStatus::Met,
            (Some(_), None) => SlaStatus::None,
            (None, Some(_)) => SlaStatus::Breached,
            (None, None) => clock.status(now),
        };
        let is_left = self.left_at.is_some();
        Reading {
            status,
            due_at: if is_left { self.due_at } else { clock.due_at(now) },
            due_if_resumed_at: clock.due_if_resumed_at(now),
            warns_at: self.warns_at,
            breached_at: self.breached_at.or_else(|| if is_left { None } else { clock.breached_at(now) }),
            elapsed: self.elapsed.unwrap_or_else(|| clock.elapsed(now)),
            remaining: if is_left { None } else { clock.remaining(now) },
        }
    }
}

#[cfg(test)]
mod tests;
