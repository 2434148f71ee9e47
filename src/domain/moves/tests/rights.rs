//! Who may make which move, state which fact, and what must be explained.

use entity::vocab::{DeEscalationReason, MoveKind, Stage, Team, TicketField};

use crate::domain::{
    actor::Actor,
    facts::{CLIENT_FIELDS, TEXT_LIMIT},
    moves::{Move, Target, available_moves, change_facts, file},
    refusal::Code,
    samples::{
        administrator, client, day, full_ticket, is_fact, manager, member, office, owner_of, problems, promising,
        stating, teamless, to, to_pipeline,
    },
    ticket::Ticket,
};

/// Every move of the page, with the one team that makes it.
const MOVES: [(Stage, Stage, Team); 19] = [
    (Stage::Validating, Stage::Replicating, Team::Operations),
    (Stage::Validating, Stage::ClosedUnresolved, Team::Operations),
    (Stage::Validating, Stage::Transferred, Team::Operations),
    (Stage::Replicating, Stage::Estimating, Team::Qa),
    (Stage::Replicating, Stage::Validating, Team::Qa),
    (Stage::Replicating, Stage::ClosedUnresolved, Team::Qa),
    (Stage::Estimating, Stage::Fixing, Team::ProjectManager),
    (Stage::Estimating, Stage::Replicating, Team::ProjectManager),
    (Stage::Estimating, Stage::ClosedUnresolved, Team::ProjectManager),
    (Stage::Fixing, Stage::Verifying, Team::Tech),
    (Stage::Fixing, Stage::ClosedUnresolved, Team::Tech),
    (Stage::Verifying, Stage::ClosedResolved, Team::Qa),
    (Stage::Verifying, Stage::Fixing, Team::Qa),
    (Stage::Verifying, Stage::ClosedUnresolved, Team::Qa),
    (Stage::ClosedResolved, Stage::Validating, Team::Operations),
    (Stage::ClosedResolved, Stage::Verifying, Team::Operations),
    (Stage::ClosedUnresolved, Stage::Validating, Team::Operations),
    (Stage::ClosedUnresolved, Stage::Verifying, Team::Operations),
    (Stage::Transferred, Stage::Validating, Team::Operations),
];

fn wanted(target: Stage) -> Move {
    if target == Stage::Transferred { to_pipeline("Client Support") } else { to(target) }
}

fn everybody() -> Vec<Actor> {
    let members = Team::all().map(member);
    members.chain(Team::all().map(manager)).chain([administrator(), teamless(), client(), Actor::System]).collect()
}

fn leads(actor: &Actor) -> bool {
    match actor {
        Actor::Person(staff) => staff.leads(),
        Actor::Contact { .. } => false,
        Actor::Integration { .. } | Actor::System => true,
    }
}

#[test]
fn a_move_is_its_teams_to_make_or_a_managers() {
    for (from, target, team) in MOVES {
        for actor in everybody() {
            let decided = office().decide(&full_ticket(from), &actor, &wanted(target));
            if leads(&actor) || actor == member(team) {
                assert_eq!(decided.unwrap().ticket.stage, target);
            } else {
                assert_eq!(problems(decided), [(Code::NotAllowed, String::new())], "{from} -> {target} by {actor:?}");
            }
        }
    }
}

#[test]
fn there_is_no_other_move() {
    for from in Stage::all() {
        for target in Stage::all().filter(|target| !MOVES.iter().any(|row| (row.0, row.1) == (from, *target))) {
            let refused = office().decide(&full_ticket(from), &administrator(), &wanted(target));
            assert_eq!(problems(refused), [(Code::WrongStage, "to".to_owned())], "{from} -> {target}");
        }
    }
}

#[test]
fn a_refused_move_names_where_the_ticket_can_go() {
    let refused = office().decide(&full_ticket(Stage::Fixing), &administrator(), &to(Stage::Estimating));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "refused: L2-7 is in Fixing; from there it can go to: Verifying, Closed (Unresolved). Estimating is not one of them"
    );
}

