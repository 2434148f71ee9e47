//! Hand-computed stays. People work Monday to Friday, 09:00–17:00 UTC; 2 March 2026 is a Monday.

mod properties;

use chrono_tz::Tz;
use entity::id::{
    CalendarId, CalendarVersionId, ClockPauseId, SlaPolicyId, SlaPolicyVersionId, StageVisitId, TicketId,
};
use uuid::Uuid;

use super::*;
use crate::domain::{
    calendar::{WorkingCalendar, timeline::CalendarVersion},
    policy::{BudgetRule, PolicyTerms},
    samples::{at, day},
};

/// A policy of this budget, in a calendar of this number.
fn policy_in(stage: Stage, budget: Option<&str>, number: u128, calendar: WorkingCalendar) -> Policy {
    let calendar_id = CalendarId(Uuid::from_u128(number));
    let mut terms = PolicyTerms::of_process(stage, calendar_id);
    let budget = budget.map(|length| length.parse().unwrap());
    terms.budgets = vec![BudgetRule { priority: None, tier: None, budget }];
    let id = SlaPolicyVersionId(Uuid::from_u128(number));
    let (policy_id, effective_at) = (SlaPolicyId(Uuid::from_u128(1)), DateTime::UNIX_EPOCH);
    let calendar = CalendarVersion {
        id: CalendarVersionId(Uuid::from_u128(number)),
        calendar_id,
        version: 1,
        effective_at,
        calendar,
    };
    Policy {
        version: Arc::new(PolicyVersion { id, policy_id, stage, version: 1, effective_at, terms: Arc::new(terms) }),
        calendar: CalendarVersions::new([Arc::new(calendar)]).unwrap(),
    }
}

fn policy(stage: Stage, budget: Option<&str>) -> Policy {
    policy_in(stage, budget, 1, WorkingCalendar::monday_to_friday(Tz::UTC))
}

fn round_the_clock(stage: Stage, budget: Option<&str>) -> Policy {
    policy_in(stage, budget, 9, WorkingCalendar::round_the_clock())
}

fn enter(policy: &Policy, deadline_on: Option<NaiveDate>, entered_at: DateTime<Utc>) -> Visit {
    let id = (StageVisitId(Uuid::from_u128(2)), TicketId(Uuid::from_u128(3)));
    let timeline = policy.calendar.from(entered_at);
    Visit::enter(id, Arc::clone(&policy.version), Rank::default(), timeline, deadline_on, entered_at)
}

/// A stay in Validating, of one working day.
fn validating(entered_at: &str) -> Visit {
    enter(&policy(Stage::Validating, Some("P1D")), None, at(entered_at))
}

/// A stay in Fixing, up to the end of a day of March.
fn fixing(entered_at: &str, deadline_on: u32) -> Visit {
    enter(&policy(Stage::Fixing, None), Some(day(deadline_on)), at(entered_at))
}

fn pause_id() -> ClockPauseId {
    ClockPauseId(Uuid::from_u128(4))
}

impl Visit {
    fn wait_for_client(&mut self, now: &str) {
        self.pause(pause_id(), PauseReason::WaitingClient, None, at(now));
    }

    /// Goes on under a policy; says whether the due time moved.
    fn follow(&mut self, policy: &Policy, now: DateTime<Utc>) -> bool {
        let (before, eras) = (self.due_at, self.eras_to_follow(policy, now));
        self.reckon(Arc::clone(&policy.version), self.rank, eras, now);
        self.due_at != before
    }

    fn resume_all(&mut self, now: DateTime<Utc>) -> bool {
        self.resume(|_| true, now)
    }

    fn back_at(&mut self, now: &str) {
        self.come_back(pause_id(), self.deadline_on, at(now));
    }
}

fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

#[test]
fn a_new_stay_knows_its_due_time_and_when_to_look_at_it() {
    let visit = validating("02 16:00");
    assert_eq!((visit.due_at, visit.original_due_at), (Some(at("03 16:00")), Some(at("03 16:00"))));
    assert_eq!((visit.warns_at, visit.next_alert_at), (Some(at("03 14:00")), Some(at("03 14:00"))));
    assert_eq!((visit.deadline_on, visit.breached_at, visit.elapsed), (None, None, None));
    let reading = visit.reading(at("03 10:00"));
    assert_eq!((reading.status, reading.elapsed, reading.remaining), (SlaStatus::OnTrack, hours(2), Some(hours(6))));
}

