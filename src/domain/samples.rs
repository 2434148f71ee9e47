//! Tickets, people and moves for the tests of the rules. Today is Monday, 2 March 2026, 10:00 UTC; people work Monday to
//! Friday, 09:00–17:00 UTC.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::{
    id::{CompanyId, ContactId, PersonId, TicketId, TicketSubtypeId},
    vocab::{
        ActorKind, Category, CompanyTier, DeEscalationReason, Platform, Priority, Severity, Stage, Team, TicketField,
        TicketSource,
    },
};
use uuid::Uuid;

use crate::domain::{
    actor::{Actor, Staff},
    calendar::WorkingCalendar,
    facts::{Facts, FactsPatch, Patch, Subtype},
    moves::{Decision, Move, Surroundings, Target, decide},
    process,
    refusal::{Code, Refusal},
    ticket::{Assignee, Company, Contact, Ticket},
};

/// The day on which the samples' fix is promised.
pub const PROMISED_DAY: u32 = 10;

/// A day of March 2026.
pub fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, number).unwrap()
}

/// An instant of March 2026, `"03 16:00"`.
pub fn at(text: &str) -> DateTime<Utc> {
    let (day, time) = text.split_once(' ').unwrap();
    format!("2026-03-{day}T{time}:00Z").parse().unwrap()
}

/// What the rules know besides the ticket.
pub struct Office {
    pub now: DateTime<Utc>,
    pub calendar: WorkingCalendar,
    pub pipelines: Vec<String>,
}

/// The office on Monday morning.
pub fn office() -> Office {
    office_at("02 10:00")
}

/// The office at an instant of March 2026.
pub fn office_at(text: &str) -> Office {
    Office {
        now: at(text),
        calendar: WorkingCalendar::monday_to_friday(Tz::UTC),
        pipelines: process::OTHER_PIPELINES.map(str::to_owned).to_vec(),
    }
}

impl Office {
    pub fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { now: self.now, calendar: &self.calendar, pipelines: &self.pipelines }
    }

    /// What the gate says of a move.
    pub fn decide(&self, ticket: &Ticket, actor: &Actor, wanted: &Move) -> Result<Decision, Refusal> {
        decide(ticket, actor, wanted, &self.surroundings())
    }
}

fn staff(teams: &[Team], manages: &[Team], administrator: bool) -> Actor {
    Actor::Person(Staff {
        id: PersonId(Uuid::from_u128(1)),
        teams: teams.to_vec(),
        manages: manages.to_vec(),
        administrator,
        scopes: None,
    })
}

pub fn member(team: Team) -> Actor {
    staff(&[team], &[], false)
}

pub fn manager(team: Team) -> Actor {
    staff(&[], &[team], false)
}

pub fn administrator() -> Actor {
    staff(&[], &[], true)
}

/// Staff of no team.
pub fn teamless() -> Actor {
    staff(&[], &[], false)
}

/// The contact who filed the samples.
pub fn client() -> Actor {
    Actor::Contact { id: ContactId(Uuid::from_u128(2)), company_id: CompanyId(Uuid::from_u128(3)) }
}

/// A member of the team that owns an open stage.
pub fn owner_of(stage: Stage) -> Actor {
    member(process::stage(stage).owner.unwrap())
}

pub fn subtype(category: Category) -> Subtype {
    let name = format!("Something about {category}");
    Subtype { id: TicketSubtypeId(Uuid::from_u128(category as u128)), category, name, archived: false }
}

pub fn assignee(name: &str) -> Assignee {
    Assignee { id: PersonId(Uuid::from_u128(name.len() as u128)), name: name.to_owned() }
}

