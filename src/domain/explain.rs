//! Why a due time is what it is: a visit as a list of segments that follow one another.
//!
//! Pure. The segments cover `[entered, due)` without a gap, so that they sum to the wall time between; those that count sum to
//! the budget. Example: a day that began on Thursday 16:00 is “Thursday 16:00–17:00 counted”, “Thursday 17:00 – Friday 09:00
//! outside working hours”, “Friday 09:00–16:00 counted”.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use entity::vocab::{PauseReason, SegmentKind};

use crate::domain::{
    calendar::{Interval, WorkingCalendar},
    visit::{Visit, VisitPause},
};

/// Segments that an explanation has at most: years of days. What follows is one last segment.
const MOST_SEGMENTS: usize = 2_000;

/// A stretch of a visit, and whether its time counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From when.
    pub from: DateTime<Utc>,
    /// Up to when; the next segment begins there.
    pub to: DateTime<Utc>,
    /// Whether its time is counted, and why.
    pub kind: SegmentKind,
    /// The holiday that closes it, by name.
    pub holiday: Option<String>,
    /// Why the clock stood still.
    pub pause_reason: Option<PauseReason>,
}

impl Segment {
    /// The working time in it.
    pub fn counted(&self) -> TimeDelta {
        if self.kind == SegmentKind::Working { self.to - self.from } else { TimeDelta::zero() }
    }
}

/// A due time with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// From the entry to the end, in order, without a gap.
    pub segments: Vec<Segment>,
    /// Where they end: the due time; where there is none, where the clock's hand stands.
    pub until: DateTime<Utc>,
    /// The working time in them.
    pub counted: TimeDelta,
}

/// Explains a visit as of `now`: up to its due time, or, while a pause holds it, up to the due time if it went on now. Without a
/// clock, and where leaving came later than the due time, up to where its hand stands.
pub fn explain(visit: &Visit, now: DateTime<Utc>) -> Explanation {
    let clock = visit.clock();
    let stands_at = clock.stands_at(now);
    let due = clock.due_at(now).or_else(|| clock.due_if_resumed_at(now));
    let until = due.unwrap_or(stands_at).max(visit.entered_at);
    let pauses = clock.pauses_up_to(now);
    let mut segments = Vec::new();
    let mut from = visit.entered_at;
    for pause in pauses.iter().filter(|pause| pause.start < until) {
        push_hours(&mut segments, visit, Interval { start: from, end: pause.start.max(from) });
        from = pause.end.min(until);
        push_pauses(&mut segments, visit, Interval { start: pause.start, end: from });
    }
    push_hours(&mut segments, visit, Interval { start: from, end: until });
    let counted = segments.iter().map(Segment::counted).sum();
    Explanation { segments, until, counted }
}

/// A stretch in which the clock stood still, cut where another pause is the one that holds it.
fn push_pauses(segments: &mut Vec<Segment>, visit: &Visit, paused: Interval) {
    let mut from = paused.start;
    while from < paused.end {
        let pause = pause_at(visit, from);
        let end = pause.and_then(|pause| pause.planned().until).filter(|end| *end > from);
        let to = end.map_or(paused.end, |end| end.min(paused.end));
        let pause_reason = pause.map(|pause| pause.reason);
        push(segments, Segment { from, to, kind: SegmentKind::Paused, holiday: None, pause_reason });
        from = to;
    }
}

/// The pause that holds the clock at an instant: of several, the one that began first.
fn pause_at(visit: &Visit, at: DateTime<Utc>) -> Option<&VisitPause> {
    let holds =
        visit.pauses.iter().filter(|pause| pause.started_at <= at && pause.planned().until.is_none_or(|end| at < end));
    holds.min_by_key(|pause| pause.started_at)
}

/// Working hours and what is between them.
fn push_hours(segments: &mut Vec<Segment>, visit: &Visit, stretch: Interval) {
    let mut from = stretch.start;
    for open in visit.timeline.open_intervals(stretch.start).take_while(|open| open.start < stretch.end) {
        if segments.len() >= MOST_SEGMENTS {
            break;
        }
        push_closed(segments, visit, Interval { start: from, end: open.start });
        from = open.end.min(stretch.end);
        push(
            segments,
            Segment { from: open.start, to: from, kind: SegmentKind::Working, holiday: None, pause_reason: None },
        );
    }
    push_closed(segments, visit, Interval { start: from, end: stretch.end });
}

/// A closed stretch, cut at midnights where a holiday begins or ends.
fn push_closed(segments: &mut Vec<Segment>, visit: &Visit, closed: Interval) {
    let mut from = closed.start;
    while from < closed.end {
        let calendar = &visit.timeline.at(from).version.calendar;
        let to = calendar.next_midnight(from).filter(|midnight| *midnight > from).unwrap_or(closed.end).min(closed.end);
        let holiday = holiday_at(calendar, from, to);
        let kind = if holiday.is_some() { SegmentKind::Holiday } else { SegmentKind::OutsideHours };
        push(segments, Segment { from, to, kind, holiday, pause_reason: None });
        from = to;
        if segments.len() >= MOST_SEGMENTS {
            push(
                segments,
                Segment { from, to: closed.end, kind: SegmentKind::OutsideHours, holiday: None, pause_reason: None },
            );
            return;
        }
    }
}

/// The holiday that closes usual working hours within a closed stretch of one date.
fn holiday_at(calendar: &WorkingCalendar, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<String> {
    let date = calendar.today(from);
    let usual = calendar.usual_hours_on(date, date.weekday());
    let is_usual = usual.iter().any(|open| open.start < to && from < open.end);
    let holiday = calendar.definition().holidays.iter().find(|holiday| {
        holiday.on == date && calendar.closure(holiday).is_none_or(|closed| closed.start < to && from < closed.end)
    });
    holiday.filter(|_| is_usual).map(|holiday| holiday.name.clone())
}

/// Adds a segment, or lengthens the last one where nothing but its end differs.
fn push(segments: &mut Vec<Segment>, segment: Segment) {
    if segment.from >= segment.to {
        return;
    }
    match segments.last_mut() {
        Some(last)
            if last.to == segment.from
                && last.kind == segment.kind
                && last.kind != SegmentKind::Working
                && last.holiday == segment.holiday
                && last.pause_reason == segment.pause_reason =>
        {
            last.to = segment.to;
        }
        _ => segments.push(segment),
    }
}
