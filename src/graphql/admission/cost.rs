//! What a request costs: one point for each field that its answer may have, and more for what is much work whatever it answers.
//!
//! A list counts as many times as it may be long: a connection as its `first` or `last` says, any other list ten times. It is
//! a measure of work that a front end can foresee from its query alone: an alias repeated thirty times pays thirty times. Expects a
//! measured document.

use async_graphql::{
    Name, Variables,
    parser::types::{
        BaseType, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet, Type,
    },
};
use async_graphql_value::{ConstValue, Value};

use super::introspection;
use crate::graphql::{
    connection::{DEFAULT_PAGE, LARGEST_PAGE},
    shape::{Shape, named, root},
};

/// What is charged before anything is looked at; part of the cost.
pub(super) const ENTRY: u64 = 1;
/// How many bytes of a document that is refused are read for a point: two thousand documents of the largest size in a minute.
const BYTES_READ: usize = 256;
/// A token that is looked up in vain.
pub const FAILED_TOKEN: u64 = 50;
/// A report goes through everything that happened within its time.
pub const REPORT: u64 = 2_000;
/// How long a list is thought to be that is no connection.
const USUAL_LENGTH: u64 = 10;
/// A mutation writes, with its history and its notices.
const MUTATION: u64 = 50;
/// A search among very many tickets, or a look at each row for a text that it contains: some tens of milliseconds.
const SEARCH: u64 = 500;
/// The total of a list is counted row by row.
const TOTAL: u64 = 250;
/// The two fields of a connection that have an entry per row.
const ROWS: [&str; 2] = ["edges", "nodes"];
/// The fields of a connection that each ask the database for the list anew.
const TOTAL_COUNT: &str = "totalCount";
const PAGE_INFO: &str = "pageInfo";
/// Fields of the root that are much work whatever they answer.
const WORK: [(&str, u64); 6] = [
    ("slaReport", REPORT),
    ("breachForecast", SEARCH),
    ("board", SEARCH),
    ("previewPolicyChange", REPORT),
    ("previewCalendarChange", REPORT),
    ("previewDue", 50),
];

/// What reading so many bytes costs that are then refused.
pub fn of_reading(bytes: usize) -> u64 {
    u64::try_from(bytes / BYTES_READ).unwrap_or(u64::MAX)
}

/// What an operation costs, in points.
pub(super) fn cost(
    shape: &Shape,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> u64 {
    let costing = Costing { shape, document, operation, variables };
    let fields = costing.selection_set(root(operation.ty), &operation.selection_set.node, None);
    if operation.ty == OperationType::Mutation {
        let mutations = u64::try_from(operation.selection_set.node.items.len()).unwrap_or(u64::MAX);
        return fields.saturating_add(mutations.saturating_mul(MUTATION));
    }
    fields
}

/// The part of a list that a connection asks for.
#[derive(Clone, Copy)]
struct Page {
    /// How many rows at most.
    rows: u64,
    /// What finding them costs, beside what they hold.
    finding: u64,
}

struct Costing<'a> {
    shape: &'a Shape,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
}

