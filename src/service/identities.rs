//! Whom an issuer's token is about: a member of staff or a contact, found by subject, the first time by verified mail.

use std::sync::Arc;

use entity::vocab::AuditAction;
use serde_json::json;

use crate::{
    domain::actor::{Actor, Staff},
    oidc::{Identity, Provider, Refused},
    service::{Result, Service, ServiceError, audit::Change},
    store::{
        self, Transaction,
        directory::{Linked, PersonWithTeams},
    },
};

impl Service {
    /// The same use cases, with an issuer whose tokens are believed.
    pub fn with_provider(&self, provider: Provider) -> Self {
        Self { provider: Some(Arc::new(provider)), ..self.clone() }
    }

    /// Who the token is about; none where it is not valid here.
    pub(super) async fn identify(&self, token: &str) -> Result<Option<Identity>> {
        let Some(provider) = &self.provider else { return Ok(None) };
        match provider.verify(token, self.clock.now()).await {
            Ok(identity) => Ok(Some(identity)),
            Err(Refused::Token(why)) => {
                tracing::info!(why, "a JWT was refused");
                Ok(None)
            }
            Err(Refused::Issuer(why)) => Err(ServiceError::IssuerUnavailable(why)),
        }
    }

    /// The rights of whoever the identity is; none for somebody who left.
    pub(super) async fn actor_of(&self, identity: &Identity) -> Result<Option<Actor>> {
        let linked = match store::directory::linked(&self.db, &identity.subject).await? {
            Some(linked) => linked,
            None => self.link(identity).await?,
        };
        Ok(self.actor_of_linked(linked, identity))
    }

    /// The rights of whoever the identity is linked to; none for somebody who left.
    pub(super) fn actor_of_linked(&self, linked: Linked, identity: &Identity) -> Option<Actor> {
        match linked {
            Linked::Person(row) if !row.person.active => None,
            Linked::Person(row) => Some(Actor::Person(self.staff_of(*row, identity))),
            Linked::Contact(row) => Some(Actor::Contact { id: row.id, company_id: row.company_id }),
        }
    }

    /// A member of staff, with the roles that their groups mean where a mapping of groups is configured.
    fn staff_of(&self, row: PersonWithTeams, identity: &Identity) -> Staff {
        let PersonWithTeams { person, teams, manages } = row;
        let roles = self.provider.as_ref().and_then(|provider| provider.roles(identity));
        match roles {
            Some(roles) => Staff {
                id: person.id,
                teams: roles.teams,
                manages: roles.manages,
                administrator: roles.administrator,
                scopes: None,
            },
            None => Staff { id: person.id, teams, manages, administrator: person.administrator, scopes: None },
        }
    }

    /// Links whoever has the identity's verified mail address with its subject, from now on and for good.
    async fn link(&self, identity: &Identity) -> Result<Linked> {
        let no_mail =
            "your account is linked to nobody here, and the token has no verified mail address to find you by";
        let email = identity.email.as_deref().ok_or(ServiceError::Forbidden(no_mail))?;
        let tx = self.begin().await?;
        let person = store::directory::person_by_email(&tx, email).await?;
        let mut contacts = store::directory::contacts_by_email(&tx, email).await?;
        let subject = identity.subject.as_str();
        let (target, action, linked, actor) = match (person, contacts.pop()) {
            (None, None) => {
                return Err(ServiceError::Forbidden(
                    "nobody here has the mail address of your account; ask to be added",
                ));
            }
            (Some(person), None) => {
                let linked = person.oidc_subject.is_none()
                    && person.active
                    && store::directory::link_person(&tx, person.id, subject).await?;
                let row = store::directory::person(&tx, person.id).await?.ok_or(ServiceError::NotFound("person"))?;
                let staff = self.staff_of(row, identity);
                (person.id.to_string(), AuditAction::PersonLink, linked, Actor::Person(staff))
            }
            (None, Some(contact)) if contacts.is_empty() => {
                let linked =
                    contact.oidc_subject.is_none() && store::directory::link_contact(&tx, contact.id, subject).await?;
                let actor = Actor::Contact { id: contact.id, company_id: contact.company_id };
                (contact.id.to_string(), AuditAction::ContactLink, linked, actor)
            }
            _ => {
                let why = "the mail address of your account names several people here; ask to be told apart";
                return Err(ServiceError::Forbidden(why));
            }
        };
        if !linked {
            return self.linked_meanwhile(tx, subject).await;
        }
        let change = Change::made(action, target, json!({ "oidcSubject": subject }));
        self.audit(&tx, &actor, self.clock.now(), change).await?;
        self.commit(tx).await?;
        let linked = store::directory::linked(&self.db, subject).await?;
        linked.ok_or(ServiceError::NotFound("account"))
    }

    /// Two first requests at once link the same account; any other link of that person is somebody else's.
    async fn linked_meanwhile(&self, tx: Transaction, subject: &str) -> Result<Linked> {
        tx.rollback().await?;
        let linked = store::directory::linked(&self.db, subject).await?;
        let why = "whoever has the mail address of your account is linked to another account, or has left";
        linked.ok_or(ServiceError::Forbidden(why))
    }
}
