//! What holds for every visit, in every calendar, with any pauses.

use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, prop_assume, proptest};

use super::*;
use crate::domain::calendar::samples::{calendar_and_instant, up_to_hours};

fn timeline_and_instant() -> impl Strategy<Value = (Timeline, DateTime<Utc>)> {
    calendar_and_instant().prop_map(|(calendar, instant)| (Timeline::fixed(calendar), instant))
}

/// All pauses of [`any_pauses`] are over so long after the entry.
const AFTER_ALL_PAUSES: TimeDelta = TimeDelta::hours(150);

/// How long before the entry the earliest pauses begin.
const BEFORE_THE_ENTRY: TimeDelta = TimeDelta::hours(10);

/// When pauses begin, counted from [`BEFORE_THE_ENTRY`], and how long they last; over by [`AFTER_ALL_PAUSES`].
fn any_pauses() -> impl Strategy<Value = Vec<(TimeDelta, TimeDelta)>> {
    vec((up_to_hours(100), up_to_hours(50)), 0..6)
}

fn visit_with_pauses<'a>(
    calendar: &'a Timeline,
    entered_at: DateTime<Utc>,
    budget: TimeDelta,
    pauses: &[(TimeDelta, TimeDelta)],
) -> VisitClock<'a> {
    let begun = |(after, length): &(TimeDelta, TimeDelta)| {
        let from = entered_at - BEFORE_THE_ENTRY + *after;
        Pause { from, until: Some(from + *length) }
    };
    let pauses = pauses.iter().map(begun).collect();
    VisitClock { calendar, alerts: usual_alerts(), entered_at, left_at: None, budget: Budget::Working(budget), pauses }
}

/// Cuts the visit at every edge of a window or pause, and adds up the pieces that are open and not paused.
fn elapsed_piece_by_piece(clock: &VisitClock<'_>, now: DateTime<Utc>) -> TimeDelta {
    let open: Vec<_> = clock.calendar.open_intervals(clock.entered_at).take_while(|open| open.start < now).collect();
    let mut edges = vec![clock.entered_at, now];
    edges.extend(open.iter().flat_map(|open| [open.start, open.end]));
    edges.extend(clock.pauses.iter().flat_map(|pause| [pause.from, pause.until.unwrap_or(now)]));
    edges.retain(|edge| (clock.entered_at..=now).contains(edge));
    edges.sort();
    let counts = |instant: DateTime<Utc>| {
        let paused = |pause: &Pause| pause.from <= instant && pause.until.is_none_or(|until| instant < until);
        open.iter().any(|open| open.start <= instant && instant < open.end) && !clock.pauses.iter().any(paused)
    };
    edges.array_windows().filter(|[from, _]| counts(*from)).map(|[from, to]| *to - *from).sum()
}