#[test]
fn transferred_is_reached_by_naming_a_pipeline_only() {
    let refused = office().decide(&full_ticket(Stage::Validating), &administrator(), &to(Stage::Transferred));
    assert_eq!(problems(refused), [(Code::WrongStage, "to".to_owned())]);
}

#[test]
fn the_offered_moves_are_those_that_the_gate_takes() {
    for actor in everybody() {
        for from in Stage::all() {
            let ticket = full_ticket(from);
            let offered = available_moves(&ticket, &actor);
            let page: Vec<_> = MOVES.iter().filter(|row| row.0 == from).collect();
            assert_eq!(offered.len(), page.len());
            for (_, target, _) in page {
                let offer = offered.iter().find(|offer| offer.to == *target).unwrap();
                assert_eq!(offer.allowed, office().decide(&ticket, &actor, &wanted(*target)).is_ok());
                assert_eq!(offer.refusal.is_none(), offer.allowed);
            }
        }
    }
}

#[test]
fn moves_that_go_back_need_a_reason_in_words() {
    let back = [
        (Stage::Verifying, Stage::Fixing),
        (Stage::Estimating, Stage::Replicating),
        (Stage::ClosedResolved, Stage::Validating),
        (Stage::ClosedUnresolved, Stage::Verifying),
        (Stage::Transferred, Stage::Validating),
    ];
    for (from, target) in back {
        let offered = available_moves(&full_ticket(from), &administrator());
        assert!(offered.iter().any(|offer| offer.to == target && offer.needs_reason));
        let because = |reason: Option<&str>| {
            let wanted = Move { reason: reason.map(str::to_owned), ..to(target) };
            office().decide(&full_ticket(from), &administrator(), &wanted)
        };
        for nothing in [None, Some(""), Some(" \n\t ")] {
            assert_eq!(problems(because(nothing)), [(Code::ReasonRequired, "reason".to_owned())]);
        }
        let event = because(Some(" it is back ")).unwrap().events.remove(0);
        assert_eq!(event.data.reason.as_deref(), Some("it is back"));
    }
}

#[test]
fn other_moves_take_a_reason_but_need_none() {
    for (from, target) in [(Stage::Validating, Stage::Replicating), (Stage::Fixing, Stage::ClosedUnresolved)] {
        for (reason, kept) in [(None, None), (Some("  "), None), (Some("asked by phone"), Some("asked by phone"))] {
            let wanted = Move { reason: reason.map(str::to_owned), ..to(target) };
            let event = office().decide(&full_ticket(from), &owner_of(from), &wanted).unwrap().events.remove(0);
            assert_eq!(event.data.reason.as_deref(), kept);
        }
        let wanted = Move { reason: Some("x".repeat(TEXT_LIMIT + 1)), ..to(target) };
        let refused = office().decide(&full_ticket(from), &owner_of(from), &wanted);
        assert_eq!(problems(refused), [(Code::TooLong, "reason".to_owned())]);
    }
}

#[test]
fn a_de_escalation_for_another_reason_explains_it() {
    let decide = |reason: Option<&str>, reasons: &[DeEscalationReason]| {
        let wanted = Move {
            reason: reason.map(str::to_owned),
            de_escalation_reasons: reasons.to_vec(),
            ..to(Stage::Validating)
        };
        office().decide(&full_ticket(Stage::Replicating), &member(Team::Qa), &wanted)
    };
    assert!(decide(None, &[DeEscalationReason::CannotReplicate]).is_ok());
    assert!(decide(Some("it is a feature"), &[DeEscalationReason::Other]).is_ok());
    let other = [DeEscalationReason::CannotReplicate, DeEscalationReason::Other];
    assert_eq!(problems(decide(Some(" "), &other)), [(Code::ReasonRequired, "reason".to_owned())]);
}

