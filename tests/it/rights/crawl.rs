//! Everything that a caller is told: asks for all there is, and keeps each field of each object.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU32,
};

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use secondline::{
    graphql::admission::Policy,
    http::{HttpState, Settings},
};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    callers::Caller,
    schema::{Field, PAGE, Schema},
};
use crate::support::TestApp;

/// How deep answers are read: a ticket, its events, the comments of those; a notice, its contact, the company of that.
const DEPTH: usize = 3;
/// The rows of each list that are read so deep.
const FEW: [&str; 2] = ["(first: 3)", "(last: 3)"];

/// What a field says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its value; of what it leads to, the keys.
    Says(Value),
    /// Nothing but an error with this code.
    Refused(String),
}

/// A field of an object type.
pub type Place = (String, String);

/// Everything that one caller was told.
#[derive(Default)]
pub struct Told {
    /// What each field said, by the key of the object.
    pub fields: BTreeMap<Place, BTreeMap<String, Outcome>>,
    /// What the fields of the schema's root said.
    pub roots: BTreeMap<String, Outcome>,
    /// What was found by its id, for each kind.
    pub nodes: BTreeMap<String, BTreeSet<String>>,
    /// The answers, as they came.
    pub texts: Vec<String>,
    /// Where two ways to the same field said different things.
    pub quarrels: Vec<String>,
}

/// The application behind a gate that lets everything through, for a crawl asks for more than anybody may.
pub struct Gate {
    router: Router,
}

/// An answer.
pub struct Answer {
    /// As it came, but for the request id.
    pub text: String,
    pub json: Value,
}

impl Told {
    /// What a field said of each object.
    pub fn of_field(&self, of: &str, field: &str) -> impl Iterator<Item = (&String, &Outcome)> {
        self.fields.get(&(of.to_owned(), field.to_owned())).into_iter().flatten()
    }
}

impl Outcome {
    /// Whether it says nothing, as what is hidden does.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Says(value) => *value == Value::Null || *value == json!([]) || *value == json!(0),
            Self::Refused(_) => true,
        }
    }

    /// The keys of what it leads to.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Self::Says(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect(),
            Self::Says(Value::String(key)) => vec![key],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Says(value) => write!(out, "{value}"),
            Self::Refused(code) => write!(out, "{code}"),
        }
    }
}

impl Gate {
    pub fn open(app: &TestApp) -> Self {
        let policy = Policy { cost_limit: u64::MAX, cost_per_minute: NonZeroU32::MAX, ..Policy::default() };
        let state = HttpState::new(app.service.clone(), policy, Settings::default());
        Self { router: secondline::http::router(state) }
    }