impl Costing<'_> {
    /// The fields of one object; `page` is the page whose connection it is.
    fn selection_set(&self, parent: &str, selection_set: &SelectionSet, page: Option<Page>) -> u64 {
        let costs = selection_set.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) => self.field(parent, &field.node, page),
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let on = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                self.selection_set(on, &fragment.node.selection_set.node, page)
            }
            Selection::FragmentSpread(spread) => {
                self.document.fragments.get(&spread.node.fragment_name.node).map_or(0, |fragment| {
                    let on = fragment.node.type_condition.node.on.node.as_str();
                    self.selection_set(on, &fragment.node.selection_set.node, page)
                })
            }
        });
        costs.fold(0, u64::saturating_add)
    }

    fn field(&self, parent: &str, field: &Field, page: Option<Page>) -> u64 {
        let name = field.name.node.as_str();
        let below = &field.selection_set.node;
        let Some(ty) = self.shape.field(parent, name) else {
            // Fields that do not exist have nothing below.
            return introspection::cost(self.shape, self.document, field);
        };
        let work = self.work(parent, name, page);
        if below.items.is_empty() {
            return work.saturating_add(1);
        }
        let of = named(ty);
        let times = match (page, is_list(ty)) {
            (Some(page), true) if ROWS.contains(&name) => page.rows,
            (_, true) => field.get_argument("ids").map_or(USUAL_LENGTH, |ids| self.length(&ids.node)),
            (_, false) => 1,
        };
        let page = of.ends_with("Connection").then(|| self.page(field));
        let finding = page.map_or(0, |page| page.finding);
        let rows = times.saturating_mul(self.selection_set(of, below, page).saturating_add(1));
        rows.saturating_add(work).saturating_add(finding)
    }

    /// What a field costs beside its answer.
    fn work(&self, parent: &str, name: &str, page: Option<Page>) -> u64 {
        match (name, page) {
            (TOTAL_COUNT, Some(page)) => page.finding.saturating_add(TOTAL),
            (PAGE_INFO, Some(page)) => page.finding,
            _ if parent == root(OperationType::Query) => {
                WORK.iter().find(|(field, _)| *field == name).map_or(0, |(_, work)| *work)
            }
            _ => 0,
        }
    }

    /// The page that a connection's arguments ask for.
    fn page(&self, field: &Field) -> Page {
        let asked = ["first", "last"].into_iter().filter_map(|name| self.number(&field.get_argument(name)?.node)).max();
        let rows = asked.map_or(DEFAULT_PAGE, |rows| rows.min(LARGEST_PAGE));
        let searches = field.get_argument("search").is_some_and(|text| !self.is_null(&text.node));
        let looks = field.get_argument("filter").map_or(0, |filter| self.contains(&filter.node));
        Page { rows, finding: looks.saturating_add(u64::from(searches)).saturating_mul(SEARCH) }
    }

    /// How often a filter looks for texts that contain something.
    fn contains(&self, filter: &Value) -> u64 {
        match filter {
            Value::Variable(name) => self.constant(name).map_or(0, contains),
            Value::List(filters) => filters.iter().map(|filter| self.contains(filter)).sum(),
            Value::Object(fields) => {
                let each = fields.iter().map(|(name, value)| match name.as_str() {
                    "contains" => u64::from(!self.is_null(value)),
                    _ => self.contains(value),
                });
                each.sum()
            }
            _ => 0,
        }
    }

    fn is_null(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Variable(name) => self.constant(name).is_none_or(|value| *value == ConstValue::Null),
            _ => false,
        }
    }

    /// How many values a list has.
    fn length(&self, value: &Value) -> u64 {
        let length = match value {
            Value::List(values) => values.len(),
            Value::Variable(name) => match self.constant(name) {
                Some(ConstValue::List(values)) => values.len(),
                _ => 1,
            },
            _ => 1,
        };
        u64::try_from(length).unwrap_or(u64::MAX)
    }

    fn number(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Number(number) => number.as_u64(),
            Value::Variable(name) => match self.constant(name)? {
                ConstValue::Number(number) => number.as_u64(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value of a variable, or its default.
    fn constant(&self, name: &Name) -> Option<&ConstValue> {
        self.variables.get(name).or_else(|| {
            let mut definitions = self.operation.variable_definitions.iter();
            let definition = definitions.find(|definition| definition.node.name.node == *name)?;
            Some(&definition.node.default_value.as_ref()?.node)
        })
    }
}

/// How often a filter among the variables looks for texts that contain something.
fn contains(filter: &ConstValue) -> u64 {
    match filter {
        ConstValue::List(filters) => filters.iter().map(contains).sum(),
        ConstValue::Object(fields) => {
            let each = fields.iter().map(|(name, value)| match (name.as_str(), value) {
                ("contains", ConstValue::Null) => 0,
                ("contains", _) => 1,
                (_, value) => contains(value),
            });
            each.sum()
        }
        _ => 0,
    }
}

const fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = "
        type Query {
            me: Person, node: Node, nodes(ids: [ID!]!): [Node]!, slaReport: Person,
            people(first: Int, last: Int, search: String, filter: Filter): PersonConnection!
        }
        type Mutation { rename: Person }
        interface Node { id: ID! }
        type Person { id: ID!, name: String!, tags: [String!]!, friends: [Person!]! }
        type PersonConnection { edges: [PersonEdge!]!, nodes: [Person!]!, totalCount: Int!, pageInfo: PageInfo! }
        type PageInfo { hasNextPage: Boolean! }
        type PersonEdge { cursor: String!, node: Person! }";

    fn cost_of(query: &str, variables: serde_json::Value) -> u64 {
        let document = parse_query(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        cost(&Shape::of(SCHEMA), &document, &operation.node, &Variables::from_json(variables))
    }

    #[test]
    fn each_field_of_the_largest_answer_is_a_point() {
        for (query, expected) in [
            ("{ me { name } }", 2),
            ("{ me { name tags } }", 3),
            ("{ me { friends { name } } }", 1 + 10 * 2),
            ("{ people { totalCount } }", 2 + TOTAL),
            ("{ people(search: \"e\") { nodes { id } } }", 1 + 50 * 2 + SEARCH),
            ("{ people(search: null) { nodes { id } } }", 1 + 50 * 2),
            ("{ people(search: \"e\") { totalCount } }", 2 + TOTAL + 2 * SEARCH),
            ("{ people(search: \"e\") { pageInfo { hasNextPage } } }", 3 + 2 * SEARCH),
            (
                "{ a: people(search: \"e\") { totalCount } b: people(search: \"e\") { totalCount } }",
                4 + 2 * TOTAL + 4 * SEARCH,
            ),
            (
                "{ people(filter: { name: { contains: \"x\" }, or: [{ name: { contains: \"y\" } }, { id: 1 }] }) { ...t } } \
                 fragment t on PersonConnection { totalCount }",
                2 + TOTAL + 4 * SEARCH,
            ),
            ("{ nodes(ids: [1, 2, 3]) { id } }", 6),
            ("{ slaReport { name } }", 2 + REPORT),
            ("{ people(first: 5) { nodes { id name } } }", 1 + 5 * 3),
            ("{ people(last: 5) { edges { cursor node { id } } } }", 1 + 5 * 4),
            ("{ people { nodes { id } } }", 1 + 50 * 2),
            ("{ people(first: 1000000) { nodes { id } } }", 1 + 100 * 2),
            (
                "{ people(first: 2) { ...rows } } fragment rows on PersonConnection { nodes { friends { id } } }",
                1 + 2 * 21,
            ),
            ("{ node { ... on Person { name friends { id } } } }", 1 + 1 + 20),
            ("mutation { rename { id } }", MUTATION + 2),
        ] {
            assert_eq!(cost_of(query, json!({})), expected, "{query}");
        }
    }

    #[test]
    fn the_size_of_a_page_may_be_a_variable() {
        let query = "query($n: Int = 7) { people(first: $n) { nodes { id } } }";
        assert_eq!(cost_of(query, json!({ "n": 3 })), 1 + 3 * 2);
        assert_eq!(cost_of(query, json!({})), 1 + 7 * 2);
        assert_eq!(cost_of(query, json!({ "n": -1 })), 1 + 50 * 2);
    }

    #[test]
    fn what_is_searched_for_may_be_a_variable() {
        let query = "query($text: String, $filter: Filter) { people(search: $text, filter: $filter) { nodes { id } } }";
        let contains = |text| json!({ "filter": { "and": [{ "name": { "contains": text } }] } });
        assert_eq!(cost_of(query, json!({ "text": "e" })), 1 + 50 * 2 + SEARCH);
        assert_eq!(cost_of(query, contains(json!("x"))), 1 + 50 * 2 + SEARCH);
        for nothing in [json!({ "text": null }), json!({}), contains(json!(null))] {
            assert_eq!(cost_of(query, nothing), 1 + 50 * 2);
        }
        let by_ids = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        assert_eq!(cost_of(by_ids, json!({ "ids": vec![1; 100] })), 200);
    }
}
