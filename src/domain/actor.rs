//! Who asks, and what they may do.
//!
//! Pure: imports only the vocabulary. [`may`] is the one place that decides rights. Example: a QA member may move a ticket out
//! of Replicating, because QA owns that stage; a manager may do it too.

use entity::{
    id::{AccessTokenId, CompanyId, ContactId, PersonId},
    vocab::{ActorKind, Scope, Stage, Team, Visibility},
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
    /// A program with a token of its own, whose rights are its scopes.
    Integration {
        /// Its token.
        id: AccessTokenId,
        /// What its administrator called it.
        name: String,
        /// What it may do.
        scopes: Vec<Scope>,
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
    /// What their token is restricted to; none where it is not.
    pub scopes: Option<Vec<Scope>>,
}

/// What an actor wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See tickets; a contact those of their own company.
    SeeTickets,
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
    /// Pause or resume the clock of a ticket in this stage, and take charge of its alerts.
    HandleClock(Stage),
    /// See reports over all tickets.
    SeeReports,
    /// Set due times by hand, and excuse breaches.
    OverrideSla,
    /// Record the client's answer for a ticket of this company.
    AnswerClarification(CompanyId),
    /// See what only staff see of tickets: internal facts, SLA clocks, alerts, policies and calendars.
    SeeInternals,
    /// See companies and contacts; a contact those of their own company.
    SeeClients,
    /// See staff with their addresses and roles.
    SeePeople,
    /// See the ledger of notices.
    SeeNotices,
    /// See the audit log.
    ReadAudit,
    /// Change companies and contacts.
    EditClients,
    /// Change people, subtypes, policies and calendars.
    Administer,
    /// Send a failed notice again.
    RetryNotice,
    /// Comment on a ticket of this company, or attach a file to it, for these readers.
    Contribute(CompanyId, Visibility),
    /// Change or remove what oneself contributed.
    Revise,
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
            Self::Integration { .. } => ActorKind::Integration,
            Self::System => ActorKind::System,
        }
    }

    /// The person, the contact or the integration's token, as the history names them.
    pub const fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Person(staff) => Some(staff.id.0),
            Self::Contact { id, .. } => Some(id.0),
            Self::Integration { id, .. } => Some(id.0),
            Self::System => None,
        }
    }

    /// The person, where the actor is one.
    pub const fn person_id(&self) -> Option<PersonId> {
        match self {
            Self::Person(staff) => Some(staff.id),
            Self::Contact { .. } | Self::Integration { .. } | Self::System => None,
        }
    }

    /// The company to which everything this actor sees belongs; none for staff, who see all.
    pub const fn company_scope(&self) -> Option<CompanyId> {
        match self {
            Self::Contact { company_id, .. } => Some(*company_id),
            Self::Person(_) | Self::Integration { .. } | Self::System => None,
        }
    }

    /// What the actor's token is restricted to; none where it is not.
    pub fn scopes(&self) -> Option<&[Scope]> {
        match self {
            Self::Person(staff) => staff.scopes.as_deref(),
            Self::Integration { scopes, .. } => Some(scopes),
            Self::Contact { .. } | Self::System => None,
        }
    }

    /// Whether the actor is staff, an integration of theirs, or the system.
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

/// Whether the actor may do it. What someone may not *see* does not exist for them: rows are limited to
/// [`Actor::company_scope`], whatever else the actor may.
pub fn may(actor: &Actor, action: Action) -> bool {
    missing_scope(actor, action).is_none()
        && match actor {
            Actor::System | Actor::Integration { .. } => true,
            Actor::Contact { company_id, .. } => match action {
                Action::SeeTickets | Action::SeeClients | Action::Revise => true,
                Action::FileTicket(company) | Action::AnswerClarification(company) | Action::Watch(company) => {
                    company == *company_id
                }
                Action::Contribute(company, visibility) => company == *company_id && visibility == Visibility::Client,
                _ => false,
            },
            Actor::Person(staff) => role_allows(staff, action),
        }
}

/// The scope that the actor's token lacks for it; none where it is not restricted, or has it.
pub fn missing_scope(actor: &Actor, action: Action) -> Option<Scope> {
    let scopes = actor.scopes()?;
    let needed = needed_scope(action);
    (!scopes.iter().any(|scope| includes(*scope, needed))).then_some(needed)
}

/// Whether the one scope comes with the other.
pub fn includes(scope: Scope, other: Scope) -> bool {
    scope == other
        || match scope {
            Scope::Admin => true,
            Scope::TicketsWrite | Scope::CommentsWrite => other == Scope::TicketsRead,
            Scope::DirectoryWrite => other == Scope::DirectoryRead,
            Scope::TicketsRead | Scope::DirectoryRead | Scope::NoticesRead | Scope::AuditRead => false,
        }
}

