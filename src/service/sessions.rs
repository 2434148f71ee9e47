//! Who is asking, for how long, and whether that still holds.
//!
//! A request asks once, with [`Service::authenticate`]. A socket lives longer than its credential may: it asks again, with
//! [`Service::renew`], and ends when the answer is none. Both use connections that requests cannot take.

pub(super) mod desk;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{access_token, contact, id::AccessTokenId};

use crate::{
    domain::actor::{Actor, Staff},
    oidc::Identity,
    service::{
        Result, Service,
        tokens::{TOKEN_PREFIX, hash},
    },
    store::{self, directory::PersonWithTeams},
};

/// “Last used” is noted at most once in this time, so that reading does not always write.
const LAST_USED_GRAIN: TimeDelta = TimeDelta::minutes(1);

/// Whoever proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who asks, with the rights that they had when it was checked.
    pub actor: Actor,
    /// When the credential ends; none for one that does not end by itself.
    pub expires_at: Option<DateTime<Utc>>,
    credential: Credential,
}

/// What they proved it with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Credential {
    /// A token of ours.
    Token(AccessTokenId),
    /// A token of the configured issuer.
    Issued(Arc<Identity>),
}

impl Service {
    /// Whose credential it is; none for one that is unknown, revoked, expired, or of somebody who left.
    pub async fn authenticate(&self, secret: &str) -> Result<Option<Session>> {
        if !secret.starts_with(TOKEN_PREFIX) {
            return match self.identify(secret).await? {
                Some(identity) => self.session_of_identity(Arc::new(identity)).await,
                None => Ok(None),
            };
        }
        match store::tokens::find_by_hash(&self.db.for_sign_in(), &hash(secret)).await? {
            Some(token) => self.session_of(token).await,
            None => Ok(None),
        }
    }

    /// The session as it is now, with the rights of now; none once the credential was revoked, has expired, its owner left, or
    /// was unlinked from the issuer's account. To be linked anew takes a new request.
    pub async fn renew(&self, session: &Session) -> Result<Option<Session>> {
        match &session.credential {
            Credential::Token(id) => match store::tokens::find(&self.db.for_sign_in(), *id).await? {
                Some(token) => self.session_of(token).await,
                None => Ok(None),
            },
            Credential::Issued(identity) if identity.expires_at <= self.clock.now() => Ok(None),
            Credential::Issued(identity) => {
                let linked = store::directory::linked(&self.db.for_sign_in(), &identity.subject).await?;
                let actor = linked.and_then(|linked| self.actor_of_linked(linked, identity));
                Ok(actor.map(|actor| issued(actor, Arc::clone(identity))))
            }
        }
    }

    async fn session_of_identity(&self, identity: Arc<Identity>) -> Result<Option<Session>> {
        if identity.expires_at <= self.clock.now() {
            return Ok(None);
        }
        Ok(self.for_sign_in().actor_of(&identity).await?.map(|actor| issued(actor, identity)))
    }

    async fn session_of(&self, token: access_token::Model) -> Result<Option<Session>> {
        let now = self.clock.now();
        if !is_in_force(&token, now) {
            return Ok(None);
        }
        let db = self.db.for_sign_in();
        let (mut person, mut contact) = (None, None);
        match (token.person_id, token.contact_id) {
            (Some(id), _) => person = store::directory::person(&db, id).await?,
            (None, Some(id)) => contact = store::directory::contact(&db, id).await?,
            (None, None) => {}
        }
        let Some(actor) = actor_of_token(&token, person, contact)? else { return Ok(None) };
        let is_stale = token.last_used_at.is_none_or(|used_at| used_at < now - LAST_USED_GRAIN || used_at > now);
        // Whoever only reads does not wait for writers.
        if is_stale && self.db.may_write_at_once() {
            store::tokens::touch(&db, token.id, now, now - LAST_USED_GRAIN).await?;
        }
        Ok(Some(Session { actor, expires_at: token.expires_at, credential: Credential::Token(token.id) }))
    }
}

/// A session by a token of the issuer.
fn issued(actor: Actor, identity: Arc<Identity>) -> Session {
    Session { actor, expires_at: Some(identity.expires_at), credential: Credential::Issued(identity) }
}

/// Whether the token is neither revoked nor expired.
fn is_in_force(token: &access_token::Model, now: DateTime<Utc>) -> bool {
    token.revoked_at.is_none() && token.expires_at.is_none_or(|expires_at| expires_at > now)
}

/// Whose token it is, with their rights; none where they have left.
fn actor_of_token(
    token: &access_token::Model,
    person: Option<PersonWithTeams>,
    contact: Option<contact::Model>,
) -> Result<Option<Actor>> {
    let scopes = store::tokens::scopes(token)?;
    Ok(match (token.person_id, token.contact_id) {
        (Some(id), _) => person.filter(|row| row.person.active).map(|row| {
            let PersonWithTeams { person, teams, manages } = row;
            Actor::Person(Staff { id, teams, manages, administrator: person.administrator, scopes })
        }),
        (None, Some(id)) => {
            contact.filter(|row| row.active).map(|contact| Actor::Contact { id, company_id: contact.company_id })
        }
        (None, None) => {
            Some(Actor::Integration { id: token.id, name: token.name.clone(), scopes: scopes.unwrap_or_default() })
        }
    })
}
