//! Files of tickets: an upload is allowed, comes, is checked, and is there for those who may see it.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    attachment, comment,
    id::{AttachmentId, CommentId, CompanyId, TicketId},
    vocab::{ActorKind, AttachmentState, AuditAction, EventKind, Visibility},
};
use futures_util::{Stream, stream::BoxStream};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use crate::{
    delivery::attachments::{AttachmentError, AttachmentKey, AttachmentStore, Expected, Grant},
    domain::{
        actor::{Action, Actor, Staff, may},
        attachment::{FIRST_BYTES, agrees, declare, harmless_name},
        event::{Event, EventData},
        refusal::{Code, Problem},
        ticket::Ticket,
    },
    service::{
        Result, Service, ServiceError,
        audit::{Change, of_attachment},
        comments::{Doer, doers_of, visibility},
        queries::{person_or_contact, ticket_scope},
        require_scope,
    },
    store::{self, Transaction, audit::ERASED},
};

/// How long an address can be used: long enough for a slow line, too short to be passed on.
const GRANTED_FOR: TimeDelta = TimeDelta::minutes(15);
/// More files than this are an archive.
const FILES_LIMIT: usize = 50;

/// Where files are kept, and how large they may be.
#[derive(Clone, Debug)]
pub struct Attachments {
    pub store: AttachmentStore,
    pub key: AttachmentKey,
    /// In bytes.
    pub limit: u64,
}

/// A file that somebody wants to upload.
#[derive(Clone, Debug)]
pub struct NewAttachment {
    pub ticket_id: TicketId,
    pub comment_id: Option<CommentId>,
    pub file_name: String,
    pub content_type: String,
    pub size: i64,
    pub visibility: Option<Visibility>,
}

/// A file with whoever uploads it.
#[derive(Clone, Debug)]
pub struct AttachmentView {
    pub row: attachment::Model,
    pub uploader: Box<Doer>,
}

/// Where to send a file.
#[derive(Clone, Debug)]
pub struct Upload {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub expires_at: DateTime<Utc>,
    /// Whether `completeUpload` must be called, because the bytes do not come to this server.
    pub must_complete: bool,
}

/// An address as it was asked for.
#[derive(Clone, Debug)]
pub struct Granted {
    pub id: AttachmentId,
    /// Until when, in seconds since 1970.
    pub expires: i64,
    pub signature: String,
}

/// A file's bytes, with what they are.
pub struct Download {
    pub row: attachment::Model,
    pub bytes: BoxStream<'static, Result<Vec<u8>, AttachmentError>>,
}

impl Service {
    /// Lets the actor upload a file, once and soon.
    pub async fn request_upload(&self, actor: &Actor, new: NewAttachment) -> Result<(AttachmentView, Upload)> {
        let attachments = self.attachments()?;
        let tx = self.begin().await?;
        let (ticket, _) = self.lock_ticket(&tx, actor, new.ticket_id, None).await?;
        // Its address ends by the clock of the server that checks it.
        let now = self.clock.now();
        let visibility = self.readers(&tx, actor, &ticket, &new).await?;
        let declared = declare(&new.file_name, &new.content_type, new.size, attachments.limit)?;
        if store::attachments::of_tickets(&tx, None, &[ticket.id]).await?.len() >= FILES_LIMIT {
            let message = format!("the ticket has {FILES_LIMIT} files, which is the limit; delete one first");
            return Err(Problem::of(Code::LimitReached, message).into());
        }
        let row = attachment::Model {
            id: self.clock.new_id(AttachmentId),
            ticket_id: ticket.id,
            comment_id: new.comment_id,
            visibility,
            uploader_kind: actor.kind(),
            uploader_id: actor.uuid(),
            file_name: declared.file_name,
            content_type: declared.content_type,
            size: declared.size,
            state: AttachmentState::Requested,
            requested_at: now,
            expires_at: now + GRANTED_FOR,
            ready_at: None,
            object: None,
        };
        store::attachments::insert(&tx, row.clone()).await?;
        let made = Change::made(AuditAction::AttachmentRequest, row.id, of_attachment(&row));
        self.audit(&tx, actor, now, made).await?;
        let upload = attachments.upload(&row).await?;
        let view = view(&tx, row).await?;
        self.commit(tx).await?;
        Ok((view, upload))
    }

    /// Who may send a file to this address, as the history names them.
    pub async fn uploader(&self, granted: &Granted) -> Result<Option<Uuid>> {
        self.check_grant(self.attachments()?, Grant::Upload, granted)?;
        Ok(self.requested(granted.id).await?.uploader_id)
    }

