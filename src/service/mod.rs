//! One public function per use case, one transaction each: load (locked) → decide → save → append events → enqueue → commit.
//!
//! May import: `store`, `domain`, `notice`, `delivery`, `oidc`, `clock`. Example: [`Service::move_ticket`] locks the ticket, lets
//! `domain::moves::decide` decide, stores what it decided together with its events and notices, and wakes subscribers.

pub mod addresses;
mod alerting;
pub mod attachments;
pub mod audit;
pub mod clarifications;
pub mod clock_changes;
pub mod clocks;
pub mod comments;
pub mod contacts;
pub mod deliver;
pub mod directory;
pub mod feed;
pub mod follow;
pub mod holidays;
mod identities;
pub mod links;
pub mod lookups;
pub mod outbox;
pub mod policies;
pub mod previews;
pub mod purge;
pub mod queries;
pub mod reports;
pub mod sessions;
pub mod setup;
pub mod sla_scan;
pub mod tickets;
pub mod tokens;
pub mod verify;
pub mod watchers;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use entity::vocab::Scope;

use crate::{
    clock::Clock,
    domain::{
        actor::{Action, Actor, may, missing_scope},
        refusal::{Code, Problem, Refusal},
    },
    oidc::Provider,
    service::{
        attachments::Attachments,
        audit::Origin,
        feed::Feed,
        sessions::desk::{Desk, LOOK_AGAIN_EVERY},
    },
    store::{self, StoreError, Transaction, connection},
};

pub use crate::{
    delivery::attachments::AttachmentError,
    store::{
        Database,
        connection::{ConnectionShare, SchemaState},
    },
};

/// The use cases, over one database and one clock.
#[derive(Clone, Debug)]
pub struct Service {
    db: Database,
    clock: Clock,
    /// The pipelines that a ticket can be transferred to.
    pipelines: Vec<String>,
    feed: Feed,
    /// Who still has the rights that they had.
    desk: Arc<Desk>,
    sessions_checked_every: Duration,
    /// The request on whose behalf it works.
    origin: Option<Arc<Origin>>,
    /// The issuer whose tokens are believed, besides our own.
    provider: Option<Arc<Provider>>,
    /// Where files are kept; none for commands that handle none.
    attachments: Option<Arc<Attachments>>,
}

/// Why a use case was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The caller must ask for something else.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing, or the caller may not see it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller's role does not allow it.
    #[error("not allowed: {0}")]
    Forbidden(&'static str),
    /// The caller's token is restricted to other things.
    #[error("this token lacks the scope {0}")]
    MissingScope(Scope),
    /// The issuer of tokens does not answer, so that nobody can say whether one is valid.
    #[error("the issuer of tokens does not answer: {0}")]
    IssuerUnavailable(String),
    /// The store could not do it.
    #[error(transparent)]
    Store(StoreError),
    /// The attachment store could not do it, or the file is not what it was to be.
    #[error(transparent)]
    Attachments(#[from] AttachmentError),
}

impl ServiceError {
    /// Whether the database, the attachment store or the issuer of tokens does not answer, or not now: the same may succeed
    /// later.
    pub const fn is_unavailable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_unavailable(),
            Self::IssuerUnavailable(_) | Self::Attachments(AttachmentError::Store(_)) => true,
            _ => false,
        }
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale => stale().into(),
            error => Self::Store(error),
        }
    }
}

impl From<sea_orm::DbErr> for ServiceError {
    fn from(error: sea_orm::DbErr) -> Self {
        StoreError::from(error).into()
    }
}

impl From<Problem> for ServiceError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.into())
    }
}

/// What use cases return.
pub type Result<T, E = ServiceError> = std::result::Result<T, E>;

impl Service {
    /// The use cases over a migrated database.
    pub fn new(db: Database, clock: Clock, pipelines: Vec<String>) -> Self {
        Self {
            db,
            clock,
            pipelines,
            feed: Feed::default(),
            desk: Arc::default(),
            sessions_checked_every: LOOK_AGAIN_EVERY,
            origin: None,
            provider: None,
            attachments: None,
        }
    }

    /// The same, with a place for files.
    #[must_use]
    pub fn with_attachments(self, attachments: Attachments) -> Self {
        Self { attachments: Some(Arc::new(attachments)), ..self }
    }

    /// The same, with another time between two looks at the sessions of open sockets.
    #[must_use]
    pub fn checking_sessions_every(self, time: Duration) -> Self {
        Self { sessions_checked_every: time, ..self }
    }

    /// The same use cases by database connections that requests cannot take: for jobs, and whatever must go on.
    #[must_use]
    pub fn reserved(&self) -> Self {
        Self { db: self.db.reserved(), ..self.clone() }
    }

    /// The same, for what somebody waits for.
    fn for_sign_in(&self) -> Self {
        Self { db: self.db.for_sign_in(), ..self.clone() }
    }

    /// The same use cases on behalf of a principal who has this share of the database's connections.
    #[must_use]
    pub fn sharing(&self, share: ConnectionShare) -> Self {
        Self { db: self.db.sharing(share), ..self.clone() }
    }

    /// A share of the database's connections for a principal.
    pub fn new_share(&self) -> ConnectionShare {
        self.db.new_share()
    }

    /// Why nothing can be written, where the database's disk is the reason; `None` where nothing is known against it.
    pub async fn write_failure(&self) -> Option<String> {
        self.db.probe_writing().await;
        self.db.write_failure()
    }

    /// The clock that the use cases read.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The pipelines that a ticket can be transferred to.
    pub fn pipelines(&self) -> &[String] {
        &self.pipelines
    }

    /// Whether the database answers, and whether its schema is this version's.
    pub async fn schema_state(&self) -> Result<SchemaState> {
        Ok(connection::schema_state(&self.db).await?)
    }

    /// Returns the instant of the last backup; `None` before the first one.
    pub async fn last_backup(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(store::backups::last(&self.db).await?)
    }

    /// Notes that a backup was taken: what was stored before this instant is in it.
    pub async fn record_backup(&self, taken_at: DateTime<Utc>) -> Result<()> {
        Ok(store::backups::record(&self.db, taken_at).await?)
    }

    /// Closes the connections, once nothing uses them any more.
    pub async fn close(&self) {
        if let Err(error) = self.db.close().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "closing the database failed");
        }
    }

    async fn begin(&self) -> Result<Transaction> {
        Ok(self.db.begin().await?)
    }

    async fn commit(&self, tx: Transaction) -> Result<()> {
        tx.commit().await?;
        self.feed.wrote();
        Ok(())
    }
}

/// Refuses what the actor's role does not allow.
fn require(actor: &Actor, action: Action, who: &'static str) -> Result<()> {
    match missing_scope(actor, action) {
        Some(scope) => Err(ServiceError::MissingScope(scope)),
        None if may(actor, action) => Ok(()),
        None => Err(ServiceError::Forbidden(who)),
    }
}

/// Refuses a token that is restricted to other things, before anything is looked at.
fn require_scope(actor: &Actor, action: Action) -> Result<()> {
    missing_scope(actor, action).map_or(Ok(()), |scope| Err(ServiceError::MissingScope(scope)))
}

/// Refuses a change of something that was changed since the caller read it.
fn check_version(stored: i32, expected: Option<i32>) -> Result<()> {
    match expected {
        Some(expected) if expected != stored => Err(stale().into()),
        _ => Ok(()),
    }
}

fn stale() -> Problem {
    let message = "it was changed since you read it; read it again and decide anew";
    Problem::at(Code::StaleVersion, "expectedVersion", message)
}