#[test]
fn fixing_is_due_at_the_end_of_the_working_day_of_its_date() {
    assert_eq!(fixing("02 10:00", 5).due_at, Some(at("05 17:00")));
    // 7 March is a Saturday, which has no working hours: its end is midnight.
    assert_eq!(fixing("02 10:00", 7).due_at, Some(at("08 00:00")));
    let always = enter(&round_the_clock(Stage::Fixing, None), Some(day(5)), at("02 10:00"));
    assert_eq!(always.due_at, Some(at("06 00:00")));
}

#[test]
fn only_fixing_has_a_deadline() {
    for stage in [Stage::Validating, Stage::Replicating, Stage::Estimating, Stage::Verifying] {
        let visit = enter(&policy(stage, Some("P1D")), Some(day(20)), at("02 10:00"));
        assert_eq!((visit.deadline_on, visit.due_at), (None, Some(at("03 10:00"))));
    }
}

#[test]
fn a_stage_without_a_budget_has_no_clock() {
    let mut visit = enter(&policy(Stage::Validating, None), None, at("02 10:00"));
    assert_eq!((visit.due_at, visit.original_due_at, visit.next_alert_at), (None, None, None));
    assert_eq!(visit.reading(at("20 10:00")).status, SlaStatus::None);
    visit.leave(at("03 10:00"));
    let reading = visit.reading(at("20 10:00"));
    assert_eq!((reading.status, reading.elapsed), (SlaStatus::None, hours(8)));
}

#[test]
fn a_question_to_the_client_stops_the_clock_until_the_answer() {
    let mut visit = validating("02 10:00");
    visit.wait_for_client("02 12:00");
    assert_eq!((visit.due_at, visit.warns_at, visit.next_alert_at), (None, None, None));
    assert_eq!(visit.original_due_at, Some(at("03 10:00")));
    let reading = visit.reading(at("04 12:00"));
    assert_eq!((reading.status, reading.elapsed), (SlaStatus::Paused, hours(2)));
    assert_eq!((reading.due_at, reading.due_if_resumed_at), (None, Some(at("05 10:00"))));

    assert!(visit.resume_all(at("04 12:00")));
    assert_eq!((visit.due_at, visit.original_due_at), (Some(at("05 10:00")), Some(at("03 10:00"))));
    assert_eq!((visit.warns_at, visit.next_alert_at), (Some(at("04 16:00")), Some(at("04 16:00"))));
    let reading = visit.reading(at("04 12:00"));
    assert_eq!((reading.status, reading.elapsed, reading.due_if_resumed_at), (SlaStatus::OnTrack, hours(2), None));
}

#[test]
fn resuming_what_is_not_paused_changes_nothing() {
    let mut visit = validating("02 10:00");
    assert!(!visit.resume_all(at("02 12:00")));
    visit.wait_for_client("02 12:00");
    assert!(visit.resume_all(at("02 13:00")));
    assert!(!visit.resume_all(at("02 14:00")));
    assert_eq!(visit.pauses.first().unwrap().ended_at, Some(at("02 13:00")), "the first end counts");
}

#[test]
fn leaving_while_paused_ends_the_pause_first() {
    let mut visit = validating("02 10:00");
    visit.wait_for_client("02 12:00");
    visit.leave(at("04 12:00"));
    assert_eq!(visit.pauses.first().unwrap().ended_at, Some(at("04 12:00")));
    assert_eq!((visit.left_at, visit.elapsed), (Some(at("04 12:00")), Some(hours(2))));
    assert_eq!((visit.breached_at, visit.next_alert_at), (None, None));
    let reading = visit.reading(at("20 12:00"));
    assert_eq!((reading.status, reading.elapsed), (SlaStatus::Met, hours(2)));
    assert_eq!((reading.due_at, reading.due_if_resumed_at, reading.remaining), (Some(at("05 10:00")), None, None));
}

#[test]
fn leaving_at_the_due_instant_is_in_time_and_a_moment_later_is_late() {
    let mut in_time = validating("02 10:00");
    in_time.leave(at("03 10:00"));
    assert_eq!((in_time.breached_at, in_time.reading(at("04 10:00")).status), (None, SlaStatus::Met));

    let mut late = validating("02 10:00");
    late.leave(at("03 10:00") + TimeDelta::microseconds(1));
    let reading = late.reading(at("04 10:00"));
    assert_eq!((reading.status, reading.breached_at), (SlaStatus::Missed, Some(at("03 10:00"))));
}

