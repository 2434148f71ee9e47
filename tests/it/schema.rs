//! The schema's file, and what is served of it.

use async_graphql::{
    Positioned,
    parser::{
        parse_schema,
        types::{EnumType, InputObjectType, InterfaceType, ObjectType, TypeDefinition, TypeKind, TypeSystemDefinition},
    },
};
use secondline::graphql;
use serde_json::Value;

use crate::support::each_database;

#[test]
fn schema_graphql_is_what_the_code_prints() {
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap_or_default();
    assert!(
        file.trim() == graphql::sdl().trim(),
        "schema.graphql is not current: run `cargo run -- schema > schema.graphql` and review the difference"
    );
}

#[test]
fn everything_in_the_schema_has_a_description() {
    let schema = parse_schema(graphql::sdl()).unwrap();
    let mut undescribed = Vec::new();
    for definition in &schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let TypeDefinition { name, description, kind, .. } = &definition.node;
        let mut look = |part: String, description: &Option<Positioned<String>>| {
            if description.as_ref().is_none_or(|text| text.node.trim().is_empty()) {
                undescribed.push(format!("{name}{part}"));
            }
        };
        look(String::new(), description);
        match kind {
            TypeKind::Object(ObjectType { fields, .. }) | TypeKind::Interface(InterfaceType { fields, .. }) => {
                for Positioned { node: field, .. } in fields {
                    look(format!(".{}", field.name), &field.description);
                    for Positioned { node: argument, .. } in &field.arguments {
                        look(format!(".{}({})", field.name, argument.name), &argument.description);
                    }
                }
            }
            TypeKind::Enum(EnumType { values }) => {
                values.iter().for_each(|value| look(format!(".{}", value.node.value), &value.node.description));
            }
            TypeKind::InputObject(InputObjectType { fields }) => {
                fields.iter().for_each(|field| look(format!(".{}", field.node.name), &field.node.description));
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    assert!(undescribed.is_empty(), "without a description: {undescribed:#?}");
}

each_database! {
    async fn the_queries_that_graphiql_starts_with_work(app) {
        let starter = include_str!("../../src/http/graphiql/starter.graphql");
        for operation in ["Process", "Tickets"] {
            let answer = app.operation(&app.cast.qa, starter, operation).await;
            assert_eq!(answer["errors"], Value::Null, "{answer:#}");
        }
    }
}
