//! The process page, read once more: who moves what where, what must be known, what the client hears.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use entity::vocab::{Stage, Team, TicketField};

use crate::domain::{
    actor::Actor,
    notice::NoticeFacts,
    samples::{everything, is_fact},
};

use TicketField::{
    DeEscalationReasons, EstimatedDeliveryDate, MergedPullRequest, Priority, PullRequest, ResolutionNotes,
};

/// What the model keeps of a ticket.
#[derive(Clone, Debug)]
pub struct Model {
    pub stage: Stage,
    /// Facts of which the value does not matter, and the company's tier.
    pub known: BTreeSet<TicketField>,
    pub date: Option<NaiveDate>,
    pub date_told: Option<NaiveDate>,
    pub de_escalations: i32,
    pub ended_in: Option<Stage>,
    pub ended_at: Option<DateTime<Utc>>,
    pub first_resolved_at: Option<DateTime<Utc>>,
    pub assignee: Option<String>,
}

/// What is stated of a fact.
#[derive(Clone, Debug)]
pub enum Said {
    Known(TicketField),
    Unknown(TicketField),
    Date(NaiveDate),
}

/// A row of the transition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub team: Team,
    pub needs_words: bool,
    pub is_de_escalation: bool,
}

/// A move as somebody asks for it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub to: Stage,
    pub said: Vec<Said>,
    pub has_words: bool,
    pub has_de_escalation_reason: bool,
}

/// The row of the page for a move, if it has one.
pub fn row(from: Stage, to: Stage, ended_in: Option<Stage>) -> Option<Row> {
    use Stage::{
        ClosedResolved, ClosedUnresolved, Estimating, Fixing, Replicating, Transferred, Validating, Verifying,
    };
    use Team::{Operations, ProjectManager, Qa, Tech};
    let forward = |team| Some(Row { team, needs_words: false, is_de_escalation: false });
    let explained = |team| Some(Row { team, needs_words: true, is_de_escalation: false });
    match (from, to) {
        (Validating, Replicating | ClosedUnresolved | Transferred) => forward(Operations),
        (Replicating, Estimating | ClosedUnresolved) => forward(Qa),
        (Replicating, Validating) => Some(Row { team: Qa, needs_words: false, is_de_escalation: true }),
        (Estimating, Fixing | ClosedUnresolved) => forward(ProjectManager),
        (Estimating, Replicating) => explained(ProjectManager),
        (Fixing, Verifying | ClosedUnresolved) => forward(Tech),
        (Verifying, ClosedResolved | ClosedUnresolved) => forward(Qa),
        (Verifying, Fixing) => explained(Qa),
        (ClosedResolved | ClosedUnresolved | Transferred, Validating) => explained(Operations),
        (ClosedResolved | ClosedUnresolved, to) if ended_in == Some(to) => explained(Operations),
        _ => None,
    }
}

/// What the page marks as required to enter a stage. Category and Subtype are known of every ticket.
fn required(stage: Stage) -> &'static [TicketField] {
    use TicketField::{
        AcceptanceCriteria, AffectsOtherClients, CompanyTier, OpsCanReproduce, Severity, StepsToReproduce, TargetUrl,
    };
    match stage {
        Stage::Replicating => {
            &[AcceptanceCriteria, TargetUrl, Severity, StepsToReproduce, OpsCanReproduce, CompanyTier]
        }
        Stage::Estimating => &[AcceptanceCriteria, TargetUrl, Severity, StepsToReproduce, AffectsOtherClients],
        Stage::Fixing => &[EstimatedDeliveryDate, Priority],
        Stage::Verifying => &[PullRequest],
        Stage::ClosedResolved => &[MergedPullRequest, ResolutionNotes],
        Stage::ClosedUnresolved => &[ResolutionNotes],
        Stage::Validating | Stage::Transferred => &[],
    }
}

fn is_ended(stage: Stage) -> bool {
    matches!(stage, Stage::ClosedResolved | Stage::ClosedUnresolved | Stage::Transferred)
}

/// The team that owns a stage.
pub fn owner(stage: Stage) -> Option<Team> {
    match stage {
        Stage::Validating => Some(Team::Operations),
        Stage::Replicating | Stage::Verifying => Some(Team::Qa),
        Stage::Estimating => Some(Team::ProjectManager),
        Stage::Fixing => Some(Team::Tech),
        Stage::ClosedResolved | Stage::ClosedUnresolved | Stage::Transferred => None,
    }
}

