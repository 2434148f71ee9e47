//! SLA policies and working calendars.

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    calendar, calendar_version, sla_policy, sla_policy_version,
    vocab::{AlertLevel, CompanyTier, PauseReason, Priority, Reentry, Stage, Team},
};

use crate::{
    domain::{
        calendar::{
            CalendarDefinition, ClosedHours, ExtraWindow, HOLIDAY_NAME_LIMIT, Holiday, TimeOfDay, WeekWindow,
            icalendar::{SkipReason, SkippedEvent},
        },
        facts::clean_text,
        policy::{BudgetRule, Recipients},
        refusal::{Code, Problem, Refusal},
        sla::{AlertPoint, AlertRule, BudgetLength},
    },
    graphql::{
        context::loaders,
        error::ApiError,
        id::parse_reference,
        loader::{CalendarVersionsOf, PolicyVersionsOf},
        scalar::Date,
    },
    store,
};

/// The SLA of a stage.
pub struct SlaPolicy {
    pub policy: sla_policy::Model,
    pub calendar: calendar::Model,
}

/// The SLA of a stage.
#[Object]
impl SlaPolicy {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.policy.id.to_string().into()
    }

    /// The stage.
    async fn stage(&self) -> Stage {
        self.policy.stage
    }

    /// What the stage may take where no other budget is more specific, in ISO 8601 days and time of the calendar, such as `P1D`.
    /// Null: none, or in Fixing the Estimated Delivery Date.
    async fn budget(&self) -> Option<&str> {
        self.policy.budget.as_deref()
    }

    /// The calendar that it is counted in.
    async fn calendar(&self) -> Calendar {
        Calendar(self.calendar.clone())
    }

    /// Its versions, the latest first. What they say never changes.
    async fn versions(&self, context: &Context<'_>) -> Result<Vec<SlaPolicyVersion>, ApiError> {
        let rows = loaders(context)?.load_one(PolicyVersionsOf(self.policy.id)).await?.unwrap_or_default();
        rows.into_iter().map(SlaPolicyVersion::read).collect()
    }

    /// Grows with every change; send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.policy.version
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.policy.updated_at
    }
}

/// What the SLA of a stage says, from an instant on.
#[derive(SimpleObject)]
pub struct SlaPolicyVersion {
    /// Counts from 1.
    version: i32,
    /// From when on clocks follow it, unless a later version is in effect.
    effective_at: DateTime<Utc>,
    /// When it was written.
    recorded_at: DateTime<Utc>,
    /// The budgets; the most specific one that matches a ticket holds.
    budgets: Vec<SlaBudget>,
    /// When people are told.
    alerts: Vec<SlaAlertRule>,
    /// Why staff may pause the clock.
    pause_reasons: Vec<PauseReason>,
    /// What a return to the stage does.
    reentry: Reentry,
}

impl SlaPolicyVersion {
    fn read(row: sla_policy_version::Model) -> Result<Self, ApiError> {
        let (effective_at, recorded_at) = (row.effective_at, row.recorded_at);
        let policy = store::policies::policy_version(row)?;
        Ok(Self {
            version: policy.version,
            effective_at,
            recorded_at,
            budgets: policy.terms.budgets.iter().map(SlaBudget::from).collect(),
            alerts: policy.terms.alerts.iter().map(SlaAlertRule::from).collect(),
            pause_reasons: policy.terms.pause_reasons.clone(),
            reentry: policy.terms.reentry,
        })
    }
}

/// The budget of the tickets of a priority, of the companies of a tier, or of both.
#[derive(Clone, Debug, SimpleObject, InputObject)]
#[graphql(input_name = "SlaBudgetInput")]
pub struct SlaBudget {
    /// Of this priority; null for any, and for none.
    priority: Option<Priority>,
    /// Of companies of this tier; null for any, and for none.
    tier: Option<CompanyTier>,
    /// In ISO 8601 days and time of the calendar, such as `P1D`; null for an explicit none.
    budget: Option<String>,
}

impl From<&BudgetRule> for SlaBudget {
    fn from(rule: &BudgetRule) -> Self {
        Self { priority: rule.priority, tier: rule.tier, budget: rule.budget.map(|budget| budget.to_string()) }
    }
}