    /// Takes in the bytes of a file that was allowed, and checks them while they come.
    pub async fn receive_upload<Part, Error>(
        &self,
        granted: &Granted,
        bytes: impl Stream<Item = Result<Part, Error>>,
    ) -> Result<()>
    where
        Part: AsRef<[u8]>,
    {
        let attachments = self.attachments()?;
        self.check_grant(attachments, Grant::Upload, granted)?;
        let row = self.requested(granted.id).await?;
        let object = self.object_name(&row);
        attachments.store.receive(&object, bytes, &expected(&row)).await?;
        self.keep(attachments, &row, &object).await.map(drop)
    }

    /// Takes over a file that was uploaded to the bucket. One that is there already is fine.
    pub async fn complete_upload(&self, actor: &Actor, id: AttachmentId) -> Result<AttachmentView> {
        let attachments = self.attachments()?;
        require_scope(actor, Action::Revise)?;
        let row = store::attachments::find(&self.db, ticket_scope(actor)?, id).await?;
        let row = row.ok_or(ServiceError::NotFound("attachment"))?;
        if !uploaded(actor, &row) {
            return Err(ServiceError::Forbidden("only who uploads a file completes its upload"));
        }
        if row.state == AttachmentState::Ready {
            return view(&self.db, row).await;
        }
        let object = self.object_name(&row);
        let taken = attachments.store.take_over(&pending_name(&row), &object, &expected(&row)).await;
        taken.map_err(|error| match error {
            AttachmentError::Missing => {
                Problem::at(Code::Invalid, "attachmentId", "the file has not arrived; upload it first").into()
            }
            error @ (AttachmentError::WrongSize | AttachmentError::WrongType) => {
                Problem::at(Code::Invalid, "attachmentId", error.to_string()).into()
            }
            error => ServiceError::from(error),
        })?;
        let row = self.keep(attachments, &row, &object).await?;
        // Not before the copy is kept: where that fails, the same can be asked for again. What is left goes with the nightly purge.
        if let Err(error) = attachments.store.remove(&pending_name(&row)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the original of an upload could not be removed");
        }
        view(&self.db, row).await
    }

    /// Removes a file: its uploader's, or an administrator's right.
    pub async fn delete_attachment(&self, actor: &Actor, id: AttachmentId) -> Result<AttachmentView> {
        require_scope(actor, Action::Revise)?;
        let tx = self.begin().await?;
        let row = store::attachments::find(&tx, ticket_scope(actor)?, id).await?;
        let row = row.ok_or(ServiceError::NotFound("attachment"))?;
        if !(uploaded(actor, &row) || may(actor, Action::Moderate)) {
            return Err(ServiceError::Forbidden("only its uploader or an administrator deletes a file"));
        }
        self.remove_files(&tx, actor, std::slice::from_ref(&row)).await?;
        let erased = attachment::Model { file_name: ERASED.to_owned(), ..row.clone() };
        let gone = Change::changed(AuditAction::AttachmentDelete, row.id, of_attachment(&erased), json!({}));
        self.audit(&tx, actor, self.clock.now(), gone).await?;
        let row = attachment::Model { state: AttachmentState::Removed, ..row };
        let view = view(&tx, row).await?;
        self.commit(tx).await?;
        Ok(view)
    }

    /// The address of a file that is there, for a while.
    pub fn download_url(&self, row: &attachment::Model) -> Option<String> {
        let attachments = self.attachments.as_ref().filter(|_| row.state == AttachmentState::Ready)?;
        let expires = (self.clock.now() + GRANTED_FOR).timestamp();
        Some(attachments.address(Grant::Download, row.id, expires))
    }

    /// A file's bytes, for whoever holds an address of it.
    pub async fn download(&self, granted: &Granted) -> Result<Download> {
        let attachments = self.attachments()?;
        self.check_grant(attachments, Grant::Download, granted)?;
        let row = store::attachments::find(&self.db, None, granted.id).await?;
        let row = row.filter(|row| row.state == AttachmentState::Ready).ok_or(ServiceError::NotFound("attachment"))?;
        let bytes = attachments.store.read(row.object.as_deref().unwrap_or_default()).await?;
        Ok(Download { row: with_harmless_name(row), bytes })
    }

    /// Some files that the actor may see.
    pub async fn attachments_by_id(&self, actor: &Actor, ids: &[AttachmentId]) -> Result<Vec<AttachmentView>> {
        views(&self.db, store::attachments::find_many(&self.db, ticket_scope(actor)?, ids).await?).await
    }

