//! Who asks, and what they may do.
//!
//! Pure: imports only the vocabulary. [`may`] is the one place that decides rights. Example: a QA member may move a ticket out
//! of Replicating, because QA owns that stage; a manager may do it too.

use entity::{
    id::{CompanyId, ContactId, PersonId},
    vocab::{ActorKind, Stage, Team, Visibility},
};
use uuid::Uuid;

use crate::domain::process;

/// Whoever asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A member of staff.
    Person(Staff),
    /// A client's contact.
    Contact {
        /// Who it is.
        id: ContactId,
        /// The one company whose tickets exist for them.
        company_id: CompanyId,
    },
    /// Secondline itself: a job, or the command line.
    System,
}

/// What a member of staff is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// Who it is.
    pub id: PersonId,
    /// The teams they work in.
    pub teams: Vec<Team>,
    /// The teams they manage.
    pub manages: Vec<Team>,
    /// Whether they administer the deployment.
    pub administrator: bool,
}

/// What an actor wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See a ticket of this company.
    ViewTicket(CompanyId),
    /// File a ticket for this company.
    FileTicket(CompanyId),
    /// Make a move that belongs to this team.
    Move(Option<Team>),
    /// State facts of a ticket.
    ChangeFacts,
    /// State the Estimated Delivery Date or the Priority: the Project Manager's outcome.
    Estimate,
    /// Assign a ticket in this stage.
    Assign(Stage),
    /// Ask the client a question about a ticket in this stage.
    AskClient(Stage),
    /// Record the client's answer for a ticket of this company.
    AnswerClarification(CompanyId),
    /// See what only staff see: people, SLA clocks, alerts, the ledger of notices, all companies.
    SeeInternals,
    /// Change companies and contacts.
    EditClients,
    /// Change people, subtypes, policies and calendars.
    Administer,
    /// Send a failed notice again.
    RetryNotice,
    /// Comment on a ticket of this company, or attach a file to it, for these readers.
    Contribute(CompanyId, Visibility),
    /// Change or remove what others contributed.
    Moderate,
    /// Watch a ticket of this company.
    Watch(CompanyId),
    /// Let other members of staff watch a ticket.
    AddWatchers,
    /// Link tickets.
    Link,
}

impl Actor {
    /// The kind of actor, as the history names it.
    pub const fn kind(&self) -> ActorKind {
        match self {
            Self::Person(_) => ActorKind::Person,
            Self::Contact { .. } => ActorKind::Contact,
            Self::System => ActorKind::System,
        }
    }

    /// The person or contact, as the history names them.
    pub const fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Person(staff) => Some(staff.id.0),
            Self::Contact { id, .. } => Some(id.0),
            Self::System => None,
        }
    }

    /// The person, where the actor is one.
    pub const fn person_id(&self) -> Option<PersonId> {
        match self {
            Self::Person(staff) => Some(staff.id),
            Self::Contact { .. } | Self::System => None,
        }
    }

    /// The company to which everything this actor sees belongs; none for staff, who see all.
    pub const fn company_scope(&self) -> Option<CompanyId> {
        match self {
            Self::Contact { company_id, .. } => Some(*company_id),
            Self::Person(_) | Self::System => None,
        }
    }

    /// Whether the actor is staff, or the system.
    pub const fn is_internal(&self) -> bool {
        !matches!(self, Self::Contact { .. })
    }
}

impl Staff {
    /// Whether they may do what any owner team may.
    pub fn leads(&self) -> bool {
        self.administrator || !self.manages.is_empty()
    }

    fn works_in(&self, team: Team) -> bool {
        self.leads() || self.teams.contains(&team)
    }
}

/// Whether the actor may do it. What someone may not *see* does not exist for them: callers ask `ViewTicket` first.
pub fn may(actor: &Actor, action: Action) -> bool {
    match actor {
        Actor::System => true,
        Actor::Contact { company_id, .. } => match action {
            Action::ViewTicket(company) | Action::FileTicket(company) | Action::AnswerClarification(company) => {
                company == *company_id
            }
            Action::Contribute(company, visibility) => company == *company_id && visibility == Visibility::Client,
            Action::Watch(company) => company == *company_id,
            _ => false,
        },
        Actor::Person(staff) => match action {
            Action::ViewTicket(_) | Action::FileTicket(_) | Action::AnswerClarification(_) | Action::SeeInternals => {
                true
            }
            Action::Move(team) => team.map_or_else(|| staff.leads(), |team| staff.works_in(team)),
            Action::ChangeFacts => staff.leads() || !staff.teams.is_empty(),
            Action::Estimate => staff.works_in(Team::ProjectManager),
            Action::Assign(stage) => owns(staff, stage) || staff.works_in(Team::ProjectManager),
            Action::AskClient(stage) => staff.works_in(Team::Operations) || owns(staff, stage),
            Action::EditClients => staff.works_in(Team::Operations),
            Action::Administer => staff.administrator,
            Action::RetryNotice | Action::AddWatchers => staff.leads(),
            Action::Contribute(..) | Action::Watch(_) => true,
            Action::Moderate => staff.administrator,
            Action::Link => staff.leads() || !staff.teams.is_empty(),
        },
    }
}

fn owns(staff: &Staff, stage: Stage) -> bool {
    process::stage(stage).owner.map_or_else(|| staff.leads(), |team| staff.works_in(team))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staff(teams: &[Team], manages: &[Team], administrator: bool) -> Actor {
        Actor::Person(Staff {
            id: PersonId(Uuid::nil()),
            teams: teams.to_vec(),
            manages: manages.to_vec(),
            administrator,
        })
    }

    #[test]
    fn a_team_moves_only_its_own_tickets_and_leads_move_any() {
        for own in Team::all() {
            for other in Team::all() {
                assert_eq!(may(&staff(&[own], &[], false), Action::Move(Some(other))), own == other);
                assert!(may(&staff(&[], &[own], false), Action::Move(Some(other))));
                assert!(may(&staff(&[], &[], true), Action::Move(Some(other))));
            }
        }
    }

    #[test]
    fn a_contact_acts_for_their_own_company_only() {
        let [own, other] = [CompanyId(Uuid::from_u128(1)), CompanyId(Uuid::from_u128(2))];
        let contact = Actor::Contact { id: ContactId(Uuid::nil()), company_id: own };
        for action in [Action::ViewTicket, Action::FileTicket, Action::AnswerClarification] {
            assert!(may(&contact, action(own)));
            assert!(!may(&contact, action(other)));
        }
        let staff_only = [
            Action::Move(Some(Team::Operations)),
            Action::ChangeFacts,
            Action::Estimate,
            Action::Assign(Stage::Validating),
            Action::AskClient(Stage::Validating),
            Action::SeeInternals,
            Action::EditClients,
            Action::Administer,
            Action::RetryNotice,
            Action::Contribute(own, Visibility::Internal),
            Action::Contribute(other, Visibility::Client),
            Action::Watch(other),
            Action::Moderate,
            Action::AddWatchers,
            Action::Link,
        ];
        assert!(may(&contact, Action::Contribute(own, Visibility::Client)));
        assert!(may(&contact, Action::Watch(own)));
        assert!(staff_only.iter().all(|action| !may(&contact, *action)));
    }

    #[test]
    fn only_administrators_administer() {
        assert!(may(&staff(&[], &[], true), Action::Administer));
        assert!(!may(&staff(&[Team::Tech], &[Team::Tech], false), Action::Administer));
    }
}