impl SlaBudget {
    /// The rule, or what cannot be read.
    pub fn read(self) -> Result<BudgetRule, Refusal> {
        let budget: Result<Option<BudgetLength>, _> = self.budget.as_deref().map(str::parse).transpose();
        let budget = budget.map_err(|error| Problem::at(Code::Invalid, "budgets", error.to_string()))?;
        Ok(BudgetRule { priority: self.priority, tier: self.tier, budget })
    }
}

/// A level of alerts: when it is reached, and who hears of it. Without `percentUsed` and `overdueBy` it is reached at the due time.
#[derive(Clone, Debug, SimpleObject, InputObject)]
#[graphql(input_name = "SlaAlertRuleInput")]
pub struct SlaAlertRule {
    /// The level.
    level: AlertLevel,
    /// When so much of the budget is used, 1 to 99 %.
    percent_used: Option<i32>,
    /// When the due time passed so long ago, in ISO 8601 days and time of the calendar, such as `P1D`.
    overdue_by: Option<String>,
    /// The ticket's assignee hears of it.
    #[graphql(default)]
    assignee: bool,
    /// The team that owns the stage hears of it.
    #[graphql(default)]
    owner_team: bool,
    /// The managers of that team hear of it.
    #[graphql(default)]
    team_managers: bool,
    /// The managers of all teams hear of it.
    #[graphql(default)]
    all_managers: bool,
    /// The members of these teams hear of it.
    #[graphql(default)]
    teams: Vec<Team>,
    /// These people hear of it, by their ids.
    #[graphql(default)]
    people: Vec<ID>,
}

impl From<&AlertRule> for SlaAlertRule {
    fn from(rule: &AlertRule) -> Self {
        let (percent_used, overdue_by) = match rule.point {
            AlertPoint::BudgetUsed { percent } => (Some(i32::from(percent)), None),
            AlertPoint::DuePassed => (None, None),
            AlertPoint::Overdue { after } => (None, Some(after.to_string())),
        };
        let to = &rule.to;
        Self {
            level: rule.level,
            percent_used,
            overdue_by,
            assignee: to.assignee,
            owner_team: to.owner_team,
            team_managers: to.team_managers,
            all_managers: to.all_managers,
            teams: to.teams.clone(),
            people: to.people.iter().map(|id| id.to_string().into()).collect(),
        }
    }
}

impl SlaAlertRule {
    /// The rule, or what cannot be read.
    pub fn read(self) -> Result<AlertRule, Refusal> {
        let invalid = |message: String| Refusal::from(Problem::at(Code::Invalid, "alerts", message));
        let point = match (self.percent_used, self.overdue_by) {
            (None, None) => AlertPoint::DuePassed,
            (Some(percent), None) => {
                let percent = u8::try_from(percent).map_err(|_| invalid("percentUsed is 1 to 99".to_owned()))?;
                AlertPoint::BudgetUsed { percent }
            }
            (None, Some(after)) => {
                let after: Result<BudgetLength, _> = after.parse();
                AlertPoint::Overdue { after: after.map_err(|error| invalid(error.to_string()))? }
            }
            (Some(_), Some(_)) => return Err(invalid("give percentUsed or overdueBy, not both".to_owned())),
        };
        let to = Recipients {
            assignee: self.assignee,
            owner_team: self.owner_team,
            team_managers: self.team_managers,
            all_managers: self.all_managers,
            teams: self.teams,
            people: self.people.iter().map(parse_reference).collect(),
        };
        Ok(AlertRule { level: self.level, point, to })
    }
}

/// When people work.
pub struct Calendar(pub calendar::Model);