    /// The files of some tickets that the actor may see, oldest first.
    pub async fn attachments_of(&self, actor: &Actor, tickets: &[TicketId]) -> Result<Vec<AttachmentView>> {
        views(&self.db, store::attachments::of_tickets(&self.db, ticket_scope(actor)?, tickets).await?).await
    }

    /// The files of some comments that the actor may see, oldest first.
    pub async fn attachments_of_comments(&self, actor: &Actor, comments: &[CommentId]) -> Result<Vec<AttachmentView>> {
        views(&self.db, store::attachments::of_comments(&self.db, ticket_scope(actor)?, comments).await?).await
    }

    /// The key that signs addresses, made at the first start and shared by all replicas.
    pub async fn attachment_key(&self) -> Result<AttachmentKey> {
        let mut fresh = [0_u8; 32];
        getrandom::fill(&mut fresh).map_err(|error| sea_orm::DbErr::Custom(error.to_string()))?;
        let fresh = fresh.iter().map(|byte| format!("{byte:02x}")).collect();
        let secret = store::attachments::signing_key(&self.db, fresh, self.clock.now()).await?;
        Ok(AttachmentKey::new(secret.as_bytes()))
    }

    /// Takes files away, erases their names from the audit log, and tells the history.
    pub(super) async fn remove_files(&self, tx: &Transaction, actor: &Actor, rows: &[attachment::Model]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        store::attachments::mark_removed(tx, &ids, now).await?;
        let targets: Vec<_> = ids.iter().map(ToString::to_string).collect();
        store::audit::erase(tx, &targets, "fileName").await?;
        let ready = rows.iter().filter(|row| row.state == AttachmentState::Ready);
        let events: Vec<_> = ready.map(|row| (row.ticket_id, file_event(EventKind::AttachmentRemoved, row))).collect();
        let events = events.iter().map(|(ticket, event)| (*ticket, event));
        Ok(store::events::append_many(tx, actor, now, events).await?)
    }

    pub(super) fn attachments(&self) -> Result<&Arc<Attachments>> {
        self.attachments.as_ref().ok_or(ServiceError::NotFound("attachment store"))
    }

    /// A file that was allowed and has not come.
    async fn requested(&self, id: AttachmentId) -> Result<attachment::Model> {
        let row = store::attachments::find(&self.db, None, id).await?;
        let row = row.filter(|row| row.state == AttachmentState::Requested).ok_or(ServiceError::NotFound("upload"))?;
        let (person, contact) = person_or_contact(row.uploader_kind, row.uploader_id);
        if !store::directory::is_active(&self.db, person, contact).await? {
            return Err(ServiceError::NotFound("upload"));
        }
        Ok(row)
    }

    fn check_grant(&self, attachments: &Attachments, grant: Grant, granted: &Granted) -> Result<()> {
        let Granted { id, expires, signature } = granted;
        let is_valid = attachments.key.verify(grant, &id.to_string(), *expires, signature);
        if is_valid && self.clock.now().timestamp() < *expires {
            return Ok(());
        }
        Err(ServiceError::Forbidden("the address is not valid, or not any more; ask for a new one"))
    }

    /// Notes that a file is there; whoever comes second has uploaded for nothing.
    async fn keep(
        &self,
        attachments: &Attachments,
        row: &attachment::Model,
        object: &str,
    ) -> Result<attachment::Model> {
        let tx = self.begin().await?;
        let ticket = store::tickets::lock(&tx, None, row.ticket_id).await?;
        let company = ticket.ok_or(ServiceError::NotFound("ticket"))?.company.id;
        let now = self.clock.now();
        if !store::attachments::mark_ready(&tx, row.id, object, now).await? {
            tx.rollback().await?;
            attachments.store.remove(object).await?;
            return Err(ServiceError::NotFound("upload"));
        }
        let event = file_event(EventKind::AttachmentAdded, row);
        let uploader = uploader(row, company);
        store::events::append(&tx, row.ticket_id, &uploader, now, &[event]).await?;
        let made = Change::made(AuditAction::AttachmentUpload, row.id, of_attachment(row));
        self.audit(&tx, &uploader, now, made).await?;
        self.commit(tx).await?;
        let object = Some(object.to_owned());
        Ok(attachment::Model { state: AttachmentState::Ready, ready_at: Some(now), object, ..row.clone() })
    }

