//! One event of a file: when it begins, how long it lasts, what local hours it closes.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{GapInfo, Tz};
use icalendar::parser::Component;

use super::{EventProblem, Years, shown};
use crate::domain::calendar::{ClosedHours, TimeOfDay, definition::HOLIDAY_NAME_LIMIT};

/// A line of an event.
struct Property {
    name: String,
    zone: Option<String>,
    value: String,
}

/// An event as the file has it.
pub(super) struct Event {
    properties: Vec<Property>,
}

/// When an event begins: at a time of its zone, or with a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Midnight where it is a day.
    pub(super) local: NaiveDateTime,
    /// The zone of the time; nothing for a day, which is the same everywhere.
    pub(super) zone: Option<Tz>,
}

impl Event {
    pub(super) fn new(component: &Component<'_>) -> Self {
        let properties = component.properties.iter().map(|property| {
            let zone = property.params.iter().find(|parameter| parameter.key.as_str().eq_ignore_ascii_case("TZID"));
            Property {
                name: property.name.as_str().to_ascii_uppercase(),
                zone: zone.and_then(|zone| Some(zone.val.as_ref()?.as_str().to_owned())),
                value: property.val.as_str().to_owned(),
            }
        });
        Self { properties: properties.collect() }
    }

    /// What people call it, on one line; blank if the file does not say.
    pub(super) fn name(&self) -> String {
        // The parser has taken the backslashes away that protect commas and line breaks.
        let text = self.value("SUMMARY").unwrap_or_default();
        let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
        let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        line.chars().take(HOLIDAY_NAME_LIMIT).collect()
    }

    /// How a message names it.
    pub(super) fn title(&self) -> String {
        let date = self.value("DTSTART").map(shown).unwrap_or_default();
        format!("“{}” of {date}", self.name())
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.value("STATUS").is_some_and(|status| status.trim().eq_ignore_ascii_case("CANCELLED"))
    }

    /// When it begins, first of all.
    pub(super) fn start(&self, zone: Tz) -> Result<Option<Moment>, EventProblem> {
        Ok(self.moments("DTSTART", zone)?.into_iter().next())
    }

    /// How long it lasts, from a beginning on: in whole days if that is a day. Nothing if the file does not say.
    pub(super) fn length(&self, start: Moment, zone: Tz) -> Result<TimeDelta, EventProblem> {
        let length = match (self.moments("DTEND", zone)?.first(), self.value("DURATION")) {
            (Some(end), _) if end.zone.is_some() != start.zone.is_some() => return Err(EventProblem::DayAndTime),
            (Some(end), _) => end.instant() - start.instant(),
            (None, Some(text)) => duration(text).ok_or_else(|| EventProblem::NoDuration { value: shown(text) })?,
            (None, None) => TimeDelta::zero(),
        };
        if length < TimeDelta::zero() {
            Err(EventProblem::EndsBeforeStart)
        } else if start.zone.is_none() {
            // A day lasts at least that day, also where a file says that it ends as it begins.
            Ok(TimeDelta::days(length.num_days().max(1)))
        } else {
            Ok(length)
        }
    }

    /// The occurrence that this event stands for in the place of its series' own.
    pub(super) fn replaces(&self, zone: Tz) -> Result<Option<(&str, Moment)>, EventProblem> {
        let occurrence = self.moments("RECURRENCE-ID", zone)?.into_iter().next();
        Ok(occurrence.map(|occurrence| (self.uid(), occurrence)))
    }

    pub(super) fn uid(&self) -> &str {
        self.value("UID").unwrap_or_default()
    }

    /// The moments that all properties of this name list.
    pub(super) fn moments(&self, name: &str, zone: Tz) -> Result<Vec<Moment>, EventProblem> {
        let mut moments = Vec::new();
        for property in self.properties.iter().filter(|property| property.name == name) {
            for value in property.value.split(',').map(str::trim).filter(|value| !value.is_empty()) {
                // Days and times in UTC are what they are in whatever zone, also in one that nobody knows.
                let needs_zone = value.contains(['T', 't']) && !value.ends_with(['Z', 'z']);
                let own = property.zone.as_deref().filter(|_| needs_zone).map(zone_named).transpose()?;
                moments.push(Moment::read(name, value, own.unwrap_or(zone))?);
            }
        }
        Ok(moments)
    }

    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.properties.iter().filter(move |property| property.name == name).map(|property| property.value.as_str())
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|property| property.name == name).map(|property| property.value.as_str())
    }
}

impl Moment {
    /// The end of a recurrence rule, in the local time of its event; a day is meant with all its hours.
    pub(super) fn of_rule_end(text: &str, start: Self, zone: Tz) -> Result<NaiveDateTime, EventProblem> {
        let own_zone = start.zone.unwrap_or(zone);
        let end = Self::read("UNTIL", text, own_zone)?;
        let is_day = end.zone.is_none() || start.zone.is_none();
        Ok(if is_day { end.local.date().and_hms_opt(23, 59, 59).unwrap_or(end.local) } else { end.in_zone(own_zone) })
    }

