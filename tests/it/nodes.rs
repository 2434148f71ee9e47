//! Anything by its id, and the history of a ticket in parts.

use serde_json::{Value, json};

use crate::support::{Member, TestApp, each_database};

const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Ticket { key company { name } } \
    ... on Notice { ticket { key } } ... on Clarification { question contact { name } } ... on StageVisit { stage } \
    ... on TicketEvent { kind person { name } } ... on SlaPolicy { calendar { name } } } }";

/// A ticket with a question; the ids of everything about it that staff can ask for.
async fn everything(app: &TestApp) -> Vec<String> {
    let cast = &app.cast;
    let key = app.file_ticket().await;
    app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which browser?" })).await;
    let query = "query($key: String!) { ticket(by: { key: $key }) { id company { id } contact { id } subtype { id } \
        clarifications { id } visits { id } notices { id } events(first: 9) { nodes { id } } } \
        calendars { id } slaPolicies { id } viewer { person { id } } }";
    let answer = app.ask(&cast.qa, query, json!({ "key": key })).await;
    let mut ids = Vec::new();
    collect(&answer, &mut ids);
    ids
}

fn collect(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(id) if name == "id" => ids.push(id.clone()),
                    value => collect(value, ids),
                }
            }
        }
        _ => {}
    }
}

async fn nodes(app: &TestApp, member: &Member, ids: &[String]) -> Vec<Value> {
    app.ask(member, NODES, json!({ "ids": ids })).await["nodes"].as_array().unwrap().clone()
}

async fn events(app: &TestApp, member: &Member, arguments: &str) -> Value {
    let query = format!(
        "{{ ticket(by: {{ key: \"L2-1\" }}) {{ events({arguments}) {{ nodes {{ kind }} edges {{ cursor }} \
         pageInfo {{ hasPreviousPage hasNextPage }} }} }} }}"
    );
    app.ask(member, &query, json!({})).await["ticket"]["events"].take()
}

