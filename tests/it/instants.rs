//! Every instant that a caller can state has bounds: the years 1 to 9999.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition},
};
use chrono::TimeDelta;
use entity::{clock_pause, stage_visit};
use sea_orm::{EntityTrait, QueryOrder};
use secondline::domain::actor::Actor;
use serde_json::{Value, json};

use crate::support::{TestApp, closing_facts, each_database, replicating_facts};

/// Instants that no database keeps alike; the first is the one that failed.
const OUT_OF_RANGE: [&str; 3] = ["+10000-01-01T00:00:00Z", "-0001-06-01T00:00:00Z", "0000-06-01T00:00:00Z"];
/// Inputs within inputs are followed so far.
const DEEPEST: usize = 5;

/// A value that a field or an input takes: its name, and its type.
type Member = (String, Type);

/// What the schema says of inputs.
#[derive(Default)]
struct Inputs {
    objects: BTreeMap<String, Vec<Member>>,
    one_of: BTreeSet<String>,
    enums: BTreeMap<String, String>,
    /// The fields of queries and mutations: the operation, the field, its arguments, and whether its answer has fields.
    roots: Vec<(&'static str, String, Vec<Member>, bool)>,
}

impl Inputs {
    fn of_the_schema() -> Self {
        let mut inputs = Self::default();
        let document = parse_schema(include_str!("../../schema.graphql")).unwrap();
        let member = |value: &InputValueDefinition| (value.name.node.to_string(), value.ty.node.clone());
        let mut leaves: BTreeSet<String> =
            ["String", "Int", "Float", "Boolean", "ID"].into_iter().map(str::to_owned).collect();
        let mut fields = Vec::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            match definition.node.kind {
                TypeKind::InputObject(object) => {
                    let members = object.fields.iter().map(|field| member(&field.node)).collect();
                    if definition.node.directives.iter().any(|directive| directive.node.name.node == "oneOf") {
                        inputs.one_of.insert(name.clone());
                    }
                    inputs.objects.insert(name, members);
                }
                TypeKind::Enum(values) => {
                    leaves.insert(name.clone());
                    inputs.enums.insert(name, values.values[0].node.value.node.to_string());
                }
                TypeKind::Scalar => drop(leaves.insert(name)),
                TypeKind::Object(object) => {
                    let operation = match name.as_str() {
                        "QueryRoot" | "Query" => "query",
                        "MutationRoot" | "Mutation" => "mutation",
                        _ => continue,
                    };
                    for field in object.fields {
                        let arguments = field.node.arguments.iter().map(|value| member(&value.node)).collect();
                        let answer = named(&field.node.ty.node);
                        fields.push((operation, field.node.name.node.to_string(), arguments, answer));
                    }
                }
                _ => {}
            }
        }
        inputs.roots = fields
            .into_iter()
            .map(|(operation, field, arguments, answer)| (operation, field, arguments, !leaves.contains(&answer)))
            .collect();
        inputs
    }

    /// All ways from these members to an instant, as the names on the way.
    fn ways(&self, members: &[Member], deep: usize) -> Vec<Vec<String>> {
        let mut ways = Vec::new();
        for (name, ty) in members {
            let ty = named(ty);
            if ty == "DateTime" {
                ways.push(vec![name.clone()]);
            }
            if deep < DEEPEST
                && let Some(members) = self.objects.get(&ty)
            {
                // A filter within itself shows nothing new.
                let members: Vec<_> = members.iter().filter(|(_, inner)| named(inner) != ty).cloned().collect();
                ways.extend(self.ways(&members, deep + 1).into_iter().map(|way| [vec![name.clone()], way].concat()));
            }
        }
        ways
    }

    /// Values for the members on the way to an instant, and for those that must be there; no way leads through others.
    fn object(&self, members: &[Member], way: Option<&[String]>, instant: &str) -> Value {
        let is_on_the_way = |name: &String| way.is_some_and(|way| way.first() == Some(name));
        let stated = members.iter().filter(|(name, ty)| is_on_the_way(name) || !ty.nullable);
        let value = |(name, ty): &Member| {
            let way = way.filter(|_| is_on_the_way(name)).map(|way| &way[1..]);
            (name.clone(), self.value(ty, way, instant))
        };
        Value::Object(stated.map(value).collect())
    }

    fn value(&self, ty: &Type, way: Option<&[String]>, instant: &str) -> Value {
        let name = match &ty.base {
            BaseType::List(inner) => return json!([self.value(inner, way, instant)]),
            BaseType::Named(name) => name.as_str(),
        };
        match (name, self.objects.get(name), self.enums.get(name)) {
            (_, Some(members), _) if way.is_none() && self.one_of.contains(name) => {
                let (first, ty) = &members[0];
                json!({ first: self.value(ty, None, instant) })
            }
            (_, Some(members), _) => self.object(members, way, instant),
            (_, _, Some(first)) => json!(first),
            ("DateTime", ..) if way.is_some() => json!(instant),
            ("DateTime", ..) => json!("2026-06-01T09:00:00Z"),
            ("Date", ..) => json!("2026-06-01"),
            ("Int", ..) => json!(1),
            ("Boolean", ..) => json!(true),
            ("UUID", ..) => json!("0198a7c2-0000-7000-8000-000000000001"),
            _ => json!("x"),
        }
    }
}

