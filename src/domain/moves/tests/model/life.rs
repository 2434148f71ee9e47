//! Random lives of tickets, lived by the gate and by the model side by side.

use std::{cell::RefCell, collections::BTreeSet};

use chrono::{Days, NaiveDate};
use entity::vocab::{CompanyTier, DeEscalationReason, EventKind, NoticeKind, Stage, Team, TicketField};
use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    sample::select,
    test_runner::{Config, TestRunner},
};

use super::page::{Model, Row, Said, Wish, acts_for, row};
use crate::domain::{
    actor::Actor,
    facts::{FactsPatch, Patch},
    moves::{Decision, Move, assign, available_moves, change_facts, promise},
    refusal::{Code, Refusal, input_path},
    samples::{
        Office, administrator, assignee, bare_ticket, client, is_fact, manager, member, office, teamless, to,
        to_pipeline,
    },
    ticket::Ticket,
};

/// The moves of the page: 14 out of open stages, 8 that reopen.
const MOVES: usize = 22;

/// Who acts.
#[derive(Clone, Debug)]
enum Who {
    /// A member of the team whose turn it is.
    Right,
    Anyone(Actor),
}

/// Where to.
#[derive(Clone, Debug)]
enum Where {
    /// To the next stage of a ticket with which all goes well.
    Onward,
    /// One of the stages that the page leads to from here.
    Next(usize),
    Anywhere(Stage),
}

/// What is stated with a move.
#[derive(Clone, Debug)]
enum With {
    /// Just what is missing.
    Missing,
    These(Vec<Said>),
}

