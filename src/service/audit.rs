//! The audit log: every change leaves an entry, in its own transaction.
//!
//! A use case says what it changed in one line, `Service::audit`; where the request came from, the service knows. Example:
//! `self.audit(&tx, actor, now, Change::made(AuditAction::CompanyCreate, row.id, of_company(&row))).await?`.

mod reader;
mod snapshot;

use chrono::{DateTime, Utc};
use entity::{
    audit_entry,
    id::AuditEntryId,
    vocab::{AuditAction, EventKind},
};
use sea_orm::{ConnectionTrait, Order};
use serde_json::{Map, Value as Json};

pub(super) use self::{
    reader::for_reader,
    snapshot::{
        of_attachment, of_calendar, of_comment, of_company, of_contact, of_person, of_policy, of_subtype, of_ticket,
    },
};
use crate::{
    domain::{
        actor::{Action, Actor},
        event::Event,
        ticket::Ticket,
    },
    service::{Result, Service, require},
    store::{
        self,
        audit::AuditFilter,
        page::{Page, Window},
    },
};

pub(super) const AUDITORS: &str = "only an administrator reads the audit log";

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The network address.
    pub address: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
}

/// What a use case changed.
pub(super) struct Change {
    action: AuditAction,
    target: String,
    before: Option<Json>,
    after: Option<Json>,
}

impl Change {
    /// Something that was not there before.
    pub(super) fn made(action: AuditAction, target: impl ToString, after: Json) -> Self {
        let after = Some(without_nulls(after));
        Self { action, target: target.to_string(), before: None, after }
    }

    /// Something that was there: what differs is kept.
    pub(super) fn changed(action: AuditAction, target: impl ToString, before: Json, after: Json) -> Self {
        let (before, after) = difference(before, after);
        Self { action, target: target.to_string(), before: Some(before), after: Some(after) }
    }

    /// A ticket that rules have decided on; none of its events is about somebody else's doing.
    pub(super) fn decided(before: &Ticket, after: &Ticket, events: &[Event]) -> Self {
        let action = events.first().map_or(AuditAction::TicketUpdate, |event| match event.kind {
            EventKind::TicketMoved | EventKind::TicketTransferred => AuditAction::TicketMove,
            EventKind::TicketAssigned => AuditAction::TicketAssign,
            EventKind::DeliveryDateChanged => AuditAction::TicketSetDeliveryDate,
            _ => AuditAction::TicketUpdate,
        });
        let mut change = Self::changed(action, after.id, of_ticket(before), of_ticket(after));
        let reason = events.iter().find_map(|event| event.data.reason.clone());
        if let (Some(Json::Object(after)), Some(reason)) = (&mut change.after, reason) {
            after.insert("reason".to_owned(), reason.into());
        }
        change
    }
}

impl Service {
    /// The same use cases on behalf of a request: what they change is noted with where it came from.
    pub fn on_behalf_of(&self, origin: Origin) -> Self {
        Self { origin: Some(origin.into()), ..self.clone() }
    }

    /// A page of the log, the latest first.
    pub async fn audit_log(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        window: Window,
    ) -> Result<Page<audit_entry::Model>> {
        require(actor, Action::ReadAudit, AUDITORS)?;
        let page = store::audit::page(&self.db, filter, Order::Desc, window).await?;
        Ok(page.map(|entry| for_reader(actor, entry)))
    }

    /// A page of the log, the oldest first, to be carried elsewhere.
    pub async fn audit_export(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        window: Window,
    ) -> Result<Page<audit_entry::Model>> {
        require(actor, Action::ReadAudit, AUDITORS)?;
        let page = store::audit::page(&self.db, filter, Order::Asc, window).await?;
        Ok(page.map(|entry| for_reader(actor, entry)))
    }

    /// Notes a change, in its transaction.
    pub(super) async fn audit(
        &self,
        tx: &impl ConnectionTrait,
        actor: &Actor,
        now: DateTime<Utc>,
        change: Change,
    ) -> Result<()> {
        let Change { action, target, before, after } = change;
        let origin = self.origin.as_deref().cloned().unwrap_or_default();
        let actor_name = match actor {
            Actor::Integration { name, .. } => Some(name.clone()),
            Actor::Person(_) | Actor::Contact { .. } | Actor::System => None,
        };
        let entry = audit_entry::Model {
            id: self.clock.new_id(AuditEntryId),
            at: now,
            actor_kind: actor.kind(),
            actor_id: actor.uuid(),
            actor_name,
            action,
            target,
            before,
            after,
            address: origin.address,
            request_id: origin.request_id,
        };
        Ok(store::audit::append(tx, entry).await?)
    }
}

/// The members of both objects that are not the same in both.
fn difference(before: Json, after: Json) -> (Json, Json) {
    let (Json::Object(before), Json::Object(after)) = (before, after) else { return (Json::Null, Json::Null) };
    let keep = |one: &Map<String, Json>, other: &Map<String, Json>| {
        let kept = one.iter().filter(|(name, value)| other.get(*name).unwrap_or(&Json::Null) != *value);
        Json::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    (keep(&before, &after), keep(&after, &before))
}

fn without_nulls(value: Json) -> Json {
    match value {
        Json::Object(members) => Json::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_kept() {
        let before = json!({ "name": "Acme", "tier": null, "gone": 1 });
        let after = json!({ "name": "Acme", "tier": "TIER_ONE", "new": [2] });
        let expected = (json!({ "tier": null, "gone": 1 }), json!({ "tier": "TIER_ONE", "new": [2] }));
        assert_eq!(difference(before, after), expected);
    }
}
