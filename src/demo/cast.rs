//! Who there is: three client companies with their contacts, and two members and a manager for each team.
//!
//! May import: `service`, `domain`, the vocabulary. Example: `cast.member(Who::Priya)?.actor` is what the service asks
//! for.

use std::collections::HashMap;

use anyhow::Context;
use entity::vocab::{CompanyTier, Team};

use crate::{
    domain::actor::{Actor, Staff},
    service::{
        Service,
        directory::{Particulars, PersonInput},
        tokens::TokenOwner,
    },
};

/// Everybody in the play, by first name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    // Operations
    Priya,
    Owen,
    Marta,
    // QA
    Noor,
    Felix,
    Grace,
    // Project Manager
    Sofia,
    Daniel,
    Helen,
    // Tech
    Kenji,
    Lucia,
    Viktor,
    // Administrator
    Robin,
    // Clients
    Katrin,
    Tobias,
    Denise,
    Marcus,
    Ines,
}

/// Who gets a token: one of each role, and a contact of each company.
pub(super) const TOKEN_HOLDERS: [Who; 9] =
    [Who::Priya, Who::Noor, Who::Sofia, Who::Kenji, Who::Marta, Who::Robin, Who::Katrin, Who::Denise, Who::Ines];

struct Company {
    name: &'static str,
    tier: CompanyTier,
    zone: &'static str,
    contacts: &'static [Contact],
}

struct Contact {
    who: Who,
    name: &'static str,
    email: &'static str,
}

struct Person {
    who: Who,
    name: &'static str,
    email: &'static str,
    zone: &'static str,
    role: Role,
}

#[derive(Clone, Copy)]
enum Role {
    Member(Team),
    Manager(Team),
    Administrator,
}

const COMPANIES: [Company; 3] = [
    Company {
        name: "Nordwind Logistik GmbH",
        tier: CompanyTier::TierOne,
        zone: "Europe/Berlin",
        contacts: &[
            Contact { who: Who::Katrin, name: "Katrin Albers", email: "katrin.albers@nordwind.example" },
            Contact { who: Who::Tobias, name: "Tobias Reimann", email: "tobias.reimann@nordwind.example" },
        ],
    },
    Company {
        name: "Maple & Finch Retail Inc.",
        tier: CompanyTier::TierTwo,
        zone: "America/New_York",
        contacts: &[
            Contact { who: Who::Denise, name: "Denise Carver", email: "denise.carver@maplefinch.example" },
            Contact { who: Who::Marcus, name: "Marcus Bell", email: "marcus.bell@maplefinch.example" },
        ],
    },
    Company {
        name: "Kestrel Analytics Ltd",
        tier: CompanyTier::TierThree,
        zone: "UTC",
        contacts: &[Contact { who: Who::Ines, name: "Ines Duarte", email: "ines.duarte@kestrel.example" }],
    },
];

const STAFF: [Person; 13] = [
    person(Who::Priya, "Priya Raman", "priya.raman@support.example", "Europe/London", Role::Member(Team::Operations)),
    person(Who::Owen, "Owen Clarke", "owen.clarke@support.example", "Europe/London", Role::Member(Team::Operations)),
    person(Who::Marta, "Marta Nowak", "marta.nowak@support.example", "Europe/Warsaw", Role::Manager(Team::Operations)),
    person(Who::Noor, "Noor Haddad", "noor.haddad@support.example", "Europe/Berlin", Role::Member(Team::Qa)),
    person(Who::Felix, "Felix Brandt", "felix.brandt@support.example", "Europe/Berlin", Role::Member(Team::Qa)),
    person(Who::Grace, "Grace Okafor", "grace.okafor@support.example", "Africa/Lagos", Role::Manager(Team::Qa)),
    person(
        Who::Sofia,
        "Sofia Marchetti",
        "sofia.marchetti@support.example",
        "Europe/Rome",
        Role::Member(Team::ProjectManager),
    ),
    person(
        Who::Daniel,
        "Daniel Reyes",
        "daniel.reyes@support.example",
        "America/New_York",
        Role::Member(Team::ProjectManager),
    ),
    person(
        Who::Helen,
        "Helen Ashworth",
        "helen.ashworth@support.example",
        "Europe/London",
        Role::Manager(Team::ProjectManager),
    ),
    person(Who::Kenji, "Kenji Tanaka", "kenji.tanaka@support.example", "Asia/Tokyo", Role::Member(Team::Tech)),
    person(Who::Lucia, "Lucia Ferreira", "lucia.ferreira@support.example", "Europe/Lisbon", Role::Member(Team::Tech)),
    person(Who::Viktor, "Viktor Halloran", "viktor.halloran@support.example", "UTC", Role::Manager(Team::Tech)),
    person(Who::Robin, "Robin Castell", "robin.castell@support.example", "UTC", Role::Administrator),
];

const fn person(who: Who, name: &'static str, email: &'static str, zone: &'static str, role: Role) -> Person {
    Person { who, name, email, zone, role }
}

/// Everybody, as the service knows them.
pub(super) struct Cast(HashMap<Who, Member>);

/// One of the cast.
pub(super) struct Member {
    pub name: &'static str,
    /// What they are, in words.
    pub role: String,
    pub actor: Actor,
    pub token_owner: TokenOwner,
}

impl Cast {
    /// Makes the companies, contacts and people.
    pub(super) async fn hire(service: &Service) -> anyhow::Result<Self> {
        let mut members = HashMap::new();
        for company in COMPANIES {
            let row = service.create_company(&Actor::System, company.name, Some(company.tier)).await?;
            for Contact { who, name, email } in company.contacts {
                let particulars = particulars(name, email, company.zone);
                let contact = service.create_contact(&Actor::System, row.id, particulars).await?;
                let member = Member {
                    name,
                    role: format!("Contact of {}", company.name),
                    actor: Actor::Contact { id: contact.id, company_id: row.id },
                    token_owner: TokenOwner::Contact(contact.id),
                };
                members.insert(*who, member);
            }
        }
        for Person { who, name, email, zone, role } in STAFF {
            let row = service.create_person(&Actor::System, role.of(particulars(name, email, zone))).await?;
            let id = row.person.id;
            let administrator = row.person.administrator;
            let staff = Staff { id, teams: row.teams, manages: row.manages, administrator, scopes: None };
            let member =
                Member { name, role: role.label(), actor: Actor::Person(staff), token_owner: TokenOwner::Person(id) };
            members.insert(who, member);
        }
        Ok(Self(members))
    }

    pub(super) fn member(&self, who: Who) -> anyhow::Result<&Member> {
        self.0.get(&who).with_context(|| format!("{who:?} is not in the cast"))
    }
}

impl Role {
    fn of(self, particulars: Particulars) -> PersonInput {
        let input = PersonInput { particulars, ..PersonInput::default() };
        match self {
            Self::Member(team) => PersonInput { teams: Some(vec![team]), ..input },
            Self::Manager(team) => PersonInput { manages: Some(vec![team]), ..input },
            Self::Administrator => PersonInput { administrator: Some(true), ..input },
        }
    }

    fn label(self) -> String {
        match self {
            Self::Member(team) => team.label().to_owned(),
            Self::Manager(team) => format!("Manager of {team}"),
            Self::Administrator => "Administrator".to_owned(),
        }
    }
}

fn particulars(name: &str, email: &str, zone: &str) -> Particulars {
    Particulars {
        name: Some(name.to_owned()),
        email: Some(email.to_owned()),
        locale: Some("en".to_owned()),
        time_zone: Some(zone.to_owned()),
    }
}