/// When people work.
#[Object]
impl Calendar {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its IANA zone.
    async fn time_zone(&self) -> Result<&'static str, ApiError> {
        Ok(store::policies::definition(&self.0)?.zone.name())
    }

    /// The hours that one day of a budget means.
    async fn hours_per_day(&self) -> Result<f64, ApiError> {
        Ok(f64::from(store::policies::definition(&self.0)?.minutes_per_day) / MINUTES_PER_HOUR)
    }

    /// The working hours of a week.
    async fn week(&self) -> Result<Vec<WorkingHours>, ApiError> {
        let week = store::policies::definition(&self.0)?.week;
        Ok(week
            .into_iter()
            .map(|hours| WorkingHours { day: hours.day.into(), from: hours.from.to_string(), to: hours.to.to_string() })
            .collect())
    }

    /// The days, or parts of days, on which nobody works.
    async fn holidays(&self) -> Result<Vec<CalendarHoliday>, ApiError> {
        Ok(store::policies::definition(&self.0)?.holidays.into_iter().map(Into::into).collect())
    }

    /// Hours that are worked outside the usual ones.
    async fn extra_hours(&self) -> Result<Vec<ExtraHours>, ApiError> {
        let extra = store::policies::definition(&self.0)?.extra;
        Ok(extra
            .into_iter()
            .map(|hours| ExtraHours {
                on: Date(hours.on),
                name: hours.name,
                from: hours.from.to_string(),
                to: hours.to.to_string(),
            })
            .collect())
    }

    /// Its versions, the latest first. What they say never changes.
    async fn versions(&self, context: &Context<'_>) -> Result<Vec<CalendarVersion>, ApiError> {
        let rows = loaders(context)?.load_one(CalendarVersionsOf(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(CalendarVersion::from).collect())
    }

    /// Grows with every change; send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// What a calendar says, from an instant on.
#[derive(SimpleObject)]
pub struct CalendarVersion {
    /// Counts from 1.
    version: i32,
    /// From when on it holds, unless a later version is in effect.
    effective_at: DateTime<Utc>,
    /// When it was written.
    recorded_at: DateTime<Utc>,
    /// Its hours, as JSON: zone, `minutes_per_day`, week, holidays, extra openings.
    definition: Json<serde_json::Value>,
}

impl From<calendar_version::Model> for CalendarVersion {
    fn from(row: calendar_version::Model) -> Self {
        let calendar_version::Model { version, effective_at, recorded_at, definition, .. } = row;
        Self { version, effective_at, recorded_at, definition: Json(definition) }
    }
}

const MINUTES_PER_HOUR: f64 = 60.0;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "chrono::Weekday")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// Working hours of a day of the week; a day may have several. An overnight shift is two, split at midnight.
#[derive(Clone, Debug, SimpleObject, InputObject)]
#[graphql(input_name = "WorkingHoursInput")]
pub struct WorkingHours {
    /// The day.
    day: Weekday,
    /// From, as `09:00`.
    from: String,
    /// Until, as `17:00`; `24:00` is the end of the day.
    to: String,
}

/// A day on which nobody works, or only outside some hours.
#[derive(Clone, Debug, SimpleObject, InputObject)]
#[graphql(input_name = "CalendarHolidayInput")]
pub struct CalendarHoliday {
    /// The day.
    on: Date,
    /// Its name.
    name: String,
    /// Closed from; null for the whole day.
    from: Option<String>,
    /// Closed until; null for the whole day.
    to: Option<String>,
}

impl From<Holiday> for CalendarHoliday {
    fn from(holiday: Holiday) -> Self {
        Self {
            on: Date(holiday.on),
            name: holiday.name,
            from: holiday.closed.map(|hours| hours.from.to_string()),
            to: holiday.closed.map(|hours| hours.to.to_string()),
        }
    }
}

/// An event of an iCalendar file that became no holiday.
#[derive(Clone, Debug, SimpleObject)]
pub struct SkippedHoliday {
    /// What the file calls it; blank if it does not.
    name: String,
    /// The day on which it is, or begins; null if the file does not say.
    on: Option<Date>,
    /// Why.
    reason: HolidaySkipReason,
}

/// Why an event of an iCalendar file became no holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "SkipReason")]
pub enum HolidaySkipReason {
    /// None of its days is in the years that were read.
    OutsideYears,
    /// It was cancelled.
    Cancelled,
    /// It has no date.
    NoDate,
    /// It begins, and has no end.
    NoLength,
    /// Another event of the file closes these hours already.
    SameTime,
}

impl From<SkippedEvent> for SkippedHoliday {
    fn from(event: SkippedEvent) -> Self {
        Self { name: event.name, on: event.on.map(Date), reason: event.why.into() }
    }
}

