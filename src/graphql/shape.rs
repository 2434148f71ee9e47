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
    size: SchemaSize,
}

/// How large a schema is: what it may tell of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaSize {
    /// How many types it has, of every kind.
    pub types: u64,
    /// How many fields a type has on average, and a little more.
    pub fields: u64,
    /// How many the largest has.
    pub most_fields: u64,
}

/// Types that every schema has: scalars, and those that tell of it.
const BUILT_IN: usize = 12;

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
        let mut all_types = BUILT_IN;
        for definition in definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            all_types += 1;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let fields = fields.into_iter().map(|field| (field.node.name.node, field.node.ty.node)).collect();
            types.insert(definition.node.name.node, fields);
        }
        let size = SchemaSize::of(all_types, &types);
        Self { types, size }
    }

    /// How large the schema is.
    pub const fn size(&self) -> SchemaSize {
        self.size
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

impl SchemaSize {
    fn of(all_types: usize, types: &HashMap<Name, HashMap<Name, Type>>) -> Self {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let lengths = || types.values().map(HashMap::len);
        Self {
            types: number(all_types),
            fields: number(lengths().sum::<usize>() / all_types + 1),
            most_fields: number(lengths().max().unwrap_or(0)),
        }
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
