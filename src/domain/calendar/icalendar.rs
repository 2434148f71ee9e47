//! Public holidays from an iCalendar file (RFC 5545), as countries, offices and calendar programs publish them.
//!
//! Pure: imports the parsers of the format and of its recurrence rules, and the calendar's definition. Example: the event
//! `DTSTART;VALUE=DATE:20261225`, `RRULE:FREQ=YEARLY`, `SUMMARY:Christmas Day` is in [`read_holidays`] of 2026 to 2028 three
//! holidays, which [`HolidayFile::add_to`] adds to a calendar unless it has holidays on these days.
//!
//! Files come from anywhere: what is read is bounded before the parsers see it, and nothing costs more than its years allow.

mod event;
mod recurrence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use icalendar::parser::{self, Component};

use self::event::{Event, Moment};
use super::{CalendarDefinition, Holiday};

/// The largest file, as large as a request's body may be: decades of holidays of a country.
const MOST_BYTES: usize = 256 * 1024;
/// A calendar has events, events have alarms; the parser goes down by calling itself.
const DEEPEST: usize = 8;
/// How many years are read at once: enough to plan with, and each has its holidays.
const MOST_YEARS: i32 = 10;
/// Beyond them no holiday is known, and dates are most likely misspelt.
const POSSIBLE_YEARS: std::ops::RangeInclusive<i32> = 1970..=2200;
/// Without `to`, holidays are read until two years later: as far as countries publish them.
const USUAL_YEARS_AHEAD: i32 = 2;
/// More closed days than this are no list of holidays. A calendar takes fewer.
const MOST_DAYS: usize = 5_000;
/// More errors than this are of no help.
const MOST_ERRORS: usize = 20;

/// The years whose holidays are read, both ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Years {
    from: i32,
    to: i32,
}

/// The years that were asked for cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the years {from} to {to} cannot be read: give at most {MOST_YEARS}, the first one first, from 1970 to 2200")]
pub struct YearsError {
    from: i32,
    to: i32,
}

impl Years {
    /// The years asked for: without `from` since this one, without `to` until two years later.
    ///
    /// # Errors
    /// If they are in the wrong order, too many, or too far away.
    pub fn new(from: Option<i32>, to: Option<i32>, today: NaiveDate) -> Result<Self, YearsError> {
        let from = from.unwrap_or_else(|| today.year());
        let to = to.unwrap_or_else(|| from.saturating_add(USUAL_YEARS_AHEAD));
        let is_possible = POSSIBLE_YEARS.contains(&from) && POSSIBLE_YEARS.contains(&to);
        if is_possible && from <= to && to - from < MOST_YEARS {
            Ok(Self { from, to })
        } else {
            Err(YearsError { from, to })
        }
    }

    fn first(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.from, 1, 1).unwrap_or(NaiveDate::MIN)
    }

    fn last(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.to, 12, 31).unwrap_or(NaiveDate::MAX)
    }
}

/// What a file says of some years.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolidayFile {
    /// Its holidays by date, no two that close the same hours.
    pub holidays: Vec<Holiday>,
    /// Its events that are none of them.
    pub skipped: Vec<SkippedEvent>,
}

/// An event that became no holiday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedEvent {
    /// What the file calls it; blank if it does not.
    pub name: String,
    /// The day on which it is, or begins.
    pub on: Option<NaiveDate>,
    /// Why.
    pub why: SkipReason,
}

/// Why an event became no holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// None of its days is in the years that are read.
    OutsideYears,
    /// It was cancelled.
    Cancelled,
    /// It has no date.
    NoDate,
    /// It begins, and has no end: a reminder, not a closure.
    NoLength,
    /// Another event of the file closes these hours already.
    SameTime,
}

impl SkipReason {
    /// In words, for a list.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OutsideYears => "outside the years",
            Self::Cancelled => "cancelled",
            Self::NoDate => "no date",
            Self::NoLength => "no length",
            Self::SameTime => "closed by another event",
        }
    }
}

/// A calendar together with the holidays of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The calendar's definition with what was added.
    pub definition: CalendarDefinition,
    /// The holidays that were added.
    pub added: Vec<Holiday>,
    /// Those of the file on whose days the calendar has holidays already, which stay as they are.
    pub known: Vec<Holiday>,
    /// The file's events that are no holidays of these years.
    pub skipped: Vec<SkippedEvent>,
}

impl HolidayFile {
    /// Adds to a calendar what it has not yet: a day that has a holiday keeps it, and gets no other.
    pub fn add_to(self, mut definition: CalendarDefinition) -> Addition {
        let known_days: BTreeSet<_> = definition.holidays.iter().map(|holiday| holiday.on).collect();
        let (known, added): (Vec<_>, Vec<_>) =
            self.holidays.into_iter().partition(|holiday| known_days.contains(&holiday.on));
        definition.holidays.extend(added.iter().cloned());
        definition.holidays.sort_by_key(|holiday| holiday.on);
        Addition { definition, added, known, skipped: self.skipped }
    }
}

