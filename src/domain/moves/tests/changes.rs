//! Changing facts without a move, assigning, filing.

use entity::vocab::{Category, EventKind, Stage, Team, TicketField};

use crate::domain::{
    facts::{Facts, FactsPatch, Patch},
    moves::{assign, change_facts, file, filed},
    process,
    refusal::{Code, input_path},
    samples::{
        administrator, assignee, bare_ticket, clearing, client, full_ticket, manager, member, office, problems,
        stating, subtype, teamless,
    },
};

const OF_EVERY_TICKET: [TicketField; 4] =
    [TicketField::Subject, TicketField::Description, TicketField::Category, TicketField::Subtype];

#[test]
fn a_changed_fact_is_written_down_before_and_after() {
    let patch = FactsPatch {
        browser: Patch::Set(" Chrome 150 ".to_owned()),
        ops_can_reproduce: Patch::Set(false),
        app_version: Patch::Clear,
        platform: Patch::Keep,
        ..FactsPatch::default()
    };
    let ticket = full_ticket(Stage::Validating);
    let changed = change_facts(&ticket, &member(Team::Qa), &patch, &office().surroundings()).unwrap();
    let [event] = changed.events.as_slice() else { panic!("{:?}", changed.events) };
    assert_eq!(event.kind, EventKind::FactsChanged);
    let told: Vec<_> = event
        .data
        .changes
        .iter()
        .map(|change| (change.field, change.before.as_deref(), change.after.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (TicketField::OpsCanReproduce, Some("yes"), Some("no")),
            (TicketField::Browser, Some("Firefox 148"), Some("Chrome 150")),
            (TicketField::AppVersion, Some("3.2.1"), None),
        ]
    );
    assert_eq!(changed.ticket.updated_at, office().now);
    assert_eq!((changed.ticket.stage, changed.client_notices.len()), (ticket.stage, 0));
}

#[test]
fn stating_what_is_known_already_changes_nothing() {
    let ticket = full_ticket(Stage::Replicating);
    let patch = stating(&[TicketField::Severity, TicketField::Browser, TicketField::PullRequest]);
    let changed = change_facts(&ticket, &member(Team::Qa), &patch, &office().surroundings()).unwrap();
    assert_eq!((changed.ticket, changed.events), (ticket, vec![]));
}

#[test]
fn what_the_stage_requires_can_be_changed_but_not_cleared() {
    for stage in process::OPEN {
        let facts = |field: &&TicketField| !OF_EVERY_TICKET.contains(field) && **field != TicketField::CompanyTier;
        for field in process::stage(stage).required.iter().filter(facts) {
            let ticket = full_ticket(stage);
            let cleared = change_facts(&ticket, &administrator(), &clearing(&[*field]), &office().surroundings());
            let required = (Code::MissingFields, input_path(*field).to_owned());
            assert!(problems(cleared).contains(&required), "{field} in {stage}");
        }
    }
}

#[test]
fn what_the_stage_does_not_require_can_be_cleared() {
    for (stage, field) in [
        (Stage::Validating, TicketField::Severity),
        (Stage::Estimating, TicketField::OpsCanReproduce),
        (Stage::Fixing, TicketField::PullRequest),
        (Stage::Verifying, TicketField::ResolutionNotes),
    ] {
        let cleared =
            change_facts(&full_ticket(stage), &administrator(), &clearing(&[field]), &office().surroundings());
        assert!(!cleared.unwrap().ticket.knows(field));
    }
}

#[test]
fn a_required_fact_that_was_never_known_does_not_block_other_changes() {
    let ticket = bare_ticket(Stage::Estimating);
    let patch = stating(&[TicketField::Workaround]);
    assert!(change_facts(&ticket, &member(Team::Tech), &patch, &office().surroundings()).is_ok());
}

#[test]
fn facts_that_every_ticket_has_cannot_be_cleared() {
    for field in OF_EVERY_TICKET {
        let cleared = change_facts(
            &full_ticket(Stage::Validating),
            &administrator(),
            &clearing(&[field]),
            &office().surroundings(),
        );
        assert_eq!(problems(cleared), [(Code::Blank, input_path(field).to_owned())]);
    }
}