/// A ticket of which nothing is known that could be unknown.
pub fn bare_ticket(stage: Stage) -> Ticket {
    let is_open = process::is_open(stage);
    let filed_at = at("02 09:00");
    Ticket {
        id: TicketId(Uuid::from_u128(4)),
        number: 7,
        version: 1,
        source: TicketSource::ClientForm,
        level_one_reference: None,
        company: Company { id: CompanyId(Uuid::from_u128(3)), name: "Acme".to_owned(), tier: None },
        contact: Contact {
            id: ContactId(Uuid::from_u128(2)),
            name: "Carla".to_owned(),
            email: "carla@acme.example".to_owned(),
            locale: "en".to_owned(),
            time_zone: "UTC".to_owned(),
        },
        assignee: None,
        created_by_kind: ActorKind::Contact,
        created_by_id: Some(Uuid::from_u128(2)),
        stage,
        closed_from: match stage {
            Stage::Transferred => Some(Stage::Validating),
            _ if is_open => None,
            _ => Some(Stage::Verifying),
        },
        closed_at: (!is_open).then_some(filed_at),
        first_resolved_at: (stage == Stage::ClosedResolved).then_some(filed_at),
        transferred_to: (stage == Stage::Transferred).then(|| "Client Support".to_owned()),
        de_escalation_count: 0,
        de_escalation_reasons: Vec::new(),
        proposed_priority: None,
        proposed_priority_reasons: Vec::new(),
        promised_delivery_date: None,
        first_promised_date: None,
        delivered_on: None,
        facts: Facts {
            subject: "Prices are wrong".to_owned(),
            description: "Every price of the basket is one cent off.".to_owned(),
            category: Category::BugsDefects,
            subtype: subtype(Category::BugsDefects),
            severity: None,
            acceptance_criteria: None,
            target_url: None,
            steps_to_reproduce: None,
            ops_can_reproduce: None,
            affects_other_clients: None,
            client_target_date: None,
            platform: None,
            browser: None,
            operating_system: None,
            app_version: None,
            workaround: None,
            estimated_delivery_date: None,
            priority: None,
            pull_request: None,
            pull_request_merged_at: None,
            resolution_notes: None,
        },
        created_at: filed_at,
        updated_at: filed_at,
    }
}

/// A ticket of which everything is known, and whose date the client has heard where it has come so far.
pub fn full_ticket(stage: Stage) -> Ticket {
    let mut ticket = bare_ticket(stage);
    ticket.company.tier = Some(CompanyTier::TierTwo);
    ticket.facts = patched(&ticket.facts, &everything());
    ticket.promised_delivery_date =
        (!matches!(stage, Stage::Validating | Stage::Replicating | Stage::Estimating)).then(|| day(PROMISED_DAY));
    ticket
}

/// A move to a stage, with all the reasons that any move needs.
pub fn to(stage: Stage) -> Move {
    let de_escalation_reasons =
        if stage == Stage::Validating { vec![DeEscalationReason::CannotReplicate] } else { Vec::new() };
    Move {
        target: Target::Stage(stage),
        facts: FactsPatch::default(),
        reason: Some("because".to_owned()),
        de_escalation_reasons,
    }
}

/// A transfer to the pipeline of this name.
pub fn to_pipeline(name: &str) -> Move {
    Move { target: Target::Pipeline(name.to_owned()), reason: None, ..to(Stage::Transferred) }
}

/// A patch that states these facts.
pub fn stating(fields: &[TicketField]) -> FactsPatch {
    let mut patch = FactsPatch::default();
    fields.iter().for_each(|field| state(&mut patch, *field, true));
    patch
}

/// A patch that clears these facts.
pub fn clearing(fields: &[TicketField]) -> FactsPatch {
    let mut patch = FactsPatch::default();
    fields.iter().for_each(|field| state(&mut patch, *field, false));
    patch
}

/// A patch that states an Estimated Delivery Date.
pub fn promising(date: NaiveDate) -> FactsPatch {
    FactsPatch { estimated_delivery_date: Patch::Set(date), ..FactsPatch::default() }
}

/// The facts after a patch with which nothing is wrong.
pub fn patched(facts: &Facts, patch: &FactsPatch) -> Facts {
    let (facts, problems) = facts.with(patch, office().now);
    assert_eq!(problems, []);
    facts
}

