//! What a request costs: one point for each field that its answer may have.
//!
//! A list counts as many times as it may be long: a connection as its `first` or `last` says, any other list ten times. It is
//! a measure of work that a front end can foresee from its query alone. Expects a measured document.

use async_graphql::{
    Name, Variables,
    parser::types::{
        BaseType, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet, Type,
    },
};
use async_graphql_value::{ConstValue, Value};

use crate::graphql::{
    connection::{DEFAULT_PAGE, LARGEST_PAGE},
    shape::{Shape, named, root},
};

/// How long a list is thought to be that is no connection.
const USUAL_LENGTH: u64 = 10;
/// A mutation writes, with its history and its notices.
const MUTATION: u64 = 50;
/// The two fields of a connection that have an entry per row.
const ROWS: [&str; 2] = ["edges", "nodes"];

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

struct Costing<'a> {
    shape: &'a Shape,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
}

impl Costing<'_> {
    /// The fields of one object; `rows` is the size of the page whose connection it is.
    fn selection_set(&self, parent: &str, selection_set: &SelectionSet, rows: Option<u64>) -> u64 {
        let costs = selection_set.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) => self.field(parent, &field.node, rows),
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let on = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                self.selection_set(on, &fragment.node.selection_set.node, rows)
            }
            Selection::FragmentSpread(spread) => {
                self.document.fragments.get(&spread.node.fragment_name.node).map_or(0, |fragment| {
                    let on = fragment.node.type_condition.node.on.node.as_str();
                    self.selection_set(on, &fragment.node.selection_set.node, rows)
                })
            }
        });
        costs.fold(0, u64::saturating_add)
    }

    fn field(&self, parent: &str, field: &Field, rows: Option<u64>) -> u64 {
        let name = &field.name.node;
        let Some(ty) = self.shape.field(parent, name) else {
            // Introspection, which is answered from memory, and fields that do not exist.
            return 1;
        };
        let below = &field.selection_set.node;
        if below.items.is_empty() {
            return 1;
        }
        let of = named(ty);
        let times = match (rows, is_list(ty)) {
            (Some(rows), true) if ROWS.contains(&name.as_str()) => rows,
            (_, true) => USUAL_LENGTH,
            (_, false) => 1,
        };
        let page = of.ends_with("Connection").then(|| self.page(field));
        times.saturating_mul(self.selection_set(of, below, page).saturating_add(1))
    }

    /// The rows of the page that a connection's arguments ask for.
    fn page(&self, field: &Field) -> u64 {
        let asked = ["first", "last"].into_iter().filter_map(|name| self.number(&field.get_argument(name)?.node)).max();
        asked.map_or(DEFAULT_PAGE, |rows| rows.min(LARGEST_PAGE))
    }

    fn number(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Number(number) => number.as_u64(),
            Value::Variable(name) => self.variable(name),
            _ => None,
        }
    }

    fn variable(&self, name: &Name) -> Option<u64> {
        let number = |value: &ConstValue| if let ConstValue::Number(number) = value { number.as_u64() } else { None };
        self.variables.get(name).and_then(number).or_else(|| {
            let mut definitions = self.operation.variable_definitions.iter();
            let definition = definitions.find(|definition| definition.node.name.node == *name)?;
            number(&definition.node.default_value.as_ref()?.node)
        })
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
        type Query { me: Person, people(first: Int, last: Int): PersonConnection!, node: Node }
        type Mutation { rename: Person }
        interface Node { id: ID! }
        type Person { id: ID!, name: String!, tags: [String!]!, friends: [Person!]! }
        type PersonConnection { edges: [PersonEdge!]!, nodes: [Person!]!, totalCount: Int! }
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
            ("{ people { totalCount } }", 2),
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
            ("{ __typename __schema { types { name } } }", 2),
        ] {
            assert_eq!(cost_of(query, json!({})), expected, "{query}");
        }
    }

    #[test]
    fn the_size_of_a_page_may_be_a_variable() {
        let query = "query($n: Int = 7) { people(first: $n) { nodes { id } } }";
        assert_eq!(cost_of(query, json!({ "n": 3 })), 1 + 3 * 2);
        assert_eq!(cost_of(query, json!({})), 1 + 7 * 2);
        assert_eq!(cost_of(query, json!({ "n": -1 })), 1 + 7 * 2);
    }
}