#[test]
fn a_breach_stays_whatever_happens_later() {
    let mut visit = validating("02 10:00");
    let breach = Some(at("03 10:00"));
    let is_breached = |visit: &Visit, now: &str| {
        let reading = visit.reading(at(now));
        assert_eq!((visit.breached_at, reading.breached_at, reading.status), (breach, breach, SlaStatus::Breached));
    };
    assert_eq!(visit.reading(at("03 10:01")).breached_at, breach, "seen before the scan has noticed it");
    visit.wait_for_client("03 12:00");
    is_breached(&visit, "03 12:00");
    visit.resume_all(at("04 12:00"));
    is_breached(&visit, "04 12:00");
    visit.follow(&policy(Stage::Validating, Some("P10D")), at("04 13:00"));
    is_breached(&visit, "04 13:00");
    visit.leave(at("04 14:00"));
    assert_eq!((visit.breached_at, visit.reading(at("05 09:00")).status), (breach, SlaStatus::Missed));
    visit.back_at("04 14:05");
    is_breached(&visit, "04 14:05");
}

#[test]
fn a_breach_that_nobody_has_noticed_yet_outlives_a_longer_budget() {
    let mut visit = validating("02 10:00");
    visit.follow(&policy(Stage::Validating, Some("P3D")), at("03 10:01"));
    assert_eq!(visit.breached_at, Some(at("03 10:00")));
    assert_eq!(visit.reading(at("03 10:01")).status, SlaStatus::Breached);

    let mut moved = fixing("02 10:00", 3);
    moved.set_deadline(day(9), at("04 10:00"));
    assert_eq!((moved.breached_at, moved.due_at), (Some(at("03 17:00")), Some(at("09 17:00"))));
}

#[test]
fn a_deadline_moves_with_the_promised_date() {
    let mut visit = fixing("02 10:00", 5);
    visit.set_deadline(day(9), at("03 10:00"));
    assert_eq!((visit.due_at, visit.original_due_at), (Some(at("09 17:00")), Some(at("05 17:00"))));
    assert_eq!(visit.next_alert_at, visit.warns_at);

    let mut other = validating("02 10:00");
    other.set_deadline(day(9), at("02 12:00"));
    assert_eq!((other.deadline_on, other.due_at), (None, Some(at("03 10:00"))), "it has none to move");
}

#[test]
fn a_question_does_not_move_a_deadline() {
    let mut visit = fixing("02 10:00", 5);
    visit.wait_for_client("03 10:00");
    assert_eq!((visit.due_at, visit.reading(at("04 10:00")).due_at), (Some(at("05 17:00")), Some(at("05 17:00"))));
    assert_eq!(visit.reading(at("06 10:00")).status, SlaStatus::Breached);
}

#[test]
fn a_clock_is_spent_once_it_ran_out_or_people_heard_of_it() {
    let mut visit = fixing("02 10:00", 5);
    assert!(!visit.is_spent(at("05 17:00")));
    assert!(visit.is_spent(at("05 17:01")));
    visit.alerted_level = Some(AlertLevel::Warning);
    assert!(visit.is_spent(at("03 10:00")));
}

#[test]
fn coming_back_within_fifteen_working_minutes_goes_on_with_the_old_stay() {
    let mut visit = validating("02 10:00");
    visit.leave(at("02 16:50"));
    // Ten minutes on Monday, five on Tuesday.
    assert!(visit.resumes_at(None, at("03 09:05")));
    assert!(!visit.resumes_at(None, at("03 09:05") + TimeDelta::microseconds(1)));
    visit.back_at("03 09:05");
    assert_eq!((visit.left_at, visit.elapsed), (None, None));
    assert_eq!((visit.due_at, visit.original_due_at), (Some(at("03 10:15")), Some(at("03 10:00"))));
    let reading = visit.reading(at("03 10:00"));
    assert_eq!((reading.status, reading.elapsed), (SlaStatus::Warning, hours(7) + TimeDelta::minutes(45)));
    assert_eq!(visit.pauses.first().map(|pause| pause.reason), Some(PauseReason::Away));

    visit.leave(at("03 10:05"));
    assert_eq!(visit.elapsed, Some(hours(7) + TimeDelta::minutes(50)));
}

#[test]
fn a_running_stay_is_not_come_back_to() {
    assert!(!validating("02 10:00").resumes_at(None, at("02 10:01")));
}

#[test]
fn coming_back_in_time_is_no_breach_although_the_old_due_time_has_passed() {
    let mut visit = validating("02 10:00");
    visit.leave(at("03 09:58"));
    visit.back_at("03 10:08");
    assert_eq!((visit.due_at, visit.breached_at), (Some(at("03 10:10")), None));
    assert_eq!(visit.reading(at("03 10:09")).status, SlaStatus::Warning);
}

