//! Closing, reopening, de-escalating: what the ticket keeps of it, and what the client hears.

use entity::vocab::{DeEscalationReason, EventKind, MoveKind, Priority, Stage, Team, TicketField};

use crate::domain::{
    facts::{Facts, FactsPatch, Patch},
    moves::{Move, promise},
    notice::NoticeFacts,
    refusal::Code,
    samples::{
        administrator, assignee, clearing, client, day, full_ticket, member, office, office_at, owner_of, problems,
        stating, to,
    },
    ticket::Ticket,
};

#[test]
fn closing_as_resolved_tells_the_client_of_the_delivery() {
    let office = office();
    let closed = office.decide(&full_ticket(Stage::Verifying), &member(Team::Qa), &to(Stage::ClosedResolved)).unwrap();
    let Ticket { closed_at, closed_from, first_resolved_at, updated_at, .. } = closed.ticket;
    assert_eq!((closed_at, closed_from), (Some(office.now), Some(Stage::Verifying)));
    assert_eq!((first_resolved_at, updated_at), (Some(office.now), office.now));
    let resolution_notes = "The rounding is fixed".to_owned();
    assert_eq!(closed.client_notices, [NoticeFacts::Delivered { resolution_notes }]);
}

#[test]
fn closing_as_unresolved_tells_the_client_why_from_every_stage() {
    for from in crate::domain::process::OPEN {
        let facts = FactsPatch { resolution_notes: Patch::Set(" A duplicate ".to_owned()), ..FactsPatch::default() };
        let wanted = Move { facts, ..to(Stage::ClosedUnresolved) };
        let closed = office().decide(&full_ticket(from), &owner_of(from), &wanted).unwrap();
        assert_eq!(closed.ticket.closed_from, Some(from));
        assert_eq!(closed.ticket.first_resolved_at, None, "it is closed, not resolved");
        let resolution_notes = "A duplicate".to_owned();
        assert_eq!(closed.client_notices, [NoticeFacts::ClosedUnresolved { resolution_notes }]);
        let [event] = closed.events.as_slice() else { panic!("{:?}", closed.events) };
        let data = &event.data;
        assert_eq!((event.kind, data.move_kind), (EventKind::TicketMoved, Some(MoveKind::CloseUnresolved)));
        assert_eq!((data.from_stage, data.to_stage), (Some(from), Some(Stage::ClosedUnresolved)));
        assert_eq!(data.changes.len(), 1, "the notes that were stated with the move");
    }
}

#[test]
fn a_reopened_ticket_is_open_again_and_the_client_hears_nothing() {
    for (closed, target) in [
        (Stage::ClosedResolved, Stage::Validating),
        (Stage::ClosedResolved, Stage::Verifying),
        (Stage::ClosedUnresolved, Stage::Validating),
        (Stage::Transferred, Stage::Validating),
    ] {
        let reopened = office().decide(&full_ticket(closed), &member(Team::Operations), &to(target)).unwrap();
        let Ticket { stage, closed_at, closed_from, transferred_to, .. } = reopened.ticket;
        assert_eq!((stage, closed_at, closed_from, transferred_to), (target, None, None, None));
        assert_eq!(reopened.events.first().unwrap().data.move_kind, Some(MoveKind::Reopen));
        assert_eq!(reopened.client_notices, []);
    }
}

#[test]
fn a_ticket_reopens_where_it_was_closed_from_and_nowhere_else() {
    for closed_from in crate::domain::process::OPEN {
        let ticket = Ticket { closed_from: Some(closed_from), ..full_ticket(Stage::ClosedUnresolved) };
        for target in crate::domain::process::OPEN {
            let reopened = office().decide(&ticket, &member(Team::Operations), &to(target));
            assert_eq!(reopened.is_ok(), target == Stage::Validating || target == closed_from);
        }
    }
}

#[test]
fn work_that_begins_anew_in_validating_forgets_the_old_outcome() {
    let ticket = Ticket { proposed_priority: Some(Priority::High), ..full_ticket(Stage::ClosedResolved) };
    let reopened = office().decide(&ticket, &member(Team::Operations), &to(Stage::Validating)).unwrap();
    let forgotten: Vec<_> = reopened.events.first().unwrap().data.changes.iter().map(|change| change.field).collect();
    assert_eq!(
        forgotten,
        [
            TicketField::EstimatedDeliveryDate,
            TicketField::Priority,
            TicketField::PullRequest,
            TicketField::MergedPullRequest,
            TicketField::ResolutionNotes,
        ]
    );
    assert!(reopened.events.first().unwrap().data.changes.iter().all(|change| change.after.is_none()));
    assert_eq!((reopened.ticket.promised_delivery_date, reopened.ticket.proposed_priority), (None, None));
    assert!(reopened.ticket.knows(TicketField::AcceptanceCriteria), "the evidence still holds");

    let back = office().decide(&ticket, &member(Team::Operations), &to(Stage::Verifying)).unwrap();
    let unexplained = Facts { resolution_notes: None, ..ticket.facts.clone() };
    assert_eq!(back.ticket.facts, unexplained, "closed by mistake: the work goes on where it was");
    assert_eq!(back.ticket.promised_delivery_date, ticket.promised_delivery_date);
}

#[test]
fn what_is_stated_with_a_reopening_is_kept() {
    let wanted = Move { facts: stating(&[TicketField::Priority, TicketField::Browser]), ..to(Stage::Validating) };
    let reopened = office().decide(&full_ticket(Stage::ClosedResolved), &administrator(), &wanted).unwrap();
    assert_eq!(reopened.ticket.facts.priority, Some(Priority::Normal));
}