each_database! {
    async fn nodes_are_answered_in_the_order_of_their_ids(app) {
        let mut ids = everything(app).await;
        let kinds: std::collections::HashSet<_> =
            ids.iter().map(|id| id.rsplit_once('_').unwrap().0.to_owned()).collect();
        assert_eq!(kinds.len(), 11, "{kinds:?}");
        ids.reverse();
        let found = nodes(app, &app.cast.qa, &ids).await;
        assert_eq!(found.iter().map(|node| node["id"].as_str().unwrap_or("null")).collect::<Vec<_>>(), ids);
        let mixed = [ids[0].clone(), "nonsense".to_owned(), ids[0].clone(), "ticket_1".to_owned(), String::new(),
            "ticket_event_+1".to_owned(), "ticket_event_99999999999999999999".to_owned(),
            "ticket_00000000000000000000000000000001".to_owned(), ids[1].clone()];
        let found = nodes(app, &app.cast.qa, &mixed).await;
        let known: Vec<_> = found.iter().map(|node| !node.is_null()).collect();
        assert_eq!(known, [true, false, true, false, false, false, false, false, true]);
        let many = vec!["ticket_1"; 101];
        assert_eq!(app.error(Some(&app.cast.qa.token), NODES, json!({ "ids": many })).await, "BAD_INPUT");
        assert_eq!(app.error(None, NODES, json!({ "ids": ["ticket_1"] })).await, "UNAUTHENTICATED");
    }

    async fn nodes_of_other_companies_and_internals_are_null_for_contacts(app) {
        let ids = everything(app).await;
        for (member, seen) in [
            (&app.cast.client, &["Ticket", "Company", "Contact", "TicketSubtype", "Clarification", "TicketEvent"][..]),
            (&app.cast.other_client, &["TicketSubtype"][..]),
        ] {
            let types: std::collections::BTreeSet<_> = nodes(app, member, &ids).await.iter()
                .filter_map(|node| node["__typename"].as_str().map(str::to_owned)).collect();
            assert_eq!(types, seen.iter().map(|name| (*name).to_owned()).collect(), "{}", member.name);
            for id in &ids {
                let one = app.ask(member, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
                let listed = nodes(app, member, std::slice::from_ref(id)).await;
                assert_eq!(one["node"].is_null(), listed[0].is_null(), "{id}");
            }
        }
    }

    async fn a_hundred_nodes_cost_as_many_statements_as_eleven(app) {
        let few = everything(app).await;
        let mut many = few.clone();
        while many.len() < 100 {
            many.extend(everything(app).await);
            many.sort();
            many.dedup();
        }
        many.truncate(100);
        for id in &few {
            if !many.contains(id) {
                many[0].clone_from(id);
            }
        }
        nodes(app, &app.cast.qa, &few).await;
        let (_, cost_of_few) = app.statements(nodes(app, &app.cast.qa, &few)).await;
        let (found, cost_of_many) = app.statements(nodes(app, &app.cast.qa, &many)).await;
        println!("{} nodes: {cost_of_few} statements; {}: {cost_of_many}", few.len(), many.len());
        assert_eq!(found.iter().filter(|node| node.is_null()).count(), 0);
        assert!(cost_of_many <= cost_of_few, "{cost_of_few} {cost_of_many}");
    }

    async fn a_history_is_read_in_parts(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "VERIFYING").await;
        let qa = &app.cast.qa;
        let all = events(app, qa, "first: 100").await;
        let count = all["nodes"].as_array().unwrap().len();
        assert!(count >= 6, "{all:#}");
        let cursor = |place: usize| all["edges"][place]["cursor"].clone();
        for (arguments, part, previous, next) in [
            ("first: 3".to_owned(), 0..3, false, true), ("last: 3".to_owned(), count - 3..count, true, false),
            (format!("first: 2, after: {}", cursor(1)), 2..4, true, true),
            (format!("last: 2, before: {}", cursor(4)), 2..4, true, true),
            (format!("before: {}", cursor(2)), 0..2, false, true),
            (format!("after: {}", cursor(count - 1)), count..count, true, false),
        ] {
            let page = events(app, qa, &arguments).await;
            assert_eq!(page["nodes"].as_array().unwrap(), &all["nodes"].as_array().unwrap()[part], "{arguments}");
            let info = json!({ "hasPreviousPage": previous, "hasNextPage": next });
            assert_eq!(page["pageInfo"], info, "{arguments}");
        }
        let seen = events(app, &app.cast.client, "first: 2").await;
        assert_eq!(seen["nodes"], json!([{ "kind": "TICKET_CREATED" }, { "kind": "TICKET_MOVED" }]), "pages are of what is seen");
        let query = "{ ticket(by: { key: \"L2-1\" }) { events(first: 1, last: 1) { nodes { kind } } } }";
        assert_eq!(app.error(Some(&qa.token), query, json!({})).await, "BAD_INPUT");
    }

    async fn a_ticket_is_named_once(app) {
        let key = app.file_ticket().await;
        let id = app.ticket(&app.cast.qa, &key, "id").await["id"].as_str().unwrap().to_owned();
        for by in [format!("by: {{ id: \"{id}\" }}"), "by: { key: \"l2-1\" }".to_owned(), format!("id: \"{id}\""), "key: \"L2-1\"".to_owned()] {
            let answer = app.ask(&app.cast.qa, &format!("{{ ticket({by}) {{ key }} }}"), json!({})).await;
            assert_eq!(answer["ticket"]["key"], "L2-1", "{by}");
        }
        for by in ["", "(by: { key: \"L2-1\" }, key: \"L2-1\")", "(by: {})", "(by: { id: \"x\", key: \"L2-1\" })", "(by: { key: null })"] {
            let answer = app.graphql(Some(&app.cast.qa.token), &format!("{{ ticket{by} {{ key }} }}"), json!({})).await;
            assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{by} {answer}");
        }
    }
}
