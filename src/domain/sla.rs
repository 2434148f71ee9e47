//! The SLA clock of one stage visit: how much working time it has used, when it runs out, whom to wake when.
//!
//! Pure: imports chrono, the vocabulary and the working calendar; the current time is always an argument. Everything is
//! computed from facts (entered, left, pauses, budget), so that what is stored can be checked. Example: a visit of one
//! working day entered on Thursday 16:00 warns on Friday 14:00, is due on Friday 16:00, is late a moment after that,
//! and was late since Friday 16:00 even if somebody looks on Monday.
//!
//! One rule gives every instant of a working-time budget: the first one at which `elapsed` reaches some working time,
//! where `elapsed` is the working time of the visit minus the union of its pauses. A deadline is an instant by itself,
//! and pauses move neither it nor its alerts. Feed whole microseconds: that is what databases keep, and what comes out
//! again.

mod length;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use entity::vocab::{AlertLevel, SlaStatus};
use serde::{Deserialize, Serialize};

pub use self::length::{BudgetLength, BudgetLengthError};
use crate::domain::{
    calendar::{Interval, timeline::Timeline},
    policy::Recipients,
};

/// How much working time may pass between leaving a stage and coming back for the old visit to go on: enough to undo a
/// slip, too little to gain a fresh budget by.
pub const RESUME_WITHIN: TimeDelta = TimeDelta::minutes(15);

/// The first moment after an instant that a database tells apart from it. At its due time a visit is still in time.
const MOMENT: TimeDelta = TimeDelta::microseconds(1);

/// A level of a policy's alerts: when it is reached, and who hears of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// The level that is reached.
    pub level: AlertLevel,
    /// The point of the clock at which it is.
    pub point: AlertPoint,
    /// Who hears of it.
    pub to: Recipients,
}

/// A point of the clock at which people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlertPoint {
    /// This much of the budget is used; of a deadline, this much of the working time between entry and deadline.
    BudgetUsed {
        /// Of one hundred.
        percent: u8,
    },
    /// The due instant has passed.
    DuePassed,
    /// The due instant passed so much working time ago.
    Overdue {
        /// In days and time of the calendar.
        after: BudgetLength,
    },
}

impl AlertPoint {
    /// Whether a clock reaches this point first, in every calendar.
    pub fn is_before(self, other: Self) -> bool {
        match (self, other) {
            (Self::BudgetUsed { percent }, Self::BudgetUsed { percent: later }) => percent < later,
            (Self::Overdue { after }, Self::Overdue { after: later }) => after.is_shorter_than(later),
            (Self::BudgetUsed { .. }, _) | (Self::DuePassed, Self::Overdue { .. }) => true,
            (Self::DuePassed | Self::Overdue { .. }, _) => false,
        }
    }
}

/// What a visit may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// So much working time, not counting pauses.
    Working(TimeDelta),
    /// Up to this instant, whatever the pauses: a date that was promised.
    Until(DateTime<Utc>),
    /// As long as it takes.
    None,
}

/// A time in which the clock stands still. Pauses may overlap and come in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Up to when; `None` while nobody has ended it.
    pub until: Option<DateTime<Utc>>,
}

/// The clock of one stage visit: the facts, and everything that follows from them.
///
/// Each question takes `now`. Once the visit has been left, the answers no longer depend on it.
#[derive(Clone, Debug)]
pub struct VisitClock<'a> {
    /// Which working time counts.
    pub calendar: &'a Timeline,
    /// When people are told, in the order of the levels.
    pub alerts: &'a [AlertRule],
    /// When the ticket entered the stage.
    pub entered_at: DateTime<Utc>,
    /// When it left, if it has.
    pub left_at: Option<DateTime<Utc>>,
    /// What the visit may take.
    pub budget: Budget,
    /// When the clock stood still.
    pub pauses: Vec<Pause>,
}

