//! SLA policies and working calendars.

use async_graphql::{Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{calendar, sla_policy, vocab::Stage};

use crate::{
    domain::{
        calendar::{CalendarDefinition, ClosedHours, ExtraWindow, Holiday, TimeOfDay, WeekWindow},
        facts::clean_text,
        refusal::{Code, Problem, Refusal},
    },
    graphql::{error::ApiError, scalar::Date},
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

    /// What the stage may take, in ISO 8601 days and time of the calendar, such as `P1D`. Null: none, or in Fixing the
    /// Estimated Delivery Date.
    async fn budget(&self) -> Option<&str> {
        self.policy.budget.as_deref()
    }

    /// The calendar that it is counted in.
    async fn calendar(&self) -> Calendar {
        Calendar(self.calendar.clone())
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
        let holidays = store::policies::definition(&self.0)?.holidays;
        Ok(holidays
            .into_iter()
            .map(|holiday| CalendarHoliday {
                on: Date(holiday.on),
                name: holiday.name,
                from: holiday.closed.map(|hours| hours.from.to_string()),
                to: holiday.closed.map(|hours| hours.to.to_string()),
            })
            .collect())
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

    /// Grows with every change; send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

const MINUTES_PER_HOUR: f64 = 60.0;
/// The name of a holiday is one line in a list.
const NAME_LIMIT: usize = 200;

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
        clean_text(text, NAME_LIMIT, false).unwrap_or_else(|(code, why)| {
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