/// Reads the holidays of some years from an iCalendar file, for a calendar in `zone`.
///
/// Events of whole days close these days; events with times close these hours of the local days that they touch. Times without a
/// zone are the calendar's. Whether an event makes people busy (`TRANSP`) says nothing of holidays.
///
/// # Errors
/// If it is no iCalendar file, or if events in it cannot be understood: every one of them, up to twenty.
pub fn read_holidays(text: &str, zone: Tz, years: Years) -> Result<HolidayFile, Vec<IcalendarError>> {
    let events = events(text).map_err(|error| vec![error])?;
    let mut gathering = Gathering::new(zone, years, &events);
    let mut errors = Vec::new();
    for event in &events {
        if let Err(problem) = gathering.add(event) {
            errors.push(IcalendarError::Event { event: event.title(), problem });
        }
        if gathering.days > MOST_DAYS {
            errors.push(IcalendarError::TooManyDays);
        }
        if errors.len() >= MOST_ERRORS || gathering.days > MOST_DAYS {
            break;
        }
    }
    if errors.is_empty() { Ok(gathering.finish()) } else { Err(errors) }
}

/// The events of a file whose form was checked.
fn events(text: &str) -> Result<Vec<Event>, IcalendarError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MOST_BYTES {
        return Err(IcalendarError::TooLarge { bytes: text.len() });
    }
    let mut events = Vec::new();
    for calendar in calendars(text)? {
        // Its lines were checked: what is left are parameters without a value and the like.
        let parsed = parser::read_calendar(&calendar).map_err(|_| IcalendarError::NotICalendar)?;
        let is_event = |component: &&Component<'_>| component.name.as_str().eq_ignore_ascii_case("VEVENT");
        events.extend(parsed.components.iter().filter(is_event).map(Event::new));
    }
    if events.is_empty() { Err(IcalendarError::NoEvents) } else { Ok(events) }
}

/// The calendars of a file: unfolded lines, each with the form of a property, in components that end as they begin.
fn calendars(text: &str) -> Result<Vec<String>, IcalendarError> {
    let unfolded = parser::unfold(&text.replace("\r\n", "\n").replace('\r', "\n"));
    let mut open: Vec<String> = Vec::new();
    let (mut calendars, mut calendar) = (Vec::new(), String::new());
    for line in unfolded.lines().filter(|line| !line.trim().is_empty()) {
        let wrong = || IcalendarError::Line { line: shown(line) };
        let (name, rest) = line.split_at(line.bytes().take_while(|byte| is_of_name(*byte)).count());
        if name.is_empty() || !rest.starts_with([':', ';']) || !rest.contains(':') {
            return Err(if open.is_empty() { IcalendarError::NotICalendar } else { wrong() });
        }
        let of = rest.trim_start_matches(':').trim().to_ascii_uppercase();
        match name.to_ascii_uppercase().as_str() {
            "BEGIN" if open.is_empty() && of != "VCALENDAR" => return Err(IcalendarError::NotICalendar),
            "BEGIN" if open.len() >= DEEPEST => return Err(IcalendarError::TooDeep),
            "BEGIN" => open.push(of),
            _ if open.is_empty() => return Err(IcalendarError::NotICalendar),
            "END" if open.pop().is_none_or(|begun| begun != of) => return Err(wrong()),
            _ => {}
        }
        calendar.push_str(line.trim_end());
        // As the format has it: the parser looks for this first, up to the end of the text.
        calendar.push_str("\r\n");
        if open.is_empty() {
            calendars.push(std::mem::take(&mut calendar));
        }
    }
    if open.is_empty() && !calendars.is_empty() { Ok(calendars) } else { Err(IcalendarError::NotICalendar) }
}

/// Whether the names of properties have it.
const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// So much of a line as fits into a message.
fn shown(line: &str) -> String {
    line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(80).collect()
}

/// The holidays found so far.
struct Gathering {
    zone: Tz,
    years: Years,
    /// The occurrences of series, by their UID, for which other events stand.
    replaced: HashMap<String, Vec<Moment>>,
    /// Recurrence rules gone through so far.
    rules: usize,
    /// Their periods.
    periods: i64,
    found: Vec<Holiday>,
    /// The days closed so far, some of them more than once.
    days: usize,
    skipped: Vec<SkippedEvent>,
}

impl Gathering {
    fn new(zone: Tz, years: Years, events: &[Event]) -> Self {
        let mut replaced: HashMap<_, Vec<_>> = HashMap::new();
        // One whose occurrence cannot be read is refused when it is added.
        for (uid, occurrence) in events.iter().filter_map(|event| event.replaces(zone).ok().flatten()) {
            replaced.entry(uid.to_owned()).or_default().push(occurrence);
        }
        Self { zone, years, replaced, rules: 0, periods: 0, found: Vec::new(), days: 0, skipped: Vec::new() }
    }