impl VisitClock<'_> {
    /// The working time used: that of `[entered, left or now)`, minus the union of the pauses.
    pub fn elapsed(&self, now: DateTime<Utc>) -> TimeDelta {
        self.calendar.between(self.entered_at, self.stands_at(now)) - self.paused(now)
    }

    /// The working time of the union of the pauses so far.
    pub fn paused(&self, now: DateTime<Utc>) -> TimeDelta {
        self.pauses_up_to(now).iter().map(|pause| self.calendar.between(pause.start, pause.end)).sum()
    }

    /// When the visit has to be over: at this instant it is in time, a moment later it is late.
    ///
    /// `None` without a budget, and while a pause holds working time that is not used up: nobody knows when it goes on.
    pub fn due_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.settled(self.due_as_of(now)?, now)
    }

    /// When the visit is late if nobody acts: its due time, with every pause ending when it is to end.
    ///
    /// `None` without a budget, after leaving, and while a pause without an end holds working time that is not used up.
    pub fn late_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.left_at.is_some() {
            return None;
        }
        let ends: Option<Vec<_>> = self.pauses.iter().map(|pause| pause.until).collect();
        match ends {
            Some(ends) => self.due_as_of(ends.into_iter().fold(now, DateTime::max)),
            None => self.due_at(now),
        }
    }

    /// While paused, when the visit would have to be over if it went on at `now`.
    pub fn due_if_resumed_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.is_paused(now) { self.due_as_of(now) } else { None }
    }

    /// When the owner is warned, as [`Self::alert_at`] says.
    pub fn warns_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.alert_at(AlertLevel::Warning, now)
    }

    /// Since when the visit is late: its due instant, once it was missed. Later pauses do not undo it.
    pub fn breached_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.due_as_of(now).filter(|due| *due < self.stands_at(now))
    }

    /// The working time left until the visit is due; negative is working time overdue. Pauses count as neither.
    ///
    /// It is zero outside working hours after a due time at closing, although the visit is late by then.
    pub fn remaining(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        match self.budget {
            Budget::None => None,
            Budget::Working(budget) => budget.checked_sub(&self.elapsed(now)),
            Budget::Until(deadline) => {
                let at = self.stands_at(now);
                Some(self.calendar.between(at, deadline) - self.calendar.between(deadline, at))
            }
        }
    }

    /// Where the clock stands, in one word. A breach outweighs a pause, a pause outweighs a warning.
    pub fn status(&self, now: DateTime<Utc>) -> SlaStatus {
        let breached = self.breached_at(now).is_some();
        match (self.budget, self.left_at) {
            (Budget::None, _) => SlaStatus::None,
            (_, Some(_)) if breached => SlaStatus::Missed,
            (_, Some(_)) => SlaStatus::Met,
            (_, None) if breached => SlaStatus::Breached,
            (_, None) if self.is_paused(now) => SlaStatus::Paused,
            (_, None) if self.warns_at(now).is_some_and(|warns_at| warns_at <= now) => SlaStatus::Warning,
            (_, None) => SlaStatus::OnTrack,
        }
    }

    /// Whether the clock stands still at `now`. A visit that was left is over, not paused.
    pub fn is_paused(&self, now: DateTime<Utc>) -> bool {
        let holds = |pause: &Pause| pause.from <= now && pause.until.is_none_or(|until| now < until);
        self.left_at.is_none() && self.pauses.iter().any(holds)
    }

    /// The instant of an alert level; for [`AlertLevel::Breach`] it is the due instant.
    ///
    /// `None` without a budget, while a pause holds the clock short of it, and for the warning of a deadline that
    /// leaves no working time to warn in.
    pub fn alert_at(&self, level: AlertLevel, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let rule = self.alerts.iter().find(|rule| rule.level == level)?;
        let at = match self.budget {
            Budget::None => None,
            Budget::Working(budget) => {
                let working = match rule.point {
                    AlertPoint::BudgetUsed { percent } => share(budget, percent),
                    AlertPoint::DuePassed => budget,
                    AlertPoint::Overdue { after } => budget.checked_add(&self.length(after))?,
                };
                Some(self.reaches(working, now))
            }
            Budget::Until(deadline) => match rule.point {
                AlertPoint::BudgetUsed { percent } => self.warning_before(deadline, percent),
                AlertPoint::DuePassed => Some(deadline),
                AlertPoint::Overdue { after } => Some(self.calendar.add(deadline, self.length(after))),
            },
        };
        self.settled(at?, now)
    }

    /// The next level beyond `after`, and when to wake for it: what the scheduler stores and compares with `<= now`.
    ///
    /// At that instant [`Self::crossed`] has the level, and before it has nothing. For a breach it is a moment after
    /// the due instant. It may have passed already. `None` after leaving, without a budget, after the last level, and
    /// while a pause holds the clock short of the level; store it anew whenever a pause begins or ends.
    pub fn next_alert(&self, after: Option<AlertLevel>, now: DateTime<Utc>) -> Option<(AlertLevel, DateTime<Utc>)> {
        let (level, at) = self.alerts_beyond(after, now).next()?;
        Some((level, wakes_at(level, at)))
    }

    /// When to wake for a level: the first instant at which [`Self::crossed`] has it.
    pub fn wakes_at(&self, level: AlertLevel, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Some(wakes_at(level, self.alert_at(level, now)?))
    }

    /// All levels beyond `after` that have come by `now`, lowest first, each with its [`Self::alert_at`]. None after
    /// leaving.
    pub fn crossed(&self, after: Option<AlertLevel>, now: DateTime<Utc>) -> Vec<(AlertLevel, DateTime<Utc>)> {
        self.alerts_beyond(after, now).filter(|(level, at)| wakes_at(*level, *at) <= now).collect()
    }

    fn alerts_beyond(
        &self,
        after: Option<AlertLevel>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = (AlertLevel, DateTime<Utc>)> {
        let running = self.left_at.is_none();
        self.alerts
            .iter()
            .filter(move |rule| running && after.is_none_or(|after| rule.level > after))
            .filter_map(move |rule| Some((rule.level, self.alert_at(rule.level, now)?)))
    }

    /// Where the clock's hand is: at `now`, or where it stopped for good.
    pub(super) fn stands_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.left_at.unwrap_or(now)
    }

    /// The due instant, if a pause that still holds ended at `now`.
    fn due_as_of(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.budget {
            Budget::Working(budget) => Some(self.reaches(budget, now)),
            Budget::Until(deadline) => Some(deadline),
            Budget::None => None,
        }
    }

    /// An instant that was computed as of `now`, unless a pause keeps moving it.
    fn settled(&self, at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let moves = matches!(self.budget, Budget::Working(_)) && self.is_paused(now) && now < at;
        if moves { None } else { Some(at) }
    }

    /// The first instant at which `working` has elapsed, if a pause that still holds ended at `now`.
    fn reaches(&self, working: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut running_from = self.entered_at;
        let mut left = working;
        for pause in self.pauses_up_to(now) {
            let ran = self.calendar.between(running_from, pause.start);
            if left <= ran {
                break;
            }
            left -= ran;
            running_from = pause.end;
        }
        self.calendar.add(running_from, left)
    }

    /// The union of the pauses within the visit up to `now`: disjoint, increasing. What lies ahead has not happened.
    pub(super) fn pauses_up_to(&self, now: DateTime<Utc>) -> Vec<Interval> {
        let end = self.stands_at(now);
        let within_visit = |pause: &Pause| Interval {
            start: pause.from.max(self.entered_at),
            end: pause.until.map_or(end, |until| until.min(end)),
        };
        let mut pauses: Vec<_> = self.pauses.iter().map(within_visit).filter(|pause| !pause.is_empty()).collect();
        pauses.sort_by_key(|pause| pause.start);
        let mut union: Vec<Interval> = Vec::with_capacity(pauses.len());
        for next in pauses {
            match union.last_mut() {
                Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
                _ => union.push(next),
            }
        }
        union
    }

    fn warning_before(&self, deadline: DateTime<Utc>, percent: u8) -> Option<DateTime<Utc>> {
        let working = self.calendar.between(self.entered_at, deadline);
        if working.is_zero() { None } else { Some(self.calendar.add(self.entered_at, share(working, percent))) }
    }

    fn length(&self, length: BudgetLength) -> TimeDelta {
        length.in_days_of(self.calendar.working_day())
    }
}

/// Whether a ticket that comes back to a stage at `now` goes on with the visit it left at `previous_left_at`.
pub fn resumes(previous_left_at: DateTime<Utc>, now: DateTime<Utc>, calendar: &Timeline) -> bool {
    calendar.between(previous_left_at, now) <= RESUME_WITHIN
}

/// When an alert has come: at its instant, but a breach only after it.
fn wakes_at(level: AlertLevel, at: DateTime<Utc>) -> DateTime<Utc> {
    match level {
        AlertLevel::Breach => at.checked_add_signed(MOMENT).unwrap_or(at),
        AlertLevel::Reminder | AlertLevel::Warning | AlertLevel::EscalationTwo | AlertLevel::EscalationThree => at,
    }
}

/// `percent` of a working time, in whole microseconds: a finer instant would come after the one that databases keep.
fn share(working: TimeDelta, percent: u8) -> TimeDelta {
    let microseconds = working.num_microseconds().unwrap_or(i64::MAX);
    TimeDelta::microseconds(microseconds.saturating_mul(i64::from(percent)) / 100)
}
