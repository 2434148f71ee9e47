//! Reading by id, many at a time: what the loaders of the API ask. An id of what the actor may not see finds nothing.

use std::collections::HashMap;

use entity::{
    audit_entry, calendar, clarification, company, contact,
    id::{
        AuditEntryId, CalendarId, ClarificationId, CompanyId, ContactId, NoticeId, PersonId, SlaAlertId, SlaPolicyId,
        StageVisitId, TicketId, TicketSubtypeId,
    },
    notice, sla_alert, sla_policy, ticket_event, ticket_subtype,
};

use crate::{
    domain::{
        actor::{Action, Actor},
        visit::Visit,
    },
    service::{
        Result, Service,
        audit::{AUDITORS, for_reader},
        queries::{STAFF, WithNames, addressee, doer, ticket_scope},
        require,
    },
    store::{self, directory::PersonWithTeams, tickets::TicketView},
};

impl Service {
    /// Some tickets, by id.
    pub async fn tickets_by_id(&self, actor: &Actor, ids: &[TicketId]) -> Result<HashMap<TicketId, TicketView>> {
        Ok(store::tickets::find_many(&self.db, ticket_scope(actor)?, ids).await?)
    }

    /// Some alerts.
    pub async fn alerts_by_id(
        &self,
        actor: &Actor,
        ids: &[SlaAlertId],
    ) -> Result<HashMap<SlaAlertId, sla_alert::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::alerts::by_id(&self.db, ids).await?)
    }

    /// Some companies; a contact sees their own.
    pub async fn companies_by_id(
        &self,
        actor: &Actor,
        ids: &[CompanyId],
    ) -> Result<HashMap<CompanyId, company::Model>> {
        Ok(store::directory::companies_by_id(&self.db, actor.company_scope(), ids).await?)
    }

    /// Some contacts; a contact sees those of their own company.
    pub async fn contacts_by_id(&self, actor: &Actor, ids: &[ContactId]) -> Result<HashMap<ContactId, contact::Model>> {
        Ok(store::directory::contacts_by_id(&self.db, actor.company_scope(), ids).await?)
    }

    /// Some people. A contact sees their names, for they answer for a ticket.
    pub async fn people_by_id(&self, ids: &[PersonId]) -> Result<HashMap<PersonId, PersonWithTeams>> {
        Ok(store::directory::people_by_id(&self.db, ids).await?)
    }

    /// Some events of tickets that the actor can see.
    pub async fn events_by_id(
        &self,
        actor: &Actor,
        ids: &[i64],
    ) -> Result<HashMap<i64, WithNames<ticket_event::Model>>> {
        let rows = store::events::by_id(&self.db, ticket_scope(actor)?, ids).await?;
        let named = self.with_names(rows, doer).await?;
        Ok(named.into_iter().map(|event| (event.row.id, event)).collect())
    }

    /// Some questions about tickets that the actor can see.
    pub async fn clarifications_by_id(
        &self,
        actor: &Actor,
        ids: &[ClarificationId],
    ) -> Result<HashMap<ClarificationId, WithNames<clarification::Model>>> {
        let rows = store::clarifications::by_id(&self.db, ticket_scope(actor)?, ids).await?;
        let named = self.with_names(rows, |row| (row.asked_by, Some(row.contact_id))).await?;
        Ok(named.into_iter().map(|question| (question.row.id, question)).collect())
    }

    /// Some visits. Only staff see clocks.
    pub async fn visits_by_id(&self, actor: &Actor, ids: &[StageVisitId]) -> Result<HashMap<StageVisitId, Visit>> {
        require(actor, Action::SeeInternals, STAFF)?;
        Ok(store::visits::by_id(&self.db, ids).await?.into_iter().map(|visit| (visit.id, visit)).collect())
    }

    /// Some notices. Only staff see the ledger.
    pub async fn notices_by_id(
        &self,
        actor: &Actor,
        ids: &[NoticeId],
    ) -> Result<HashMap<NoticeId, WithNames<notice::Model>>> {
        require(actor, Action::SeeNotices, STAFF)?;
        let rows = store::notices::by_id(&self.db, ids).await?;
        let named = self.with_names(rows, addressee).await?;
        Ok(named.into_iter().map(|notice| (notice.row.id, notice)).collect())
    }

    /// Some entries of the audit log.
    pub async fn audit_entries_by_id(
        &self,
        actor: &Actor,
        ids: &[AuditEntryId],
    ) -> Result<HashMap<AuditEntryId, audit_entry::Model>> {
        require(actor, Action::ReadAudit, AUDITORS)?;
        let entries = store::audit::by_id(&self.db, ids).await?.into_iter();
        Ok(entries.map(|(id, entry)| (id, for_reader(actor, entry))).collect())
    }

    /// Some subtypes.
    pub async fn ticket_subtypes_by_id(
        &self,
        ids: &[TicketSubtypeId],
    ) -> Result<HashMap<TicketSubtypeId, ticket_subtype::Model>> {
        let rows = store::directory::subtypes_by_id(&self.db, ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    /// Some calendars.
    pub async fn calendars_by_id(
        &self,
        actor: &Actor,
        ids: &[CalendarId],
    ) -> Result<HashMap<CalendarId, calendar::Model>> {
        require(actor, Action::SeeInternals, STAFF)?;
        let rows = store::policies::calendars_by_id(&self.db, ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    /// Some SLA policies with their calendars; there are only a few in all.
    pub async fn sla_policies_by_id(
        &self,
        actor: &Actor,
        ids: &[SlaPolicyId],
    ) -> Result<HashMap<SlaPolicyId, (sla_policy::Model, calendar::Model)>> {
        let policies = self.sla_policies(actor).await?.into_iter();
        Ok(policies.map(|rows| (rows.0.id, rows)).filter(|(id, _)| ids.contains(id)).collect())
    }
}
