//! The Estimated Delivery Date: when the client is told, when it is refused, and that changing it is explained.

use chrono::NaiveDate;
use entity::vocab::{EventKind, Stage, Team, TicketField};

use crate::domain::{
    facts::{FactsPatch, Patch, TEXT_LIMIT},
    moves::{Decision, Move, change_facts, file, promise},
    notice::NoticeFacts,
    refusal::{Code, Refusal},
    samples::{
        PROMISED_DAY, administrator, clearing, client, day, full_ticket, manager, member, office, office_at, problems,
        promising, stating, teamless, to,
    },
    ticket::Ticket,
};

fn set(ticket: &Ticket, date: NaiveDate, reason: &str, when: &str) -> Result<Decision, Refusal> {
    promise(ticket, &member(Team::ProjectManager), date, reason, &office_at(when).surroundings())
}

fn in_past() -> Vec<(Code, String)> {
    vec![(Code::DateInPast, "facts.estimatedDeliveryDate".to_owned())]
}

#[test]
fn entering_fixing_tells_the_client_the_date() {
    let fixing =
        office().decide(&full_ticket(Stage::Estimating), &member(Team::ProjectManager), &to(Stage::Fixing)).unwrap();
    assert_eq!(fixing.client_notices, [NoticeFacts::DeliveryDateSet { date: day(PROMISED_DAY) }]);
    assert_eq!(fixing.ticket.promised_delivery_date, Some(day(PROMISED_DAY)));
}

#[test]
fn before_fixing_the_client_hears_of_no_date() {
    let mut ticket = full_ticket(Stage::Replicating);
    ticket.facts.estimated_delivery_date = None;
    for stage in [Stage::Validating, Stage::Replicating, Stage::Estimating] {
        let decision = set(&Ticket { stage, ..ticket.clone() }, day(11), "planned", "02 10:00").unwrap();
        assert_eq!((decision.client_notices.as_slice(), decision.ticket.promised_delivery_date), ([].as_slice(), None));
        assert_eq!(decision.events.first().unwrap().kind, EventKind::FactsChanged);
    }
    let estimating = office().decide(&full_ticket(Stage::Replicating), &member(Team::Qa), &to(Stage::Estimating));
    assert_eq!(estimating.unwrap().client_notices, []);
}

#[test]
fn from_fixing_on_a_changed_date_is_told_with_the_old_one() {
    for stage in [Stage::Fixing, Stage::Verifying] {
        let decision = set(&full_ticket(stage), day(12), " a part is late ", "02 10:00").unwrap();
        let [old, new] = [PROMISED_DAY, 12].map(day);
        assert_eq!(decision.client_notices, [NoticeFacts::DeliveryDateChanged { old, new }]);
        assert_eq!(decision.ticket.promised_delivery_date, Some(new));
        assert_eq!(decision.ticket.stage, stage);
        let [event] = decision.events.as_slice() else { panic!("{:?}", decision.events) };
        assert_eq!(
            (event.kind, event.data.reason.as_deref()),
            (EventKind::DeliveryDateChanged, Some("a part is late"))
        );
        let [change] = event.data.changes.as_slice() else { panic!("{:?}", event.data.changes) };
        assert_eq!(change.field, TicketField::EstimatedDeliveryDate);
        let told = (change.before.as_deref(), change.after.as_deref());
        assert_eq!(told, (Some("2026-03-10"), Some("2026-03-12")));
    }
}

#[test]
fn a_date_that_the_client_knows_is_not_told_again() {
    let verifying = office().decide(&full_ticket(Stage::Fixing), &member(Team::Tech), &to(Stage::Verifying)).unwrap();
    assert_eq!(verifying.client_notices, []);
    let rejected = office().decide(&verifying.ticket, &member(Team::Qa), &to(Stage::Fixing)).unwrap();
    assert_eq!(rejected.client_notices, []);
}

#[test]
fn rejecting_a_fix_with_a_new_date_tells_the_client() {
    let wanted = Move { facts: promising(day(20)), ..to(Stage::Fixing) };
    let rejected = office().decide(&full_ticket(Stage::Verifying), &manager(Team::Qa), &wanted).unwrap();
    let [old, new] = [PROMISED_DAY, 20].map(day);
    assert_eq!(rejected.client_notices, [NoticeFacts::DeliveryDateChanged { old, new }]);
}

#[test]
fn the_day_of_the_promise_lasts_until_its_closing_hour() {
    for (when, accepted) in [("10 16:59", true), ("10 17:00", false), ("11 09:00", false)] {
        let pm = member(Team::ProjectManager);
        let fixing = office_at(when).decide(&full_ticket(Stage::Estimating), &pm, &to(Stage::Fixing));
        assert_eq!(fixing.is_ok(), accepted, "{when}");
        if !accepted {
            assert_eq!(problems(fixing), in_past());
        }
        let mut later = full_ticket(Stage::Fixing);
        later.facts.estimated_delivery_date = Some(day(20));
        assert_eq!(set(&later, day(10), "sooner", when).is_ok(), accepted);
    }
}

