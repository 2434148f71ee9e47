//! Which companies, contacts, people, alerts and notices.

use async_graphql::{Context, InputObject};

use super::{
    AlertLevelFilter, CompanyTierFilter, DateTimeFilter, IdFilter, NoticeKindFilter, NoticeStateFilter, Reading,
    StageFilter, TeamFilter, TextFilter, ids, instants, tickets,
};
use crate::{
    graphql::error::ApiError,
    store::{
        alerts::AlertCriterion,
        directory_lists::{CompanyCriterion, ContactCriterion, PersonCriterion},
        notices::NoticeCriterion,
    },
};

/// Which companies.
#[derive(Clone, Debug, Default, InputObject)]
pub struct CompanyFilter {
    /// Its name.
    name: Option<TextFilter>,
    /// How important its contract is. For staff.
    tier: Option<CompanyTierFilter>,
}

impl CompanyFilter {
    /// The criteria of the filter. What only staff see cannot be filtered by others.
    pub fn criteria(self, is_internal: bool) -> Result<Vec<CompanyCriterion>, ApiError> {
        if self.tier.is_some() && !is_internal {
            return Err(ApiError::bad_input("tier is for staff to filter by"));
        }
        let mut reading = Reading::default();
        let mut criteria = reading.texts(self.name, CompanyCriterion::Name)?;
        criteria.extend(reading.each(self.tier.map(CompanyTierFilter::comparisons), CompanyCriterion::Tier)?);
        Ok(criteria)
    }
}

/// Which contacts.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ContactFilter {
    /// The company.
    company_id: Option<IdFilter>,
    /// The name.
    name: Option<TextFilter>,
    /// The mail address; the case of ASCII letters does not count. For staff.
    email: Option<TextFilter>,
    /// Whether they sign in and get mail. For staff.
    is_active: Option<bool>,
}

impl ContactFilter {
    /// The criteria of the filter. What only staff see cannot be filtered by others.
    pub fn criteria(self, is_internal: bool) -> Result<Vec<ContactCriterion>, ApiError> {
        if self.email.is_some() && !is_internal {
            return Err(ApiError::bad_input("email is for staff to filter by"));
        }
        if self.is_active.is_some() && !is_internal {
            return Err(ApiError::bad_input("isActive is for staff to filter by"));
        }
        let mut reading = Reading::default();
        let mut criteria = reading.each(ids(self.company_id), ContactCriterion::Company)?;
        criteria.extend(reading.texts(self.name, ContactCriterion::Name)?);
        criteria.extend(reading.texts(self.email, ContactCriterion::Email)?);
        criteria.extend(self.is_active.map(ContactCriterion::Active));
        Ok(criteria)
    }
}

/// Which members of staff.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PersonFilter {
    /// The name.
    name: Option<TextFilter>,
    /// The mail address; the case of ASCII letters does not count.
    email: Option<TextFilter>,
    /// A team that they work in or manage.
    team: Option<TeamFilter>,
    /// Whether they sign in and get mail.
    is_active: Option<bool>,
}

impl PersonFilter {
    /// The criteria of the filter.
    pub fn criteria(self) -> Result<Vec<PersonCriterion>, ApiError> {
        let mut reading = Reading::default();
        let mut criteria = reading.texts(self.name, PersonCriterion::Name)?;
        criteria.extend(reading.texts(self.email, PersonCriterion::Email)?);
        criteria.extend(reading.each(self.team.map(TeamFilter::comparisons), PersonCriterion::Team)?);
        criteria.extend(self.is_active.map(PersonCriterion::Active));
        Ok(criteria)
    }
}

/// Which alerts.
#[derive(Clone, Debug, Default, InputObject)]
pub struct SlaAlertFilter {
    /// The ticket, by id or key.
    ticket_id: Option<IdFilter>,
    /// The stage.
    stage: Option<StageFilter>,
    /// The team that owns the stage.
    team: Option<TeamFilter>,
    /// How far it has climbed.
    level: Option<AlertLevelFilter>,
    /// When the scan saw it.
    detected_at: Option<DateTimeFilter>,
}

impl SlaAlertFilter {
    /// The criteria of the filter.
    pub async fn criteria(self, context: &Context<'_>) -> Result<Vec<AlertCriterion>, ApiError> {
        let mut reading = Reading::default();
        let mut criteria = reading.each(tickets(context, self.ticket_id).await?, AlertCriterion::Ticket)?;
        criteria.extend(reading.each(self.stage.map(StageFilter::comparisons), AlertCriterion::Stage)?);
        criteria.extend(reading.each(self.team.map(TeamFilter::comparisons), AlertCriterion::Team)?);
        criteria.extend(reading.each(self.level.map(AlertLevelFilter::comparisons), AlertCriterion::Level)?);
        criteria.extend(reading.each(instants(self.detected_at)?, AlertCriterion::DetectedAt)?);
        Ok(criteria)
    }
}

/// Which notices.
#[derive(Clone, Debug, Default, InputObject)]
pub struct NoticesFilter {
    /// The ticket, by id or key.
    ticket_id: Option<IdFilter>,
    /// Where it stands on its way.
    state: Option<NoticeStateFilter>,
    /// What it is about.
    kind: Option<NoticeKindFilter>,
    /// The contact it goes to.
    contact_id: Option<IdFilter>,
    /// The member of staff it goes to.
    person_id: Option<IdFilter>,
    /// When it was written.
    created_at: Option<DateTimeFilter>,
}

impl NoticesFilter {
    /// The criteria of the filter.
    pub async fn criteria(self, context: &Context<'_>) -> Result<Vec<NoticeCriterion>, ApiError> {
        let mut reading = Reading::default();
        let mut criteria = reading.each(tickets(context, self.ticket_id).await?, NoticeCriterion::Ticket)?;
        criteria.extend(reading.each(self.state.map(NoticeStateFilter::comparisons), NoticeCriterion::State)?);
        criteria.extend(reading.each(self.kind.map(NoticeKindFilter::comparisons), NoticeCriterion::Kind)?);
        criteria.extend(reading.each(ids(self.contact_id), NoticeCriterion::Contact)?);
        criteria.extend(reading.each(ids(self.person_id), NoticeCriterion::Person)?);
        criteria.extend(reading.each(instants(self.created_at)?, NoticeCriterion::CreatedAt)?);
        Ok(criteria)
    }
}