/// A patch that states every fact.
pub fn everything() -> FactsPatch {
    let own = |field: &TicketField| bare_ticket(Stage::Validating).facts.value(*field).is_none() && is_fact(*field);
    stating(&TicketField::all().filter(own).collect::<Vec<_>>())
}

/// Whether it is stated in a patch: a fact of the ticket itself.
pub fn is_fact(field: TicketField) -> bool {
    !matches!(
        field,
        TicketField::CompanyTier
            | TicketField::DeEscalationReasons
            | TicketField::LevelOneReference
            | TicketField::Assignee
    )
}

/// Takes away what is known of a field, wherever it is kept.
pub fn forget(ticket: &mut Ticket, field: TicketField) {
    match field {
        TicketField::CompanyTier => ticket.company.tier = None,
        TicketField::DeEscalationReasons => ticket.de_escalation_reasons.clear(),
        TicketField::EstimatedDeliveryDate => {
            ticket.facts.estimated_delivery_date = None;
            ticket.promised_delivery_date = None;
        }
        field => ticket.facts = patched(&ticket.facts, &clearing(&[field])),
    }
}

/// Lets a patch state a fact, or clear it.
pub fn state(patch: &mut FactsPatch, field: TicketField, known: bool) {
    fn say<T>(known: bool, value: T) -> Patch<T> {
        if known { Patch::Set(value) } else { Patch::Clear }
    }
    let text = |text: &str| say(known, text.to_owned());
    match field {
        TicketField::Subject => patch.subject = text("Prices are wrong"),
        TicketField::Description => patch.description = text("Every price is one cent off."),
        TicketField::Category => patch.category = say(known, Category::BugsDefects),
        TicketField::Subtype => patch.subtype = say(known, subtype(Category::BugsDefects)),
        TicketField::Severity => patch.severity = say(known, Severity::Major),
        TicketField::AcceptanceCriteria => patch.acceptance_criteria = text("Prices are right"),
        TicketField::TargetUrl => patch.target_url = text("https://shop.acme.example/basket"),
        TicketField::StepsToReproduce => patch.steps_to_reproduce = text("1. Open the basket\n2. Look"),
        TicketField::OpsCanReproduce => patch.ops_can_reproduce = say(known, true),
        TicketField::AffectsOtherClients => patch.affects_other_clients = say(known, false),
        TicketField::ClientTargetDate => patch.client_target_date = say(known, day(30)),
        TicketField::Platform => patch.platform = say(known, Platform::Web),
        TicketField::Browser => patch.browser = text("Firefox 148"),
        TicketField::OperatingSystem => patch.operating_system = text("Debian 13"),
        TicketField::AppVersion => patch.app_version = text("3.2.1"),
        TicketField::Workaround => patch.workaround = text("Reload the page"),
        TicketField::EstimatedDeliveryDate => patch.estimated_delivery_date = say(known, day(PROMISED_DAY)),
        TicketField::Priority => patch.priority = say(known, Priority::Normal),
        TicketField::PullRequest => patch.pull_request = text("https://git.example/pulls/1"),
        TicketField::MergedPullRequest => patch.pull_request_merged_at = say(known, at("02 09:30")),
        TicketField::ResolutionNotes => patch.resolution_notes = text("The rounding is fixed"),
        TicketField::CompanyTier
        | TicketField::DeEscalationReasons
        | TicketField::LevelOneReference
        | TicketField::Assignee => panic!("{field} is not stated in a patch"),
    }
}

/// Code and input path of every problem of a refusal.
pub fn problems<T>(outcome: Result<T, Refusal>) -> Vec<(Code, String)> {
    let Err(Refusal(problems)) = outcome else { panic!("it was not refused") };
    assert!(!problems.is_empty(), "a refusal says why");
    problems.into_iter().map(|problem| (problem.code, problem.field.unwrap_or_default())).collect()
}