#[test]
fn only_those_who_estimate_state_date_and_priority() {
    let fields = [TicketField::EstimatedDeliveryDate, TicketField::Priority];
    let refused = fields.map(|field| (Code::NotAllowed, crate::domain::refusal::input_path(field).to_owned()));
    for actor in Team::all().filter(|team| *team != Team::ProjectManager).map(member) {
        let ticket = full_ticket(Stage::Estimating);
        let changed = change_facts(&ticket, &actor, &stating(&fields), &office().surroundings());
        assert_eq!(problems(changed), refused);
        let filed = file(&actor, &stating(&filing_fields(&fields)), &office().surroundings());
        assert_eq!(problems(filed), refused);
    }
    for actor in [member(Team::ProjectManager), manager(Team::Tech), administrator(), Actor::System] {
        let ticket = full_ticket(Stage::Estimating);
        assert!(change_facts(&ticket, &actor, &stating(&fields), &office().surroundings()).is_ok());
        assert!(file(&actor, &stating(&filing_fields(&fields)), &office().surroundings()).is_ok());
    }
}

#[test]
fn a_move_is_no_way_around_the_right_to_estimate() {
    let wanted = Move { facts: promising(day(20)), ..to(Stage::Verifying) };
    let refused = office().decide(&full_ticket(Stage::Fixing), &member(Team::Tech), &wanted);
    assert!(problems(refused).contains(&(Code::NotAllowed, "facts.estimatedDeliveryDate".to_owned())));
}

#[test]
fn a_client_files_what_a_client_knows_and_nothing_else() {
    assert!(file(&client(), &stating(&CLIENT_FIELDS), &office().surroundings()).is_ok());
    for field in TicketField::all().filter(|field| is_fact(*field) && !CLIENT_FIELDS.contains(field)) {
        let refused = file(&client(), &stating(&filing_fields(&[field])), &office().surroundings());
        let path = crate::domain::refusal::input_path(field).to_owned();
        assert_eq!(problems(refused), [(Code::NotAllowed, path)], "{field}");
    }
}

#[test]
fn nobody_but_a_team_changes_facts() {
    for actor in [client(), teamless()] {
        let patch = stating(&[TicketField::Browser]);
        let refused = change_facts(&full_ticket(Stage::Validating), &actor, &patch, &office().surroundings());
        assert_eq!(problems(refused), [(Code::NotAllowed, String::new())]);
    }
    for team in Team::all() {
        let patch = stating(&[TicketField::Workaround]);
        let changed = change_facts(&full_ticket(Stage::Fixing), &member(team), &patch, &office().surroundings());
        assert!(changed.is_ok(), "any team adds what it learns");
    }
}

#[test]
fn a_ticket_goes_to_the_pipelines_that_there_are() {
    let transfer =
        |name: &str| office().decide(&full_ticket(Stage::Validating), &member(Team::Operations), &to_pipeline(name));
    for (name, known) in [("Custom Requests", "Custom Requests"), ("  client support ", "Client Support")] {
        let transferred = transfer(name).unwrap();
        let Ticket { stage, transferred_to, closed_at, closed_from, .. } = transferred.ticket;
        assert_eq!((stage, transferred_to.as_deref()), (Stage::Transferred, Some(known)));
        assert_eq!((closed_at, closed_from), (Some(office().now), Some(Stage::Validating)));
        let data = &transferred.events.first().unwrap().data;
        assert_eq!((data.move_kind, data.pipeline.as_deref()), (Some(MoveKind::Transfer), Some(known)));
        assert!(transferred.client_notices.is_empty());
    }
    for name in ["", "Level 2 Support", "Custom"] {
        assert_eq!(problems(transfer(name)), [(Code::Unknown, "pipeline".to_owned())]);
    }
    let deployment = crate::domain::samples::Office { pipelines: vec!["Hardware".to_owned()], ..office() };
    let wanted = Move { target: Target::Pipeline("hardware".to_owned()), ..to_pipeline("") };
    assert!(deployment.decide(&full_ticket(Stage::Validating), &member(Team::Operations), &wanted).is_ok());
}

/// These fields and those that every new ticket states.
fn filing_fields(fields: &[TicketField]) -> Vec<TicketField> {
    let every_ticket = [TicketField::Subject, TicketField::Description, TicketField::Category, TicketField::Subtype];
    every_ticket.into_iter().chain(fields.iter().copied()).collect()
}
