//! Filters as comparator inputs. What is left out does not restrict; all that is given must hold.
//!
//! Example: `tickets(filter: { stage: { eq: FIXING }, not: { assigneeId: { isNull: true } } })`.

mod lists;
mod order;
mod tickets;

use async_graphql::{Context, ID, InputObject};
use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    id::TicketId,
    vocab::{
        AlertLevel, Category, CompanyTier, NoticeKind, NoticeState, Priority, Severity, Stage, Team, TicketSource,
    },
};
use uuid::Uuid;

use crate::{
    domain::instant::OUT_OF_RANGE,
    graphql::{
        error::ApiError,
        id::{self, parse_reference},
        scalar::Date,
    },
    store::{
        criteria::{Comparison, TextComparison},
        page::{is_comparable, is_storable},
    },
};

pub use self::{
    lists::{CompanyFilter, ContactFilter, NoticesFilter, PersonFilter, SlaAlertFilter},
    order::{TicketOrder, read_orders},
    tickets::TicketFilter,
};

/// `and`, `or` and `not` may stand in each other so deep.
const DEPTH_LIMIT: usize = 5;
/// Characters of a text to compare with: more than any subject or name has.
const TEXT_LIMIT: usize = 1_000;
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
    /// Compares the tier of a company's contract.
    CompanyTierFilter(CompanyTier),
    /// Compares a team.
    TeamFilter(Team),
    /// Compares how far an alert has climbed.
    AlertLevelFilter(AlertLevel),
    /// Compares where a notice stands on its way.
    NoticeStateFilter(NoticeState),
    /// Compares what a notice is about.
    NoticeKindFilter(NoticeKind),
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
    /// Is not this.
    neq: Option<String>,
    /// Is one of these, to the letter.
    r#in: Option<Vec<String>>,
    /// Contains this, in any case.
    contains: Option<String>,
}

/// A filter that is being read.
#[derive(Default)]
struct Reading {
    /// The values that it compares with so far.
    values: usize,
}

impl Reading {
    fn each<V, T>(
        &mut self,
        comparisons: Option<Vec<Comparison<V>>>,
        criterion: impl Fn(Comparison<V>) -> T,
    ) -> Result<Vec<T>, ApiError> {
        let comparisons = comparisons.unwrap_or_default();
        for comparison in &comparisons {
            let values = if let Comparison::In(values) = comparison { values.len() } else { 1 };
            within_limit(values)?;
            self.count(values)?;
        }
        Ok(comparisons.into_iter().map(criterion).collect())
    }

    fn texts<T>(
        &mut self,
        filter: Option<TextFilter>,
        criterion: impl Fn(TextComparison) -> T,
    ) -> Result<Vec<T>, ApiError> {
        let TextFilter { eq, neq, r#in, contains } = filter.unwrap_or_default();
        let texts = [&eq, &neq, &contains].into_iter().flatten().chain(r#in.iter().flatten());
        if texts.into_iter().any(|text| text.chars().count() > TEXT_LIMIT || !is_storable(text)) {
            let message = format!("a text in a filter has at most {TEXT_LIMIT} characters, and no U+0000");
            return Err(ApiError::bad_input(message));
        }
        let exact = [eq.map(Comparison::Eq), neq.map(Comparison::Neq), r#in.map(Comparison::In)];
        let exact = exact.into_iter().flatten().collect();
        let mut criteria = self.each(Some(exact), |comparison| criterion(TextComparison::Exactly(comparison)))?;
        self.count(1)?;
        criteria.extend(contains.map(|text| criterion(TextComparison::Contains(text))));
        Ok(criteria)
    }

    fn count(&mut self, values: usize) -> Result<(), ApiError> {
        self.values += values;
        if self.values <= VALUES_LIMIT {
            return Ok(());
        }
        Err(ApiError::bad_input(format!("a filter compares with at most {VALUES_LIMIT} values in all")))
    }
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
    if far_off { Err(ApiError::bad_input(OUT_OF_RANGE)) } else { Ok(Some(comparisons)) }
}

fn ids<Id: std::str::FromStr + From<Uuid>>(filter: Option<IdFilter>) -> Option<Vec<Comparison<Id>>> {
    let read = |comparison| map(comparison, |id: ID| parse_reference(&id));
    Some(filter?.comparisons().into_iter().map(read).collect())
}

/// The tickets that ids or keys name.
async fn tickets(
    context: &Context<'_>,
    filter: Option<IdFilter>,
) -> Result<Option<Vec<Comparison<TicketId>>>, ApiError> {
    let mut comparisons = Vec::new();
    for comparison in filter.map(IdFilter::comparisons).unwrap_or_default() {
        comparisons.push(match comparison {
            Comparison::Eq(ticket) => Comparison::Eq(id::ticket(context, &ticket).await?),
            Comparison::Neq(ticket) => Comparison::Neq(id::ticket(context, &ticket).await?),
            Comparison::In(tickets) => {
                within_limit(tickets.len())?;
                let mut ids = Vec::new();
                for ticket in &tickets {
                    ids.push(id::ticket(context, ticket).await?);
                }
                Comparison::In(ids)
            }
            other => map(other, |id: ID| parse_reference(&id)),
        });
    }
    Ok(Some(comparisons))
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
