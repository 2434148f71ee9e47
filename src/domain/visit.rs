//! One stay of a ticket in one stage, and its clock.
//!
//! Pure. A [`Visit`] keeps the facts (entered, left, pauses, policy) and, beside them, what the scan and front ends read
//! (`due_at`, `next_alert_at`, …); [`Visit::refresh`] makes the second follow from the first. Example: asking the client pauses
//! the visit and clears `due_at`; the answer resumes it and sets a later one.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::{
    id::{ClockPauseId, PersonId, StageVisitId, TicketId},
    vocab::{AlertLevel, CompanyTier, PauseReason, Priority, Reentry, SlaStatus, Stage},
};
use serde::{Deserialize, Serialize};

use crate::domain::{
    calendar::timeline::{CalendarVersions, Era, Timeline},
    policy::PolicyVersion,
    process::{self, StageSla},
    sla::{self, Budget, BudgetLength, Pause, VisitClock},
};

/// What a stage may take now, and the versions of the calendar it is counted in.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The version of the stage's policy that is in effect.
    pub version: Arc<PolicyVersion>,
    /// Every version of its calendar, in order; never none.
    pub calendar: CalendarVersions,
}

/// What decides which budget a ticket has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// The ticket's priority.
    pub priority: Option<Priority>,
    /// The tier of its company.
    pub tier: Option<CompanyTier>,
}

/// One stay of a ticket in a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub id: StageVisitId,
    pub ticket_id: TicketId,
    pub stage: Stage,
    pub entered_at: DateTime<Utc>,
    pub left_at: Option<DateTime<Utc>>,
    /// The policy that it follows.
    pub policy: Arc<PolicyVersion>,
    /// What decided its budget.
    pub rank: Rank,
    /// The calendar versions that it went through.
    pub timeline: Timeline,
    pub budget: Option<BudgetLength>,
    /// The day whose end is the deadline: Fixing's Estimated Delivery Date.
    pub deadline_on: Option<NaiveDate>,
    /// The due time that a manager set by hand; no pause moves it.
    pub override_due_at: Option<DateTime<Utc>>,
    pub pauses: Vec<VisitPause>,
    pub due_at: Option<DateTime<Utc>>,
    /// The first due time; nothing moves it.
    pub original_due_at: Option<DateTime<Utc>>,
    pub warns_at: Option<DateTime<Utc>>,
    /// The due time that was missed; nothing undoes it.
    pub breached_at: Option<DateTime<Utc>>,
    /// Working time spent, frozen when the stage was left.
    pub elapsed: Option<TimeDelta>,
    /// Of the visit, the working time that pauses took, frozen when the stage was left; the time in other stages is no pause.
    pub paused: Option<TimeDelta>,
    /// Who had the ticket when it left the stage.
    pub assignee: Option<PersonId>,
    /// When it is late if nobody acts; none where nobody knows, and once it was left.
    pub late_at: Option<DateTime<Utc>>,
    pub next_alert_at: Option<DateTime<Utc>>,
    pub alerted_level: Option<AlertLevel>,
    /// Since when somebody has taken charge of an alert; the levels after it still follow.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Until when further levels wait, and the mail of those that do not.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// When a change of policy, calendar or due time last moved the clock.
    pub moved_at: Option<DateTime<Utc>>,
    /// What a manager said of its breach; the clock knows nothing of it.
    pub excuse: Option<Excuse>,
}

/// What a manager said of a breach. It stays a breach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excuse {
    pub at: DateTime<Utc>,
    /// None for an integration.
    pub by: Option<PersonId>,
    pub reason: String,
}

/// A pause of a visit's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitPause {
    pub id: ClockPauseId,
    pub reason: PauseReason,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    pub resume_at: Option<DateTime<Utc>>,
}

impl VisitPause {
    /// Returns true if it never was: the question that began it did not reach the client.
    pub fn is_void(&self) -> bool {
        self.ended_at == Some(self.started_at)
    }

    /// As the clock counts it: up to when it ended, or is to end.
    pub(in crate::domain) fn planned(&self) -> Pause {
        Pause { from: self.started_at, until: self.ended_at.or(self.resume_at) }
    }
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
    /// Starts a visit under a policy, counted in these calendar versions.
    pub fn enter(
        (id, ticket_id): (StageVisitId, TicketId),
        policy: Arc<PolicyVersion>,
        rank: Rank,
        timeline: Timeline,
        deadline_on: Option<NaiveDate>,
        now: DateTime<Utc>,
    ) -> Self {
        let stage = policy.stage;
        let has_deadline = process::stage(stage).sla == StageSla::DeliveryDate;
        let mut visit = Self {
            id,
            ticket_id,
            stage,
            entered_at: now,
            left_at: None,
            budget: policy.terms.budget(rank.priority, rank.tier),
            policy,
            rank,
            timeline,
            deadline_on: deadline_on.filter(|_| has_deadline),
            override_due_at: None,
            pauses: Vec::new(),
            due_at: None,
            original_due_at: None,
            warns_at: None,
            breached_at: None,
            elapsed: None,
            paused: None,
            assignee: None,
            late_at: None,
            next_alert_at: None,
            alerted_level: None,
            acknowledged_at: None,
            snoozed_until: None,
            moved_at: None,
            excuse: None,
        };
        visit.refresh(now);
        visit
    }

