//! What holds for every stay, in every calendar, whatever happens in it.

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest},
};

use super::*;
use crate::domain::{
    calendar::{
        Interval,
        samples::{calendar_and_instant, up_to_hours},
    },
    sla::RESUME_WITHIN,
};

/// What happens next, so long after what happened before.
#[derive(Clone, Debug)]
enum Step {
    Pause(TimeDelta),
    Resume(TimeDelta),
    /// The ticket leaves and comes back, if it may.
    RoundTrip(TimeDelta, TimeDelta),
    Refresh(TimeDelta),
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        up_to_hours(30).prop_map(Step::Pause),
        up_to_hours(30).prop_map(Step::Resume),
        (up_to_hours(10), up_to_hours(1)).prop_map(|(after, away)| Step::RoundTrip(after, away)),
        up_to_hours(30).prop_map(Step::Refresh),
    ];
    vec(step, 0..8)
}

fn enter_in(calendar: &Arc<WorkingCalendar>, entered_at: DateTime<Utc>, with_deadline: bool) -> Visit {
    let stage = if with_deadline { Stage::Fixing } else { Stage::Validating };
    let budget = if with_deadline { None } else { Some("P1D") };
    let policy = policy_in(stage, budget, 1, calendar.as_ref().clone());
    enter(&policy, with_deadline.then(|| calendar.today(entered_at + TimeDelta::days(2))), entered_at)
}

/// Lives through the steps; returns the times in which the clock stood still, and the instant at the end.
fn live(visit: &mut Visit, steps: &[Step]) -> (Vec<Interval>, DateTime<Utc>) {
    let mut now = visit.entered_at;
    let mut paused_since = None;
    let mut pauses = vec![];
    for step in steps {
        match step {
            Step::Pause(after) => {
                now += *after;
                visit.pause(pause_id(), PauseReason::WaitingClient, None, now);
                paused_since = paused_since.or(Some(now));
            }
            Step::Resume(after) => {
                now += *after;
                assert_eq!(visit.resume_all(now), paused_since.is_some());
                pauses.extend(paused_since.take().map(|start| Interval { start, end: now }));
            }
            Step::RoundTrip(after, away) => {
                let before = visit.clone();
                let left_at = now + *after;
                visit.leave(left_at);
                if visit.resumes_at(visit.deadline_on, left_at + *away) {
                    pauses.extend(paused_since.take().map(|start| Interval { start, end: left_at }));
                    now = left_at + *away;
                    visit.come_back(pause_id(), visit.deadline_on, now);
                    pauses.push(Interval { start: left_at, end: now });
                } else {
                    *visit = before;
                }
            }
            Step::Refresh(after) => {
                now += *after;
                visit.refresh(now);
            }
        }
    }
    pauses.extend(paused_since.map(|start| Interval { start, end: now }));
    (pauses, now)
}

proptest! {
    #[test]
    fn a_left_stay_used_its_working_time_minus_the_pauses(
        (calendar, entered_at) in calendar_and_instant(),
        steps in any_steps(),
        with_deadline in any::<bool>(),
    ) {
        let calendar = Arc::new(calendar);
        let mut visit = enter_in(&calendar, entered_at, with_deadline);
        let (pauses, left_at) = live(&mut visit, &steps);
        visit.leave(left_at);
        let paused: TimeDelta = pauses.iter().map(|pause| calendar.between(pause.start, pause.end)).sum();
        prop_assert_eq!(visit.elapsed, Some(calendar.between(entered_at, left_at) - paused));
        prop_assert!(visit.pauses.iter().all(|pause| pause.ended_at.is_some()));
        prop_assert_eq!(visit.next_alert_at, None);
        if !with_deadline {
            let used_up = visit.elapsed.unwrap() > calendar.working_day();
            prop_assert!(!used_up || visit.breached_at.is_some());
        }
    }

    #[test]
    fn first_due_time_and_breach_are_written_once(
        (calendar, entered_at) in calendar_and_instant(),
        steps in any_steps(),
        with_deadline in any::<bool>(),
    ) {
        let visit = enter_in(&Arc::new(calendar), entered_at, with_deadline);
        prop_assert!(visit.original_due_at.is_some());
        let after = |steps: &[Step]| {
            let mut visit = visit.clone();
            let (_, now) = live(&mut visit, steps);
            visit.refresh(now);
            visit
        };
        let (earlier, later) = (after(&steps[..steps.len() / 2]), after(&steps));
        prop_assert_eq!(later.original_due_at, visit.original_due_at);
        prop_assert!(earlier.breached_at.is_none() || later.breached_at == earlier.breached_at);
    }

    #[test]
    fn what_is_stored_is_what_the_clock_says(
        (calendar, entered_at) in calendar_and_instant(),
        steps in any_steps(),
        with_deadline in any::<bool>(),
    ) {
        let mut visit = enter_in(&Arc::new(calendar), entered_at, with_deadline);
        let (_, now) = live(&mut visit, &steps);
        let reading = visit.reading(now);
        prop_assert_eq!(reading.due_at, visit.due_at);
        let mut refreshed = visit.clone();
        refreshed.refresh(now);
        prop_assert_eq!(refreshed.due_at, visit.due_at);
        prop_assert_eq!(refreshed.warns_at, visit.warns_at);
        prop_assert_eq!(refreshed.next_alert_at, visit.next_alert_at);
        prop_assert_eq!(refreshed.breached_at, reading.breached_at);
    }

    #[test]
    fn a_stay_goes_on_exactly_when_the_return_is_within_the_limit(
        (calendar, entered_at) in calendar_and_instant(),
        after in up_to_hours(30),
        away in up_to_hours(48),
    ) {
        let mut visit = enter_in(&Arc::new(calendar), entered_at, false);
        let left_at = entered_at + after;
        visit.leave(left_at);
        let within = visit.timeline.between(left_at, left_at + away) <= RESUME_WITHIN;
        prop_assert_eq!(visit.resumes_at(None, left_at + away), within);
        prop_assume!(within);
        let elapsed = visit.elapsed;
        visit.come_back(pause_id(), None, left_at + away);
        prop_assert_eq!(Some(visit.reading(left_at + away).elapsed), elapsed);
    }

    #[test]
    fn a_pause_that_is_voided_never_was(
        (calendar, entered_at) in calendar_and_instant(),
        steps in any_steps(),
        (asked, failed) in (up_to_hours(60), up_to_hours(60)),
        is_left in any::<bool>(),
    ) {
        let mut visit = enter_in(&Arc::new(calendar), entered_at, false);
        let (_, now) = live(&mut visit, &steps);
        visit.resume_all(now);
        let (asked_at, failed_at) = (now + asked, now + asked + failed);
        let mut untouched = visit.clone();
        let pause = ClockPauseId(uuid::Uuid::from_u128(7));
        visit.pause(pause, PauseReason::WaitingClient, None, asked_at);
        if is_left {
            visit.leave(failed_at);
            untouched.leave(failed_at);
        }
        visit.void_pause(pause, failed_at + TimeDelta::hours(1));
        untouched.refresh(failed_at + TimeDelta::hours(1));
        let at = failed_at + TimeDelta::hours(2);
        prop_assert_eq!(visit.reading(at), untouched.reading(at));
        prop_assert_eq!((visit.next_alert_at, visit.late_at, visit.paused), (untouched.next_alert_at, untouched.late_at, untouched.paused));
        prop_assert!(visit.question_pause(asked_at).is_some_and(VisitPause::is_void));
    }
}