const fn needed_scope(action: Action) -> Scope {
    match action {
        Action::SeeTickets | Action::SeeInternals | Action::SeeReports => Scope::TicketsRead,
        Action::FileTicket(_)
        | Action::Move(_)
        | Action::ChangeFacts
        | Action::Estimate
        | Action::Assign(_)
        | Action::AskClient(_)
        | Action::HandleClock(_)
        | Action::AnswerClarification(_) => Scope::TicketsWrite,
        Action::Contribute(..) | Action::Revise => Scope::CommentsWrite,
        Action::Watch(_) | Action::AddWatchers | Action::Link => Scope::TicketsWrite,
        Action::SeeClients | Action::SeePeople => Scope::DirectoryRead,
        Action::EditClients => Scope::DirectoryWrite,
        Action::SeeNotices => Scope::NoticesRead,
        Action::ReadAudit => Scope::AuditRead,
        Action::Administer | Action::Moderate | Action::OverrideSla | Action::RetryNotice => Scope::Admin,
    }
}

fn role_allows(staff: &Staff, action: Action) -> bool {
    match action {
        Action::SeeTickets
        | Action::SeeInternals
        | Action::SeeClients
        | Action::SeePeople
        | Action::SeeNotices
        | Action::FileTicket(_)
        | Action::AnswerClarification(_)
        | Action::Contribute(..)
        | Action::Revise
        | Action::Watch(_) => true,
        Action::Move(team) => team.map_or_else(|| staff.leads(), |team| staff.works_in(team)),
        Action::ChangeFacts | Action::Link => staff.leads() || !staff.teams.is_empty(),
        Action::Estimate => staff.works_in(Team::ProjectManager),
        Action::Assign(stage) => owns(staff, stage) || staff.works_in(Team::ProjectManager),
        Action::AskClient(stage) => staff.works_in(Team::Operations) || owns(staff, stage),
        Action::EditClients => staff.works_in(Team::Operations),
        Action::Administer | Action::Moderate | Action::ReadAudit => staff.administrator,
        Action::RetryNotice | Action::AddWatchers | Action::OverrideSla | Action::SeeReports => staff.leads(),
        Action::HandleClock(stage) => owns(staff, stage),
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
            scopes: None,
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
        for action in [Action::FileTicket, Action::AnswerClarification] {
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
            Action::SeePeople,
            Action::SeeNotices,
            Action::ReadAudit,
            Action::EditClients,
            Action::Administer,
            Action::RetryNotice,
            Action::HandleClock(Stage::Validating),
            Action::OverrideSla,
            Action::SeeReports,
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
    /// Every action, with the scope that opens it.
    fn actions() -> Vec<(Action, Scope)> {
        let company = CompanyId(Uuid::from_u128(1));
        vec![
            (Action::SeeTickets, Scope::TicketsRead),
            (Action::SeeInternals, Scope::TicketsRead),
            (Action::FileTicket(company), Scope::TicketsWrite),
            (Action::Move(None), Scope::TicketsWrite),
            (Action::Move(Some(Team::Tech)), Scope::TicketsWrite),
            (Action::ChangeFacts, Scope::TicketsWrite),
            (Action::Estimate, Scope::TicketsWrite),
            (Action::Assign(Stage::Fixing), Scope::TicketsWrite),
            (Action::AskClient(Stage::Validating), Scope::TicketsWrite),
            (Action::AnswerClarification(company), Scope::TicketsWrite),
            (Action::SeeClients, Scope::DirectoryRead),
            (Action::SeePeople, Scope::DirectoryRead),
            (Action::EditClients, Scope::DirectoryWrite),
            (Action::SeeNotices, Scope::NoticesRead),
            (Action::ReadAudit, Scope::AuditRead),
            (Action::Administer, Scope::Admin),
            (Action::RetryNotice, Scope::Admin),
            (Action::HandleClock(Stage::Fixing), Scope::TicketsWrite),
            (Action::OverrideSla, Scope::Admin),
            (Action::SeeReports, Scope::TicketsRead),
            (Action::Contribute(company, Visibility::Client), Scope::CommentsWrite),
            (Action::Revise, Scope::CommentsWrite),
            (Action::Moderate, Scope::Admin),
            (Action::Watch(company), Scope::TicketsWrite),
            (Action::AddWatchers, Scope::TicketsWrite),
            (Action::Link, Scope::TicketsWrite),
        ]
    }

    #[test]
    fn an_integration_may_what_its_scopes_say_and_nothing_else() {
        let integration =
            |scopes| Actor::Integration { id: AccessTokenId(Uuid::nil()), name: "Sync".to_owned(), scopes };
        for scope in Scope::all() {
            for (action, needed) in actions() {
                assert_eq!(may(&integration(vec![scope]), action), includes(scope, needed), "{scope}: {action:?}");
            }
        }
        assert!(actions().iter().all(|(action, _)| !may(&integration(Vec::new()), *action)));
    }

    #[test]
    fn scopes_take_rights_from_a_person_and_never_give_any() {
        let people = [staff(&[Team::Qa], &[], false), staff(&[], &[Team::Tech], false), staff(&[], &[], true)];
        for person in people {
            for scope in Scope::all() {
                let Actor::Person(staff) = person.clone() else { unreachable!() };
                let restricted = Actor::Person(Staff { scopes: Some(vec![scope]), ..staff });
                for (action, needed) in actions() {
                    let expected = may(&person, action) && includes(scope, needed);
                    assert_eq!(may(&restricted, action), expected, "{scope}: {action:?}");
                }
            }
        }
    }
}
