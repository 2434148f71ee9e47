//! Whom an issuer's token is about: a member of staff or a contact, found by subject, the first time by verified mail.

use std::sync::Arc;

use entity::{
    contact,
    id::{ContactId, PersonId},
    vocab::AuditAction,
};
use serde_json::json;

use crate::{
    domain::{
        actor::{Action, Actor, Staff},
        address::Address,
    },
    oidc::{Identity, Provider, Refused},
    service::{
        Result, Service, ServiceError,
        audit::Change,
        check_version,
        directory::{ADMINISTRATORS, CLIENT_EDITORS},
        require,
    },
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
        match provider.verify(token, self.clock.now(), self.clock.monotonic()).await {
            Ok(identity) => Ok(Some(identity)),
            Err(Refused::Token(why)) => {
                tracing::info!(why, "a JWT was refused");
                Ok(None)
            }
            Err(Refused::Issuer(why)) => Err(ServiceError::IssuerUnavailable(why)),
        }
    }

    /// The rights of whoever the identity is linked to, or is linked to now; none for somebody who left.
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
            Linked::Contact(row) if !row.active => None,
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
        let address = Address::of(email);
        let tx = self.begin().await?;
        let person = store::directory::person_by_email(&tx, &address).await?;
        let contacts = store::directory::contacts_by_email(&tx, &address).await?;
        let subject = identity.subject.as_str();
        let (target, action, linked, actor) = match (person, contacts.as_slice()) {
            (None, []) => {
                return Err(ServiceError::Forbidden(
                    "nobody here has the mail address of your account; ask to be added",
                ));
            }
            (Some(person), []) => {
                let linked = person.oidc_subject.is_none()
                    && person.active
                    && store::directory::link_person(&tx, person.id, subject).await?;
                let row = store::directory::person(&tx, person.id).await?.ok_or(ServiceError::NotFound("person"))?;
                let staff = self.staff_of(row, identity);
                (person.id.to_string(), AuditAction::PersonLink, linked, Actor::Person(staff))
            }
            // An earlier version let them share it; which of the two it is, nobody can tell.
            (Some(person), [contact, ..]) => {
                tracing::warn!(
                    person.id = %person.id,
                    contact.id = %contact.id,
                    "a member of staff and a contact share a mail address, with which neither can sign in for the first time; \
                     change one of them, see `secondline directory check`"
                );
                return Err(ServiceError::Forbidden(
                    "both a member of staff and a contact have the mail address of your account; ask an administrator to \
                     change one of them",
                ));
            }
            (None, contacts) => {
                let mut active = contacts.iter().filter(|contact| contact.active);
                let contact = active.next().or(contacts.first()).ok_or(ServiceError::NotFound("contact"))?;
                if active.next().is_some() {
                    return Err(ServiceError::Forbidden(
                        "the mail address of your account names several people here; ask to be told apart",
                    ));
                }
                let linked = contact.oidc_subject.is_none()
                    && contact.active
                    && store::directory::link_contact(&tx, contact.id, subject).await?;
                let actor = Actor::Contact { id: contact.id, company_id: contact.company_id };
                (contact.id.to_string(), AuditAction::ContactLink, linked, actor)
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

    /// Unlinks a member of staff from their account at the issuer: whoever signs in next with their mail address is linked.
    /// Sessions of the old account end. One who is linked to nothing stays so.
    pub async fn unlink_person(
        &self,
        actor: &Actor,
        id: PersonId,
        expected_version: Option<i32>,
    ) -> Result<PersonWithTeams> {
        require(actor, Action::Administer, ADMINISTRATORS)?;
        let tx = self.begin().await?;
        let mut row = store::directory::person(&tx, id).await?.ok_or(ServiceError::NotFound("person"))?;
        check_version(row.person.version, expected_version)?;
        if let Some(subject) = row.person.oidc_subject.take() {
            store::directory::save_person(&tx, &mut row).await?;
            let change = unlinked(AuditAction::PersonUnlink, id.to_string(), &subject);
            self.audit(&tx, actor, self.clock.now(), change).await?;
        }
        self.commit(tx).await?;
        Ok(row)
    }

    /// The same, of a contact.
    pub async fn unlink_contact(
        &self,
        actor: &Actor,
        id: ContactId,
        expected_version: Option<i32>,
    ) -> Result<contact::Model> {
        require(actor, Action::EditClients, CLIENT_EDITORS)?;
        let tx = self.begin().await?;
        let mut row = store::directory::contact(&tx, id).await?.ok_or(ServiceError::NotFound("contact"))?;
        check_version(row.version, expected_version)?;
        if let Some(subject) = row.oidc_subject.take() {
            store::directory::save_contact(&tx, &mut row).await?;
            let change = unlinked(AuditAction::ContactUnlink, id.to_string(), &subject);
            self.audit(&tx, actor, self.clock.now(), change).await?;
        }
        self.commit(tx).await?;
        Ok(row)
    }
}

fn unlinked(action: AuditAction, target: String, subject: &str) -> Change {
    Change::changed(action, target, json!({ "oidcSubject": subject }), json!({ "oidcSubject": null }))
}
