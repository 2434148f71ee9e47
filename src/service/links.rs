//! Links between tickets: duplicates, causes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::{
    id::{TicketId, TicketLinkId},
    ticket_link,
    vocab::{AuditAction, EventKind, LinkKind, LinkRelation},
};
use serde_json::json;

use crate::{
    domain::{
        actor::{Action, Actor},
        event::{Event, EventData},
        link,
        refusal::{Code, Problem},
        ticket::Ticket,
    },
    service::{Result, Service, ServiceError, audit::Change, queries::ticket_scope, require},
    store::{self, Transaction, tickets::TicketView},
};

/// More links than this are a list, not a relation; it keeps an answer small.
const LINKS_LIMIT: usize = 100;

/// A link, as one of its tickets sees it.
#[derive(Clone, Debug)]
pub struct LinkView {
    /// The ticket that sees it.
    pub ticket_id: TicketId,
    pub relation: LinkRelation,
    /// The one on the other side.
    pub other: TicketView,
    pub created_at: DateTime<Utc>,
}

impl Service {
    /// Links a ticket to another one.
    pub async fn link_tickets(&self, actor: &Actor, from: TicketId, to: TicketId, kind: LinkKind) -> Result<Ticket> {
        let tx = self.begin().await?;
        let (ticket, other) = self.lock_linked(&tx, actor, from, to).await?;
        let now = self.clock.now();
        let mut links = store::links::leading_on(&tx, kind, to).await?;
        let own = store::links::of_many(&tx, &[from, to]).await?;
        links.extend(own.iter().filter(|row| row.kind == kind).map(|row| (row.ticket_id, row.other_id)));
        link::check(from, to, &links)?;
        for id in [from, to] {
            if own.iter().filter(|row| row.ticket_id == id || row.other_id == id).count() >= LINKS_LIMIT {
                let message = format!("a ticket has at most {LINKS_LIMIT} links");
                return Err(Problem::at(Code::LimitReached, "otherTicketId", message).into());
            }
        }
        let row = ticket_link::Model {
            id: self.clock.new_id(TicketLinkId),
            ticket_id: from,
            other_id: to,
            kind,
            created_at: now,
            created_by_kind: actor.kind(),
            created_by_id: actor.uuid(),
        };
        store::links::insert(&tx, row).await?;
        tell_both(&tx, actor, EventKind::TicketLinked, kind, [&ticket, &other], now).await?;
        let made =
            Change::made(AuditAction::TicketLink, from, json!({ "kind": kind, "otherTicketId": to.to_string() }));
        self.audit(&tx, actor, now, made).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// Removes the link of a ticket to another one.
    pub async fn unlink_tickets(&self, actor: &Actor, from: TicketId, to: TicketId, kind: LinkKind) -> Result<Ticket> {
        let tx = self.begin().await?;
        let (ticket, other) = self.lock_linked(&tx, actor, from, to).await?;
        let now = self.clock.now();
        if !store::links::remove(&tx, from, to, kind).await? {
            let message = "there is no such link; read the ticket's links";
            return Err(Problem::at(Code::Unknown, "otherTicketId", message).into());
        }
        tell_both(&tx, actor, EventKind::TicketUnlinked, kind, [&ticket, &other], now).await?;
        let before = json!({ "kind": kind, "otherTicketId": to.to_string() });
        self.audit(&tx, actor, now, Change::changed(AuditAction::TicketUnlink, from, before, json!({}))).await?;
        self.commit(tx).await?;
        Ok(ticket)
    }

    /// The links of some tickets that the actor can see, to tickets that the actor can see, oldest first.
    pub async fn links(&self, actor: &Actor, tickets: &[TicketId]) -> Result<Vec<LinkView>> {
        let rows = store::links::of_many(&self.db, tickets).await?;
        let mut ends: Vec<_> = rows.iter().flat_map(|row| [row.ticket_id, row.other_id]).collect();
        ends.sort_unstable();
        ends.dedup();
        let visible: HashMap<_, _> = store::tickets::find_many(&self.db, ticket_scope(actor)?, &ends).await?;
        let mut views = Vec::new();
        for row in rows {
            let sides = [
                (row.ticket_id, row.other_id, link::outward(row.kind)),
                (row.other_id, row.ticket_id, link::inward(row.kind)),
            ];
            for (ticket_id, other, relation) in sides {
                if tickets.contains(&ticket_id)
                    && visible.contains_key(&ticket_id)
                    && let Some(other) = visible.get(&other)
                {
                    views.push(LinkView { ticket_id, relation, other: other.clone(), created_at: row.created_at });
                }
            }
        }
        Ok(views)
    }

    /// Both tickets, held in one order for everybody.
    async fn lock_linked(
        &self,
        tx: &Transaction,
        actor: &Actor,
        from: TicketId,
        to: TicketId,
    ) -> Result<(Ticket, Ticket)> {
        store::links::hold(tx).await?;
        let scope = ticket_scope(actor)?;
        let (first, second) = (from.min(to), from.max(to));
        let first = store::tickets::lock(tx, scope, first).await?;
        let second = store::tickets::lock(tx, scope, second).await?;
        let (Some(first), Some(second)) = (first, second) else { return Err(ServiceError::NotFound("ticket")) };
        require(actor, Action::Link, "a team's member or a manager links tickets")?;
        Ok(if first.id == from { (first, second) } else { (second, first) })
    }
}

/// Tells the history of both tickets. Contacts hear of it where both are their company's.
async fn tell_both(
    tx: &Transaction,
    actor: &Actor,
    kind: EventKind,
    link: LinkKind,
    [ticket, other]: [&Ticket; 2],
    now: DateTime<Utc>,
) -> Result<()> {
    let client_sees = ticket.company.id == other.company.id;
    let event = |relation, other_ticket_id| Event {
        kind,
        data: EventData {
            relation: Some(relation),
            other_ticket_id: Some(other_ticket_id),
            client_sees,
            ..EventData::default()
        },
    };
    let [outward, inward] = [event(link::outward(link), other.id), event(link::inward(link), ticket.id)];
    Ok(store::events::append_many(tx, actor, now, [(ticket.id, &outward), (other.id, &inward)]).await?)
}