    /// The same application, to be listened at.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// What GraphQL answers.
    pub async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Answer {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = json!({ "query": query, "variables": variables }).to_string();
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let mut json: Value = serde_json::from_slice(&body).unwrap();
        for error in json.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(extensions) = error["extensions"].as_object_mut() {
                extensions.remove("requestId");
            }
        }
        Answer { text: json.to_string(), json }
    }

    /// Everything that the caller is told. `ids` are what there is of each kind, and `rich` the keys of the tickets to which
    /// everything happened.
    pub async fn crawl(
        &self,
        schema: &Schema,
        caller: &Caller,
        ids: &BTreeMap<String, Vec<String>>,
        rich: &[String],
    ) -> Told {
        let mut told = Told::default();
        for field in schema.fields("Query") {
            let select =
                |depth| if schema.is_object(&field.of) { schema.select(&field.of, depth) } else { String::new() };
            let mut asked = Vec::new();
            match (field.name.as_str(), field.root_arguments()) {
                ("node" | "nodes", _) => {}
                ("ticket", _) => {
                    asked.extend(rich.iter().map(|key| (format!("(by: {{ key: \"{key}\" }})"), select(DEPTH))));
                    let ids = ids.get("Ticket").into_iter().flatten().step_by(4);
                    asked.extend(ids.map(|id| (format!("(by: {{ id: \"{id}\" }})"), "{ id }".to_owned())));
                }
                ("previewDue", _) => {
                    let stay = r#"(input: { stage: VALIDATING, enteredAt: "2026-06-01T09:00:00Z" })"#;
                    asked.push((stay.to_owned(), select(1)));
                }
                ("previewPolicyChange", _) => {
                    asked.push((r#"(input: { stage: VALIDATING, budget: "PT1M" })"#.to_owned(), select(1)));
                }
                ("previewCalendarChange", _) => {
                    // The one that every clock is counted in, which then would have gone slower from the first day on.
                    let id = ids.get("Calendar").and_then(|ids| ids.first()).map_or("calendar_0", String::as_str);
                    let definition =
                        r#"{ timeZone: "UTC", hoursPerDay: 8, week: [{ day: MON, from: "09:00", to: "12:00" }] }"#;
                    asked.push((format!(r#"(input: {{ calendarId: "{id}", definition: {definition}, effectiveAt: "2026-06-01T00:00:00Z" }})"#), select(1)));
                }
                ("slaReport", _) => {
                    let time = r#"from: "2026-06-01T00:00:00Z", to: "2026-07-01T00:00:00Z""#;
                    let by = "groupBy: [STAGE, TEAM, COMPANY, TIER, PRIORITY, ASSIGNEE, CATEGORY]";
                    asked.push((format!("({time}, {by})"), select(DEPTH)));
                }
                ("breachForecast", _) => asked.push(("(days: 30, first: 20)".to_owned(), select(DEPTH))),
                ("ticketSubtypes", _) => asked.push(("(includeArchived: true)".to_owned(), select(1))),
                (_, Some(PAGE)) => {
                    let rows = schema.rows_of(&field.of).unwrap_or_default();
                    let depth = if rows == "Ticket" { DEPTH - 1 } else { DEPTH };
                    asked.extend(FEW.map(|few| (few.to_owned(), select(depth))));
                    // What has a kind is asked for all it says by its id.
                    let is_kind = schema.kinds().contains(rows);
                    asked.push((PAGE.to_owned(), select(if is_kind { 0 } else { 1 })));
                }
                (_, Some(arguments)) => asked.push((arguments.to_owned(), select(1))),
                (name, None) => {
                    panic!("say in tests/it/rights/crawl.rs with which arguments Query.{name} is asked for")
                }
            }
            for (arguments, selection) in asked {
                let query = format!("{{ root: {}{arguments} {selection} }}", field.name);
                self.tell(schema, caller, &mut told, field, &query).await;
            }
        }
        for (kind, ids) in ids {
            for ids in ids.chunks(100) {
                self.tell_nodes(schema, caller, &mut told, kind, ids).await;
            }
        }
        told
    }

    /// Asks for a field of the schema's root.
    async fn tell(&self, schema: &Schema, caller: &Caller, told: &mut Told, field: &Field, query: &str) {
        let (name, of) = (field.name.as_str(), field.of.as_str());
        let answer = self.ask(caller.token.as_deref(), query, json!({})).await;
        let mut walk = Walk { schema, told, errors: &errors_of(&answer.json) };
        let found = walk.value(of, &answer.json["data"]["root"], &mut vec![json!("root")], name);
        let found = match (found, told.roots.get(name)) {
            // Of what is asked for one by one, everything that was found.
            (Outcome::Says(found), known) if name == "ticket" => {
                let mut keys: BTreeSet<String> =
                    known.map(Outcome::keys).into_iter().flatten().map(str::to_owned).collect();
                keys.extend(found.as_str().map(str::to_owned));
                Outcome::Says(json!(keys))
            }
            (found, _) => found,
        };
        told.roots.insert(name.to_owned(), found);
        told.texts.push(answer.text);
    }

    /// Asks for things of one kind, by their ids, at once and one of them alone.
    async fn tell_nodes(&self, schema: &Schema, caller: &Caller, told: &mut Told, kind: &str, ids: &[String]) {
        let selection = schema.select(kind, 1);
        let query = format!("query($ids: [ID!]!) {{ root: nodes(ids: $ids) {{ ... on {kind} {selection} }} }}");
        let answer = self.ask(caller.token.as_deref(), &query, json!({ "ids": ids })).await;
        let errors = errors_of(&answer.json);
        if let Some((_, code)) = errors.iter().find(|(path, _)| path.len() <= 1) {
            for root in ["node", "nodes"] {
                told.roots.insert(root.to_owned(), Outcome::Refused(code.clone()));
            }
            return;
        }
        for (place, node) in answer.json["data"]["root"].as_array().unwrap().iter().enumerate() {
            if node.is_null() {
                continue;
            }
            let mut walk = Walk { schema, told, errors: &errors };
            walk.value(kind, node, &mut vec![json!("root"), json!(place)], "node");
            told.nodes.entry(kind.to_owned()).or_default().insert(node["id"].as_str().unwrap().to_owned());
        }
        let query = "query($id: ID!) { node(id: $id) { id } }";
        for (id, node) in ids.iter().zip(answer.json["data"]["root"].as_array().unwrap()).take(1) {
            let one = self.ask(caller.token.as_deref(), query, json!({ "id": id })).await;
            assert_eq!(one.json["data"]["node"]["id"], node["id"], "{}: node and nodes differ for {id}", caller.label);
        }
        told.texts.push(answer.text);
        for root in ["node", "nodes"] {
            told.roots.entry(root.to_owned()).or_insert_with(|| Outcome::Says(json!("all")));
        }
    }
}

/// Where each error is, and its code.
pub fn errors_of(answer: &Value) -> Vec<(Vec<Value>, String)> {
    let errors = answer["errors"].as_array().into_iter().flatten();
    errors
        .map(|error| {
            let path = error["path"].as_array().cloned().unwrap_or_default();
            (path, error["extensions"]["code"].as_str().unwrap_or("no code").to_owned())
        })
        .collect()
}

/// Notes what an answer says.
pub struct Walk<'a> {
    pub schema: &'a Schema,
    pub told: &'a mut Told,
    pub errors: &'a [(Vec<Value>, String)],
}

impl Walk<'_> {
    /// Notes a value, and answers what it is: the key of an object, or the keys of a list of them.
    pub fn value(&mut self, of: &str, value: &Value, path: &mut Vec<Value>, key: &str) -> Outcome {
        match value {
            Value::Null => match self.errors.iter().find(|(at, _)| at.is_empty() || at.starts_with(path)) {
                Some((_, code)) => Outcome::Refused(code.clone()),
                None => Outcome::Says(Value::Null),
            },
            Value::Array(values) if self.schema.is_object(of) => {
                let mut keys = Vec::new();
                for (place, value) in values.iter().enumerate() {
                    path.push(json!(place));
                    match self.value(of, value, path, &format!("{key}[{}]", discriminator(of, value, place))) {
                        Outcome::Says(key) => keys.push(key),
                        refused @ Outcome::Refused(_) => return refused,
                    }
                    path.pop();
                }
                Outcome::Says(json!(keys))
            }
            // A scalar, whatever is in it.
            Value::Object(_) if of == "JSON" => Outcome::Says(value.clone()),
            Value::Object(_) if self.schema.rows_of(of).is_some() => self.connection(of, value, path, key),
            Value::Object(_) => self.object(of, value, path, key),
            leaf => Outcome::Says(leaf.clone()),
        }
    }

    fn connection(&mut self, of: &str, value: &Value, path: &mut Vec<Value>, key: &str) -> Outcome {
        let rows = self.schema.rows_of(of).unwrap();
        path.push(json!("nodes"));
        let found = self.value(rows, &value["nodes"], path, key);
        path.pop();
        let ids = |rows: &Value, row: fn(&Value) -> &Value| -> Vec<Value> {
            rows.as_array().into_iter().flatten().map(|found| row(found)["id"].clone()).collect()
        };
        let nodes = ids(&value["nodes"], |node| node);
        if nodes != ids(&value["edges"], |edge| &edge["node"]) {
            self.told.quarrels.push(format!("{key}: nodes and edges differ"));
        }
        let is_whole = ["hasNextPage", "hasPreviousPage"].iter().all(|side| value["pageInfo"][side] == false);
        if let Some(count) = value["totalCount"].as_u64()
            && is_whole
            && usize::try_from(count).unwrap() != nodes.len()
        {
            self.told.quarrels.push(format!("{key}: {count} are counted, and {} are told", nodes.len()));
        }
        found
    }

    fn object(&mut self, of: &str, value: &Value, path: &mut Vec<Value>, key: &str) -> Outcome {
        let key = value["id"].as_str().unwrap_or(key).to_owned();
        for field in self.schema.fields(of) {
            let Some(found) = value.get(&field.name) else { continue };
            path.push(json!(field.name));
            let outcome = self.value(&field.of, found, path, &format!("{key}.{}", field.name));
            path.pop();
            self.note((of.to_owned(), field.name.clone()), &key, outcome);
        }
        Outcome::Says(json!(key))
    }

    fn note(&mut self, place: Place, key: &str, outcome: Outcome) {
        let of_field = self.told.fields.entry(place.clone()).or_default();
        let known = of_field.entry(key.to_owned()).or_insert_with(|| outcome.clone());
        if *known != outcome {
            let (of, field) = place;
            self.told.quarrels.push(format!("{of}.{field} of {key} says {known} one way and {outcome} another way"));
        }
    }
}

/// What tells an object without an id from the others of its list, in a list that is not the same for everybody.
fn discriminator(of: &str, value: &Value, place: usize) -> String {
    let parts = match of {
        "FieldChange" => vec![&value["field"]],
        "TicketLink" => vec![&value["kind"], &value["ticket"]["id"]],
        "TicketWatcher" => vec![&value["person"]["id"], &value["contact"]["id"]],
        _ => return place.to_string(),
    };
    parts.into_iter().map(Value::to_string).collect::<Vec<_>>().join(" ")
}
