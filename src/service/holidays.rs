//! Public holidays from an iCalendar file, added to a calendar.
//!
//! What is added is an edit of the calendar like any other: [`Service::update_calendar`] makes the version, and the clocks follow.

use chrono::{DateTime, Utc};
use entity::{calendar, id::CalendarId};

use crate::{
    domain::{
        actor::{Action, Actor},
        calendar::{
            Holiday,
            icalendar::{self, IcalendarError, SkippedEvent, Years},
        },
        refusal::{Code, Problem, Refusal},
    },
    service::{
        Result, Service, ServiceError, check_version,
        policies::{ADMINISTRATORS, CalendarChange, checked_calendar},
        require,
    },
    store,
};

/// A file of holidays, and what is wanted of it.
#[derive(Clone, Debug, Default)]
pub struct HolidayImport {
    /// The file's text.
    pub ics: String,
    /// The first year whose holidays are wanted; this one where absent.
    pub from_year: Option<i32>,
    /// The last one; two years after the first where absent.
    pub to_year: Option<i32>,
    /// From when on they hold, which may be over; now where absent.
    pub effective_at: Option<DateTime<Utc>>,
    /// The version of the calendar that the caller read.
    pub expected_version: Option<i32>,
    /// Only to tell what would be added.
    pub dry_run: bool,
}

/// What became of a file of holidays.
#[derive(Clone, Debug)]
pub struct ImportedHolidays {
    /// The calendar, with what was added unless that was only asked about.
    pub calendar: calendar::Model,
    /// The holidays that were added, or would be.
    pub added: Vec<Holiday>,
    /// Those on whose days the calendar has holidays already, which stay as they are.
    pub known: Vec<Holiday>,
    /// Events that are no holidays of these years.
    pub skipped: Vec<SkippedEvent>,
}

impl Service {
    /// Adds the holidays of an iCalendar file to a calendar. Where there is nothing to add, the calendar stays as it is.
    pub async fn import_holidays(
        &self,
        actor: &Actor,
        id: CalendarId,
        import: HolidayImport,
    ) -> Result<ImportedHolidays> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let now = self.clock.now();
        let row = store::policies::calendar(&self.db, id).await?.ok_or(ServiceError::NotFound("calendar"))?;
        check_version(row.version, import.expected_version)?;
        let definition = store::policies::definition(&row)?;
        let zone = definition.zone;
        let years = Years::new(import.from_year, import.to_year, now.with_timezone(&zone).date_naive())
            .map_err(|error| Problem::at(Code::Invalid, "fromYear", error.to_string()))?;
        let file = icalendar::read_holidays(&import.ics, zone, years).map_err(refusal)?;
        let addition = file.add_to(definition);
        checked_calendar(addition.definition.clone(), now)?;
        let calendar = if addition.added.is_empty() || import.dry_run {
            row
        } else {
            let change = CalendarChange {
                name: None,
                definition: Some(addition.definition),
                effective_at: import.effective_at,
                // What was read is added to the version that it was compared with.
                expected_version: Some(row.version),
            };
            self.update_calendar(actor, id, change).await?
        };
        Ok(ImportedHolidays { calendar, added: addition.added, known: addition.known, skipped: addition.skipped })
    }
}

fn refusal(errors: Vec<IcalendarError>) -> Refusal {
    Refusal(errors.iter().map(|error| Problem::at(Code::Invalid, "ics", error.to_string())).collect())
}
