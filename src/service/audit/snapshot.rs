//! What the audit log keeps of each thing: what people state of it. Never hashes or secrets.

use entity::{
    attachment, calendar, comment, company, contact, ticket_subtype,
    vocab::{Stage, Team},
};
use serde_json::{Value as Json, json};

use crate::{
    domain::{facts::Facts, policy::PolicyTerms, ticket::Ticket},
    store::{StoreError, directory::PersonWithTeams},
};

pub(in crate::service) fn of_comment(row: &comment::Model) -> Json {
    json!({ "ticketId": row.ticket_id.to_string(), "visibility": row.visibility, "body": row.body })
}

pub(in crate::service) fn of_attachment(row: &attachment::Model) -> Json {
    json!({
        "ticketId": row.ticket_id.to_string(),
        "commentId": row.comment_id.map(|id| id.to_string()),
        "visibility": row.visibility,
        "fileName": row.file_name,
        "contentType": row.content_type,
        "size": row.size,
    })
}

pub(in crate::service) fn of_ticket(ticket: &Ticket) -> Json {
    let mut snapshot = json!({
        "key": ticket.key(),
        "companyId": ticket.company.id.to_string(),
        "contactId": ticket.contact.id.to_string(),
        "levelOneReference": ticket.level_one_reference,
        "stage": ticket.stage,
        "assigneeId": ticket.assignee.as_ref().map(|person| person.id.to_string()),
        "transferredTo": ticket.transferred_to,
        "deEscalationReasons": ticket.de_escalation_reasons,
        "proposedPriority": ticket.proposed_priority,
        "promisedDeliveryDate": ticket.promised_delivery_date,
        "firstPromisedDate": ticket.first_promised_date,
        "deliveredOn": ticket.delivered_on,
    });
    if let Some(members) = snapshot.as_object_mut() {
        let facts = Facts::changes(None, &ticket.facts).into_iter();
        members.extend(facts.map(|fact| (fact.field.word(), fact.after.into())));
    }
    snapshot
}

pub(in crate::service) fn of_company(row: &company::Model) -> Json {
    json!({ "name": row.name, "tier": row.tier })
}

pub(in crate::service) fn of_contact(row: &contact::Model) -> Json {
    json!({
        "companyId": row.company_id.to_string(),
        "name": row.name,
        "email": row.email,
        "locale": row.locale,
        "timeZone": row.time_zone,
        "isActive": row.active,
    })
}

pub(in crate::service) fn of_person(row: &PersonWithTeams) -> Json {
    let PersonWithTeams { person, teams, manages } = row;
    json!({
        "name": person.name,
        "email": person.email,
        "locale": person.locale,
        "timeZone": person.time_zone,
        "calendarId": person.calendar_id.map(|id| id.to_string()),
        "teams": sorted(teams),
        "manages": sorted(manages),
        "isAdministrator": person.administrator,
        "isActive": person.active,
    })
}

pub(in crate::service) fn of_subtype(row: &ticket_subtype::Model) -> Json {
    json!({ "category": row.category, "name": row.name, "isArchived": row.archived_at.is_some() })
}

pub(in crate::service) fn of_policy(stage: Stage, terms: &PolicyTerms) -> Result<Json, StoreError> {
    let mut policy = serde_json::to_value(terms).map_err(|error| StoreError::corrupt("policy", error))?;
    if let Some(members) = policy.as_object_mut() {
        members.insert("stage".to_owned(), json!(stage));
        members.insert("calendar_id".to_owned(), json!(terms.calendar_id.to_string()));
    }
    Ok(policy)
}

pub(in crate::service) fn of_calendar(row: &calendar::Model) -> Json {
    json!({ "name": row.name, "definition": row.definition })
}

fn sorted(teams: &[Team]) -> Vec<Team> {
    let mut teams = teams.to_vec();
    teams.sort();
    teams
}
