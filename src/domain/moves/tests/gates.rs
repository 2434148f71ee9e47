//! What must be known before a ticket may enter a stage, row by row of the process page.

use entity::vocab::{DeEscalationReason, Stage, TicketField};

use crate::domain::{
    facts::{FactsPatch, Patch},
    moves::{Move, available_moves},
    refusal::{Code, input_path},
    samples::{
        at, bare_ticket, clearing, day, forget, full_ticket, is_fact, office, owner_of, problems, promising, stating,
        to,
    },
};

use TicketField::{
    AcceptanceCriteria, AffectsOtherClients, ClientTargetDate, CompanyTier, DeEscalationReasons, EstimatedDeliveryDate,
    MergedPullRequest, OpsCanReproduce, Priority, PullRequest, ResolutionNotes, Severity, StepsToReproduce, TargetUrl,
    Workaround,
};

/// Each way into a stage, with what the page marks as required. Category and Subtype are known of every ticket.
const GATES: [(Stage, Stage, &[TicketField]); 13] = [
    (Stage::Validating, Stage::Replicating, REPLICATING),
    (Stage::Replicating, Stage::Estimating, ESTIMATING),
    (Stage::Estimating, Stage::Fixing, FIXING),
    (Stage::Fixing, Stage::Verifying, &[PullRequest]),
    (Stage::Verifying, Stage::ClosedResolved, &[MergedPullRequest, ResolutionNotes]),
    (Stage::Replicating, Stage::Validating, &[DeEscalationReasons]),
    (Stage::Estimating, Stage::Replicating, REPLICATING),
    (Stage::Verifying, Stage::Fixing, FIXING),
    (Stage::Validating, Stage::ClosedUnresolved, &[ResolutionNotes]),
    (Stage::Replicating, Stage::ClosedUnresolved, &[ResolutionNotes]),
    (Stage::Estimating, Stage::ClosedUnresolved, &[ResolutionNotes]),
    (Stage::Fixing, Stage::ClosedUnresolved, &[ResolutionNotes]),
    (Stage::Verifying, Stage::ClosedUnresolved, &[ResolutionNotes]),
];

const REPLICATING: &[TicketField] =
    &[AcceptanceCriteria, TargetUrl, Severity, StepsToReproduce, OpsCanReproduce, CompanyTier];
const ESTIMATING: &[TicketField] = &[AcceptanceCriteria, TargetUrl, Severity, StepsToReproduce, AffectsOtherClients];
const FIXING: &[TicketField] = &[EstimatedDeliveryDate, Priority];

fn missing(fields: &[TicketField]) -> Vec<(Code, String)> {
    fields.iter().map(|field| (Code::MissingFields, input_path(*field).to_owned())).collect()
}

/// A move to a stage with reasons in words only.
fn without_de_escalation_reasons(stage: Stage) -> Move {
    Move { de_escalation_reasons: Vec::new(), ..to(stage) }
}

#[test]
fn entering_with_nothing_known_names_everything_that_is_missing() {
    for (from, target, required) in GATES {
        let refused = office().decide(&bare_ticket(from), &owner_of(from), &without_de_escalation_reasons(target));
        assert_eq!(problems(refused), missing(required), "{from} -> {target}");
    }
}

#[test]
fn a_single_missing_fact_is_named_alone() {
    for (from, target, required) in GATES {
        for field in required {
            let mut ticket = full_ticket(from);
            forget(&mut ticket, *field);
            let wanted = if *field == DeEscalationReasons { without_de_escalation_reasons(target) } else { to(target) };
            let refused = office().decide(&ticket, &owner_of(from), &wanted);
            assert_eq!(problems(refused), missing(&[*field]), "{from} -> {target}");
        }
    }
}

#[test]
fn the_required_facts_are_enough_to_enter() {
    for (from, target, required) in GATES {
        let mut ticket = full_ticket(from);
        TicketField::all()
            .filter(|field| may_be_unknown(*field, required))
            .for_each(|field| forget(&mut ticket, field));
        let entered = office().decide(&ticket, &owner_of(from), &to(target));
        assert_eq!(entered.unwrap().ticket.stage, target);
    }
}