    /// A moment, a time without `Z` in this zone.
    fn read(name: &str, value: &str, zone: Tz) -> Result<Self, EventProblem> {
        let no_date = || EventProblem::NoDate { property: name.to_owned(), value: shown(value) };
        // Of a period, its beginning.
        let value = value.split('/').next().unwrap_or(value);
        let (date, time) = value.split_once(['T', 't']).map_or((value, None), |(date, time)| (date, Some(time)));
        let has_digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !has_digits(date, 8) {
            return Err(no_date());
        }
        let date = NaiveDate::parse_from_str(date, "%Y%m%d").map_err(|_| no_date())?;
        let Some(time) = time else {
            return Ok(Self { local: date.and_time(NaiveTime::MIN), zone: None });
        };
        let in_utc = time.strip_suffix(['Z', 'z']);
        let time = in_utc.unwrap_or(time);
        if !has_digits(time, 6) {
            return Err(no_date());
        }
        let time = NaiveTime::parse_from_str(time, "%H%M%S").map_err(|_| no_date())?;
        Ok(Self { local: date.and_time(time), zone: Some(if in_utc.is_some() { Tz::UTC } else { zone }) })
    }

    /// What the clocks of a zone show then; of a day, its beginning.
    pub(super) fn in_zone(self, zone: Tz) -> NaiveDateTime {
        match self.zone {
            Some(own) if own != zone => self.instant().with_timezone(&zone).naive_local(),
            _ => self.local,
        }
    }

    /// The hours that are closed from here on for so long, per local day of a calendar in `zone`; nothing stands for all hours.
    pub(super) fn closures(self, length: TimeDelta, zone: Tz, years: Years) -> Vec<(NaiveDate, Option<ClosedHours>)> {
        let Some(end) = self.local.checked_add_signed(length) else { return Vec::new() };
        let (from, to) = match self.zone {
            None => (self.local, end),
            Some(_) => {
                let begin = self.instant();
                let end = begin.checked_add_signed(length).unwrap_or(begin);
                let [from, to] = [begin, end].map(|instant| instant.with_timezone(&zone).naive_local());
                // Clocks that are put back in between can show an earlier time at its end.
                (from.min(to), from.max(to))
            }
        };
        let days = from.date().max(years.first()).iter_days().take_while(|day| *day <= to.date().min(years.last()));
        let closed = days.filter_map(|day| {
            let opens = if day == from.date() { minute(from.time(), false) } else { TimeOfDay::MIDNIGHT };
            let closes = if day == to.date() { minute(to.time(), true) } else { TimeOfDay::END_OF_DAY };
            let whole = opens == TimeOfDay::MIDNIGHT && closes == TimeOfDay::END_OF_DAY;
            (opens < closes).then_some((day, (!whole).then_some(ClosedHours { from: opens, to: closes })))
        });
        closed.collect()
    }

    /// The instant. A time that the clocks skip is the end of the gap, one that they show twice the first showing; a day is meant
    /// as it is written.
    fn instant(self) -> DateTime<Utc> {
        let Some(zone) = self.zone else { return self.local.and_utc() };
        let shown = zone.from_local_datetime(&self.local).earliest();
        let shown = shown.or_else(|| GapInfo::new(&self.local, &zone)?.end);
        shown.map_or_else(|| self.local.and_utc(), |instant| instant.to_utc())
    }
}

/// A time to the minute: a closure that ends within a minute lasts until it is over.
fn minute(time: NaiveTime, is_end: bool) -> TimeOfDay {
    let seconds = time.num_seconds_from_midnight();
    let minutes = if is_end { seconds.div_ceil(60) } else { seconds / 60 };
    let (hour, minute) = (u16::try_from(minutes / 60), u16::try_from(minutes % 60));
    hour.ok().zip(minute.ok()).and_then(|(hour, minute)| TimeOfDay::new(hour, minute)).unwrap_or(TimeOfDay::END_OF_DAY)
}

/// The zone that a file means: its IANA name, or that at the end of a longer one, as some programs write it.
fn zone_named(name: &str) -> Result<Tz, EventProblem> {
    let name = name.trim().trim_matches('"');
    let parts: Vec<_> = name.split('/').collect();
    let mut endings = (0..parts.len()).filter_map(|first| parts.get(first..).map(|rest| rest.join("/")));
    let known = endings.find_map(|ending| ending.parse().ok());
    known.ok_or_else(|| EventProblem::UnknownZone { zone: shown(name) })
}

/// A length such as `P1D`, `PT4H30M`, `P2W`.
fn duration(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut rest = text.strip_prefix('+').unwrap_or(text).strip_prefix(['P', 'p'])?;
    let mut seconds = 0_i64;
    let mut in_time = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix(['T', 't']) {
            (rest, in_time) = (time, true);
            continue;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = rest.split_at_checked(digits)?;
        let unit_seconds = match (in_time, unit.chars().next()?.to_ascii_uppercase()) {
            (false, 'W') => 7 * 86_400,
            (false, 'D') => 86_400,
            (true, 'H') => 3_600,
            (true, 'M') => 60,
            (true, 'S') => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<i64>().ok()?.checked_mul(unit_seconds)?)?;
        rest = unit.get(1..)?;
    }
    TimeDelta::try_seconds(seconds.checked_mul(sign)?)
}
