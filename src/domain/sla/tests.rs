//! Hand-computed visits. Unless a test says otherwise: Monday to Friday, 09:00–17:00 UTC; 2 March 2026 is a Monday.
mod properties;

use std::sync::LazyLock;

use chrono_tz::Tz;
use entity::{id::CalendarId, vocab::Stage};
use uuid::Uuid;

use super::*;
use crate::domain::{calendar::WorkingCalendar, policy::PolicyTerms};

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// An instant of March 2026, `"03 16:00"`.
fn at(text: &str) -> DateTime<Utc> {
    let (day, time) = text.split_once(' ').unwrap();
    utc(&format!("2026-03-{day}T{time}:00Z"))
}

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

fn office() -> Timeline {
    Timeline::fixed(WorkingCalendar::monday_to_friday(Tz::UTC))
}

/// The alerts of every stage with a budget.
fn usual_alerts() -> &'static [AlertRule] {
    static TERMS: LazyLock<PolicyTerms> =
        LazyLock::new(|| PolicyTerms::of_process(Stage::Validating, CalendarId(Uuid::nil())));
    &TERMS.alerts
}

/// A running visit of one working day.
fn visit<'a>(calendar: &'a Timeline, entered_at: &str) -> VisitClock<'a> {
    let budget = Budget::Working(calendar.working_day());
    VisitClock { calendar, alerts: usual_alerts(), entered_at: at(entered_at), left_at: None, budget, pauses: vec![] }
}

fn pause(from: &str, until: Option<&str>) -> Pause {
    Pause { from: at(from), until: until.map(at) }
}

#[test]
fn a_working_day_goes_on_the_next_morning() {
    let calendar = office();
    let clock = visit(&calendar, "02 16:00");
    assert_eq!(clock.due_at(at("02 16:00")), Some(at("03 16:00")));
    assert_eq!(clock.elapsed(at("03 08:00")), hours(1));
    assert_eq!(clock.remaining(at("03 08:00")), Some(hours(7)));
    assert_eq!(clock.warns_at(at("02 16:00")), Some(at("03 14:00")));
}

#[test]
fn a_visit_entered_at_night_starts_at_the_opening() {
    let calendar = office();
    let clock = visit(&calendar, "06 20:00");
    assert_eq!(clock.elapsed(at("08 12:00")), TimeDelta::zero());
    assert_eq!(clock.due_at(at("06 20:00")), Some(at("09 17:00")));
}

#[test]
fn at_its_due_instant_a_visit_is_in_time_and_a_microsecond_later_it_is_late() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 16:00");
    let due = at("03 16:00");
    assert_eq!((clock.status(due), clock.breached_at(due)), (SlaStatus::Warning, None));
    assert_eq!((clock.status(due + MOMENT), clock.breached_at(due + MOMENT)), (SlaStatus::Breached, Some(due)));
    clock.left_at = Some(due);
    assert_eq!(clock.status(at("31 12:00")), SlaStatus::Met);
    clock.left_at = Some(due + MOMENT);
    assert_eq!((clock.status(at("31 12:00")), clock.breached_at(at("31 12:00"))), (SlaStatus::Missed, Some(due)));
}

#[test]
fn leaving_on_saturday_is_late_when_friday_evening_was_due() {
    let calendar = office();
    let clock = VisitClock { left_at: Some(at("07 12:00")), ..visit(&calendar, "06 09:00") };
    assert_eq!(clock.due_at(at("07 12:00")), Some(at("06 17:00")));
    assert_eq!(clock.remaining(at("07 12:00")), Some(TimeDelta::zero()));
    assert_eq!(clock.status(at("07 12:00")), SlaStatus::Missed);
}

#[test]
fn the_status_follows_the_clock() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    assert_eq!(clock.status(at("02 14:59")), SlaStatus::OnTrack);
    assert_eq!(clock.status(at("02 15:00")), SlaStatus::Warning);
    assert_eq!(clock.status(at("02 17:01")), SlaStatus::Breached);
    clock.pauses = vec![pause("02 15:30", None)];
    assert_eq!(clock.status(at("02 17:01")), SlaStatus::Paused);
    clock.budget = Budget::None;
    assert_eq!(clock.status(at("02 17:01")), SlaStatus::None);
}

#[test]
fn while_paused_nothing_is_due_but_the_due_time_after_resuming_is_known() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    clock.pauses = vec![pause("02 11:00", None)];
    let now = at("04 10:00");
    assert!(clock.is_paused(now));
    assert_eq!((clock.due_at(now), clock.warns_at(now)), (None, None));
    assert_eq!((clock.elapsed(now), clock.remaining(now)), (hours(2), Some(hours(6))));
    assert_eq!(clock.due_if_resumed_at(now), Some(at("04 16:00")));
    clock.pauses = vec![pause("02 11:00", Some("04 10:00"))];
    assert!(!clock.is_paused(now));
    assert_eq!((clock.due_at(now), clock.due_if_resumed_at(now)), (Some(at("04 16:00")), None));
}

