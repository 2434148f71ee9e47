//! What people say about a ticket, and who hears of it.

use std::collections::{BTreeSet, HashMap};

use entity::{
    comment, contact,
    id::{AccessTokenId, CommentId, ContactId, PersonId, TicketId},
    person,
    vocab::{ActorKind, AuditAction, EventKind, Team, Visibility},
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::{
    domain::{
        actor::{Action, Actor, may},
        event::{Event, EventData},
        facts::{TEXT_LIMIT, clean_text},
        notice::NoticeFacts,
        process,
        refusal::{Code, Problem},
        ticket::Ticket,
    },
    service::{
        Result, Service, ServiceError,
        audit::{Change, of_comment},
        outbox::About,
        queries::ticket_scope,
        require_scope,
    },
    store::{self, StoreError, Transaction, audit::ERASED, comments::Stretch, page::Page},
};

/// A ticket that needs more than this is a forum.
const COMMENTS_LIMIT: i64 = 1_000;

/// A comment to be added.
#[derive(Clone, Debug)]
pub struct NewComment {
    /// The caller's own id, so that a retry is the same comment.
    pub id: Option<Uuid>,
    pub ticket_id: TicketId,
    pub body: String,
    /// Staff only for staff and the client for contacts, where absent.
    pub visibility: Option<Visibility>,
}

/// Whoever did something, as far as they are known.
#[derive(Clone, Debug)]
pub struct Doer {
    pub kind: ActorKind,
    pub person: Option<person::Model>,
    pub contact: Option<contact::Model>,
    /// What an integration is called.
    pub integration: Option<String>,
}

/// A comment with whoever wrote it, and whoever deleted it.
#[derive(Clone, Debug)]
pub struct CommentView {
    pub row: comment::Model,
    pub author: Box<Doer>,
    pub deleted_by: Option<Box<Doer>>,
}

impl Doer {
    /// What they are called.
    pub fn name(&self) -> &str {
        let person = self.person.as_ref().map(|person| &person.name);
        let contact = self.contact.as_ref().map(|contact| &contact.name);
        person.or(contact).or(self.integration.as_ref()).map_or("Secondline", String::as_str)
    }
}

impl Service {
    /// Adds a comment. A contact's comment answers the question that is open. The same id again is the same comment.
    pub async fn add_comment(&self, actor: &Actor, new: NewComment) -> Result<CommentView> {
        let tx = self.begin().await?;
        let (mut ticket, now) = self.lock_ticket(&tx, actor, new.ticket_id, None).await?;
        let id = CommentId(new.id.unwrap_or_else(|| self.clock.new_uuid()));
        if let Some(known) = store::comments::find(&tx, None, id).await? {
            same_comment(actor, &ticket, &known)?;
            return self.comment_view(&tx, known).await;
        }
        let visibility = visibility(actor, &ticket, new.visibility)?;
        let body = words(&new.body)?;
        let count = store::comments::count_of_many(&tx, None, &[ticket.id]).await?;
        if count.get(&ticket.id).is_some_and(|count| *count >= COMMENTS_LIMIT) {
            let message = format!("the ticket has {COMMENTS_LIMIT} comments, which is the limit; open another ticket");
            return Err(Problem::of(Code::LimitReached, message).into());
        }
        let asked = match actor {
            Actor::Contact { .. } if ticket.is_open() => store::clarifications::open_of(&tx, ticket.id).await?,
            _ => None,
        };
        let row = comment::Model {
            id,
            ticket_id: ticket.id,
            visibility,
            author_kind: actor.kind(),
            author_id: actor.uuid(),
            body: Some(body.clone()),
            clarification_id: asked.as_ref().map(|asked| asked.id),
            created_at: now,
            edited_at: None,
            deleted_at: None,
            deleted_by_kind: None,
            deleted_by_id: None,
        };
        match store::comments::insert(&tx, row.clone()).await {
            Err(StoreError::Duplicate(_)) => return Err(taken().into()),
            inserted => inserted?,
        }
        store::events::append(&tx, ticket.id, actor, now, &[comment_event(EventKind::CommentAdded, &row)]).await?;
        let told = match asked {
            Some(asked) => self.record_answer(&tx, actor, &mut ticket, asked, body, now).await?,
            None => BTreeSet::new(),
        };
        store::search::refresh(&tx, ticket.id).await?;
        let made = Change::made(AuditAction::CommentAdd, row.id, of_comment(&row));
        self.audit(&tx, actor, now, made).await?;
        let view = self.comment_view(&tx, row).await?;
        self.tell_of_comment(&tx, actor, &ticket, &view, &told).await?;
        self.commit(tx).await?;
        Ok(view)
    }

    /// Changes the words of a comment: its author's, or an administrator's right.
    pub async fn edit_comment(&self, actor: &Actor, id: CommentId, body: &str) -> Result<CommentView> {
        let tx = self.begin().await?;
        let row = self.lock_comment(&tx, actor, id).await?;
        let now = self.clock.now();
        if row.deleted_at.is_some() {
            return Err(Problem::at(Code::Invalid, "commentId", "the comment was deleted; add a new one").into());
        }
        let body = Some(words(body)?);
        if body == row.body {
            return self.comment_view(&tx, row).await;
        }
        let before = of_comment(&row);
        let row = comment::Model { body, edited_at: Some(now), ..row };
        store::comments::save(&tx, row.clone()).await?;
        store::search::refresh(&tx, row.ticket_id).await?;
        let change = Change::changed(AuditAction::CommentEdit, row.id, before, of_comment(&row));
        self.audit(&tx, actor, now, change).await?;
        let event = comment_event(EventKind::CommentEdited, &row);
        store::events::append(&tx, row.ticket_id, actor, now, &[event]).await?;
        let view = self.comment_view(&tx, row).await?;
        self.commit(tx).await?;
        Ok(view)
    }

    /// Deletes the words of a comment, wherever they are kept, and keeps that it was there: its author's, or an administrator's right.
    pub async fn delete_comment(&self, actor: &Actor, id: CommentId) -> Result<CommentView> {
        let tx = self.begin().await?;
        let row = self.lock_comment(&tx, actor, id).await?;
        let now = self.clock.now();
        if row.deleted_at.is_some() {
            return self.comment_view(&tx, row).await;
        }
        self.erase_words(&tx, &row).await?;
        let erased = row.body.is_some().then(|| ERASED.to_owned());
        let before = of_comment(&comment::Model { body: erased, ..row.clone() });
        let row = comment::Model {
            body: None,
            deleted_at: Some(now),
            deleted_by_kind: Some(actor.kind()),
            deleted_by_id: actor.uuid(),
            ..row
        };
        store::comments::save(&tx, row.clone()).await?;
        store::search::refresh(&tx, row.ticket_id).await?;
        let change = Change::changed(AuditAction::CommentDelete, row.id, before, of_comment(&row));
        self.audit(&tx, actor, now, change).await?;
        let files = store::attachments::of_comments(&tx, None, &[id]).await?;
        self.remove_files(&tx, actor, &files).await?;
        let event = comment_event(EventKind::CommentDeleted, &row);
        store::events::append(&tx, row.ticket_id, actor, now, &[event]).await?;
        let view = self.comment_view(&tx, row).await?;
        self.commit(tx).await?;
        Ok(view)
    }

    /// Erases what a comment said from where it was noted and told; what was mailed is out of reach.
    async fn erase_words(&self, tx: &Transaction, row: &comment::Model) -> Result<()> {
        store::audit::erase(tx, &[row.id.to_string()], "body").await?;
        Ok(store::notices::erase_comment(tx, row.id).await?)
    }

    /// Some comments that the actor may see.
    pub async fn comments_by_id(&self, actor: &Actor, ids: &[CommentId]) -> Result<HashMap<CommentId, CommentView>> {
        let rows = store::comments::find_many(&self.db, ticket_scope(actor)?, ids).await?;
        let views = comment_views(&self.db, rows).await?;
        Ok(views.into_iter().map(|view| (view.row.id, view)).collect())
    }

    /// The same stretch of the comments of some tickets; what the actor may not see is not there.
    pub async fn comments_of(
        &self,
        actor: &Actor,
        tickets: &[TicketId],
        stretch: &Stretch,
    ) -> Result<HashMap<TicketId, Page<CommentView>>> {
        let mut pages = store::comments::of_many(&self.db, ticket_scope(actor)?, tickets, stretch).await?;
        let rows = pages.values_mut().flat_map(|page| std::mem::take(&mut page.rows)).collect();
        let mut views: HashMap<TicketId, Vec<_>> = HashMap::new();
        for view in comment_views(&self.db, rows).await? {
            views.entry(view.row.ticket_id).or_default().push(view);
        }
        let with_views = |(id, page): (TicketId, Page<_>)| {
            (id, page.with_rows(|_: Vec<comment::Model>| views.remove(&id).unwrap_or_default()))
        };
        Ok(pages.into_iter().map(with_views).collect())
    }

    /// How many comments of some tickets the actor may see.
    pub async fn comment_counts(&self, actor: &Actor, tickets: &[TicketId]) -> Result<HashMap<TicketId, i64>> {
        Ok(store::comments::count_of_many(&self.db, ticket_scope(actor)?, tickets).await?)
    }

    /// The comment, with its ticket held, for whoever may change it.
    async fn lock_comment(&self, tx: &Transaction, actor: &Actor, id: CommentId) -> Result<comment::Model> {
        require_scope(actor, Action::Revise)?;
        let scope = ticket_scope(actor)?;
        let missing = || ServiceError::NotFound("comment");
        let row = store::comments::find(tx, scope, id).await?.ok_or_else(missing)?;
        store::tickets::lock(tx, scope, row.ticket_id).await?;
        let row = store::comments::find(tx, scope, id).await?.ok_or_else(missing)?;
        if !(wrote(actor, &row) || may(actor, Action::Moderate)) {
            return Err(ServiceError::Forbidden("only its author or an administrator changes a comment"));
        }
        if row.clarification_id.is_some() {
            let message = "the comment is the recorded answer to a question, and stays; add another one";
            return Err(Problem::at(Code::NotAllowed, "commentId", message).into());
        }
        Ok(row)
    }

    async fn comment_view(&self, db: &impl ConnectionTrait, row: comment::Model) -> Result<CommentView> {
        comment_views(db, vec![row]).await?.pop().ok_or(ServiceError::NotFound("comment"))
    }

    /// Tells those who hear of the ticket and may read the comment, but for its author and those who were told already.
    async fn tell_of_comment(
        &self,
        tx: &Transaction,
        actor: &Actor,
        ticket: &Ticket,
        view: &CommentView,
        told: &BTreeSet<PersonId>,
    ) -> Result<()> {
        let CommentView { row, author, .. } = view;
        let facts = NoticeFacts::CommentAdded {
            body: row.body.clone().unwrap_or_default(),
            author: author.name().to_owned(),
            visibility: row.visibility,
        };
        let watchers = self.watchers_to_tell(tx, actor, ticket).await?;
        let mut people = watchers.people;
        if let Actor::Contact { .. } = actor {
            people.extend(self.owners(tx, ticket).await?.into_iter().map(|person| (person.id, person)));
        }
        let mut contacts = watchers.contacts;
        if row.visibility == Visibility::Internal {
            contacts.clear();
        } else if actor.is_internal() {
            contacts.insert(ticket.contact.id, ticket.contact.clone());
        }
        let about = About { comment_id: Some(row.id), ..About::default() };
        let occasion = row.id.to_string();
        let to_people = people
            .values()
            .filter(|person| !told.contains(&person.id) && actor.person_id() != Some(person.id))
            .map(|person| self.to_person(ticket, person, facts.clone(), about, &occasion, row.created_at));
        let to_contacts = contacts
            .values()
            .map(|contact| self.to_contact(ticket, contact, facts.clone(), about, &occasion, row.created_at));
        let notices = to_people.chain(to_contacts).collect::<Result<Vec<_>>>()?;
        Ok(store::notices::enqueue(tx, notices).await?)
    }

    /// Who must hear what a client says: the assignee, and the team that owns the stage. What is closed is Operations',
    /// who reopen it.
    async fn owners(&self, tx: &Transaction, ticket: &Ticket) -> Result<Vec<person::Model>> {
        let team = process::stage(ticket.stage).owner.unwrap_or(Team::Operations);
        let assignee = ticket.assignee.as_ref().map(|person| person.id);
        let people = store::directory::active_people(tx).await?.into_iter();
        let owners = people.filter(|row| row.teams.contains(&team) || assignee == Some(row.person.id));
        Ok(owners.map(|row| row.person).collect())
    }
}

/// What happened to a comment; contacts hear of those that they may read.
fn comment_event(kind: EventKind, row: &comment::Model) -> Event {
    let client_sees = row.visibility == Visibility::Client;
    Event { kind, data: EventData { comment_id: Some(row.id), client_sees, ..EventData::default() } }
}

/// Who shall read what the actor contributes.
pub(super) fn visibility(actor: &Actor, ticket: &Ticket, stated: Option<Visibility>) -> Result<Visibility> {
    let own = if actor.is_internal() { Visibility::Internal } else { Visibility::Client };
    let visibility = stated.unwrap_or(own);
    let action = Action::Contribute(ticket.company.id, visibility);
    require_scope(actor, action)?;
    if may(actor, action) {
        return Ok(visibility);
    }
    let message = "what a client says is visible to the client: state CLIENT, or leave visibility out";
    Err(Problem::at(Code::NotAllowed, "visibility", message).into())
}

/// A retry of what made the comment; an id of something else is taken.
fn same_comment(actor: &Actor, ticket: &Ticket, known: &comment::Model) -> Result<()> {
    if known.ticket_id == ticket.id && wrote(actor, known) { Ok(()) } else { Err(taken().into()) }
}

fn wrote(actor: &Actor, row: &comment::Model) -> bool {
    row.author_kind == actor.kind() && row.author_id == actor.uuid()
}

fn taken() -> Problem {
    Problem::at(Code::AlreadyExists, "id", "this id is taken; make a new one")
}

fn words(text: &str) -> Result<String> {
    Ok(clean_text(text, TEXT_LIMIT, true)
        .map_err(|(code, why)| Problem::at(code, "body", format!("the body {why}")))?)
}

/// The comments with whoever wrote and deleted them.
async fn comment_views(db: &impl ConnectionTrait, rows: Vec<comment::Model>) -> Result<Vec<CommentView>> {
    let doers = rows.iter().flat_map(|row| {
        [Some((row.author_kind, row.author_id)), row.deleted_by_kind.map(|kind| (kind, row.deleted_by_id))]
    });
    let doers = doers.flatten().collect();
    let doers = doers_of(db, doers).await?;
    let find = |kind, id| {
        doers.get(&(kind, id)).cloned().unwrap_or(Doer { kind, person: None, contact: None, integration: None })
    };
    Ok(rows
        .into_iter()
        .map(|row| CommentView {
            author: Box::new(find(row.author_kind, row.author_id)),
            deleted_by: row.deleted_by_kind.map(|kind| Box::new(find(kind, row.deleted_by_id))),
            row,
        })
        .collect())
}

/// Whoever is meant, in two statements, and one more where there are integrations among them.
pub(super) async fn doers_of(
    db: &impl ConnectionTrait,
    doers: BTreeSet<(ActorKind, Option<Uuid>)>,
) -> Result<HashMap<(ActorKind, Option<Uuid>), Doer>> {
    let of = |wanted| doers.iter().filter(move |(kind, _)| *kind == wanted).filter_map(|(_, id)| *id);
    let people: Vec<_> = of(ActorKind::Person).map(PersonId).collect();
    let contacts: Vec<_> = of(ActorKind::Contact).map(ContactId).collect();
    let integrations: Vec<_> = of(ActorKind::Integration).map(AccessTokenId).collect();
    let people = store::directory::person_rows(db, &people).await?;
    let contacts = store::directory::contacts_by_id(db, None, &contacts).await?;
    let integrations =
        if integrations.is_empty() { HashMap::new() } else { store::tokens::names(db, &integrations).await? };
    Ok(doers
        .into_iter()
        .map(|(kind, id)| {
            let person = id.filter(|_| kind == ActorKind::Person).and_then(|id| people.get(&PersonId(id)).cloned());
            let contact =
                id.filter(|_| kind == ActorKind::Contact).and_then(|id| contacts.get(&ContactId(id)).cloned());
            let integration = id
                .filter(|_| kind == ActorKind::Integration)
                .and_then(|id| integrations.get(&AccessTokenId(id)).cloned());
            ((kind, id), Doer { kind, person, contact, integration })
        })
        .collect())
}

/// What somebody is called.
pub(super) async fn name_of(db: &impl ConnectionTrait, actor: &Actor) -> Result<String> {
    let doer = doers_of(db, BTreeSet::from([(actor.kind(), actor.uuid())])).await?;
    Ok(doer.into_values().next().map_or_else(String::new, |doer| doer.name().to_owned()))
}
