//! What an administrator writes down about a working calendar: zone, weekly windows, holidays, extra openings.
//!
//! Pure: imports chrono, chrono-tz, serde, thiserror. Stored as JSON and shown by the API as it is. Example: the weekly
//! window `{"day": "Mon", "from": "09:00", "to": "12:30"}` is a [`WeekWindow`]; [`CalendarDefinition::check`] refuses
//! one that ends before it begins.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveDate, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// The most entries each list of a calendar may have: decades of holidays, and still cheap to look through.
const MOST_ENTRIES: usize = 1000;

/// The name of a holiday is one line in a list.
pub const HOLIDAY_NAME_LIMIT: usize = 200;

/// Minutes of a day; the last [`TimeOfDay`], and the longest working day.
const MINUTES_OF_A_DAY: u16 = 24 * 60;

/// A working calendar as an administrator states it. A working day lasts `minutes_per_day`, whatever the windows add up
/// to: it is the unit in which SLA lengths are given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarDefinition {
    /// The IANA zone in which every time and date below is read, such as `Europe/Berlin`.
    pub zone: Tz,
    /// How much working time one “day” of an SLA is, 1 to 1440.
    pub minutes_per_day: u32,
    /// When the week is open. Several windows per weekday are allowed; overlapping ones count once.
    pub week: Vec<WeekWindow>,
    /// When the weekly windows do not hold.
    #[serde(default)]
    pub holidays: Vec<Holiday>,
    /// Openings outside the weekly windows. They hold on holidays too: who names a date means it.
    #[serde(default)]
    pub extra: Vec<ExtraWindow>,
}

/// Opening hours of one weekday. An overnight shift is two windows, split at midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeekWindow {
    /// The weekday, in JSON `Mon` to `Sun`.
    pub day: Weekday,
    /// The opening time.
    pub from: TimeOfDay,
    /// The closing time, later than `from`.
    pub to: TimeOfDay,
}

/// A date on which the weekly windows do not hold, wholly or for some hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The date, in the calendar's zone.
    pub on: NaiveDate,
    /// What people call it.
    pub name: String,
    /// The hours that are closed; `None` closes the whole day.
    #[serde(default)]
    pub closed: Option<ClosedHours>,
}

/// The closed hours of a part-day holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedHours {
    /// When the closure begins.
    pub from: TimeOfDay,
    /// When the closure ends, later than `from`.
    pub to: TimeOfDay,
}

/// An opening on one date, outside the weekly windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraWindow {
    /// The date, in the calendar's zone.
    pub on: NaiveDate,
    /// What people call it.
    pub name: String,
    /// The opening time.
    pub from: TimeOfDay,
    /// The closing time, later than `from`.
    pub to: TimeOfDay,
}

impl CalendarDefinition {
    /// Refuses a definition that no clock could run on.
    pub(super) fn check(&self) -> Result<(), CalendarError> {
        if self.week.is_empty() {
            return Err(CalendarError::NoWeeklyWindow);
        }
        if !(1..=u32::from(MINUTES_OF_A_DAY)).contains(&self.minutes_per_day) {
            return Err(CalendarError::WorkingDayLength { minutes: self.minutes_per_day });
        }
        for (list, count) in [("week", self.week.len()), ("holidays", self.holidays.len()), ("extra", self.extra.len())]
        {
            if count > MOST_ENTRIES {
                return Err(CalendarError::TooManyEntries { list, count });
            }
        }
        self.check_names()?;
        self.check_windows()
    }

    fn check_names(&self) -> Result<(), CalendarError> {
        let holidays = self.holidays.iter().map(|holiday| (holiday.on, &holiday.name));
        let extra = self.extra.iter().map(|window| (window.on, &window.name));
        match holidays.chain(extra).find(|(_, name)| name.trim().is_empty()) {
            Some((on, _)) => Err(CalendarError::BlankName { on }),
            None => Ok(()),
        }
    }

    fn check_windows(&self) -> Result<(), CalendarError> {
        let week = self.week.iter().map(|window| (window.day.to_string(), window.from, window.to));
        let holidays = self.holidays.iter().filter_map(|holiday| {
            let closed = holiday.closed?;
            Some((holiday.on.to_string(), closed.from, closed.to))
        });
        let extra = self.extra.iter().map(|window| (window.on.to_string(), window.from, window.to));
        match week.chain(holidays).chain(extra).find(|(_, from, to)| from >= to) {
            Some((place, from, to)) => Err(CalendarError::WindowWithoutLength { place, from, to }),
            None => Ok(()),
        }
    }
}

/// Why a calendar definition is refused, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// There is no weekly window at all.
    #[error("the calendar has no opening hours: give at least one weekly window")]
    NoWeeklyWindow,
    /// A window ends when or before it begins.
    #[error(
        "the window {from}–{to} of {place} does not end after it begins: swap the times, or split an overnight shift \
         into one window up to 24:00 and one from 00:00 on the next day"
    )]
    WindowWithoutLength {
        /// The weekday or date of the window.
        place: String,
        /// Its stated beginning.
        from: TimeOfDay,
        /// Its stated end.
        to: TimeOfDay,
    },
    /// A working day is no time at all, or longer than a day.
    #[error("a working day of {minutes} minutes is not possible: give 1 to 1440, such as 480 for eight hours")]
    WorkingDayLength {
        /// The stated length.
        minutes: u32,
    },
    /// Everything is closed for longer than a year.
    #[error("the calendar has no working time within 366 days of {today}: remove holidays or add opening hours")]
    NeverOpen {
        /// The date from which was looked.
        today: NaiveDate,
    },
    /// A holiday or an extra window has no name.
    #[error("the holiday or extra window on {on} has no name: say what it is")]
    BlankName {
        /// Its date.
        on: NaiveDate,
    },
    /// A list is too long.
    #[error("the list {list:?} has {count} entries, at most {MOST_ENTRIES} are possible: remove those long past")]
    TooManyEntries {
        /// The name of the list.
        list: &'static str,
        /// Its length.
        count: usize,
    },
}

/// A minute of a local day, 00:00 to 24:00. In JSON it is text, `"09:30"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(pub(super) u16);

/// A text is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time of day: write HH:MM, 00:00 to 24:00")]
pub struct TimeOfDayError {
    text: String,
}

impl TimeOfDay {
    /// The beginning of a day, 00:00.
    pub const MIDNIGHT: Self = Self(0);
    /// The end of a day, 24:00.
    pub const END_OF_DAY: Self = Self(MINUTES_OF_A_DAY);

    /// The time `hour:minute`, if a day has it.
    pub const fn new(hour: u16, minute: u16) -> Option<Self> {
        if hour > 24 || minute > 59 || (hour == 24 && minute > 0) { None } else { Some(Self(hour * 60 + minute)) }
    }

    /// A full hour; hours past 24 count as 24. For calendars written in code.
    pub(super) const fn hour(hour: u16) -> Self {
        if hour < 24 { Self(hour * 60) } else { Self::END_OF_DAY }
    }

    /// The minutes since the beginning of the day, 0 to 1440.
    pub const fn minute_of_day(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let two_digits = |part: &str| match part.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0')),
            _ => None,
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Self::new(two_digits(hour)?, two_digits(minute)?))
            .ok_or_else(|| TimeOfDayError { text: text.to_owned() })
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = TimeOfDayError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}
