//! Bearer tokens: made once, shown once, stored as a hash. [`super::sessions`] turns them into an actor.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use entity::{
    access_token,
    id::{AccessTokenId, ContactId, PersonId},
    vocab::{AuditAction, Scope},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        actor::Actor,
        facts::clean_text,
        refusal::{Code, Problem},
    },
    service::{Result, Service, ServiceError, audit::Change},
    store,
};

/// What every token starts with, so that a scanner recognises one that leaked.
pub const TOKEN_PREFIX: &str = "secondline_";
/// 256 bits cannot be guessed.
const TOKEN_BYTES: usize = 32;
/// A name is one line in a list.
const NAME_LIMIT: usize = 100;

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOwner {
    /// A member of staff.
    Person(PersonId),
    /// A client's contact.
    Contact(ContactId),
    /// A program, which the token's name names.
    Integration,
}

/// A new token, in the only moment in which it can be read.
#[derive(Clone)]
pub struct NewToken {
    /// What is stored of it.
    pub row: access_token::Model,
    /// What the caller sends as `Authorization: Bearer …`.
    pub secret: String,
}

impl Service {
    /// Makes a token with all the rights of its owner.
    pub async fn create_token(
        &self,
        owner: TokenOwner,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewToken> {
        self.create_scoped_token(owner, name, None, expires_at).await
    }

    /// Makes a token that is restricted to scopes, as an integration's always is.
    pub async fn create_scoped_token(
        &self,
        owner: TokenOwner,
        name: &str,
        scopes: Option<&[Scope]>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewToken> {
        let now = self.clock.now();
        let name = clean_text(name, NAME_LIMIT, false)
            .map_err(|(code, why)| Problem::at(code, "name", format!("the token's name {why}")))?;
        if expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Problem::at(Code::Invalid, "expiresAt", "the token would have expired already").into());
        }
        let scopes = checked_scopes(owner, scopes)?;
        let tx = self.begin().await?;
        let (person_id, contact_id) = match owner {
            TokenOwner::Person(id) => {
                let found = store::directory::person(&tx, id).await?.ok_or(ServiceError::NotFound("person"))?;
                not_left(found.person.active)?;
                (Some(id), None)
            }
            TokenOwner::Contact(id) => {
                let found = store::directory::contact(&tx, id).await?.ok_or(ServiceError::NotFound("contact"))?;
                not_left(found.active)?;
                (None, Some(id))
            }
            TokenOwner::Integration => (None, None),
        };
        let secret = new_secret()?;
        let row = access_token::Model {
            id: self.clock.new_id(AccessTokenId),
            name,
            person_id,
            contact_id,
            scopes: scopes.as_ref().map(|scopes| json!(scopes)),
            token_hash: hash(&secret),
            created_at: now,
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        store::tokens::insert(&tx, row.clone()).await?;
        let made = json!({
            "name": row.name,
            "personId": person_id.map(|id| id.to_string()),
            "contactId": contact_id.map(|id| id.to_string()),
            "scopes": scopes,
            "expiresAt": expires_at,
        });
        let change = Change::made(AuditAction::TokenCreate, row.id, made);
        self.audit(&tx, &Actor::System, now, change).await?;
        self.commit(tx).await?;
        Ok(NewToken { row, secret })
    }

    /// All tokens, oldest first.
    pub async fn tokens(&self) -> Result<Vec<access_token::Model>> {
        Ok(store::tokens::all(&self.db).await?)
    }

    /// Revokes a token; says whether it was in force.
    pub async fn revoke_token(&self, id: AccessTokenId) -> Result<bool> {
        let tx = self.begin().await?;
        let now = self.clock.now();
        let was_in_force = store::tokens::revoke(&tx, id, now).await?;
        if was_in_force {
            let [before, after] = [false, true].map(|is_revoked| json!({ "isRevoked": is_revoked }));
            let change = Change::changed(AuditAction::TokenRevoke, id, before, after);
            self.audit(&tx, &Actor::System, now, change).await?;
        }
        self.commit(tx).await?;
        Ok(was_in_force)
    }
}

/// A token of somebody who left would open nothing.
fn not_left(active: bool) -> Result<()> {
    if active {
        return Ok(());
    }
    Err(Problem::of(Code::Invalid, "its owner has left, and could do nothing with it; make them active first").into())
}

/// An integration has no rights but its scopes; a contact's rights are too small to be divided.
fn checked_scopes(owner: TokenOwner, scopes: Option<&[Scope]>) -> Result<Option<Vec<Scope>>> {
    let mut scopes = scopes.map(<[Scope]>::to_vec);
    if let Some(scopes) = &mut scopes {
        scopes.sort();
        scopes.dedup();
    }
    let problem = match (owner, scopes.as_deref()) {
        (TokenOwner::Contact(_), Some(_)) => "a contact's token takes no scopes",
        (TokenOwner::Integration, None) | (_, Some([])) => "name at least one scope, such as tickets:read",
        _ => return Ok(scopes),
    };
    Err(Problem::at(Code::Invalid, "scopes", problem).into())
}

fn new_secret() -> Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        ServiceError::Store(store::StoreError::Corrupt { what: "random number", source: error.to_string().into() })
    })?;
    Ok(format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

pub(super) fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
