//! What it costs to be told of the schema: a point for each ten fields that the answer may have, which come from memory.

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};

use crate::graphql::shape::{SchemaSize, Shape};

/// Fields of the schema's parts that are told for a point.
const FIELDS_FOR_A_POINT: u64 = 10;
/// Wrappers of a type: `[T!]!` has as many. What is asked for below has no answer.
const WRAPPERS: u32 = 3;

/// What a field costs that the schema does not list: `__schema`, `__type`, `__typename`, or one that does not exist.
pub(super) fn cost(shape: &Shape, document: &ExecutableDocument, field: &Field) -> u64 {
    let size = shape.size();
    let size = match field.name.node.as_str() {
        // Whoever asks for one type may choose the largest.
        "__type" => SchemaSize { fields: size.most_fields, ..size },
        _ => size,
    };
    let fields = Telling { size, document }.selection_set(&field.selection_set.node, 0);
    (fields / FIELDS_FOR_A_POINT).saturating_add(1)
}

struct Telling<'a> {
    size: SchemaSize,
    document: &'a ExecutableDocument,
}

impl Telling<'_> {
    fn selection_set(&self, selection_set: &SelectionSet, wrappers: u32) -> u64 {
        let costs = selection_set.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) => self.field(&field.node, wrappers),
            Selection::InlineFragment(fragment) => self.selection_set(&fragment.node.selection_set.node, wrappers),
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.node.fragment_name.node);
                fragment.map_or(0, |fragment| self.selection_set(&fragment.node.selection_set.node, wrappers))
            }
        });
        costs.fold(0, u64::saturating_add)
    }

    fn field(&self, field: &Field, wrappers: u32) -> u64 {
        let (times, wrappers) = match field.name.node.as_str() {
            "types" => (self.size.types, 0),
            "fields" => (self.size.fields, 0),
            "args" | "inputFields" | "enumValues" | "possibleTypes" => (2, 0),
            "directives" => (5, 0),
            "ofType" if wrappers >= WRAPPERS => return 0,
            "ofType" => (1, wrappers + 1),
            _ => (1, 0),
        };
        self.selection_set(&field.selection_set.node, wrappers).saturating_add(1).saturating_mul(times)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;
    use crate::graphql::{admission::COST_LIMIT, sdl};

    fn cost_of(query: &str) -> u64 {
        let document = parse_query(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let shape = Shape::of(&sdl());
        let items = &operation.node.selection_set.node.items;
        let cost = |selection: &Selection| match selection {
            Selection::Field(field) => cost(&shape, &document, &field.node),
            _ => unreachable!(),
        };
        items.iter().map(|item| cost(&item.node)).sum()
    }

    /// What front-end tools ask.
    const WHOLE: &str = "{ __schema { queryType { name } mutationType { name } subscriptionType { name } types { ...full } \
        directives { name description locations args { ...value } } } } \
        fragment full on __Type { kind name description fields(includeDeprecated: true) { name description args { ...value } \
        type { ...ref } isDeprecated deprecationReason } inputFields { ...value } interfaces { ...ref } \
        enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...ref } } \
        fragment value on __InputValue { name description type { ...ref } defaultValue } \
        fragment ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
        ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

    #[test]
    fn the_schema_costs_by_its_size() {
        let whole = cost_of(WHOLE);
        assert!((2_000..COST_LIMIT / 2).contains(&whole), "{whole}");
        let thin = cost_of("{ __schema { types { name fields { name } } } }");
        assert!((100..whole).contains(&thin), "{thin}");
        assert_eq!(cost_of("{ __typename }"), 1);
        assert_eq!(cost_of("{ nonsense }"), 1);
        let type_of_many = cost_of("{ __type(name: \"Ticket\") { fields { name args { name } } } }");
        assert!((10..100).contains(&type_of_many), "{type_of_many}");
        let aliases: String =
            (0..29).map(|n| format!("a{n}: {} ", WHOLE[1..].split_once("} fragment").unwrap().0)).collect();
        let hostile = format!("{{ {aliases} }} fragment{}", WHOLE.split_once("} fragment").unwrap().1);
        assert_eq!(cost_of(&hostile), 29 * whole, "an alias pays again");
    }
}