#[test]
fn recategorising_names_a_subtype_of_the_new_category() {
    let recategorise = |patch| {
        change_facts(&full_ticket(Stage::Validating), &member(Team::Operations), &patch, &office().surroundings())
    };
    let category = Patch::Set(Category::DataIssues);
    let alone = FactsPatch { category: category.clone(), ..FactsPatch::default() };
    assert_eq!(problems(recategorise(alone)), [(Code::Unknown, "facts.subtypeId".to_owned())]);
    let subtype_alone = FactsPatch { subtype: Patch::Set(subtype(Category::DataIssues)), ..FactsPatch::default() };
    assert_eq!(problems(recategorise(subtype_alone)), [(Code::Unknown, "facts.subtypeId".to_owned())]);
    let both = FactsPatch { category, subtype: Patch::Set(subtype(Category::DataIssues)), ..FactsPatch::default() };
    assert_eq!(recategorise(both).unwrap().ticket.facts.category, Category::DataIssues);
}

#[test]
fn a_team_assigns_in_its_own_stage_and_the_project_manager_anywhere() {
    for stage in process::OPEN {
        for team in Team::all() {
            let assigned = assign(&full_ticket(stage), &member(team), Some(assignee("Tess")), office().now);
            let allowed = team == Team::ProjectManager || process::stage(stage).owner == Some(team);
            assert_eq!(assigned.is_ok(), allowed, "{team} in {stage}");
            let assigned = assign(&full_ticket(stage), &manager(team), Some(assignee("Tess")), office().now);
            assert!(assigned.is_ok());
        }
        for actor in [client(), teamless()] {
            let refused = assign(&full_ticket(stage), &actor, Some(assignee("Tess")), office().now);
            assert_eq!(problems(refused), [(Code::NotAllowed, String::new())]);
        }
    }
}

#[test]
fn assigning_is_written_down_once() {
    let now = office().now;
    let assigned = assign(&full_ticket(Stage::Fixing), &member(Team::Tech), Some(assignee("Tess")), now).unwrap();
    let [event] = assigned.events.as_slice() else { panic!("{:?}", assigned.events) };
    let [change] = event.data.changes.as_slice() else { panic!("{:?}", event.data.changes) };
    assert_eq!((event.kind, change.field), (EventKind::TicketAssigned, TicketField::Assignee));
    assert_eq!((change.before.as_deref(), change.after.as_deref()), (None, Some("Tess")));
    assert_eq!(assigned.ticket.updated_at, now);

    let again = assign(&assigned.ticket, &member(Team::Tech), Some(assignee("Tess")), now).unwrap();
    assert_eq!((&again.ticket, again.events.len()), (&assigned.ticket, 0));

    let unassigned = assign(&assigned.ticket, &member(Team::Tech), None, now).unwrap();
    let change = unassigned.events.first().unwrap().data.changes.first().unwrap();
    assert_eq!((change.before.as_deref(), change.after.as_deref()), (Some("Tess"), None));
    assert_eq!(unassigned.ticket.assignee, None);
}

#[test]
fn filing_names_everything_that_every_ticket_needs_at_once() {
    let missing = OF_EVERY_TICKET.map(|field| (Code::MissingFields, input_path(field).to_owned()));
    for patch in [FactsPatch::default(), clearing(&OF_EVERY_TICKET)] {
        assert_eq!(problems(file(&client(), &patch, &office().surroundings())), missing);
    }
    let some = stating(&[TicketField::Subject, TicketField::Category, TicketField::Browser]);
    let missing = [TicketField::Description, TicketField::Subtype]
        .map(|field| (Code::MissingFields, input_path(field).to_owned()));
    assert_eq!(problems(file(&client(), &some, &office().surroundings())), missing);
}

#[test]
fn filing_refuses_every_wrong_fact_at_once() {
    let patch = FactsPatch {
        subject: Patch::Set("  ".to_owned()),
        target_url: Patch::Set("shop.acme.example".to_owned()),
        severity: stating(&[TicketField::Severity]).severity,
        ..stating(&OF_EVERY_TICKET)
    };
    assert_eq!(
        problems(file(&client(), &patch, &office().surroundings())),
        [
            (Code::NotAllowed, "facts.severity".to_owned()),
            (Code::Blank, "facts.subject".to_owned()),
            (Code::Invalid, "facts.targetUrl".to_owned()),
        ]
    );
}

#[test]
fn a_filed_ticket_begins_its_history_with_what_was_stated() {
    let facts: Facts = file(&client(), &stating(&OF_EVERY_TICKET), &office().surroundings()).unwrap();
    let ticket = crate::domain::ticket::Ticket { facts, ..bare_ticket(Stage::Validating) };
    let event = filed(&ticket);
    assert_eq!((event.kind, event.data.to_stage), (EventKind::TicketCreated, Some(Stage::Validating)));
    let stated: Vec<_> = event.data.changes.iter().map(|change| change.field).collect();
    assert_eq!(stated, OF_EVERY_TICKET);
    assert!(event.data.changes.iter().all(|change| change.before.is_none()));
}
