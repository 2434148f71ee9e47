//! The delivery dates that a client was told, and what became of each.
//!
//! Pure. A promise is made by what the client is told, not by what staff agree on among themselves. Example: a client who was told 12
//! June, then 19 June, and got the fix on 18 June has two promises: one replaced, seven days later, and one kept.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::{
    id::NoticeId,
    vocab::{PromiseOutcome, Stage},
};

use crate::domain::notice::NoticeFacts;

/// A delivery date that a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The day.
    pub date: NaiveDate,
    /// The day that was promised before.
    pub before: Option<NaiveDate>,
    /// When it was decided to tell it.
    pub made_at: DateTime<Utc>,
    /// When the first mail that tells it was taken over.
    pub told_at: Option<DateTime<Utc>>,
    /// What tells it.
    pub notices: Vec<NoticeId>,
    /// What became of it.
    pub outcome: PromiseOutcome,
}

/// A notice that may tell a delivery date.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The notice.
    pub notice: NoticeId,
    /// What it tells.
    pub facts: &'a NoticeFacts,
    /// When it was written.
    pub written_at: DateTime<Utc>,
    /// When it was taken over.
    pub sent_at: Option<DateTime<Utc>>,
}

/// How the ticket stands that the promises are about.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Its stage.
    pub stage: Stage,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// The zone in which a promised day ends.
    pub zone: Tz,
}

impl Promise {
    /// How many days later it is than the promise before it.
    pub fn slip(&self) -> Option<i64> {
        self.before.map(|before| (self.date - before).num_days())
    }
}

/// The promises that these notices, oldest first, make.
pub fn promises<'a>(
    told: impl IntoIterator<Item = Telling<'a>>,
    standing: Standing,
    now: DateTime<Utc>,
) -> Vec<Promise> {
    let mut promises: Vec<Promise> = Vec::new();
    for telling in told {
        let date = match telling.facts {
            NoticeFacts::DeliveryDateSet { date } => *date,
            NoticeFacts::DeliveryDateChanged { new, .. } => *new,
            _ => continue,
        };
        match promises.last_mut() {
            // The same change, told to another contact.
            Some(last) if last.made_at == telling.written_at && last.date == date => {
                last.notices.push(telling.notice);
                last.told_at = [last.told_at, telling.sent_at].into_iter().flatten().min();
            }
            last => {
                let before = last.map(|last| {
                    last.outcome = PromiseOutcome::Replaced;
                    last.date
                });
                promises.push(Promise {
                    date,
                    before,
                    made_at: telling.written_at,
                    told_at: telling.sent_at,
                    notices: vec![telling.notice],
                    outcome: standing.outcome_of(date, now),
                });
            }
        }
    }
    promises
}

impl Standing {
    /// What became of the last promise.
    fn outcome_of(&self, date: NaiveDate, now: DateTime<Utc>) -> PromiseOutcome {
        let is_in_time = |at: DateTime<Utc>| at.with_timezone(&self.zone).date_naive() <= date;
        match (self.stage, self.closed_at) {
            (Stage::ClosedResolved, Some(closed_at)) if is_in_time(closed_at) => PromiseOutcome::Kept,
            (Stage::ClosedResolved, _) => PromiseOutcome::Broken,
            (_, Some(_)) => PromiseOutcome::Withdrawn,
            _ if is_in_time(now) => PromiseOutcome::Open,
            _ => PromiseOutcome::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::samples::{at, day};

    fn told(facts: &NoticeFacts, number: u128, written_at: DateTime<Utc>) -> Telling<'_> {
        Telling { notice: NoticeId(Uuid::from_u128(number)), facts, written_at, sent_at: None }
    }

    fn outcomes(stage: Stage, closed_at: Option<&str>, now: &str) -> Vec<(NaiveDate, Option<i64>, PromiseOutcome)> {
        let set = NoticeFacts::DeliveryDateSet { date: day(12) };
        let changed = NoticeFacts::DeliveryDateChanged { old: day(12), new: day(19) };
        let told =
            [told(&set, 1, at("01 09:00")), told(&changed, 2, at("10 09:00")), told(&changed, 3, at("10 09:00"))];
        let standing = Standing { stage, closed_at: closed_at.map(at), zone: Tz::Europe__Berlin };
        let found = promises(told, standing, at(now));
        assert_eq!(found.last().map(|last| last.notices.len()), Some(2), "one change, told twice");
        found.iter().map(|promise| (promise.date, promise.slip(), promise.outcome)).collect()
    }

    #[test]
    fn a_later_promise_replaces_the_one_before_it_and_the_last_one_is_kept_or_broken() {
        let replaced = (day(12), None, PromiseOutcome::Replaced);
        for (stage, closed_at, now, outcome) in [
            (Stage::Fixing, None, "19 21:59", PromiseOutcome::Open),
            (Stage::Fixing, None, "19 23:00", PromiseOutcome::Broken),
            (Stage::ClosedResolved, Some("19 21:59"), "25 09:00", PromiseOutcome::Kept),
            (Stage::ClosedResolved, Some("19 23:00"), "25 09:00", PromiseOutcome::Broken),
            (Stage::ClosedUnresolved, Some("15 09:00"), "25 09:00", PromiseOutcome::Withdrawn),
        ] {
            assert_eq!(outcomes(stage, closed_at, now), [replaced, (day(19), Some(7), outcome)], "{stage}, {now}");
        }
    }
}
