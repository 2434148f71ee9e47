//! What the schema says of the type of each field, read once from the schema's own text.
//!
//! The library keeps this to itself; what counts a request's cost and completes its answer needs it.

use std::collections::HashMap;

use async_graphql::{
    Name,
    parser::{
        parse_schema,
        types::{BaseType, OperationType, Type, TypeKind, TypeSystemDefinition},
    },
};

/// The types of all fields of objects and interfaces.
#[derive(Debug, Default)]
pub struct Shape {
    types: HashMap<Name, HashMap<Name, Type>>,
}

impl Shape {
    /// Reads a schema; text that is none has no types.
    pub fn of(sdl: &str) -> Self {
        let definitions = match parse_schema(sdl) {
            Ok(document) => document.definitions,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "our own schema cannot be read");
                Vec::new()
            }
        };
        let mut types = HashMap::new();
        for definition in definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let fields = fields.into_iter().map(|field| (field.node.name.node, field.node.ty.node)).collect();
            types.insert(definition.node.name.node, fields);
        }
        Self { types }
    }

    /// The type of a field; none where the schema does not say, as for introspection.
    pub fn field(&self, parent: &str, name: &str) -> Option<&Type> {
        self.types.get(parent)?.get(name)
    }

    /// Whether values of the type have fields.
    pub fn has_fields(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }
}

/// The name of the type under all lists.
pub fn named(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

/// The type that operations of this kind start from.
pub const fn root(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}