#[test]
fn a_pause_with_a_planned_end_holds_until_then_and_one_planned_ahead_does_not_count_yet() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    clock.pauses = vec![pause("02 11:00", Some("02 13:00"))];
    assert_eq!(clock.due_at(at("02 10:59")), Some(at("02 17:00")));
    assert_eq!(clock.due_at(at("02 12:00")), None);
    assert_eq!(clock.due_at(at("02 13:00")), Some(at("03 11:00")));
}

#[test]
fn overlapping_pauses_count_once_and_only_with_their_working_part() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    // Together 16:00 on Monday to 10:00 on Tuesday: two working hours.
    clock.pauses = vec![pause("02 17:30", Some("03 10:00")), pause("02 16:00", Some("02 20:00"))];
    assert_eq!(clock.due_at(at("03 10:00")), Some(at("03 11:00")));
    assert_eq!(clock.elapsed(at("03 10:30")), TimeDelta::minutes(450));
}

#[test]
fn a_pause_never_undoes_a_breach_and_a_breach_shows_while_paused() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    clock.pauses = vec![pause("03 10:00", None)];
    let now = at("05 12:00");
    assert!(clock.is_paused(now));
    assert_eq!(clock.status(now), SlaStatus::Breached);
    assert_eq!((clock.due_at(now), clock.breached_at(now)), (Some(at("02 17:00")), Some(at("02 17:00"))));
    assert_eq!(clock.remaining(now), Some(hours(-1)));
}

#[test]
fn a_pause_that_begins_at_the_due_instant_comes_too_late() {
    let calendar = office();
    let due = at("02 17:00");
    let clock = VisitClock { pauses: vec![pause("02 17:00", None)], ..visit(&calendar, "02 09:00") };
    assert_eq!((clock.due_at(due), clock.status(due)), (Some(due), SlaStatus::Paused));
    assert_eq!((clock.due_at(due + MOMENT), clock.status(due + MOMENT)), (Some(due), SlaStatus::Breached));
}

#[test]
fn leaving_while_paused_stops_the_clock_where_the_pause_began() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    clock.pauses = vec![pause("02 12:00", None)];
    clock.left_at = Some(at("27 12:00"));
    let now = at("30 12:00");
    assert!(!clock.is_paused(now));
    assert_eq!((clock.elapsed(now), clock.status(now)), (hours(3), SlaStatus::Met));
}

#[test]
fn a_clock_change_is_worked_through_in_real_time() {
    let always = WorkingCalendar::round_the_clock();
    let mut definition = always.definition().clone();
    definition.zone = Tz::Europe__Berlin;
    let berlin = WorkingCalendar::restore(definition).unwrap();
    for calendar in [always, berlin].map(Timeline::fixed) {
        let clock = visit(&calendar, "28 12:00");
        assert_eq!(clock.due_at(at("28 12:00")), Some(at("29 12:00")));
    }
}

#[test]
fn a_deadline_stands_whatever_the_pauses() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    clock.budget = Budget::Until(calendar.end_of_day("2026-03-05".parse().unwrap()));
    clock.pauses = vec![pause("03 09:00", None)];
    // Four working days, of which the last begins at 75 %.
    assert_eq!(clock.due_at(at("04 12:00")), Some(at("05 17:00")));
    assert_eq!(clock.warns_at(at("04 12:00")), Some(at("04 17:00")));
    assert_eq!((clock.status(at("04 12:00")), clock.remaining(at("04 12:00"))), (SlaStatus::Paused, Some(hours(13))));
    assert_eq!(
        clock.next_alert(Some(AlertLevel::Warning), at("05 12:00")),
        Some((AlertLevel::Breach, at("05 17:00") + MOMENT))
    );
    assert_eq!(
        (clock.status(at("05 18:00")), clock.breached_at(at("05 18:00"))),
        (SlaStatus::Breached, Some(at("05 17:00")))
    );
    assert_eq!(clock.remaining(at("06 11:00")), Some(hours(-2)));
}

#[test]
fn a_deadline_that_leaves_no_working_time_has_no_warning() {
    let calendar = office();
    let clock = VisitClock { budget: Budget::Until(at("02 17:00")), ..visit(&calendar, "02 18:00") };
    assert_eq!(clock.warns_at(at("02 18:00")), None);
    assert_eq!(clock.status(at("02 18:00")), SlaStatus::Breached);
    assert_eq!(clock.crossed(None, at("02 18:00")), [(AlertLevel::Breach, at("02 17:00"))]);
}