/// Whether the actor may do what this team may: one of it, a manager, an administrator, Secondline itself.
pub fn acts_for(actor: &Actor, team: Team) -> bool {
    match actor {
        Actor::Person(staff) => staff.administrator || !staff.manages.is_empty() || staff.teams.contains(&team),
        Actor::Contact { .. } => false,
        Actor::Integration { .. } | Actor::System => true,
    }
}

/// From Fixing on, while the ticket is open, the client counts on the date.
fn is_promised(stage: Stage) -> bool {
    matches!(stage, Stage::Fixing | Stage::Verifying)
}

impl Said {
    /// Which fact it is about.
    pub fn field(&self) -> TicketField {
        match self {
            Self::Known(field) | Self::Unknown(field) => *field,
            Self::Date(_) => EstimatedDeliveryDate,
        }
    }
}

impl Model {
    /// A ticket that was filed a moment ago.
    pub fn filed() -> Self {
        Self {
            stage: Stage::Validating,
            known: BTreeSet::new(),
            date: None,
            date_told: None,
            de_escalations: 0,
            ended_in: None,
            ended_at: None,
            first_resolved_at: None,
            assignee: None,
        }
    }

    pub fn is_open(&self) -> bool {
        !is_ended(self.stage)
    }

    /// Whether a required field is known.
    pub fn knows(&self, field: TicketField) -> bool {
        match field {
            EstimatedDeliveryDate => self.date.is_some(),
            MergedPullRequest => self.known.contains(&PullRequest) && self.known.contains(&MergedPullRequest),
            field => self.known.contains(&field),
        }
    }

    /// The required fields that are missing for entering a stage.
    pub fn missing(&self, to: Stage) -> Vec<TicketField> {
        required(to).iter().copied().filter(|field| !self.knows(*field)).collect()
    }

    /// Whether a date that the client has not heard is over. The clock of a life stands at ten in the morning.
    pub fn promises_the_past(&self, today: NaiveDate) -> bool {
        is_promised(self.stage) && self.date != self.date_told && self.date.is_some_and(|date| date < today)
    }

    /// What is missing for a move with all that is said with it; nothing where the page has no such move.
    pub fn missing_for(&self, wish: &Wish) -> Vec<TicketField> {
        let Some(row) = row(self.stage, wish.to, self.ended_in) else { return vec![] };
        let mut after = self.clone();
        after.forget_outcome(wish.to);
        after.say(&wish.said);
        let mut missing = after.missing(wish.to);
        if row.is_de_escalation && !wish.has_de_escalation_reason {
            missing.push(DeEscalationReasons);
        }
        // What the client was told can be changed, not taken back.
        if after.date_told.is_some() && after.date.is_none() && !missing.contains(&EstimatedDeliveryDate) {
            missing.push(EstimatedDeliveryDate);
        }
        missing
    }

    /// The model after a move, with what the client hears; nothing where the page does not allow it.
    pub fn moved(&self, actor: &Actor, wish: &Wish, now: DateTime<Utc>) -> Option<(Self, Vec<NoticeFacts>)> {
        let row = row(self.stage, wish.to, self.ended_in)?;
        if !acts_for(actor, row.team) || !may_say(actor, &wish.said) {
            return None;
        }
        let mut after = self.clone();
        after.forget_outcome(wish.to);
        after.say(&wish.said);
        after.stage = wish.to;
        let changes_promise = is_promised(self.stage) && after.date != self.date;
        let is_explained = wish.has_words || !(row.needs_words || changes_promise);
        if !is_explained || !self.missing_for(wish).is_empty() || after.promises_the_past(now.date_naive()) {
            return None;
        }
        if row.is_de_escalation {
            after.de_escalations += 1;
        }
        after.ended_in = is_ended(wish.to).then_some(self.stage);
        after.ended_at = is_ended(wish.to).then_some(now);
        if wish.to == Stage::ClosedResolved {
            after.first_resolved_at = self.first_resolved_at.or(Some(now));
        }
        let mut heard = after.tell_date();
        let resolution_notes = everything().resolution_notes.stated().cloned().unwrap();
        match wish.to {
            Stage::ClosedResolved => heard.push(NoticeFacts::Delivered { resolution_notes }),
            Stage::ClosedUnresolved => heard.push(NoticeFacts::ClosedUnresolved { resolution_notes }),
            _ => {}
        }
        Some((after, heard))
    }

