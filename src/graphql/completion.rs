//! Completes an answer as the GraphQL specification has it (section 6.4.4, “Handling Execution Errors”).
//!
//! The library leaves a field that failed out of its object. Here it becomes null, or, where the schema allows no null, its
//! parent does, up to the whole `data`. Fields also come in the order in which they were asked for.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, PathSegment, Response, ServerError, Value,
    indexmap::IndexMap,
    parser::types::{BaseType, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, Type},
};

use crate::graphql::shape::{Shape, root};

/// Completes the answer to an operation. One that never ran has no data and stays as it is.
pub fn complete(
    mut response: Response,
    shape: &Shape,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Response {
    if never_ran(&response) {
        return response;
    }
    let faults = Faults::of(&response.errors);
    let completion = Completion { shape, document };
    let object = match std::mem::take(&mut response.data) {
        Value::Object(fields) => fields,
        _ => IndexMap::new(),
    };
    let selected = [(root(operation.ty), &operation.selection_set.node)];
    response.data = completion.object(&selected, object, Some(&faults)).unwrap_or_default();
    response
}

/// Whether the request was refused before anything of it was carried out: errors without a place in the answer.
pub fn never_ran(response: &Response) -> bool {
    !response.errors.is_empty()
        && response.data == Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// Where in the answer something failed.
#[derive(Debug, Default)]
struct Faults {
    below: HashMap<Step, Faults>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Step {
    Field(Name),
    Index(usize),
}

impl Faults {
    fn of(errors: &[ServerError]) -> Self {
        let mut root = Self::default();
        for error in errors {
            let mut place = &mut root;
            for segment in &error.path {
                let step = match segment {
                    PathSegment::Field(name) => Step::Field(Name::new(name)),
                    PathSegment::Index(index) => Step::Index(*index),
                };
                place = place.below.entry(step).or_default();
            }
        }
        root
    }

    fn at(&self, step: &Step) -> Option<&Self> {
        self.below.get(step)
    }
}

/// Selection sets that are answered as one object, each with the type that its fields belong to.
type Selected<'a> = [(&'a str, &'a SelectionSet)];

/// The fields that are answered under one name, in the order of the names.
type Collected<'a> = IndexMap<&'a Name, Vec<(&'a str, &'a Field)>>;

struct Completion<'a> {
    shape: &'a Shape,
    document: &'a ExecutableDocument,
}

impl<'a> Completion<'a> {
    /// The object; none where a field without which there is no object failed.
    fn object(
        &self,
        selected: &Selected<'a>,
        mut found: IndexMap<Name, Value>,
        faults: Option<&Faults>,
    ) -> Option<Value> {
        let mut collected = Collected::new();
        let mut spread = HashSet::new();
        for (parent, selection_set) in selected {
            self.collect(parent, selection_set, &mut collected, &mut spread);
        }
        let mut completed = IndexMap::with_capacity(found.len());
        for (key, fields) in collected {
            let fault = faults.and_then(|faults| faults.at(&Step::Field(key.clone())));
            let ty = fields.iter().find_map(|(parent, field)| self.shape.field(parent, &field.name.node));
            match (found.swap_remove(key), ty, fault) {
                (Some(value), Some(ty), fault) => {
                    completed.insert(key.clone(), self.value(ty, &fields, value, fault)?);
                }
                // The schema does not describe itself, and `__typename` never fails.
                (Some(value), None, _) => {
                    completed.insert(key.clone(), value);
                }
                (None, Some(ty), Some(_)) if !ty.nullable => return None,
                (None, _, Some(_)) => {
                    completed.insert(key.clone(), Value::Null);
                }
                // Skipped, or of another type than this object.
                (None, _, None) => {}
            }
        }
        Some(Value::Object(completed))
    }

    fn collect(
        &self,
        parent: &'a str,
        selection_set: &'a SelectionSet,
        collected: &mut Collected<'a>,
        spread: &mut HashSet<&'a Name>,
    ) {
        for selection in &selection_set.items {
            match &selection.node {
                Selection::Field(field) => {
                    collected.entry(&field.node.response_key().node).or_default().push((parent, &field.node));
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(parent, |condition| condition.node.on.node.as_str());
                    self.collect(on, &fragment.node.selection_set.node, collected, spread);
                }
                Selection::FragmentSpread(named) => {
                    let name = &named.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && spread.insert(name)
                    {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        self.collect(on, &fragment.node.selection_set.node, collected, spread);
                    }
                }
            }
        }
    }

    /// The value; none where it failed and the schema allows no null.
    fn value(
        &self,
        ty: &'a Type,
        fields: &[(&'a str, &'a Field)],
        value: Value,
        faults: Option<&Faults>,
    ) -> Option<Value> {
        let completed = match (&ty.base, value) {
            (BaseType::List(item), Value::List(values)) => {
                let values = values.into_iter().enumerate().map(|(index, value)| {
                    self.value(item, fields, value, faults.and_then(|faults| faults.at(&Step::Index(index))))
                });
                values.collect::<Option<Vec<_>>>().map(Value::List)
            }
            (BaseType::Named(name), Value::Object(found)) if self.shape.has_fields(name) => {
                self.object(&selected_of(name, fields), found, faults)
            }
            // The library's null for an object none of whose fields could be answered.
            (BaseType::Named(name), Value::Null)
                if self.shape.has_fields(name) && (faults.is_some() || !ty.nullable) =>
            {
                self.object(&selected_of(name, fields), IndexMap::new(), faults)
            }
            (_, value) => Some(value),
        };
        if completed.is_none() && ty.nullable { Some(Value::Null) } else { completed }
    }
}

fn selected_of<'a>(parent: &'a str, fields: &[(&'a str, &'a Field)]) -> Vec<(&'a str, &'a SelectionSet)> {
    fields.iter().map(|(_, field)| (parent, &field.selection_set.node)).collect()
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::{Value as Json, json};

    use super::*;

    const SCHEMA: &str = "
        type Query { me: Person, you: Person!, all: [Person!]!, some: [Person], node: Node }
        interface Node { id: ID! }
        type Person implements Node { id: ID!, name: String!, nick: String, boss: Person, team: Team! }
        type Team implements Node { id: ID!, title: String! }";

    /// What is answered when the library found this data, and errors at these paths.
    fn completed(query: &str, found: Json, paths: &[Json]) -> String {
        let document = parse_query(query).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let mut response = Response::new(Value::from_json(found).unwrap());
        for path in paths {
            let steps = path.as_array().unwrap().iter().map(|step| match step {
                Json::String(name) => PathSegment::Field(name.clone()),
                step => PathSegment::Index(step.as_u64().unwrap().try_into().unwrap()),
            });
            let mut error = ServerError::new("failed", None);
            error.path = steps.collect();
            response.errors.push(error);
        }
        let text = serde_json::to_string(&complete(response, &Shape::of(SCHEMA), &document, &operation.node).data);
        text.unwrap()
    }

    fn is(answer: &str, expected: Json) {
        assert_eq!(serde_json::from_str::<Json>(answer).unwrap(), expected);
    }

    #[test]
    fn a_field_that_failed_is_null_where_null_is_allowed() {
        let query = "{ me { name nick } }";
        let answer = completed(query, json!({ "me": { "name": "Ann" } }), &[json!(["me", "nick"])]);
        is(&answer, json!({ "me": { "name": "Ann", "nick": null } }));
        is(&completed(query, json!(null), &[json!(["me"])]), json!({ "me": null }));
    }

    #[test]
    fn where_no_null_is_allowed_the_parent_is_null() {
        let failed = [json!(["me", "name"])];
        is(&completed("{ me { name nick } }", json!({ "me": { "nick": "A" } }), &failed), json!({ "me": null }));
        is(&completed("{ me { name } }", json!({ "me": null }), &failed), json!({ "me": null }));
        let found = json!({ "me": { "boss": { "team": { "id": "1" } } } });
        let answer =
            completed("{ me { boss { team { id title } } } }", found, &[json!(["me", "boss", "team", "title"])]);
        is(&answer, json!({ "me": { "boss": null } }));
    }

    #[test]
    fn up_to_the_whole_data() {
        is(&completed("{ me { id } you { id } }", json!({ "me": { "id": "1" } }), &[json!(["you"])]), json!(null));
        let found = json!({ "all": [{ "id": "1" }, null] });
        is(&completed("{ all { id } }", found, &[json!(["all", 1, "id"])]), json!(null));
    }

    #[test]
    fn a_member_of_a_list_is_null_where_null_is_allowed() {
        let found = json!({ "some": [{ "id": "1" }, { "nick": "B" }] });
        let answer = completed("{ some { id nick } }", found, &[json!(["some", 1, "id"])]);
        is(&answer, json!({ "some": [{ "id": "1" }, null] }));
    }

    #[test]
    fn fields_come_in_the_order_in_which_they_were_asked_for() {
        let query = "{ b: me { nick ...n id } a: me { id } } fragment n on Person { name boss { name nick } }";
        let found = json!({
            "a": { "id": "1" },
            "b": { "id": "1", "boss": { "nick": "C", "name": "Cem" }, "name": "Ann", "nick": "A" },
        });
        let answer = completed(query, found, &[]);
        let expected = r#"{"b":{"nick":"A","name":"Ann","boss":{"name":"Cem","nick":"C"},"id":"1"},"a":{"id":"1"}}"#;
        assert_eq!(answer, expected);
    }

    #[test]
    fn what_is_of_another_type_or_skipped_is_left_out() {
        let query = "{ node { id ... on Person { name } ... on Team { title } } me @skip(if: true) { id } }";
        let found = json!({ "node": { "title": "QA", "id": "2" } });
        is(&completed(query, found.clone(), &[]), json!({ "node": { "id": "2", "title": "QA" } }));
        is(&completed(query, found, &[json!(["node", "name"])]), json!({ "node": null }));
        is(&completed("{ me @skip(if: true) { id } }", json!(null), &[]), json!({}));
    }

    #[test]
    fn the_schema_is_told_as_it_is() {
        let query = "{ __typename __schema { types { name } } }";
        let found = json!({ "__schema": { "types": [{ "name": "Query" }] }, "__typename": "Query" });
        is(&completed(query, found.clone(), &[]), found);
    }

    #[test]
    fn a_request_that_never_ran_has_no_data() {
        let response = Response::from_errors(vec![ServerError::new("unknown field", None)]);
        assert!(never_ran(&response));
    }
}