#[test]
fn a_rejected_fix_is_not_merged_when_it_comes_again() {
    let rejected = office().decide(&full_ticket(Stage::Verifying), &member(Team::Qa), &to(Stage::Fixing)).unwrap();
    let again = office().decide(&rejected.ticket, &member(Team::Tech), &to(Stage::Verifying)).unwrap();
    let refused = office().decide(&again.ticket, &member(Team::Qa), &to(Stage::ClosedResolved));
    assert_eq!(problems(refused), [(Code::MissingFields, "facts.pullRequestMergedAt".to_owned())]);
}

#[test]
fn a_transferred_ticket_that_returns_to_validating_is_closed_from_there_again() {
    let ticket = Ticket { closed_from: Some(Stage::Validating), ..full_ticket(Stage::Transferred) };
    let back = office().decide(&ticket, &member(Team::Operations), &to(Stage::Validating)).unwrap();
    let wanted = Move { facts: stating(&[TicketField::ResolutionNotes]), ..to(Stage::ClosedUnresolved) };
    let closed = office().decide(&back.ticket, &member(Team::Operations), &wanted).unwrap();
    assert_eq!((closed.ticket.closed_from, closed.ticket.transferred_to), (Some(Stage::Validating), None));
}

#[test]
fn the_first_resolution_is_remembered_through_reopenings() {
    let close = |ticket: &Ticket, when: &str| {
        let facts = FactsPatch { resolution_notes: Patch::Set("It works".to_owned()), ..FactsPatch::default() };
        let wanted = Move { facts, ..to(Stage::ClosedResolved) };
        office_at(when).decide(ticket, &administrator(), &wanted).unwrap().ticket
    };
    let closed = close(&full_ticket(Stage::Verifying), "03 10:00");
    let reopened = office_at("04 10:00").decide(&closed, &administrator(), &to(Stage::Verifying)).unwrap().ticket;
    assert_eq!(reopened.first_resolved_at, closed.first_resolved_at);
    let closed_again = close(&reopened, "05 10:00");
    assert_eq!(closed_again.first_resolved_at, Some(office_at("03 10:00").now));
    assert_eq!(closed_again.closed_at, Some(office_at("05 10:00").now));
}

#[test]
fn de_escalations_are_counted_and_their_reasons_kept() {
    let reasons = [DeEscalationReason::MoreInformationNeeded, DeEscalationReason::Miscategorised];
    let ticket = Ticket { de_escalation_count: 2, ..full_ticket(Stage::Replicating) };
    let wanted = Move { de_escalation_reasons: reasons.to_vec(), ..to(Stage::Validating) };
    let decided = office().decide(&ticket, &member(Team::Qa), &wanted).unwrap();
    assert_eq!(decided.ticket.de_escalation_count, 3);
    assert_eq!(decided.ticket.de_escalation_reasons, reasons);
    assert_eq!(decided.events.first().unwrap().data.de_escalation_reasons, reasons);
    let advanced = office().decide(&decided.ticket, &member(Team::Operations), &to(Stage::Replicating)).unwrap();
    assert_eq!(
        (advanced.ticket.de_escalation_count, advanced.ticket.de_escalation_reasons.as_slice()),
        (3, reasons.as_slice())
    );
    assert!(advanced.events.first().unwrap().data.de_escalation_reasons.is_empty(), "this move was none");
}

#[test]
fn entering_estimating_proposes_a_priority_with_its_reasons() {
    let mut ticket = full_ticket(Stage::Replicating);
    ticket.facts.priority = None;
    ticket.facts.client_target_date = Some(day(9));
    let estimating = office().decide(&ticket, &member(Team::Qa), &to(Stage::Estimating)).unwrap();
    assert_eq!(estimating.ticket.proposed_priority, Some(Priority::High));
    assert_eq!(estimating.ticket.facts.priority, None, "the Project Manager decides");
    let kinds: Vec<_> = estimating.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::TicketMoved, EventKind::PriorityProposed]);
    let reasons = [
        "Major severity, and one client is affected: Normal",
        "One step up, since the client target date is within five working days: High",
    ];
    assert_eq!(estimating.ticket.proposed_priority_reasons, reasons);
    assert_eq!(estimating.events.last().unwrap().data.text, Some(reasons.join("\n")));

    ticket.facts.client_target_date = Some(day(10));
    let estimating = office().decide(&ticket, &member(Team::Qa), &to(Stage::Estimating)).unwrap();
    assert_eq!(estimating.ticket.proposed_priority, Some(Priority::Normal), "the sixth working day is not near");
}

#[test]
fn an_ended_ticket_takes_no_changes() {
    let office = office();
    let surroundings = office.surroundings();
    for stage in [Stage::ClosedResolved, Stage::ClosedUnresolved, Stage::Transferred] {
        let ticket = full_ticket(stage);
        let wrong_stage = [(Code::WrongStage, String::new())];
        for actor in [administrator(), client()] {
            let changed = super::super::change_facts(&ticket, &actor, &stating(&[TicketField::Browser]), &surroundings);
            assert_eq!(problems(changed), wrong_stage);
            assert_eq!(problems(promise(&ticket, &actor, day(20), "later", &surroundings)), wrong_stage);
            let assigned = super::super::assign(&ticket, &actor, Some(assignee("Tess")), office.now);
            assert_eq!(problems(assigned), wrong_stage);
        }
    }
}

#[test]
fn clearing_the_notes_with_the_closing_move_is_refused() {
    let wanted = Move { facts: clearing(&[TicketField::ResolutionNotes]), ..to(Stage::ClosedUnresolved) };
    let refused = office().decide(&full_ticket(Stage::Fixing), &member(Team::Tech), &wanted);
    assert_eq!(problems(refused), [(Code::MissingFields, "facts.resolutionNotes".to_owned())]);
}
