//! When an event begins again: its rules, further dates, exceptions.
//!
//! Rules are gone through in the local time of the event, as the format has it, and written to the parser as if that were UTC, so that
//! clock changes and the machine's own zone have no say.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use rrule::{Frequency, RRule, RRuleSet, Tz as RuleZone, Unvalidated};

use super::{
    EventProblem, Gathering,
    event::{Event, Moment},
    shown,
};

/// How many periods of rules one file may go through, days of daily rules, years of yearly ones: holidays of a country need hundreds.
const MOST_PERIODS: i64 = 50_000;
/// How many rules a file may have; one that is hard to fulfil is looked through for thousands of years.
const MOST_RULES: usize = 500;
/// Rules of holidays are one short line; each of their parts costs in every period.
const LONGEST_RULE: usize = 200;
/// A local day may begin so much earlier or later than the one that is meant.
const ZONES_APART: TimeDelta = TimeDelta::days(2);

/// Every beginning of an event from which it may reach into the years, its own or in the place of others.
pub(super) fn starts(event: &Event, start: Moment, gathering: &mut Gathering) -> Result<Vec<Moment>, EventProblem> {
    let zone = gathering.zone;
    if event.replaces(zone)?.is_some() {
        return Ok(vec![start]);
    }
    let own_zone = start.zone.unwrap_or(zone);
    let rules: Vec<_> = event.values("RRULE").collect();
    let mut locals: BTreeSet<_> =
        event.moments("RDATE", zone)?.into_iter().map(|moment| moment.in_zone(own_zone)).collect();
    if rules.is_empty() {
        locals.insert(start.local);
    }
    for rule in &rules {
        locals.extend(of_rule(rule, start, gathering)?);
    }
    let mut except = event.moments("EXDATE", zone)?;
    if !rules.is_empty() {
        except.extend(gathering.replaced.get(event.uid()).into_iter().flatten());
    }
    let times: BTreeSet<_> = except.iter().map(|moment| moment.in_zone(own_zone)).collect();
    // An exception that is a day means whatever begins on it, and one of a day-long event is a day, however it is written.
    let is_day = |moment: &&Moment| moment.zone.is_none() || start.zone.is_none();
    let days: BTreeSet<_> = except.iter().filter(is_day).map(|moment| moment.local.date()).collect();
    let left = locals.into_iter().filter(|local| !times.contains(local) && !days.contains(&local.date()));
    Ok(left.map(|local| Moment { local, ..start }).collect())
}

/// The local beginnings that a rule gives until the years end.
fn of_rule(text: &str, start: Moment, gathering: &mut Gathering) -> Result<Vec<NaiveDateTime>, EventProblem> {
    let end = gathering.years.last().and_time(NaiveTime::MIN) + ZONES_APART;
    let (rule, until) = read_rule(text, start, gathering.zone)?;
    let has_times =
        [rule.get_by_hour(), rule.get_by_minute(), rule.get_by_second()].iter().any(|times| !times.is_empty());
    let days = match rule.get_freq() {
        _ if has_times => return Err(EventProblem::TooOften),
        Frequency::Yearly => 365,
        Frequency::Monthly => 28,
        Frequency::Weekly => 7,
        Frequency::Daily => 1,
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => return Err(EventProblem::TooOften),
    };
    if end < start.local {
        return Ok(Vec::new());
    }
    let periods = (end - start.local).num_days() / (days * i64::from(rule.get_interval().max(1))) + 1;
    gathering.rules += 1;
    gathering.periods += periods;
    if gathering.rules > MOST_RULES || gathering.periods > MOST_PERIODS {
        return Err(EventProblem::TooOften);
    }
    let as_rule_time = |local: NaiveDateTime| local.and_utc().with_timezone(&RuleZone::UTC);
    let first = as_rule_time(start.local);
    let rule = rule.until(as_rule_time(until.map_or(end, |until| until.min(end)))).validate(first);
    let set = RRuleSet::new(first).limit().rrule(rule.map_err(|error| not_understood(&error))?);
    let locals: Vec<_> = set.into_iter().map(|at| at.naive_utc()).collect();
    // Such a rule was looked through to the end of time.
    if locals.is_empty() { Err(EventProblem::Rule { why: "it names no day".to_owned() }) } else { Ok(locals) }
}

/// A rule without its end, and its end in the local time of its event: for the parser of rules an end without a zone would be in
/// that of this machine.
fn read_rule(text: &str, start: Moment, zone: Tz) -> Result<(RRule<Unvalidated>, Option<NaiveDateTime>), EventProblem> {
    if text.len() > LONGEST_RULE {
        return Err(EventProblem::Rule { why: format!("it is longer than {LONGEST_RULE} characters") });
    }
    let is_end = |part: &&str| part.trim_start().get(..6).is_some_and(|key| key.eq_ignore_ascii_case("UNTIL="));
    let (ends, parts): (Vec<_>, Vec<_>) = text.split(';').partition(is_end);
    let until = match ends.first().and_then(|end| end.split_once('=')) {
        Some((_, end)) => Some(Moment::of_rule_end(end.trim(), start, zone)?),
        None => None,
    };
    let rule = parts.join(";").parse::<RRule<Unvalidated>>().map_err(|error| not_understood(&error))?;
    Ok((rule, until))
}

fn not_understood(error: &impl std::fmt::Display) -> EventProblem {
    EventProblem::Rule { why: shown(&error.to_string()) }
}