    /// The clock that the facts make.
    pub fn clock(&self) -> VisitClock<'_> {
        let budget = match (self.override_due_at, self.deadline_on, self.budget) {
            (Some(due_at), _, _) => Budget::Until(due_at),
            (None, Some(date), _) => Budget::Until(self.timeline.end_of_day(date)),
            (None, None, Some(length)) => Budget::Working(length.in_days_of(self.timeline.working_day())),
            (None, None, None) => Budget::None,
        };
        let pauses = self.pauses.iter().map(VisitPause::planned).collect();
        VisitClock {
            calendar: &self.timeline,
            alerts: &self.policy.terms.alerts,
            entered_at: self.entered_at,
            left_at: self.left_at,
            budget,
            pauses,
        }
    }

    /// Computes again what follows from the facts. A breach stays, and so does the first due time.
    pub fn refresh(&mut self, now: DateTime<Utc>) {
        let clock = self.clock();
        let due_at = clock.due_at(now);
        let warns_at = clock.warns_at(now);
        let breached_at = clock.breached_at(now);
        let next_alert_at = self.next_alert_at(&clock, now);
        let late_at = clock.late_at(now);
        self.due_at = due_at;
        self.warns_at = warns_at;
        self.breached_at = self.breached_at.or(breached_at);
        self.late_at = if self.left_at.is_some() { None } else { self.breached_at.or(late_at) };
        self.next_alert_at = next_alert_at;
        self.original_due_at = self.original_due_at.or(due_at);
    }

    /// When the scan is to look at the clock next. A snooze puts the next level off, but never the record of a breach.
    fn next_alert_at(&self, clock: &VisitClock<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (_, next) = clock.next_alert(self.alerted_level, now)?;
        let Some(until) = self.snoozed_until else { return Some(next) };
        let is_breach_ahead = self.alerted_level < Some(AlertLevel::Breach);
        let breach = if is_breach_ahead { clock.wakes_at(AlertLevel::Breach, now) } else { None };
        Some(next.max(breach.map_or(until, |breach| until.min(breach))))
    }

    /// Stops the clock from counting.
    pub fn pause(
        &mut self,
        id: ClockPauseId,
        reason: PauseReason,
        resume_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        self.pauses.push(VisitPause { id, reason, started_at: now, ended_at: None, resume_at });
        self.refresh(now);
    }

    /// The times in which the ticket was in other stages and came back: they are other visits' time.
    pub fn away(&self) -> impl Iterator<Item = TimeDelta> {
        let away = self.pauses.iter().filter(|pause| pause.reason == PauseReason::Away);
        away.filter_map(|pause| Some(pause.ended_at? - pause.started_at))
    }

    /// Whether a pause for this reason goes on.
    pub fn is_paused_for(&self, reason: PauseReason) -> bool {
        self.pauses.iter().any(|pause| pause.ended_at.is_none() && pause.reason == reason)
    }

    /// Ends the pauses for these reasons that go on; says whether there was one. Others may go on.
    pub fn resume(&mut self, ends: impl Fn(PauseReason) -> bool, now: DateTime<Utc>) -> bool {
        let mut was_paused = false;
        for pause in self.pauses.iter_mut().filter(|pause| pause.ended_at.is_none() && ends(pause.reason)) {
            pause.ended_at = Some(pause.resume_at.map_or(now, |at| at.min(now)));
            was_paused = true;
        }
        if was_paused {
            self.refresh(now);
        }
        was_paused
    }

    /// Lets a pause never have been: it ends where it began, and the clock counts as though it had gone on. Of a visit that was
    /// left, what it used is counted anew. A breach that the pause had put off is one, since its due time.
    pub fn void_pause(&mut self, id: ClockPauseId, now: DateTime<Utc>) {
        let before = self.due_at;
        let Some(pause) = self.pauses.iter_mut().find(|pause| pause.id == id) else { return };
        pause.ended_at = Some(pause.started_at);
        self.refresh(now);
        if self.left_at.is_some() {
            self.elapsed = Some(self.clock().elapsed(now));
            self.paused = Some(self.paused(now));
        } else if self.due_at != before {
            self.moved_at = Some(now);
        }
    }

    /// The pause that a question to the client began, asked at `asked_at`: one that counts, or one that was voided.
    pub fn question_pause(&self, asked_at: DateTime<Utc>) -> Option<&VisitPause> {
        let is_meant = |pause: &&VisitPause| pause.reason == PauseReason::WaitingClient && pause.started_at >= asked_at;
        self.pauses.iter().filter(is_meant).max_by_key(|pause| pause.started_at)
    }

    /// Ends the visit: first the pauses, then the clock. What it used is frozen.
    pub fn leave(&mut self, now: DateTime<Utc>) {
        self.resume(|_| true, now);
        self.left_at = Some(now);
        self.refresh(now);
        self.elapsed = Some(self.clock().elapsed(now));
        self.paused = Some(self.paused(now));
    }

    /// The working time that pauses took so far; the time in other stages is no pause.
    fn paused(&self, now: DateTime<Utc>) -> TimeDelta {
        let own = self.pauses.iter().filter(|pause| pause.reason != PauseReason::Away);
        let pauses = own.map(VisitPause::planned).collect();
        VisitClock { pauses, ..self.clock() }.paused(now)
    }

    /// Whether a return at `now` goes on with this visit, which was left. A spent clock does not take a new promise.
    pub fn resumes_at(&self, deadline_on: Option<NaiveDate>, now: DateTime<Utc>) -> bool {
        let is_new_promise = self.deadline_on.is_some() && self.deadline_on != deadline_on;
        if is_new_promise && self.is_spent(now) {
            return false;
        }
        let resumes = self.policy.terms.reentry == Reentry::Resume;
        self.left_at.is_some_and(|left_at| resumes || sla::resumes(left_at, now, &self.timeline))
    }

    /// Goes on with a visit that was left; the time in between is a pause.
    pub fn come_back(&mut self, id: ClockPauseId, deadline_on: Option<NaiveDate>, now: DateTime<Utc>) {
        if let Some(left_at) = self.left_at.take() {
            self.pauses.push(VisitPause {
                id,
                reason: PauseReason::Away,
                started_at: left_at,
                ended_at: Some(now),
                resume_at: None,
            });
        }
        self.elapsed = None;
        self.paused = None;
        self.assignee = None;
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

    /// Lets another due time hold than the one that the clock gives; none gives it back to the clock.
    pub fn override_due(&mut self, due_at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        self.keep_breach(now);
        self.override_due_at = due_at;
        self.moved_at = Some(now);
        self.refresh(now);
    }

    /// Goes on under another policy, rank or calendar; what was counted so far stays counted.
    pub fn reckon(&mut self, policy: Arc<PolicyVersion>, rank: Rank, eras: Vec<Era>, now: DateTime<Utc>) {
        self.keep_breach(now);
        let before = self.due_at;
        self.budget = policy.terms.budget(rank.priority, rank.tier);
        self.policy = policy;
        self.rank = rank;
        self.timeline.switch(eras);
        self.refresh(now);
        if self.due_at != before {
            self.moved_at = Some(now);
        }
    }

    /// The eras that this visit must switch to so as to follow a policy; none where it follows it already.
    ///
    /// Another calendar counts from `now` on; of the same calendar, a newer version counts from when it takes effect, even if
    /// that was before.
    pub fn eras_to_follow(&self, policy: &Policy, now: DateTime<Utc>) -> Vec<Era> {
        let latest = self.timeline.latest();
        let from = if latest.calendar_id == policy.version.terms.calendar_id {
            self.timeline.latest_calendar_since().max(self.entered_at)
        } else {
            now
        };
        let wanted = policy.calendar.from(from);
        let is_followed = self.timeline.eras().filter(|era| era.from >= from).eq(wanted.eras());
        if is_followed { Vec::new() } else { wanted.eras().cloned().collect() }
    }

    /// Notes that a level was reached.
    pub fn note_level(&mut self, level: AlertLevel, now: DateTime<Utc>) {
        self.alerted_level = self.alerted_level.max(Some(level));
        self.refresh(now);
    }

    /// Notes that somebody has taken charge of an alert. The levels after it still follow.
    pub fn acknowledge(&mut self, now: DateTime<Utc>) {
        self.acknowledged_at = self.acknowledged_at.or(Some(now));
        self.refresh(now);
    }

    /// Lets further levels wait, except the record of a breach.
    pub fn snooze(&mut self, until: DateTime<Utc>, now: DateTime<Utc>) {
        self.snoozed_until = Some(until);
        self.refresh(now);
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