proptest! {
    #[test]
    fn elapsed_time_is_open_time_outside_all_pauses(
        (calendar, entered_at) in timeline_and_instant(),
        pauses in any_pauses(),
        age in up_to_hours(200),
    ) {
        let mut clock = visit_with_pauses(&calendar, entered_at, hours(8), &pauses);
        // The first pause still holds.
        if let Some(first) = clock.pauses.first_mut() {
            first.until = None;
        }
        let now = entered_at + age;
        prop_assert_eq!(clock.elapsed(now), elapsed_piece_by_piece(&clock, now));
    }

    #[test]
    fn due_is_the_first_instant_at_which_the_budget_has_elapsed(
        (calendar, entered_at) in timeline_and_instant(),
        pauses in any_pauses(),
        budget in up_to_hours(40),
    ) {
        let budget = budget + MOMENT;
        let clock = visit_with_pauses(&calendar, entered_at, budget, &pauses);
        let due = clock.due_at(entered_at + AFTER_ALL_PAUSES).unwrap();
        prop_assert_eq!(clock.elapsed(due), budget);
        prop_assert!(clock.elapsed(due - MOMENT) < budget);
    }

    #[test]
    fn the_due_time_after_resuming_is_the_due_time_once_resumed(
        (calendar, entered_at) in timeline_and_instant(),
        (from, length) in (up_to_hours(30), up_to_hours(60)),
        budget in up_to_hours(40),
    ) {
        let mut clock = visit_with_pauses(&calendar, entered_at, budget, &[]);
        let (from, now) = (entered_at + from, entered_at + from + length);
        clock.pauses = vec![Pause { from, until: None }];
        let foreseen = clock.due_if_resumed_at(now);
        clock.pauses = vec![Pause { from, until: Some(now) }];
        prop_assert_eq!(foreseen, clock.due_at(now));
        prop_assert!(foreseen.is_some());
    }

    #[test]
    fn a_pause_outside_working_hours_moves_nothing(
        (calendar, entered_at) in timeline_and_instant(),
        days in 0..8_usize,
        budget in up_to_hours(40),
    ) {
        let mut clock = visit_with_pauses(&calendar, entered_at, budget, &[]);
        let mut open = calendar.open_intervals(entered_at).skip(days);
        let (evening, morning) = (open.next().unwrap().end, open.next().unwrap().start);
        let now = entered_at + hours(24 * 365);
        let without_pause = clock.due_at(now);
        clock.pauses = vec![Pause { from: evening, until: Some(morning) }];
        prop_assert_eq!(clock.due_at(now), without_pause);
    }

    #[test]
    fn a_later_pause_never_undoes_a_breach(
        (calendar, entered_at) in timeline_and_instant(),
        pauses in any_pauses(),
        later_pauses in any_pauses(),
        budget in up_to_hours(10),
        later in up_to_hours(200),
    ) {
        let now = entered_at + AFTER_ALL_PAUSES;
        let mut clock = visit_with_pauses(&calendar, entered_at, budget, &pauses);
        let breached_at = clock.breached_at(now);
        prop_assume!(breached_at.is_some());
        let later_pauses = visit_with_pauses(&calendar, now + BEFORE_THE_ENTRY, budget, &later_pauses).pauses;
        clock.pauses.extend(later_pauses);
        clock.pauses.push(Pause { from: now, until: None });
        prop_assert_eq!(clock.breached_at(now + later), breached_at);
        prop_assert_eq!(clock.due_at(now + later), breached_at);
        prop_assert_eq!(clock.status(now + later), SlaStatus::Breached);
    }

    #[test]
    fn the_alert_instant_that_is_stored_has_come_exactly_when_levels_are_crossed(
        (calendar, entered_at) in timeline_and_instant(),
        pauses in any_pauses(),
        budget in up_to_hours(40),
        age in up_to_hours(200),
        deadline in proptest::bool::ANY,
    ) {
        let mut clock = visit_with_pauses(&calendar, entered_at, budget, &pauses);
        if deadline {
            clock.budget = Budget::Until(entered_at + budget);
        }
        let now = entered_at + age;
        for after in [None, Some(AlertLevel::Warning), Some(AlertLevel::Breach), Some(AlertLevel::EscalationTwo)] {
            let crossed = clock.crossed(after, now);
            let come = clock.next_alert(after, now).filter(|(_, wakes_at)| *wakes_at <= now);
            prop_assert_eq!(crossed.first().map(|(level, _)| *level), come.map(|(level, _)| level));
            prop_assert!(crossed.is_sorted_by_key(|(_, at)| *at));
        }
    }

    #[test]
    fn a_scheduler_that_sleeps_as_told_raises_every_level_once_and_then_rests(
        (calendar, entered_at) in timeline_and_instant(),
        pauses in any_pauses(),
        budget in up_to_hours(40),
    ) {
        let clock = visit_with_pauses(&calendar, entered_at, budget, &pauses);
        let mut now = entered_at + AFTER_ALL_PAUSES;
        let mut raised = vec![];
        while let Some((_, wakes_at)) = clock.next_alert(raised.last().copied(), now) {
            if now < wakes_at {
                prop_assert_eq!(clock.crossed(raised.last().copied(), wakes_at - MOMENT), []);
                now = wakes_at;
            }
            let crossed = clock.crossed(raised.last().copied(), now);
            prop_assert!(!crossed.is_empty());
            raised.extend(crossed.into_iter().map(|(level, _)| level));
        }
        prop_assert_eq!(raised, usual_alerts().iter().map(|rule| rule.level).collect::<Vec<_>>());
    }

    #[test]
    fn time_left_and_time_used_make_up_the_budget(
        (calendar, entered_at) in timeline_and_instant(),
        pauses in any_pauses(),
        budget in up_to_hours(40),
        age in up_to_hours(200),
    ) {
        let clock = visit_with_pauses(&calendar, entered_at, budget, &pauses);
        let now = entered_at + age;
        let remaining = clock.remaining(now).unwrap();
        prop_assert_eq!(clock.elapsed(now) + remaining, budget);
        if let Some(due) = clock.due_at(now).filter(|due| now <= *due) {
            prop_assert_eq!(calendar.between(now, due), remaining);
        }
    }

    #[test]
    fn a_length_survives_writing_and_reading(days in 0..=3650_u32, seconds in 1..=315_360_000_u32) {
        let length = BudgetLength::new(days, seconds).unwrap();
        prop_assert_eq!(length.to_string().parse(), Ok(length));
    }
}