    fn add(&mut self, event: &Event) -> Result<(), EventProblem> {
        let start = event.start(self.zone)?;
        let on = start.map(|start| start.in_zone(self.zone).date());
        let mut skip = |why| self.skipped.push(SkippedEvent { name: event.name(), on, why });
        let Some(start) = start else {
            skip(SkipReason::NoDate);
            return Ok(());
        };
        if event.is_cancelled() {
            skip(SkipReason::Cancelled);
            return Ok(());
        }
        let length = event.length(start, self.zone)?;
        if length.is_zero() {
            skip(SkipReason::NoLength);
            return Ok(());
        }
        let starts = recurrence::starts(event, start, self)?;
        let mut closures = Vec::new();
        for start in starts {
            closures.extend(start.closures(length, self.zone, self.years));
            if self.days + closures.len() > MOST_DAYS {
                break;
            }
        }
        self.days += closures.len();
        if closures.is_empty() {
            self.skipped.push(SkippedEvent { name: event.name(), on, why: SkipReason::OutsideYears });
            return Ok(());
        }
        let name = event.name();
        if name.is_empty() {
            return Err(EventProblem::NoName);
        }
        self.found.extend(closures.into_iter().map(|(on, closed)| Holiday { on, name: name.clone(), closed }));
        Ok(())
    }

    /// By date, without what is closed by another event anyway.
    fn finish(mut self) -> HolidayFile {
        // Whole days first; what the file says first stays.
        self.found.sort_by_key(|holiday| (holiday.on, holiday.closed.is_some()));
        let mut holidays: Vec<Holiday> = Vec::with_capacity(self.found.len());
        for holiday in self.found {
            let same_day = holidays.iter().rev().take_while(|other| other.on == holiday.on);
            if same_day.clone().any(|other| other.closed.is_none() || other.closed == holiday.closed) {
                let (name, on) = (holiday.name, Some(holiday.on));
                self.skipped.push(SkippedEvent { name, on, why: SkipReason::SameTime });
            } else {
                holidays.push(holiday);
            }
        }
        HolidayFile { holidays, skipped: self.skipped }
    }
}

/// Why a file is refused, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IcalendarError {
    /// It is larger than lists of holidays are.
    #[error("the file has {bytes} bytes, at most {MOST_BYTES} are read: leave out years long past")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is something else.
    #[error("this is no iCalendar file: it begins with BEGIN:VCALENDAR and ends with END:VCALENDAR")]
    NotICalendar,
    /// A line is no property, or ends what has not begun.
    #[error("the line “{line}” does not belong into an iCalendar file: save the file anew, or leave the line out")]
    Line {
        /// Its beginning.
        line: String,
    },
    /// Components lie within each other without end.
    #[error("more than {DEEPEST} components lie within each other: leave out what is no event")]
    TooDeep,
    /// There is nothing in it.
    #[error("the file has no events: choose a calendar of holidays")]
    NoEvents,
    /// Its events close too much.
    #[error("the file closes more than {MOST_DAYS} days: give fewer years, or another file")]
    TooManyDays,
    /// One of its events cannot be understood.
    #[error("the event {event}: {problem}")]
    Event {
        /// Its name and date.
        event: String,
        /// What is wrong with it.
        problem: EventProblem,
    },
}

/// Why an event cannot be understood, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventProblem {
    /// It has no name.
    #[error("it has no name: give it a SUMMARY")]
    NoName,
    /// A date or time is none.
    #[error("{property} is no date: “{value}”; write 20261225, 20261224T140000 or 20261224T130000Z")]
    NoDate {
        /// Which property.
        property: String,
        /// What it says.
        value: String,
    },
    /// A time zone is not known.
    #[error("the time zone “{zone}” is not known: name an IANA zone such as Europe/Berlin")]
    UnknownZone {
        /// What is said.
        zone: String,
    },
    /// A length is none.
    #[error("DURATION is no length: “{value}”; write P1D or PT4H")]
    NoDuration {
        /// What is said.
        value: String,
    },
    /// It ends before it begins.
    #[error("it ends before it begins: swap DTSTART and DTEND")]
    EndsBeforeStart,
    /// It begins on a day and ends at a time, or the other way round.
    #[error("DTSTART and DTEND are a day and a time: make both days or both times")]
    DayAndTime,
    /// Its recurrence rule is not understood.
    #[error("its RRULE is not understood ({why}): correct it, or write the days out")]
    Rule {
        /// What the rule's parser says.
        why: String,
    },
    /// It recurs in a way that holidays do not.
    #[error("it recurs too often, or by the hour: holidays recur by day, week, month or year; write the days out")]
    TooOften,
}