fn may_be_unknown(field: TicketField, required: &[TicketField]) -> bool {
    let of_every_ticket = [TicketField::Subject, TicketField::Description, TicketField::Category, TicketField::Subtype];
    // A merged pull request is a pull request.
    let is_required = required.contains(&field) || field == PullRequest && required.contains(&MergedPullRequest);
    !is_required && !of_every_ticket.contains(&field) && (is_fact(field) || field == CompanyTier)
}

#[test]
fn facts_stated_with_the_move_count_for_its_gate() {
    for (from, target, required) in GATES {
        let mut ticket = bare_ticket(from);
        if required.contains(&CompanyTier) {
            ticket.company = full_ticket(from).company;
        }
        let facts = if target == Stage::Fixing {
            // Only the Project Manager states these, whoever moves.
            ticket.facts = full_ticket(from).facts;
            FactsPatch::default()
        } else {
            let own = required.iter().copied().filter(|field| is_fact(*field));
            let merged = required.contains(&MergedPullRequest).then_some(PullRequest);
            stating(&own.chain(merged).collect::<Vec<_>>())
        };
        let entered = office().decide(&ticket, &owner_of(from), &Move { facts, ..to(target) });
        assert_eq!(entered.unwrap().ticket.stage, target);
    }
}

#[test]
fn a_fact_cleared_with_the_move_is_missing_at_its_gate() {
    let wanted = Move { facts: clearing(&[Severity, TargetUrl]), ..to(Stage::Replicating) };
    let refused = office().decide(&full_ticket(Stage::Validating), &owner_of(Stage::Validating), &wanted);
    assert_eq!(problems(refused), missing(&[TargetUrl, Severity]));
}

#[test]
fn a_stated_fact_is_not_called_missing_because_another_one_is_wrong() {
    let mut ticket = bare_ticket(Stage::Validating);
    ticket.company = full_ticket(Stage::Validating).company;
    let own: Vec<_> = REPLICATING.iter().copied().filter(|field| *field != CompanyTier).collect();
    let facts = FactsPatch { target_url: Patch::Set("ftp://acme.example".to_owned()), ..stating(&own) };
    let refused = office().decide(&ticket, &owner_of(Stage::Validating), &Move { facts, ..to(Stage::Replicating) });
    assert_eq!(problems(refused), [(Code::Invalid, "facts.targetUrl".to_owned())]);
}

#[test]
fn no_is_an_answer_and_not_asked_is_not() {
    for (from, target, question) in [
        (Stage::Validating, Stage::Replicating, OpsCanReproduce),
        (Stage::Replicating, Stage::Estimating, AffectsOtherClients),
    ] {
        let answered = |answer| {
            let mut ticket = full_ticket(from);
            ticket.facts.ops_can_reproduce = answer;
            ticket.facts.affects_other_clients = answer;
            office().decide(&ticket, &owner_of(from), &to(target))
        };
        assert!(answered(Some(true)).is_ok());
        assert!(answered(Some(false)).is_ok());
        assert_eq!(problems(answered(None)), missing(&[question]));
    }
}

#[test]
fn what_is_only_asked_for_never_blocks() {
    for (from, target, asked) in [
        (Stage::Validating, Stage::Replicating, [AffectsOtherClients, ClientTargetDate].as_slice()),
        (Stage::Replicating, Stage::Estimating, &[Workaround]),
    ] {
        let mut ticket = full_ticket(from);
        asked.iter().for_each(|field| forget(&mut ticket, *field));
        assert!(office().decide(&ticket, &owner_of(from), &to(target)).is_ok());
    }
}

#[test]
fn the_tier_is_asked_of_the_company() {
    let mut ticket = full_ticket(Stage::Validating);
    ticket.company.tier = None;
    let refused = office().decide(&ticket, &owner_of(Stage::Validating), &to(Stage::Replicating)).unwrap_err();
    let [problem] = refused.0.as_slice() else { panic!("{refused}") };
    assert_eq!(problem.field.as_deref(), Some("company.tier"));
    assert_eq!(
        problem.message,
        "Company → Company Tier is required to enter Replicating; set it on the ticket's company"
    );
}