fn named(ty: &Type) -> String {
    match &ty.base {
        BaseType::List(inner) => named(inner),
        BaseType::Named(name) => name.to_string(),
    }
}

/// What the server answers when this argument of a field leads to an instant.
async fn ask(
    app: &TestApp,
    inputs: &Inputs,
    root: &(&'static str, String, Vec<Member>, bool),
    way: &[String],
    instant: &str,
) -> Value {
    let (operation, field, arguments, has_fields) = root;
    let values = inputs.object(arguments, Some(way), instant);
    let stated = |(name, _): &&Member| values.get(name).is_some();
    let list = |of: &dyn Fn(&Member) -> String| {
        let parts: Vec<_> = arguments.iter().filter(stated).map(of).collect();
        if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) }
    };
    let variables = list(&|(name, ty)| format!("${name}: {ty}"));
    let passed = list(&|(name, _)| format!("{name}: ${name}"));
    let selection = if *has_fields { "{ __typename }" } else { "" };
    let document = format!("{operation}{variables} {{ {field}{passed} {selection} }}");
    // What one caller may spend in a minute is enough for some of them.
    app.advance(TimeDelta::seconds(20));
    app.graphql(Some(&app.cast.administrator.token), &document, values).await
}

each_database! {
    async fn every_instant_that_a_caller_states_has_bounds(app) {
        let inputs = Inputs::of_the_schema();
        let mut asked = 0;
        for root in &inputs.roots {
            for way in inputs.ways(&root.2, 0) {
                for instant in OUT_OF_RANGE {
                    let answer = ask(app, &inputs, root, &way, instant).await;
                    let code = &answer["errors"][0]["extensions"]["code"];
                    assert_eq!(code, "BAD_INPUT", "{} {way:?} {instant}: {answer:#}", root.1);
                    asked += 1;
                }
            }
        }
        assert!(asked > 100, "{asked}");
    }

    async fn what_is_computed_ends_with_the_year_9999(app) {
        let question = "query($at: DateTime!) { previewDue(input: { stage: VALIDATING, enteredAt: $at }) { dueAt } }";
        let answer = app.ask(&app.cast.qa, question, json!({ "at": "9999-12-31T23:00:00Z" })).await;
        assert_eq!(answer["previewDue"]["dueAt"], "9999-12-31T23:59:59+00:00");
    }
    async fn no_visit_and_no_pause_ends_before_it_began_when_the_clock_is_set_back(app) {
        let cast = &app.cast;
        let set_back = || app.clock.set(app.clock.now() - TimeDelta::minutes(114));
        let key = app.file_ticket().await;
        let fixing = json!({ "estimatedDeliveryDate": "2026-06-12", "priority": "HIGH" });
        let steps = [
            (&cast.operations, "REPLICATING", replicating_facts()),
            (&cast.qa, "ESTIMATING", json!({ "affectsOtherClients": false })),
            (&cast.project_manager, "FIXING", fixing),
            (&cast.tech, "VERIFYING", json!({ "pullRequest": "https://git.example.com/7" })),
            (&cast.qa, "CLOSED_RESOLVED", closing_facts()),
        ];
        for (member, stage, facts) in steps {
            app.advance(TimeDelta::minutes(3));
            set_back();
            app.change(member, "moveTicket", json!({ "ticketId": key, "to": stage, "facts": facts })).await;
            if stage == "REPLICATING" {
                app.advance(TimeDelta::minutes(2));
                app.change(&cast.qa, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
                set_back();
                let answer = json!({ "ticketId": key, "answer": "Firefox" });
                app.change(&cast.operations, "recordClientAnswer", answer).await;
            }
        }
        set_back();
        let reopened = json!({ "ticketId": key, "to": "VERIFYING", "reason": "Row 2000 is missing" });
        app.change(&cast.operations, "moveTicket", reopened).await;

        let visits = stage_visit::Entity::find().order_by_asc(stage_visit::Column::Id).all(&app.db).await.unwrap();
        assert_eq!(visits.len(), 6);
        let mut last = visits[0].entered_at;
        for visit in &visits {
            assert!(last <= visit.entered_at, "{visit:?}");
            last = visit.left_at.unwrap_or(last);
            assert!(visit.entered_at <= last || visit.left_at.is_none(), "{visit:?}");
        }
        for pause in clock_pause::Entity::find().all(&app.db).await.unwrap() {
            assert!(pause.ended_at.is_some_and(|ended| pause.started_at <= ended), "{pause:?}");
        }
        let verified = app.service.verify_clocks(&Actor::System, None).await.unwrap();
        assert_eq!(verified.drifts, []);
    }
}
