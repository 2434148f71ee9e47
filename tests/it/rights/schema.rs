//! The schema as the table sees it: which fields there are, where each leads, and how all of them are asked for.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition},
};

/// Rows of a page: more than the world has of anything but entries of the audit log.
pub const PAGE: &str = "(first: 100)";

/// A field of an object type.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// The type that it leads to, without its lists and exclamation marks.
    pub of: String,
    has_pages: bool,
    needs_arguments: bool,
}

/// The object types of the schema.
pub struct Schema {
    objects: BTreeMap<String, Vec<Field>>,
    /// What can be asked for by its id alone.
    kinds: BTreeSet<String>,
    /// The fields of input types that hold an id.
    ids_in: BTreeMap<String, Vec<String>>,
}

impl Schema {
    /// The schema as the program prints it.
    pub fn read() -> Self {
        let document = parse_schema(secondline::graphql::sdl()).unwrap();
        let mut schema = Self { objects: BTreeMap::new(), kinds: BTreeSet::new(), ids_in: BTreeMap::new() };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(found) = definition else { continue };
            let name = found.node.name.node.to_string();
            match found.node.kind {
                TypeKind::Object(object) => {
                    if object.implements.iter().any(|interface| interface.node == "Node") {
                        schema.kinds.insert(name.clone());
                    }
                    let mut fields: Vec<_> = object.fields.iter().map(|field| Field::read(&field.node)).collect();
                    fields.sort_by(|one, other| one.name.cmp(&other.name));
                    schema.objects.insert(name, fields);
                }
                TypeKind::InputObject(input) => {
                    let ids = input.fields.iter().filter(|field| named(&field.node.ty.node) == "ID");
                    schema.ids_in.insert(name, ids.map(|field| field.node.name.node.to_string()).collect());
                }
                TypeKind::Interface(_) if name == "Node" => {}
                TypeKind::Interface(_) | TypeKind::Union(_) => {
                    panic!(
                        "{name} is neither object nor Node: teach tests/it/rights/schema.rs and reads.rs to ask for it"
                    )
                }
                TypeKind::Enum(_) | TypeKind::Scalar => {}
            }
        }
        schema
    }

    /// The fields of an object type, by name.
    pub fn fields(&self, of: &str) -> &[Field] {
        self.objects.get(of).map_or(&[], Vec::as_slice)
    }

    /// Whether a type has fields.
    pub fn is_object(&self, of: &str) -> bool {
        self.objects.contains_key(of)
    }

    /// The types that can be asked for by their ids.
    pub const fn kinds(&self) -> &BTreeSet<String> {
        &self.kinds
    }

    /// The fields of an input that hold an id.
    pub fn ids_in(&self, input: &str) -> &[String] {
        self.ids_in.get(input).map_or(&[], Vec::as_slice)
    }

    /// The type of the rows, where this is a connection.
    pub fn rows_of(&self, of: &str) -> Option<&str> {
        let fields = self.fields(of);
        let nodes = fields.iter().find(|field| field.name == "nodes")?;
        fields.iter().any(|field| field.name == "pageInfo").then_some(nodes.of.as_str())
    }

    /// The object types whose fields have rows of their own: all that queries and subscriptions lead to, but for the
    /// wrapping of lists. What only mutations answer belongs to whoever may make them.
    pub fn told_types(&self) -> BTreeSet<&str> {
        let mut told = BTreeSet::new();
        let mut open: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        open.extend(["Query", "Subscription"].iter().flat_map(|root| self.fields(root)).map(|field| field.of.as_str()));
        while let Some(of) = open.pop() {
            let of = self.rows_of(of).unwrap_or(of);
            if self.is_object(of) && told.insert(of) {
                open.extend(self.fields(of).iter().map(|field| field.of.as_str()));
            }
        }
        told
    }

    /// Everything that an answer may tell of an object and of what it leads to: objects with ids within each other, so deep.
    pub fn select(&self, of: &str, depth: usize) -> String {
        self.select_within(of, depth, &mut Vec::new())
    }

    fn select_within<'a>(&'a self, of: &'a str, depth: usize, path: &mut Vec<&'a str>) -> String {
        let has_id = self.has(of, "id");
        if let Some(rows) = self.rows_of(of) {
            let count = if self.has(of, "totalCount") { "totalCount " } else { "" };
            let page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }";
            let edge = if self.has(rows, "id") { "{ id }".to_owned() } else { self.select_within(rows, depth, path) };
            return format!(
                "{{ {count}{page} edges {{ cursor node {edge} }} nodes {} }}",
                self.select_within(rows, depth, path)
            );
        }
        // Tickets are asked for by themselves: they have everything in them, again and again.
        let is_told_elsewhere = of == "Ticket" && !path.is_empty();
        if has_id && (is_told_elsewhere || path.contains(&of) || path.len() >= depth) {
            return "{ id }".to_owned();
        }
        if has_id {
            path.push(of);
        }
        let mut text = String::from("{ ");
        for field in self.fields(of) {
            let Field { name, needs_arguments, .. } = field;
            assert!(!needs_arguments, "say in tests/it/rights/schema.rs with which arguments {of}.{name} is asked for");
            text.push_str(name);
            if self.is_object(&field.of) {
                let arguments = if field.has_pages { PAGE } else { "" };
                text.push_str(&format!("{arguments} {}", self.select_within(&field.of, depth, path)));
            }
            text.push(' ');
        }
        if has_id {
            path.pop();
        }
        text + "}"
    }

    fn has(&self, of: &str, field: &str) -> bool {
        self.fields(of).iter().any(|known| known.name == field)
    }
}

impl Field {
    fn read(field: &FieldDefinition) -> Self {
        let argument_names: Vec<_> = field.arguments.iter().map(|argument| argument.node.name.node.as_str()).collect();
        Self {
            name: field.name.node.to_string(),
            of: named(&field.ty.node).to_owned(),
            has_pages: argument_names.contains(&"first"),
            needs_arguments: field.arguments.iter().any(|argument| is_required(&argument.node)),
        }
    }

    /// The arguments of a field of the schema's root, where it needs none of its own.
    pub fn root_arguments(&self) -> Option<&'static str> {
        match (self.needs_arguments, self.has_pages) {
            (true, _) => None,
            (false, true) => Some(PAGE),
            (false, false) => Some(""),
        }
    }
}

fn is_required(argument: &InputValueDefinition) -> bool {
    !argument.ty.node.nullable && argument.default_value.is_none()
}

fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(of) => named(of),
    }
}
