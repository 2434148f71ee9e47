//! The audit log.

use async_graphql::{ID, InputObject, Json, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{
    audit_entry,
    id::{AccessTokenId, ContactId, PersonId},
    vocab::{ActorKind, AuditAction, Scope},
};
use uuid::Uuid;

use crate::{
    graphql::{error::ApiError, scalar::in_range},
    store::audit::AuditFilter,
};

/// A program with a token of its own.
#[derive(SimpleObject)]
pub struct Integration {
    /// What its administrator called it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// One change, and who made it.
pub struct AuditEntry(pub audit_entry::Model);

/// One change, and who made it.
#[Object]
impl AuditEntry {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// When.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// What kind of actor did it.
    async fn actor_kind(&self) -> ActorKind {
        self.0.actor_kind
    }

    /// The person, the contact, or the token of the integration; null for Secondline itself.
    async fn actor_id(&self) -> Option<ID> {
        self.0.actor().map(ID)
    }

    /// What the actor was called then.
    async fn actor_name(&self) -> Option<&str> {
        self.0.actor_name.as_deref()
    }

    /// What was done.
    async fn action(&self) -> AuditAction {
        self.0.action
    }

    /// The opaque id of what it was done to.
    async fn target(&self) -> ID {
        self.0.target.clone().into()
    }

    /// What differs, as it was; null where there was nothing before. A value is `***` where your token does not show it elsewhere, and
    /// `[erased]` where it was deleted since.
    async fn before(&self) -> Option<Json<&serde_json::Value>> {
        self.0.before.as_ref().map(Json)
    }

    /// What differs, as it was then made; the same holds for its values.
    async fn after(&self) -> Option<Json<&serde_json::Value>> {
        self.0.after.as_ref().map(Json)
    }

    /// The network address that the request came from; null for jobs and the command line.
    async fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// The id of the request, as its answer and the server's log have it.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }
}

/// Which entries of the audit log. All that is stated must hold.
#[derive(Debug, Default, InputObject)]
pub struct AuditLogFilter {
    /// By this person, contact or token, by its opaque id.
    actor: Option<ID>,
    /// One of these actions.
    action: Option<Vec<AuditAction>>,
    /// About the thing with this opaque id.
    target: Option<ID>,
    /// At this instant or later.
    #[graphql(validator(custom = "in_range"))]
    from: Option<DateTime<Utc>>,
    /// Before this instant.
    #[graphql(validator(custom = "in_range"))]
    to: Option<DateTime<Utc>>,
}

impl AuditLogFilter {
    /// The filter that it stands for; what is no id names nobody.
    pub fn read(self) -> Result<AuditFilter, ApiError> {
        let text = |id: ID| -> Result<String, ApiError> {
            if id.contains('\0') { Err(ApiError::bad_input("an id has no NUL")) } else { Ok(id.0) }
        };
        Ok(AuditFilter {
            actor: self.actor.map(|id| actor(&id)),
            actions: self.action,
            target: self.target.map(text).transpose()?,
            from: self.from,
            to: self.to,
        })
    }
}

fn actor(id: &ID) -> Uuid {
    let person = id.parse().map(|PersonId(id)| id);
    let contact = || id.parse().map(|ContactId(id)| id);
    let token = || id.parse().map(|AccessTokenId(id)| id);
    person.or_else(|_| contact()).or_else(|_| token()).unwrap_or_default()
}