#[test]
fn coming_back_to_fixing_takes_the_new_date() {
    let mut visit = fixing("02 10:00", 5);
    visit.leave(at("04 10:00"));
    visit.come_back(pause_id(), Some(day(9)), at("04 10:10"));
    assert_eq!((visit.deadline_on, visit.due_at), (Some(day(9)), Some(at("09 17:00"))));
    assert_eq!(visit.original_due_at, Some(at("05 17:00")));
}

#[test]
fn a_new_promise_does_not_go_on_with_a_spent_clock() {
    let mut visit = fixing("02 10:00", 5);
    visit.leave(at("06 10:00"));
    assert!(visit.resumes_at(Some(day(5)), at("06 10:10")), "the old promise is as late as it was");
    assert!(!visit.resumes_at(Some(day(9)), at("06 10:10")));

    let mut in_time = fixing("02 10:00", 5);
    in_time.leave(at("03 10:00"));
    assert!(in_time.resumes_at(Some(day(9)), at("03 10:10")));
    in_time.alerted_level = Some(AlertLevel::Warning);
    assert!(!in_time.resumes_at(Some(day(9)), at("03 10:10")));
}

#[test]
fn coming_back_after_leaving_while_paused_does_not_count_the_wait_twice() {
    let mut visit = validating("02 10:00");
    visit.wait_for_client("02 12:00");
    visit.leave(at("02 14:00"));
    visit.back_at("02 14:10");
    assert_eq!(visit.reading(at("02 15:10")).elapsed, hours(3));
}

#[test]
fn a_changed_policy_is_followed_from_then_on() {
    let mut visit = validating("02 10:00");
    assert!(visit.follow(&policy(Stage::Validating, Some("P2D")), at("02 12:00")));
    assert_eq!((visit.due_at, visit.original_due_at), (Some(at("04 10:00")), Some(at("03 10:00"))));
    assert!(!visit.follow(&policy(Stage::Validating, Some("P2D")), at("02 12:00")), "nothing moved");

    let always = round_the_clock(Stage::Validating, Some("P1D"));
    assert!(visit.follow(&always, at("02 12:00")));
    assert_eq!(
        (visit.timeline.latest().calendar_id, visit.due_at),
        (always.version.terms.calendar_id, Some(at("03 10:00")))
    );

    assert!(visit.follow(&policy(Stage::Validating, None), at("02 12:00")));
    assert_eq!((visit.due_at, visit.next_alert_at), (None, None));
    assert_eq!(visit.original_due_at, Some(at("03 10:00")));
}

#[test]
fn a_paused_clock_follows_a_changed_policy_too() {
    let mut visit = validating("02 10:00");
    visit.wait_for_client("02 12:00");
    visit.follow(&policy(Stage::Validating, Some("P2D")), at("02 13:00"));
    visit.resume_all(at("02 14:00"));
    assert_eq!(visit.due_at, Some(at("04 12:00")));
}

#[test]
fn what_a_left_stay_shows_is_frozen_whatever_becomes_of_its_calendar() {
    for left_at in ["02 15:00", "04 15:00"] {
        let mut visit = validating("02 10:00");
        visit.wait_for_client("02 12:00");
        visit.resume_all(at("02 13:00"));
        visit.leave(at(left_at));
        let shown = visit.reading(at(left_at));
        visit.timeline = Timeline::fixed(WorkingCalendar::round_the_clock());
        assert_eq!(visit.reading(at(left_at)), shown);
        assert_eq!(visit.reading(at("31 10:00")), shown);
    }
    let mut visit = fixing("02 10:00", 5);
    visit.leave(at("05 18:00"));
    let shown = visit.reading(at("05 18:00"));
    assert_eq!(shown.status, SlaStatus::Missed);
    visit.timeline = Timeline::fixed(WorkingCalendar::round_the_clock());
    assert_eq!(visit.reading(at("31 10:00")), shown);
}

#[test]
fn the_next_alert_is_the_one_after_those_that_were_raised() {
    let mut visit = validating("02 10:00");
    visit.alerted_level = Some(AlertLevel::Breach);
    visit.refresh(at("03 10:01"));
    assert_eq!((visit.next_alert_at, visit.breached_at), (Some(at("04 10:00")), Some(at("03 10:00"))));
    visit.alerted_level = Some(AlertLevel::EscalationThree);
    visit.refresh(at("09 10:00"));
    assert_eq!(visit.next_alert_at, None);
}
