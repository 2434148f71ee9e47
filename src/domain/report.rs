//! What a report is asked for.
//!
//! Pure. The numbers themselves are computed where the rows are, in `crate::store::reports`; they are those that the clocks froze when the
//! stages were left. Example: `[STAGE, TIER]` over May gives one row of figures for each stage and tier of which a visit ended in May.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    id::{CompanyId, PersonId},
    vocab::{Category, CompanyTier, DeEscalationReason, Priority, ReportDimension, Stage, Team},
};

use crate::domain::{
    instant::{OUT_OF_RANGE, is_in_range},
    refusal::{Code, Problem},
};

/// A report covers at most ten years.
const LONGEST: TimeDelta = TimeDelta::days(3_660);
/// A forecast reaches at most a year ahead.
const FARTHEST: i32 = 366;

/// From when to when, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRequest {
    /// The first instant of it.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub to: DateTime<Utc>,
    /// What the visits are grouped by, each once.
    pub group_by: Vec<ReportDimension>,
}

impl ReportRequest {
    /// A request that was checked.
    ///
    /// # Errors
    /// If there is no time between the two instants, or more than ten years; or one of them is out of range.
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>, mut group_by: Vec<ReportDimension>) -> Result<Self, Problem> {
        for (field, at) in [("from", from), ("to", to)] {
            if !is_in_range(at) {
                return Err(Problem::at(Code::Invalid, field, OUT_OF_RANGE));
            }
        }
        if to <= from {
            return Err(Problem::at(Code::Invalid, "to", "to must come after from"));
        }
        if to - from > LONGEST {
            return Err(Problem::at(Code::Invalid, "to", "a report covers at most ten years; ask for less"));
        }
        group_by.sort();
        group_by.dedup();
        Ok(Self { from, to, group_by })
    }
}

/// How far ahead a forecast looks, from `now` on.
///
/// # Errors
/// If it is not 0 to 366 days.
pub fn forecast_until(days: i32, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    if (0..=FARTHEST).contains(&days) {
        Ok(now + TimeDelta::days(days.into()))
    } else {
        Err(Problem::at(Code::Invalid, "days", "days must be 0 to 366"))
    }
}

/// What a row of figures is about; a dimension that is not grouped by is absent, and so is one that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Group {
    pub stage: Option<Stage>,
    pub team: Option<Team>,
    /// With its name.
    pub company: Option<(CompanyId, String)>,
    pub tier: Option<CompanyTier>,
    pub priority: Option<Priority>,
    /// With their name.
    pub assignee: Option<(PersonId, String)>,
    pub category: Option<Category>,
}

/// The figures of some visits, all of which ended in the time of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many.
    pub visits: i64,
    /// Those that ended in time.
    pub met: i64,
    /// Those that ended late, excused or not.
    pub missed: i64,
    /// Those of the missed ones that a manager excused.
    pub excused: i64,
    /// Those in which pauses took working time.
    pub paused: i64,
    /// The working time that pauses took.
    pub paused_time: TimeDelta,
    /// The working time that the visits took, without pauses.
    pub working_time: TimeDelta,
    /// The working time of a visit, by nearest rank: half of them took no more.
    pub median: TimeDelta,
    /// Nine in ten of them took no more.
    pub p90: TimeDelta,
    /// Nineteen in twenty of them took no more.
    pub p95: TimeDelta,
}

impl Figures {
    /// Those that had no clock: neither met nor missed.
    pub const fn unclocked(&self) -> i64 {
        self.visits - self.met - self.missed
    }
}

/// What de-escalations cost: the working time of the visits that they ended, and of those that followed until the ticket was back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost<K> {
    /// Whose.
    pub key: K,
    /// How many.
    pub count: i64,
    /// The working time.
    pub time: TimeDelta,
}

/// Time lost to de-escalation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// By reason; one with two reasons counts for both.
    pub by_reason: Vec<Lost<DeEscalationReason>>,
    /// By who sent it back to whom.
    pub by_teams: Vec<Lost<(Team, Team)>>,
}

/// How delivery dates were kept by the tickets that were resolved in the time of the report and whose client was told one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// How many.
    pub promised: i64,
    /// Those delivered by the date that was told last.
    pub kept: i64,
    /// Those delivered by the date that was told first.
    pub kept_first: i64,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlaReport {
    /// Over all visits.
    pub total: Figures,
    /// For each group that has a visit, in the order of the dimensions.
    pub groups: Vec<(Group, Figures)>,
    /// Time lost to de-escalation.
    pub losses: Losses,
    /// Delivery dates.
    pub deliveries: Deliveries,
}