    /// Who shall see a file: at most those who see its comment.
    async fn readers(
        &self,
        tx: &Transaction,
        actor: &Actor,
        ticket: &Ticket,
        new: &NewAttachment,
    ) -> Result<Visibility> {
        let Some(comment) = new.comment_id else { return visibility(actor, ticket, new.visibility) };
        let found = store::comments::find(tx, actor.company_scope(), comment).await?;
        let fits = |row: &comment::Model| row.ticket_id == ticket.id && row.deleted_at.is_none();
        let unknown = || Problem::at(Code::Unknown, "commentId", "the ticket has no such comment");
        let comment = found.filter(fits).ok_or_else(unknown)?;
        let visibility = visibility(actor, ticket, Some(new.visibility.unwrap_or(comment.visibility)))?;
        if comment.visibility == Visibility::Internal && visibility == Visibility::Client {
            let message = "the comment is for staff only, and so is its file";
            return Err(Problem::at(Code::Invalid, "visibility", message).into());
        }
        Ok(visibility)
    }

    /// A name that no other attempt to upload the same file uses.
    fn object_name(&self, row: &attachment::Model) -> String {
        format!("files/{}-{}", row.id, self.clock.new_uuid().simple())
    }
}

impl Attachments {
    async fn upload(&self, row: &attachment::Model) -> Result<Upload> {
        let within = GRANTED_FOR.to_std().unwrap_or_default();
        let presigned = self.store.presigned_put(&pending_name(row), &row.content_type, within).await?;
        let must_complete = presigned.is_some();
        let own = || self.address(Grant::Upload, row.id, row.expires_at.timestamp());
        Ok(Upload {
            url: presigned.map_or_else(own, String::from),
            headers: vec![("Content-Type".to_owned(), row.content_type.clone())],
            expires_at: row.expires_at,
            must_complete,
        })
    }

    /// An address on this server, relative to it.
    fn address(&self, grant: Grant, id: AttachmentId, expires: i64) -> String {
        let signature = self.key.sign(grant, &id.to_string(), expires);
        format!("/attachments/{id}?expires={expires}&signature={signature}")
    }
}

/// Where a client's own upload to the bucket waits for its check.
pub(super) fn pending_name(row: &attachment::Model) -> String {
    format!("uploads/{}", row.id)
}

fn expected(row: &attachment::Model) -> Expected {
    let content_type = row.content_type.clone();
    Expected {
        size: u64::try_from(row.size).unwrap_or(0),
        first_bytes: FIRST_BYTES,
        agrees: Box::new(move |first| agrees(&content_type, first)),
    }
}

fn uploaded(actor: &Actor, row: &attachment::Model) -> bool {
    row.uploader_kind == actor.kind() && row.uploader_id == actor.uuid()
}

/// Who uploads, for the history: whoever they are, an address gives no other right.
fn uploader(row: &attachment::Model, company_id: CompanyId) -> Actor {
    match (row.uploader_kind, row.uploader_id) {
        (ActorKind::Person, Some(id)) => {
            let (teams, manages) = (Vec::new(), Vec::new());
            Actor::Person(Staff { id: id.into(), teams, manages, administrator: false, scopes: None })
        }
        (ActorKind::Integration, Some(id)) => {
            Actor::Integration { id: id.into(), name: String::new(), scopes: Vec::new() }
        }
        (ActorKind::Contact, Some(id)) => Actor::Contact { id: id.into(), company_id },
        _ => Actor::System,
    }
}

fn file_event(kind: EventKind, row: &attachment::Model) -> Event {
    let client_sees = row.visibility == Visibility::Client;
    Event { kind, data: EventData { attachment_id: Some(row.id), client_sees, ..EventData::default() } }
}

async fn view(db: &impl ConnectionTrait, row: attachment::Model) -> Result<AttachmentView> {
    views(db, vec![row]).await?.pop().ok_or(ServiceError::NotFound("attachment"))
}

async fn views(db: &impl ConnectionTrait, rows: Vec<attachment::Model>) -> Result<Vec<AttachmentView>> {
    let doers: HashMap<(ActorKind, Option<Uuid>), Doer> =
        doers_of(db, rows.iter().map(|row| (row.uploader_kind, row.uploader_id)).collect()).await?;
    let find = |kind, id| {
        doers.get(&(kind, id)).cloned().unwrap_or(Doer { kind, person: None, contact: None, integration: None })
    };
    Ok(rows
        .into_iter()
        .map(|row| AttachmentView {
            uploader: Box::new(find(row.uploader_kind, row.uploader_id)),
            row: with_harmless_name(row),
        })
        .collect())
}

/// The file, under a name as one gets it today: an earlier version took names that end as another type does.
fn with_harmless_name(row: attachment::Model) -> attachment::Model {
    attachment::Model { file_name: harmless_name(&row.file_name, &row.content_type), ..row }
}