#[derive(Clone, Debug)]
enum Step {
    Move { who: Who, to: Where, with: With, has_words: bool, has_de_escalation_reason: bool },
    Change { who: Who, said: Vec<Said> },
    Promise { who: Who, in_days: u64, has_words: bool },
    Assign { who: Who, name: Option<&'static str> },
    SetTier(bool),
    Wait { days: u64 },
}

fn anyone() -> impl Strategy<Value = Actor> {
    let members = Team::all().map(member);
    let others = [manager(Team::Tech), administrator(), teamless(), client(), Actor::System];
    select(members.chain(others).collect::<Vec<_>>())
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![3 => select(vec![Who::Right]), 1 => anyone().prop_map(Who::Anyone)]
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let of_every_ticket = [TicketField::Subject, TicketField::Description, TicketField::Category, TicketField::Subtype];
    let fields: Vec<_> = TicketField::all()
        .filter(|field| is_fact(*field) && !of_every_ticket.contains(field))
        .filter(|field| *field != TicketField::EstimatedDeliveryDate)
        .collect();
    let date = (0..9_u64).prop_map(|days| Said::Date(on(days)));
    let word = prop_oneof![
        8 => select(fields.clone()).prop_map(Said::Known),
        4 => select(fields).prop_map(Said::Unknown),
        2 => date,
        1 => select(vec![Said::Unknown(TicketField::EstimatedDeliveryDate)]),
    ];
    vec(word, 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let to = prop_oneof![
        3 => select(vec![Where::Onward]),
        3 => (0..8_usize).prop_map(Where::Next),
        1 => select(Stage::all().collect::<Vec<_>>()).prop_map(Where::Anywhere),
    ];
    let with = prop_oneof![2 => select(vec![With::Missing]), 1 => said().prop_map(With::These)];
    // Two of three: most moves should be good ones.
    let mostly = || select(vec![true, true, false]);
    prop_oneof![
        8 => (who(), to, with, mostly(), mostly()).prop_map(|(who, to, with, has_words, has_de_escalation_reason)| {
            Step::Move { who, to, with, has_words, has_de_escalation_reason }
        }),
        2 => (who(), said()).prop_map(|(who, said)| Step::Change { who, said }),
        2 => (who(), 0..9_u64, mostly())
            .prop_map(|(who, in_days, has_words)| Step::Promise { who, in_days, has_words }),
        1 => (who(), select(vec![None, Some("Tess"), Some("Quentin")])).prop_map(|(who, name)| Step::Assign { who, name }),
        1 => any::<bool>().prop_map(Step::SetTier),
        1 => (0..4_u64).prop_map(|days| Step::Wait { days }),
    ]
}

/// A life in which all goes well for a while.
fn any_life() -> impl Strategy<Value = Vec<Step>> {
    let onward = Step::Move {
        who: Who::Right,
        to: Where::Onward,
        with: With::Missing,
        has_words: true,
        has_de_escalation_reason: true,
    };
    (0..5_usize, vec(step(), 1..40)).prop_map(move |(count, steps)| {
        let good_days = vec![onward.clone(); count];
        [Step::SetTier(true)].into_iter().chain(good_days).chain(steps).collect()
    })
}

/// So many days after the Friday before the samples' Monday.
fn on(days: u64) -> NaiveDate {
    office().now.date_naive() + Days::new(days) - Days::new(3)
}

/// A ticket that is lived by the gate and by the model.
struct Life {
    ticket: Ticket,
    model: Model,
    office: Office,
    taken: BTreeSet<(Stage, Stage)>,
    heard: BTreeSet<NoticeKind>,
}

impl Life {
    fn live(&mut self, step: &Step) {
        match step {
            Step::Move { who, to, with, has_words, has_de_escalation_reason } => {
                let to = self.destination(to);
                let mut wish = Wish {
                    to,
                    said: vec![],
                    has_words: *has_words,
                    has_de_escalation_reason: *has_de_escalation_reason,
                };
                wish.said = match with {
                    With::These(said) => said.clone(),
                    With::Missing => self.all_missing(&wish),
                };
                let team = row(self.model.stage, to, self.model.ended_in).map(|row| row.team);
                self.wish(&actor(who, team), &wish);
            }
            Step::Change { who, said } => {
                let actor = actor(who, Some(Team::ProjectManager));
                let decided = change_facts(&self.ticket, &actor, &patch(said), &self.office.surroundings());
                let expected = self.model.changed(&actor, said, self.today());
                if let Some(decision) = self.agree(decided, expected) {
                    assert!(decision.events.iter().all(|event| event.kind == EventKind::FactsChanged));
                    assert!(decision.events.len() <= 1 && decision.client_notices.is_empty());
                }
            }
            Step::Promise { who, in_days, has_words } => {
                let actor = actor(who, Some(Team::ProjectManager));
                let reason = if *has_words { "because" } else { " " };
                let decided = promise(&self.ticket, &actor, on(*in_days), reason, &self.office.surroundings());
                let expected = self.model.promised(&actor, on(*in_days), *has_words, self.today());
                let (model, heard) = expected.unzip();
                if let Some(decision) = self.agree(decided, model) {
                    assert_eq!(Some(&decision.client_notices), heard.as_ref());
                    assert_eq!(decision.events.len(), 1);
                }
            }
            Step::Assign { who, name } => {
                let actor = actor(who, super::page::owner(self.model.stage));
                let decided = assign(&self.ticket, &actor, name.map(assignee), self.office.now);
                self.agree(decided, self.model.assigned(&actor, *name));
            }
            Step::SetTier(known) => {
                self.ticket.company.tier = known.then_some(CompanyTier::TierTwo);
                let tier = TicketField::CompanyTier;
                if *known {
                    self.model.known.insert(tier)
                } else {
                    self.model.known.remove(&tier)
                };
            }
            Step::Wait { days } => self.office.now = self.office.now + Days::new(*days),
        }
        self.is_sound();
    }

    fn wish(&mut self, actor: &Actor, wish: &Wish) {
        let from = self.model.stage;
        let decided = self.office.decide(&self.ticket, actor, &wanted(wish));
        let is_tried = row(from, wish.to, self.model.ended_in).is_some_and(|row| acts_for(actor, row.team));
        if let (Err(refusal), true) = (&decided, is_tried) {
            assert_eq!(named_missing(refusal), paths(&self.model.missing_for(wish)));
        }
        let (model, heard) = self.model.moved(actor, wish, self.office.now).unzip();
        let Some(decision) = self.agree(decided, model) else { return };
        assert_eq!(Some(&decision.client_notices), heard.as_ref());
        self.taken.insert((from, wish.to));

        let moved = if wish.to == Stage::Transferred { EventKind::TicketTransferred } else { EventKind::TicketMoved };
        let proposed = (wish.to == Stage::Estimating).then_some(EventKind::PriorityProposed);
        let kinds: Vec<_> = decision.events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [moved].into_iter().chain(proposed).collect::<Vec<_>>());
        let data = &decision.events.first().unwrap().data;
        assert_eq!((data.from_stage, data.to_stage), (Some(from), Some(wish.to)));
        assert_eq!(data.reason.is_some(), wish.has_words);
    }

    /// The gate takes it exactly when the model does, and a refusal says why.
    fn agree(&mut self, decided: Result<Decision, Refusal>, expected: Option<Model>) -> Option<Decision> {
        match (decided, expected) {
            (Ok(decision), Some(model)) => {
                let Ticket { id, number, version, created_at, .. } = self.ticket;
                let same =
                    (decision.ticket.id, decision.ticket.number, decision.ticket.version, decision.ticket.created_at);
                assert_eq!(same, (id, number, version, created_at));
                self.heard.extend(decision.client_notices.iter().map(|notice| notice.kind()));
                self.ticket = decision.ticket.clone();
                self.model = model;
                Some(decision)
            }
            (Err(Refusal(problems)), None) => {
                assert!(!problems.is_empty());
                None
            }
            (Ok(decision), None) => panic!("only the gate takes it: {:?}", decision.events),
            (Err(refusal), Some(_)) => panic!("only the model takes it; {refusal}"),
        }
    }

    /// Ticket and model are in the same state, and it is one that a ticket may be in.
    fn is_sound(&self) {
        let Self { ticket, model, .. } = self;
        assert_eq!(ticket.stage, model.stage);
        assert_eq!((ticket.closed_from, ticket.closed_at), (model.ended_in, model.ended_at));
        assert_eq!(ticket.closed_at.is_none(), ticket.is_open());
        assert_eq!(ticket.first_resolved_at, model.first_resolved_at);
        assert_eq!(ticket.de_escalation_count, model.de_escalations);
        assert_eq!(ticket.de_escalation_reasons.is_empty(), model.de_escalations == 0);
        assert_eq!(ticket.transferred_to.is_some(), ticket.stage == Stage::Transferred);
        assert_eq!(
            (ticket.facts.estimated_delivery_date, ticket.promised_delivery_date),
            (model.date, model.date_told)
        );
        assert_eq!(ticket.assignee.as_ref().map(|person| person.name.as_str()), model.assignee.as_deref());
        if matches!(ticket.stage, Stage::Fixing | Stage::Verifying) {
            assert_eq!(model.date, model.date_told, "the client knows the date");
        }
        for field in TicketField::all().filter(|field| is_fact(*field) || *field == TicketField::CompanyTier) {
            let of_every_ticket = bare_ticket(Stage::Validating).knows(field);
            assert_eq!(ticket.knows(field), of_every_ticket || model.knows(field), "{field}");
        }
    }

    /// What is offered is what the gate takes, once every reason is given.
    fn offers_what_it_takes(&self, actor: &Actor) {
        let Self { ticket, model, .. } = self;
        let offered = available_moves(ticket, actor);
        for target in Stage::all() {
            let offer = offered.iter().find(|offer| offer.to == target);
            let row = row(model.stage, target, model.ended_in);
            assert_eq!(offer.is_some(), row.is_some(), "{} -> {target}", model.stage);
            let wish = Wish { to: target, said: vec![], has_words: true, has_de_escalation_reason: true };
            let decided = self.office.decide(ticket, actor, &wanted(&wish));
            let Some((offer, Row { team, needs_words, is_de_escalation })) = offer.zip(row) else {
                assert!(decided.is_err());
                continue;
            };
            assert_eq!(offer.allowed, acts_for(actor, team));
            assert_eq!((offer.needs_reason, offer.needs_de_escalation_reasons), (needs_words, is_de_escalation));
            let without_reasons = Wish { has_de_escalation_reason: false, ..wish };
            assert_eq!(
                offer.missing_fields.iter().map(|field| input_path(*field).to_owned()).collect::<BTreeSet<_>>(),
                paths(&model.missing_for(&without_reasons))
            );
            let are_known = offer.missing_fields.iter().all(|field| *field == TicketField::DeEscalationReasons);
            // A date that has passed before it was told is known, and still no promise.
            let is_over = Model { stage: target, ..model.clone() }.promises_the_past(self.today());
            assert_eq!(decided.is_ok(), offer.allowed && are_known && !is_over, "{} -> {target}", model.stage);
        }
    }

    fn destination(&self, to: &Where) -> Stage {
        match to {
            Where::Anywhere(stage) => *stage,
            Where::Onward => match self.model.stage {
                Stage::Validating => Stage::Replicating,
                Stage::Replicating => Stage::Estimating,
                Stage::Estimating => Stage::Fixing,
                Stage::Fixing => Stage::Verifying,
                Stage::Verifying => Stage::ClosedResolved,
                ended => self.model.ended_in.unwrap_or(ended),
            },
            Where::Next(choice) => {
                let next = |to: &Stage| row(self.model.stage, *to, self.model.ended_in).is_some();
                let next: Vec<_> = Stage::all().filter(next).collect();
                next[choice % next.len()]
            }
        }
    }

    fn all_missing(&self, wish: &Wish) -> Vec<Said> {
        let merged = [TicketField::PullRequest, TicketField::MergedPullRequest];
        let missing = self.model.missing_for(wish).into_iter().flat_map(|field| match field {
            TicketField::MergedPullRequest => merged.map(Said::Known).to_vec(),
            TicketField::EstimatedDeliveryDate => vec![Said::Date(self.today() + Days::new(2))],
            TicketField::CompanyTier | TicketField::DeEscalationReasons => vec![],
            field => vec![Said::Known(field)],
        });
        missing.collect()
    }

    fn today(&self) -> NaiveDate {
        self.office.now.date_naive()
    }
}

fn actor(who: &Who, right: Option<Team>) -> Actor {
    match who {
        Who::Right => right.map_or_else(administrator, member),
        Who::Anyone(actor) => actor.clone(),
    }
}

fn wanted(wish: &Wish) -> Move {
    let wanted = if wish.to == Stage::Transferred { to_pipeline("Client Support") } else { to(wish.to) };
    let reasons = [DeEscalationReason::CannotReplicate];
    Move {
        facts: patch(&wish.said),
        reason: wish.has_words.then(|| "because".to_owned()),
        de_escalation_reasons: if wish.has_de_escalation_reason { reasons.to_vec() } else { Vec::new() },
        ..wanted
    }
}

fn patch(said: &[Said]) -> FactsPatch {
    let mut patch = FactsPatch::default();
    for word in said {
        match word {
            Said::Known(field) => crate::domain::samples::state(&mut patch, *field, true),
            Said::Unknown(field) => crate::domain::samples::state(&mut patch, *field, false),
            Said::Date(date) => patch.estimated_delivery_date = Patch::Set(*date),
        }
    }
    patch
}

fn named_missing(refusal: &Refusal) -> BTreeSet<String> {
    let missing = refusal.0.iter().filter(|problem| problem.code == Code::MissingFields);
    missing.filter_map(|problem| problem.field.clone()).collect()
}

fn paths(fields: &[TicketField]) -> BTreeSet<String> {
    fields.iter().map(|field| input_path(*field).to_owned()).collect()
}

#[test]
fn the_gate_is_the_process_page_whatever_happens_to_a_ticket() {
    let taken = RefCell::new(BTreeSet::new());
    let heard = RefCell::new(BTreeSet::new());
    let config = Config::with_source_file(file!());
    let lives = (any_life(), anyone());
    let outcome = TestRunner::new(config).run(&lives, |(steps, onlooker)| {
        let mut life = Life {
            ticket: bare_ticket(Stage::Validating),
            model: Model::filed(),
            office: office(),
            taken: BTreeSet::new(),
            heard: BTreeSet::new(),
        };
        for step in &steps {
            life.live(step);
            life.offers_what_it_takes(&onlooker);
        }
        taken.borrow_mut().extend(life.taken);
        heard.borrow_mut().extend(life.heard);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert_eq!(taken.borrow().len(), MOVES, "the lives took every move of the page: {taken:?}");
    assert_eq!(heard.borrow().len(), 4, "and the client heard everything that clients hear: {heard:?}");
}