/// Hours that are worked outside the usual ones.
#[derive(Clone, Debug, SimpleObject, InputObject)]
#[graphql(input_name = "ExtraHoursInput")]
pub struct ExtraHours {
    /// The day.
    on: Date,
    /// Why.
    name: String,
    /// From, as `09:00`.
    from: String,
    /// Until, as `13:00`; `24:00` is the end of the day.
    to: String,
}

/// When people work.
#[derive(Clone, Debug, InputObject)]
pub struct CalendarDefinitionInput {
    /// The IANA zone, such as `Europe/Berlin`.
    time_zone: String,
    /// The hours that one day of a budget means, such as 8; 24 for round-the-clock calendars.
    hours_per_day: f64,
    /// The working hours of a week.
    week: Vec<WorkingHours>,
    /// The days, or parts of days, on which nobody works.
    #[graphql(default)]
    holidays: Vec<CalendarHoliday>,
    /// Hours that are worked outside the usual ones.
    #[graphql(default)]
    extra_hours: Vec<ExtraHours>,
}

impl CalendarDefinitionInput {
    /// The definition, or everything in it that cannot be read.
    pub fn read(self) -> Result<CalendarDefinition, Refusal> {
        let mut reader = Reader { problems: Vec::new() };
        let zone = self.time_zone.parse().unwrap_or_else(|_| {
            let message = "timeZone must be an IANA zone such as Europe/Berlin";
            reader.problems.push(Problem::at(Code::Invalid, "definition.timeZone", message));
            chrono_tz::Tz::UTC
        });
        let definition = CalendarDefinition {
            zone,
            minutes_per_day: reader.minutes(self.hours_per_day),
            week: self
                .week
                .iter()
                .map(|hours| WeekWindow {
                    day: hours.day.into(),
                    from: reader.time("week", &hours.from),
                    to: reader.time("week", &hours.to),
                })
                .collect(),
            holidays: self.holidays.into_iter().map(|holiday| reader.holiday(holiday)).collect(),
            extra: self
                .extra_hours
                .into_iter()
                .map(|hours| ExtraWindow {
                    on: hours.on.0,
                    from: reader.time("extraHours", &hours.from),
                    to: reader.time("extraHours", &hours.to),
                    name: reader.name("extraHours", &hours.name),
                })
                .collect(),
        };
        Refusal::unless_empty(reader.problems).map(|()| definition)
    }
}

struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn time(&mut self, field: &str, text: &str) -> TimeOfDay {
        text.parse().unwrap_or_else(|_| {
            let message = format!("{text} is not a time of day such as 09:00, up to 24:00");
            self.problems.push(Problem::at(Code::Invalid, format!("definition.{field}"), message));
            TimeOfDay::MIDNIGHT
        })
    }

    fn holiday(&mut self, holiday: CalendarHoliday) -> Holiday {
        let closed = match (&holiday.from, &holiday.to) {
            (Some(from), Some(to)) => {
                Some(ClosedHours { from: self.time("holidays", from), to: self.time("holidays", to) })
            }
            (None, None) => None,
            _ => {
                let message = format!("{}: give both from and to, or neither for the whole day", holiday.name);
                self.problems.push(Problem::at(Code::Invalid, "definition.holidays", message));
                None
            }
        };
        Holiday { on: holiday.on.0, name: self.name("holidays", &holiday.name), closed }
    }

    fn name(&mut self, field: &str, text: &str) -> String {
        clean_text(text, HOLIDAY_NAME_LIMIT, false).unwrap_or_else(|(code, why)| {
            self.problems.push(Problem::at(code, format!("definition.{field}"), format!("a name {why}")));
            String::new()
        })
    }

    fn minutes(&mut self, hours: f64) -> u32 {
        let minutes = (hours * MINUTES_PER_HOUR).round();
        if (1.0..=1440.0).contains(&minutes) {
            // In range, so nothing is lost.
            return minutes as u32;
        }
        let message = "hoursPerDay must be more than 0 and at most 24";
        self.problems.push(Problem::at(Code::Invalid, "definition.hoursPerDay", message));
        0
    }
}
