//! Which tickets.

use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use entity::vocab::Stage;

use super::{
    CategoryFilter, DEPTH_LIMIT, DateFilter, DateTimeFilter, IdFilter, NumberFilter, PriorityFilter, Reading,
    SeverityFilter, SourceFilter, StageFilter, TextFilter, days, ids, instants, within_limit,
};
use crate::{
    domain::process,
    graphql::error::ApiError,
    store::criteria::{Comparison, Criterion},
};

/// Which tickets.
#[derive(Clone, Debug, Default, InputObject)]
pub struct TicketFilter {
    /// The number in the key.
    number: Option<NumberFilter>,
    /// Where it stands.
    stage: Option<StageFilter>,
    /// Whether it is worked on: neither closed nor transferred.
    is_open: Option<bool>,
    /// The kind of issue.
    category: Option<CategoryFilter>,
    /// The kind of issue within its category.
    subtype_id: Option<IdFilter>,
    /// How badly it hurts.
    severity: Option<SeverityFilter>,
    /// How soon it is worked on.
    priority: Option<PriorityFilter>,
    /// How it entered.
    source: Option<SourceFilter>,
    /// The client.
    company_id: Option<IdFilter>,
    /// The client's person.
    contact_id: Option<IdFilter>,
    /// Who works on it.
    assignee_id: Option<IdFilter>,
    /// The subject.
    subject: Option<TextFilter>,
    /// The promised day.
    estimated_delivery_date: Option<DateFilter>,
    /// When it was filed.
    created_at: Option<DateTimeFilter>,
    /// When it was last changed.
    updated_at: Option<DateTimeFilter>,
    /// When the clock of its stage runs out.
    sla_due_at: Option<DateTimeFilter>,
    /// Whether the clock of its stage has run out.
    is_breached: Option<bool>,
    /// All of these must hold as well.
    and: Option<Vec<TicketFilter>>,
    /// One of these must hold as well; an empty list does not restrict.
    or: Option<Vec<TicketFilter>>,
    /// This must not hold, as far as is known.
    not: Option<Box<TicketFilter>>,
}

/// Who asks, and when.
#[derive(Clone, Copy)]
struct Asked {
    now: DateTime<Utc>,
    /// Whether staff ask, who see what contacts do not.
    is_internal: bool,
}

impl TicketFilter {
    /// The criteria of the filter, at `now`. What only staff see cannot be filtered by others.
    pub fn criteria(self, now: DateTime<Utc>, is_internal: bool) -> Result<Vec<Criterion>, ApiError> {
        self.read(Asked { now, is_internal }, &mut Reading::default(), 0)
    }

    fn read(self, asked: Asked, reading: &mut Reading, depth: usize) -> Result<Vec<Criterion>, ApiError> {
        if depth > DEPTH_LIMIT {
            return Err(ApiError::bad_input(format!("a filter nests and, or and not at most {DEPTH_LIMIT} deep")));
        }
        let hidden = self.priority.is_some() || self.sla_due_at.is_some() || self.is_breached.is_some();
        if hidden && !asked.is_internal {
            return Err(ApiError::bad_input("priority, slaDueAt and isBreached are for staff to filter by"));
        }
        let mut criteria = Vec::new();
        criteria.extend(reading.each(self.number.map(NumberFilter::comparisons), Criterion::Number)?);
        criteria.extend(reading.each(self.stage.map(StageFilter::comparisons), Criterion::Stage)?);
        criteria.extend(reading.each(self.category.map(CategoryFilter::comparisons), Criterion::Category)?);
        criteria.extend(reading.each(self.severity.map(SeverityFilter::comparisons), Criterion::Severity)?);
        criteria.extend(reading.each(self.priority.map(PriorityFilter::comparisons), Criterion::Priority)?);
        criteria.extend(reading.each(self.source.map(SourceFilter::comparisons), Criterion::Source)?);
        criteria.extend(reading.each(ids(self.subtype_id), Criterion::Subtype)?);
        criteria.extend(reading.each(ids(self.company_id), Criterion::Company)?);
        criteria.extend(reading.each(ids(self.contact_id), Criterion::Contact)?);
        criteria.extend(reading.each(ids(self.assignee_id), Criterion::Assignee)?);
        // The client hears of a date once it is promised.
        let date = if asked.is_internal { Criterion::EstimatedDeliveryDate } else { Criterion::PromisedDeliveryDate };
        criteria.extend(reading.each(days(self.estimated_delivery_date), date)?);
        criteria.extend(reading.each(instants(self.created_at)?, Criterion::CreatedAt)?);
        criteria.extend(reading.each(instants(self.updated_at)?, Criterion::UpdatedAt)?);
        criteria.extend(reading.each(instants(self.sla_due_at)?, Criterion::DueAt)?);
        criteria.extend(reading.texts(self.subject, Criterion::Subject)?);
        if let Some(is_open) = self.is_open {
            reading.count(Stage::all().count())?;
            let stages = Stage::all().filter(|stage| process::is_open(*stage) == is_open).collect();
            criteria.push(Criterion::Stage(Comparison::In(stages)));
        }
        let now = asked.now;
        reading.count(1)?;
        criteria.extend(self.is_breached.map(|breached| Criterion::Breached { breached, now }));
        if let Some(filters) = self.and {
            criteria.push(Criterion::All(nested(filters, asked, reading, depth)?));
        }
        if let Some(filters) = self.or.filter(|filters| !filters.is_empty()) {
            criteria.push(Criterion::Any(nested(filters, asked, reading, depth)?));
        }
        if let Some(filter) = self.not {
            criteria.push(Criterion::Not(filter.read(asked, reading, depth + 1)?));
        }
        Ok(criteria)
    }
}

fn nested(
    filters: Vec<TicketFilter>,
    asked: Asked,
    reading: &mut Reading,
    depth: usize,
) -> Result<Vec<Criterion>, ApiError> {
    within_limit(filters.len())?;
    filters.into_iter().map(|filter| filter.read(asked, reading, depth + 1).map(Criterion::All)).collect()
}