#[test]
fn a_date_that_is_over_is_refused_wherever_it_is_stated() {
    let office = office_at("11 10:00");
    let surroundings = office.surroundings();
    let pm = member(Team::ProjectManager);
    let mut patch =
        stating(&[TicketField::Subject, TicketField::Description, TicketField::Category, TicketField::Subtype]);
    patch.estimated_delivery_date = Patch::Set(day(10));
    assert_eq!(problems(file(&pm, &patch, &surroundings)), in_past());
    let changed = change_facts(&full_ticket(Stage::Estimating), &pm, &promising(day(10)), &surroundings);
    assert_eq!(problems(changed), in_past());
    let set = promise(&full_ticket(Stage::Estimating), &pm, day(9), "sooner", &surroundings);
    assert_eq!(problems(set), [(Code::DateInPast, "estimatedDeliveryDate".to_owned())]);
}

#[test]
fn a_fix_can_be_handed_over_and_rejected_after_its_promised_day() {
    let office = office_at("12 10:00");
    let verifying = office.decide(&full_ticket(Stage::Fixing), &member(Team::Tech), &to(Stage::Verifying)).unwrap();
    assert!(office.decide(&verifying.ticket, &member(Team::Qa), &to(Stage::Fixing)).is_ok());
    assert!(office.decide(&verifying.ticket, &member(Team::Qa), &to(Stage::ClosedResolved)).is_ok());
}

#[test]
fn a_promise_is_not_changed_in_passing() {
    let office = office();
    for stage in [Stage::Fixing, Stage::Verifying] {
        for patch in [promising(day(20)), clearing(&[TicketField::EstimatedDeliveryDate])] {
            let changed = change_facts(&full_ticket(stage), &administrator(), &patch, &office.surroundings());
            assert!(problems(changed).contains(&(Code::ReasonRequired, "facts.estimatedDeliveryDate".to_owned())));
        }
    }
    let changed =
        change_facts(&full_ticket(Stage::Estimating), &administrator(), &promising(day(20)), &office.surroundings());
    assert_eq!(changed.unwrap().client_notices, []);
}

#[test]
fn a_move_that_changes_a_promise_explains_it() {
    let verify = |reason: Option<&str>, facts: FactsPatch| {
        let wanted = Move { reason: reason.map(str::to_owned), facts, ..to(Stage::Verifying) };
        office().decide(&full_ticket(Stage::Fixing), &administrator(), &wanted)
    };
    assert_eq!(problems(verify(None, promising(day(20)))), [(Code::ReasonRequired, "reason".to_owned())]);
    let [old, new] = [PROMISED_DAY, 20].map(day);
    let moved = verify(Some("QA is away"), promising(day(20))).unwrap();
    assert_eq!(moved.client_notices, [NoticeFacts::DeliveryDateChanged { old, new }]);
    assert!(verify(None, promising(day(PROMISED_DAY))).is_ok(), "the same date is no change");
}

#[test]
fn a_promise_is_not_taken_back_by_a_move() {
    for (from, target) in [
        (Stage::Fixing, Stage::Verifying),
        (Stage::Verifying, Stage::Fixing),
        (Stage::Verifying, Stage::ClosedUnresolved),
        (Stage::ClosedResolved, Stage::Verifying),
    ] {
        let facts = clearing(&[TicketField::EstimatedDeliveryDate]);
        let refused = office().decide(&full_ticket(from), &administrator(), &Move { facts, ..to(target) });
        assert_eq!(problems(refused), [(Code::MissingFields, "facts.estimatedDeliveryDate".to_owned())]);
    }
}

#[test]
fn setting_the_date_needs_a_reason_and_the_right() {
    for (reason, code) in [("", Code::ReasonRequired), (" \n", Code::ReasonRequired), ("a\0b", Code::Invalid)] {
        let refused = set(&full_ticket(Stage::Fixing), day(12), reason, "02 10:00");
        assert_eq!(problems(refused), [(code, "reason".to_owned())]);
    }
    let refused = set(&full_ticket(Stage::Fixing), day(12), &"x".repeat(TEXT_LIMIT + 1), "02 10:00");
    assert_eq!(problems(refused), [(Code::TooLong, "reason".to_owned())]);

    let office = office();
    for actor in [member(Team::Tech), member(Team::Qa), member(Team::Operations), teamless(), client()] {
        let refused = promise(&full_ticket(Stage::Fixing), &actor, day(12), "late", &office.surroundings());
        assert_eq!(problems(refused), [(Code::NotAllowed, String::new())]);
    }
    for actor in [member(Team::ProjectManager), manager(Team::Tech), administrator()] {
        assert!(promise(&full_ticket(Stage::Fixing), &actor, day(12), "late", &office.surroundings()).is_ok());
    }
}

#[test]
fn every_problem_of_a_new_date_is_named_at_once() {
    let refused = set(&full_ticket(Stage::Fixing), day(PROMISED_DAY), "", "11 10:00");
    assert_eq!(
        problems(refused),
        [
            (Code::ReasonRequired, "reason".to_owned()),
            (Code::Invalid, "estimatedDeliveryDate".to_owned()),
            (Code::DateInPast, "estimatedDeliveryDate".to_owned()),
        ]
    );
}

#[test]
fn dates_at_the_ends_of_the_calendar_are_taken_or_refused_but_break_nothing() {
    for (date, accepted) in [(NaiveDate::MAX, true), (NaiveDate::MIN, false)] {
        assert_eq!(set(&full_ticket(Stage::Fixing), date, "who knows", "02 10:00").is_ok(), accepted);
    }
}
