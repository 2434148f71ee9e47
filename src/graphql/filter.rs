//! Filters as comparator inputs. What is left out does not restrict; all that is given must hold.

use async_graphql::{Enum, ID, InputObject};
use chrono::{DateTime, NaiveDate, Utc};
use entity::sla_alert;
use entity::vocab::{AlertLevel, Category, NoticeKind, NoticeState, Priority, Severity, Stage, Team, TicketSource};
use sea_orm::Order;
use uuid::Uuid;

use crate::{
    domain::process,
    graphql::{error::ApiError, id::parse_reference, scalar::Date},
    store::{
        alerts::AlertFilter,
        criteria::{Comparison, Criterion},
        notices::NoticeFilter,
        page::{is_comparable, is_storable},
        tickets::TicketSort,
    },
};

/// `and` and `or` may stand in each other so deep.
const DEPTH_LIMIT: usize = 5;
/// Members of `in`, `and` and `or` lists.
const LIST_LIMIT: usize = 100;
/// Values in all: SQLite nests an expression a thousand deep and takes 32,766 parameters, PostgreSQL 65,535.
const VALUES_LIMIT: usize = 500;

macro_rules! word_filters {
    ($($(#[$about:meta])* $name:ident($word:ty)),+ $(,)?) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, InputObject)]
        pub struct $name {
            /// Is this.
            eq: Option<$word>,
            /// Is not this, or is not known.
            neq: Option<$word>,
            /// Is one of these.
            r#in: Option<Vec<$word>>,
            /// Whether it is not known.
            is_null: Option<bool>,
        }

        impl $name {
            fn comparisons(self) -> Vec<Comparison<$word>> {
                let Self { eq, neq, r#in, is_null } = self;
                let found = [
                    eq.map(Comparison::Eq), neq.map(Comparison::Neq), r#in.map(Comparison::In),
                    is_null.map(Comparison::IsNull),
                ];
                found.into_iter().flatten().collect()
            }
        }
    )+};
}

macro_rules! ordered_filters {
    ($($(#[$about:meta])* $name:ident($value:ty)),+ $(,)?) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, InputObject)]
        pub struct $name {
            /// Is this.
            eq: Option<$value>,
            /// Is not this, or is not known.
            neq: Option<$value>,
            /// Is one of these.
            r#in: Option<Vec<$value>>,
            /// Is more, or later.
            gt: Option<$value>,
            /// Is this, more, or later.
            gte: Option<$value>,
            /// Is less, or earlier.
            lt: Option<$value>,
            /// Is this, less, or earlier.
            lte: Option<$value>,
            /// Whether it is not known.
            is_null: Option<bool>,
        }

        impl $name {
            fn comparisons(self) -> Vec<Comparison<$value>> {
                let Self { eq, neq, r#in, gt, gte, lt, lte, is_null } = self;
                let found = [
                    eq.map(Comparison::Eq), neq.map(Comparison::Neq), r#in.map(Comparison::In),
                    gt.map(Comparison::Gt), gte.map(Comparison::Gte), lt.map(Comparison::Lt),
                    lte.map(Comparison::Lte), is_null.map(Comparison::IsNull),
                ];
                found.into_iter().flatten().collect()
            }
        }
    )+};
}

word_filters! {
    /// Compares a stage.
    StageFilter(Stage),
    /// Compares a category.
    CategoryFilter(Category),
    /// Compares a severity.
    SeverityFilter(Severity),
    /// Compares a priority.
    PriorityFilter(Priority),
    /// Compares how a ticket entered.
    SourceFilter(TicketSource),
    /// Compares what an id names.
    IdFilter(ID),
}

ordered_filters! {
    /// Compares a number.
    NumberFilter(i64),
    /// Compares a day.
    DateFilter(Date),
    /// Compares an instant.
    DateTimeFilter(DateTime<Utc>),
}

/// Compares a text.
#[derive(Clone, Debug, Default, InputObject)]
pub struct TextFilter {
    /// Is this, to the letter.
    eq: Option<String>,
    /// Contains this, in any case.
    contains: Option<String>,
}

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
    /// One of these must hold as well.
    or: Option<Vec<TicketFilter>>,
}

impl TicketFilter {
    /// The criteria of the filter, at `now`. What only staff see cannot be filtered by others.
    pub fn criteria(self, now: DateTime<Utc>, is_internal: bool) -> Result<Vec<Criterion>, ApiError> {
        self.read(&mut Reading { now, is_internal, values: 0 }, 0)
    }

    fn read(self, reading: &mut Reading, depth: usize) -> Result<Vec<Criterion>, ApiError> {
        if depth > DEPTH_LIMIT {
            return Err(ApiError::bad_input(format!("a filter nests and/or at most {DEPTH_LIMIT} deep")));
        }
        let hidden = self.priority.is_some() || self.sla_due_at.is_some() || self.is_breached.is_some();
        if hidden && !reading.is_internal {
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
        let date = if reading.is_internal { Criterion::EstimatedDeliveryDate } else { Criterion::PromisedDeliveryDate };
        criteria.extend(reading.each(days(self.estimated_delivery_date), date)?);
        criteria.extend(reading.each(instants(self.created_at)?, Criterion::CreatedAt)?);
        criteria.extend(reading.each(instants(self.updated_at)?, Criterion::UpdatedAt)?);
        criteria.extend(reading.each(instants(self.sla_due_at)?, Criterion::DueAt)?);
        if let Some(TextFilter { eq, contains }) = self.subject {
            if [&eq, &contains].into_iter().flatten().any(|text| !is_storable(text)) {
                return Err(ApiError::bad_input("no text contains U+0000"));
            }
            reading.count(2)?;
            criteria.extend(eq.map(|text| Criterion::Subject(Comparison::Eq(text))));
            criteria.extend(contains.map(Criterion::SubjectContains));
        }
        if let Some(is_open) = self.is_open {
            reading.count(Stage::all().count())?;
            let stages = Stage::all().filter(|stage| process::is_open(*stage) == is_open).collect();
            criteria.push(Criterion::Stage(Comparison::In(stages)));
        }
        let now = reading.now;
        reading.count(1)?;
        criteria.extend(self.is_breached.map(|breached| Criterion::Breached { breached, now }));
        if let Some(filters) = self.and {
            criteria.push(Criterion::All(nested(filters, reading, depth)?));
        }
        if let Some(filters) = self.or {
            criteria.push(Criterion::Any(nested(filters, reading, depth)?));
        }
        Ok(criteria)
    }
}

/// A filter that is being read.
struct Reading {
    now: DateTime<Utc>,
    /// Whether staff ask, who see what contacts do not.
    is_internal: bool,
    /// The values that it compares with so far.
    values: usize,
}

impl Reading {
    fn each<T>(
        &mut self,
        comparisons: Option<Vec<Comparison<T>>>,
        criterion: impl Fn(Comparison<T>) -> Criterion,
    ) -> Result<Vec<Criterion>, ApiError> {
        let comparisons = comparisons.unwrap_or_default();
        for comparison in &comparisons {
            let values = if let Comparison::In(values) = comparison { values.len() } else { 1 };
            within_limit(values)?;
            self.count(values)?;
        }
        Ok(comparisons.into_iter().map(criterion).collect())
    }

    fn count(&mut self, values: usize) -> Result<(), ApiError> {
        self.values += values;
        if self.values <= VALUES_LIMIT {
            return Ok(());
        }
        Err(ApiError::bad_input(format!("a filter compares with at most {VALUES_LIMIT} values in all")))
    }
}

fn nested(filters: Vec<TicketFilter>, reading: &mut Reading, depth: usize) -> Result<Vec<Criterion>, ApiError> {
    within_limit(filters.len())?;
    filters.into_iter().map(|filter| filter.read(reading, depth + 1).map(Criterion::All)).collect()
}

fn within_limit(length: usize) -> Result<(), ApiError> {
    if length <= LIST_LIMIT {
        return Ok(());
    }
    Err(ApiError::bad_input(format!("a list in a filter has at most {LIST_LIMIT} members")))
}

fn instants(filter: Option<DateTimeFilter>) -> Result<Option<Vec<Comparison<DateTime<Utc>>>>, ApiError> {
    let mut far_off = false;
    let mut checked = |at: DateTime<Utc>| {
        far_off |= !is_comparable(at);
        at
    };
    let comparisons = filter.map(DateTimeFilter::comparisons).unwrap_or_default();
    let comparisons = comparisons.into_iter().map(|comparison| map(comparison, &mut checked)).collect();
    if far_off { Err(ApiError::bad_input("an instant has a year of four digits")) } else { Ok(Some(comparisons)) }
}

fn ids<Id: std::str::FromStr + From<Uuid>>(filter: Option<IdFilter>) -> Option<Vec<Comparison<Id>>> {
    let read = |comparison| map(comparison, |id: ID| parse_reference(&id));
    Some(filter?.comparisons().into_iter().map(read).collect())
}

fn days(filter: Option<DateFilter>) -> Option<Vec<Comparison<NaiveDate>>> {
    Some(filter?.comparisons().into_iter().map(|comparison| map(comparison, |date: Date| date.0)).collect())
}

fn map<T, U>(comparison: Comparison<T>, mut into: impl FnMut(T) -> U) -> Comparison<U> {
    match comparison {
        Comparison::Eq(value) => Comparison::Eq(into(value)),
        Comparison::Neq(value) => Comparison::Neq(into(value)),
        Comparison::In(values) => Comparison::In(values.into_iter().map(into).collect()),
        Comparison::Gt(value) => Comparison::Gt(into(value)),
        Comparison::Gte(value) => Comparison::Gte(into(value)),
        Comparison::Lt(value) => Comparison::Lt(into(value)),
        Comparison::Lte(value) => Comparison::Lte(into(value)),
        Comparison::IsNull(is_null) => Comparison::IsNull(is_null),
    }
}

/// What tickets are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum TicketOrderField {
    /// The number in the key, which is the order of filing.
    Number,
    /// When it was last changed.
    UpdatedAt,
    /// When the clock of its stage runs out; tickets without a due time come last. For staff.
    SlaDueAt,
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// The least, or the earliest, first.
    Asc,
    /// The most, or the latest, first.
    Desc,
}

/// How tickets are sorted; the id breaks ties.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct TicketOrder {
    /// By what.
    pub field: TicketOrderField,
    /// Which way.
    pub direction: OrderDirection,
}

impl TicketOrder {
    /// The order for the store, and its name in cursors.
    pub const fn read(self) -> (TicketSort, Order, &'static str) {
        match (self.field, self.direction) {
            (TicketOrderField::Number, OrderDirection::Asc) => (TicketSort::Number, Order::Asc, "number"),
            (TicketOrderField::Number, OrderDirection::Desc) => (TicketSort::Number, Order::Desc, "-number"),
            (TicketOrderField::UpdatedAt, OrderDirection::Asc) => (TicketSort::UpdatedAt, Order::Asc, "updated"),
            (TicketOrderField::UpdatedAt, OrderDirection::Desc) => (TicketSort::UpdatedAt, Order::Desc, "-updated"),
            (TicketOrderField::SlaDueAt, OrderDirection::Asc) => (TicketSort::DueAt, Order::Asc, "due"),
            (TicketOrderField::SlaDueAt, OrderDirection::Desc) => (TicketSort::DueAt, Order::Desc, "-due"),
        }
    }
}

/// Which alerts.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct SlaAlertFilter {
    /// Of this stage.
    pub stage: Option<Stage>,
    /// Of stages that this team owns.
    pub team: Option<Team>,
    /// Of this level.
    pub level: Option<AlertLevel>,
}

impl SlaAlertFilter {
    /// Whether it is one of those.
    pub fn matches(&self, alert: &sla_alert::Model) -> bool {
        self.stage.is_none_or(|stage| stage == alert.stage)
            && self.team.is_none_or(|team| team == alert.team)
            && self.level.is_none_or(|level| level == alert.level)
    }
}

impl From<SlaAlertFilter> for AlertFilter {
    fn from(filter: SlaAlertFilter) -> Self {
        Self { stage: filter.stage, team: filter.team, level: filter.level }
    }
}

/// Which notices.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct NoticesFilter {
    /// In this state.
    state: Option<NoticeState>,
    /// Of this kind.
    kind: Option<NoticeKind>,
}

impl From<NoticesFilter> for NoticeFilter {
    fn from(filter: NoticesFilter) -> Self {
        Self { state: filter.state, kind: filter.kind }
    }
}