#[test]
fn alerts_come_at_three_quarters_at_the_due_time_and_one_and_three_working_days_later() {
    let calendar = office();
    let clock = visit(&calendar, "05 09:00");
    let alerts: Vec<_> = usual_alerts().iter().map(|rule| clock.alert_at(rule.level, at("05 09:00"))).collect();
    assert_eq!(alerts, [at("05 15:00"), at("05 17:00"), at("06 17:00"), at("10 17:00")].map(Some));
    assert_eq!(clock.crossed(None, at("05 17:00")), [(AlertLevel::Warning, at("05 15:00"))]);
    assert_eq!(
        clock.crossed(Some(AlertLevel::Warning), at("09 12:00")),
        [(AlertLevel::Breach, at("05 17:00")), (AlertLevel::EscalationTwo, at("06 17:00")),]
    );
}

#[test]
fn nobody_is_woken_while_paused_after_leaving_without_a_budget_or_after_the_last_level() {
    let calendar = office();
    let now = at("02 12:00");
    let clock = visit(&calendar, "02 09:00");
    let paused = VisitClock { pauses: vec![pause("02 11:00", None)], ..clock.clone() };
    let left = VisitClock { left_at: Some(at("31 12:00")), ..clock.clone() };
    let free = VisitClock { budget: Budget::None, ..clock.clone() };
    assert_eq!(clock.next_alert(None, now), Some((AlertLevel::Warning, at("02 15:00"))));
    for quiet in [paused, left, free] {
        assert_eq!(quiet.next_alert(None, now), None);
        assert_eq!(quiet.crossed(None, now), []);
    }
    assert_eq!(clock.next_alert(Some(AlertLevel::EscalationThree), now), None);
}

#[test]
fn pausing_does_not_hush_up_a_breach_that_was_not_told_yet_but_holds_the_levels_after_it() {
    let calendar = office();
    let mut clock = visit(&calendar, "02 09:00");
    clock.pauses = vec![pause("02 18:00", None)];
    let warned = Some(AlertLevel::Warning);
    assert_eq!(clock.crossed(warned, at("02 18:00")), [(AlertLevel::Breach, at("02 17:00"))]);
    assert_eq!(clock.next_alert(warned, at("09 12:00")), Some((AlertLevel::Breach, at("02 17:00") + MOMENT)));
    assert_eq!(clock.next_alert(Some(AlertLevel::Breach), at("09 12:00")), None);
    clock.pauses = vec![pause("02 18:00", Some("09 09:00"))];
    assert_eq!(
        clock.next_alert(Some(AlertLevel::Breach), at("09 12:00")),
        Some((AlertLevel::EscalationTwo, at("09 17:00")))
    );
}

#[test]
fn coming_back_within_fifteen_working_minutes_resumes_the_visit() {
    let calendar = office();
    let left = at("06 16:50");
    assert!(resumes(left, at("09 09:05"), &calendar));
    assert!(!resumes(left, at("09 09:05") + MOMENT, &calendar));
    assert!(!resumes(at("02 09:00"), at("02 10:00"), &calendar));
}

#[test]
fn a_length_is_read_in_the_calendars_working_days() {
    let (office, always) = (office(), WorkingCalendar::round_the_clock());
    let length: BudgetLength = "P1DT4H30M".parse().unwrap();
    assert_eq!((length.days(), length.seconds()), (1, 16_200));
    assert_eq!(length.in_days_of(office.working_day()), TimeDelta::minutes(12 * 60 + 30));
    assert_eq!(length.in_days_of(always.working_day()), TimeDelta::minutes(28 * 60 + 30));
}

#[test]
fn a_length_is_written_in_one_way() {
    for (text, canonical) in [
        ("P1D", "P1D"),
        ("PT4H", "PT4H"),
        ("P1DT4H30M", "P1DT4H30M"),
        ("PT2S", "PT2S"),
        ("PT90M", "PT1H30M"),
        ("PT36H", "PT36H"),
        ("P0DT0H060S", "PT1M"),
        ("P3650D", "P3650D"),
    ] {
        let length: BudgetLength = text.parse().unwrap();
        assert_eq!(length.to_string(), canonical);
        assert_eq!(serde_json::to_string(&length).unwrap(), format!("\"{canonical}\""));
    }
}

#[test]
fn what_is_not_a_length_is_refused_with_a_reason() {
    for text in [
        "", "P", "PT", "1D", "P1", "P1DT", "PD", "P1W", "P1M", "P1Y", "PT1.5H", "PT1D", "PT30M4H", "P1D2D", "p1d",
        "P-1D", "P+1D", "P1DT4HT", " P1D", "PT4H ", "P１D",
    ] {
        let error = text.parse::<BudgetLength>().unwrap_err();
        assert_eq!(error, BudgetLengthError::NotADuration { text: text.to_owned() });
    }
    assert_eq!("P0D".parse::<BudgetLength>(), Err(BudgetLengthError::Zero));
    for text in ["P3651D", "PT99999999999999999999H", "PT1193047H", "P4294967295DT1S"] {
        assert_eq!(text.parse::<BudgetLength>(), Err(BudgetLengthError::TooLong), "{text}");
    }
}