#[test]
fn a_merged_pull_request_is_an_address_and_a_time() {
    let merged = |pull_request: Option<&str>, merged_at: Option<&str>| {
        let mut ticket = full_ticket(Stage::Verifying);
        ticket.facts.pull_request = pull_request.map(str::to_owned);
        ticket.facts.pull_request_merged_at = merged_at.map(at);
        office().decide(&ticket, &owner_of(Stage::Verifying), &to(Stage::ClosedResolved))
    };
    let address = Some("https://git.example/pulls/1");
    assert!(merged(address, Some("02 09:00")).is_ok());
    for (pull_request, merged_at) in [(address, None), (None, Some("02 09:00")), (None, None)] {
        assert_eq!(problems(merged(pull_request, merged_at)), missing(&[MergedPullRequest]));
    }
}

#[test]
fn another_pull_request_is_not_merged_because_the_one_before_was() {
    let facts =
        FactsPatch { pull_request: Patch::Set("https://git.example/pulls/2".to_owned()), ..FactsPatch::default() };
    let reworked = office()
        .decide(&full_ticket(Stage::Fixing), &owner_of(Stage::Fixing), &Move { facts, ..to(Stage::Verifying) })
        .unwrap();
    let refused = office().decide(&reworked.ticket, &owner_of(Stage::Verifying), &to(Stage::ClosedResolved));
    assert_eq!(problems(refused), missing(&[MergedPullRequest]));
}

#[test]
fn the_reasons_of_one_de_escalation_do_not_count_for_the_next() {
    let mut ticket = full_ticket(Stage::Replicating);
    ticket.de_escalation_reasons = vec![DeEscalationReason::CannotReplicate];
    let moves = available_moves(&ticket, &owner_of(Stage::Replicating));
    let offered = moves.iter().find(|offered| offered.to == Stage::Validating).unwrap();
    assert_eq!(offered.missing_fields, [DeEscalationReasons]);
    let wanted = without_de_escalation_reasons(Stage::Validating);
    assert_eq!(
        problems(office().decide(&ticket, &owner_of(Stage::Replicating), &wanted)),
        missing(&[DeEscalationReasons])
    );
}

#[test]
fn reopening_into_a_stage_passes_its_gate() {
    for (target, required) in [
        (Stage::Replicating, REPLICATING),
        (Stage::Estimating, ESTIMATING),
        (Stage::Fixing, FIXING),
        (Stage::Verifying, &[PullRequest]),
    ] {
        let mut ticket = bare_ticket(Stage::ClosedUnresolved);
        ticket.closed_from = Some(target);
        let refused = office().decide(&ticket, &owner_of(Stage::Validating), &to(target));
        assert_eq!(problems(refused), missing(required));
        let ticket =
            crate::domain::ticket::Ticket { closed_from: Some(target), ..full_ticket(Stage::ClosedUnresolved) };
        assert!(office().decide(&ticket, &owner_of(Stage::Validating), &to(target)).is_ok());
    }
    let ticket = bare_ticket(Stage::ClosedUnresolved);
    assert!(office().decide(&ticket, &owner_of(Stage::Validating), &to(Stage::Validating)).is_ok());
}

#[test]
fn every_problem_of_a_move_is_named_at_once() {
    let wanted = Move {
        facts: FactsPatch { pull_request: Patch::Set("no address".to_owned()), ..promising(day(1)) },
        reason: Some(" ".to_owned()),
        ..to(Stage::Fixing)
    };
    let refused = office().decide(&bare_ticket(Stage::Verifying), &crate::domain::samples::administrator(), &wanted);
    assert_eq!(
        problems(refused),
        [
            (Code::ReasonRequired, "reason".to_owned()),
            (Code::Invalid, "facts.pullRequest".to_owned()),
            (Code::MissingFields, "facts.priority".to_owned()),
            (Code::DateInPast, "facts.estimatedDeliveryDate".to_owned()),
        ]
    );
}