    /// The model after a change of facts without a move.
    pub fn changed(&self, actor: &Actor, said: &[Said], today: NaiveDate) -> Option<Self> {
        let in_a_team = Team::all().any(|team| acts_for(actor, team));
        let says_date = said.iter().any(|said| said.field() == EstimatedDeliveryDate);
        if !self.is_open() || !in_a_team || !may_say(actor, said) || says_date && is_promised(self.stage) {
            return None;
        }
        let mut after = self.clone();
        after.say(said);
        let loses = required(self.stage).iter().any(|field| self.knows(*field) && !after.knows(*field));
        let is_over = says_date && after.date.is_some_and(|date| date < today);
        (!loses && !is_over).then_some(after)
    }

    /// The model after a new Estimated Delivery Date, with what the client hears.
    pub fn promised(
        &self,
        actor: &Actor,
        date: NaiveDate,
        has_words: bool,
        today: NaiveDate,
    ) -> Option<(Self, Vec<NoticeFacts>)> {
        let allowed = acts_for(actor, Team::ProjectManager) && self.is_open();
        if !allowed || !has_words || self.date == Some(date) || date < today {
            return None;
        }
        let mut after = Self { date: Some(date), ..self.clone() };
        let heard = after.tell_date();
        Some((after, heard))
    }

    /// The model after an assignment.
    pub fn assigned(&self, actor: &Actor, name: Option<&str>) -> Option<Self> {
        let team = owner(self.stage)?;
        let allowed = acts_for(actor, team) || acts_for(actor, Team::ProjectManager);
        allowed.then(|| Self { assignee: name.map(str::to_owned), ..self.clone() })
    }

    /// The date is told when a ticket enters Fixing, and whenever it changes from then on.
    fn tell_date(&mut self) -> Vec<NoticeFacts> {
        let Some(date) = self.date.filter(|_| is_promised(self.stage)) else { return vec![] };
        match self.date_told.replace(date) {
            None => vec![NoticeFacts::DeliveryDateSet { date }],
            Some(old) if old != date => vec![NoticeFacts::DeliveryDateChanged { old, new: date }],
            Some(_) => vec![],
        }
    }

    /// A fix that was rejected is not merged when it comes again; a ticket that is open again needs new notes to be closed, and
    /// one reopened in Validating begins anew.
    fn forget_outcome(&mut self, to: Stage) {
        if self.stage == Stage::Verifying && to == Stage::Fixing {
            self.known.remove(&MergedPullRequest);
        }
        if !self.is_open() {
            self.known.remove(&ResolutionNotes);
        }
        if !self.is_open() && to == Stage::Validating {
            self.known.retain(|field| ![Priority, PullRequest, MergedPullRequest].contains(field));
            self.date = None;
            self.date_told = None;
        }
    }

    /// Takes in what is said; of a pull request that is not known any more, the merge is not either.
    pub fn say(&mut self, said: &[Said]) {
        let had_pull_request = self.known.contains(&PullRequest);
        for word in said {
            match word {
                Said::Date(date) => self.date = Some(*date),
                Said::Unknown(EstimatedDeliveryDate) => self.date = None,
                Said::Unknown(field) => drop(self.known.remove(field)),
                Said::Known(field) => drop(self.known.insert(*field)),
            }
        }
        let says_merge = said.iter().any(|word| word.field() == MergedPullRequest);
        if had_pull_request && !self.known.contains(&PullRequest) && !says_merge {
            self.known.remove(&MergedPullRequest);
        }
    }
}

/// Whether the actor may state all this; date and priority are the Project Manager's.
fn may_say(actor: &Actor, said: &[Said]) -> bool {
    let is_estimate = |said: &Said| matches!(said.field(), EstimatedDeliveryDate | Priority);
    assert!(said.iter().all(|said| is_fact(said.field())));
    match actor {
        Actor::Contact { .. } => said.is_empty(),
        _ => acts_for(actor, Team::ProjectManager) || !said.iter().any(is_estimate),
    }
}
