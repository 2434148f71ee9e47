//! What its reader sees of an entry: the log opens nothing that a token keeps shut elsewhere.
//!
//! Example: to a token with `audit:read` alone, an added comment is `{ "ticketId": "ticket_01…", "body": "***" }`.

use entity::{audit_entry, vocab::AuditAction};
use serde_json::Value as Json;

use crate::domain::actor::{Action, Actor, may};

/// What stands for a value that the reader may not see.
const HIDDEN: &str = "***";

/// The entry, with the values hidden that the actor sees nowhere else. Who did what to what, and when, is the log's own to tell.
pub(in crate::service) fn for_reader(actor: &Actor, entry: audit_entry::Model) -> audit_entry::Model {
    if shown_to(entry.action).is_none_or(|action| may(actor, action)) {
        return entry;
    }
    audit_entry::Model { before: entry.before.map(hidden), after: entry.after.map(hidden), ..entry }
}

/// What one must be allowed to do to see what such an action changes; nothing where only the log tells of it, or everybody sees it.
const fn shown_to(action: AuditAction) -> Option<Action> {
    Some(match action {
        AuditAction::TicketCreate
        | AuditAction::TicketMove
        | AuditAction::TicketUpdate
        | AuditAction::TicketSetDeliveryDate
        | AuditAction::TicketAssign
        | AuditAction::TicketAskClient
        | AuditAction::TicketRecordAnswer
        | AuditAction::TicketWatch
        | AuditAction::TicketUnwatch
        | AuditAction::TicketLink
        | AuditAction::TicketUnlink
        | AuditAction::CommentAdd
        | AuditAction::CommentEdit
        | AuditAction::CommentDelete
        | AuditAction::AttachmentRequest
        | AuditAction::AttachmentUpload
        | AuditAction::AttachmentDelete
        | AuditAction::PolicyUpdate
        | AuditAction::CalendarCreate
        | AuditAction::CalendarUpdate
        | AuditAction::ClockPause
        | AuditAction::ClockResume
        | AuditAction::ClockOverrideDue
        | AuditAction::BreachExcuse
        | AuditAction::AlertAcknowledge
        | AuditAction::AlertSnooze => Action::SeeInternals,
        AuditAction::CompanyCreate
        | AuditAction::CompanyUpdate
        | AuditAction::ContactCreate
        | AuditAction::ContactUpdate
        | AuditAction::ContactLink
        | AuditAction::ContactUnlink => Action::SeeClients,
        AuditAction::PersonCreate | AuditAction::PersonUpdate | AuditAction::PersonLink | AuditAction::PersonUnlink => {
            Action::SeePeople
        }
        AuditAction::NoticeRetry => Action::SeeNotices,
        AuditAction::SubtypeCreate
        | AuditAction::SubtypeArchive
        | AuditAction::TokenCreate
        | AuditAction::TokenRevoke => return None,
    })
}

/// An object with its names and the ids in it, which tell nothing by themselves.
fn hidden(told: Json) -> Json {
    let Json::Object(members) = told else { return Json::from(HIDDEN) };
    let hide = |(name, value): (String, Json)| {
        let is_open = value.is_null() || name.ends_with("Id");
        (name, if is_open { value } else { HIDDEN.into() })
    };
    Json::Object(members.into_iter().map(hide).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_ids_stay_and_values_do_not() {
        let told = json!({ "ticketId": "ticket_1", "body": "words", "size": 7, "teams": ["QA"], "tier": null });
        let expected = json!({ "ticketId": "ticket_1", "body": "***", "size": "***", "teams": "***", "tier": null });
        assert_eq!(hidden(told), expected);
        assert_eq!(hidden(json!("words")), json!("***"));
    }
}
