//! Walking lists forward and backward, in every order.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{TestApp, each_database};

const PAGE: usize = 7;
const NODE: &str =
    "id number: key createdAt updatedAt priority severity stage sla { dueAt } estimatedDeliveryDate subject";
const FIELDS: [&str; 9] = [
    "NUMBER",
    "CREATED_AT",
    "UPDATED_AT",
    "PRIORITY",
    "SEVERITY",
    "STAGE",
    "SLA_DUE_AT",
    "ESTIMATED_DELIVERY_DATE",
    "SUBJECT",
];

/// Tickets with ties and unknowns in everything that they are sorted by.
async fn fill(app: &TestApp) {
    let cast = &app.cast;
    let severities = ["CRITICAL", "COSMETIC", "MAJOR", "MINOR"];
    let stages = ["VALIDATING", "REPLICATING", "FIXING", "CLOSED_RESOLVED", "VALIDATING", "ESTIMATING", "VERIFYING"];
    for number in 0..31 {
        let mut input = app.filing().await;
        input["facts"]["subject"] = json!(format!("subject {}", number % 5));
        if number % 3 != 0 {
            input["facts"]["severity"] = json!(severities[number % 4]);
        }
        let key = app.change(&cast.operations, "createTicket", input).await["key"].as_str().unwrap().to_owned();
        app.walk_to(&key, stages[number % stages.len()]).await;
        if number % 7 == 4 {
            app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which?" })).await;
        }
        if number % 7 == 5 {
            let date = format!("2026-06-{}", 15 + number % 3);
            let facts = json!({ "priority": (["LOW", "URGENT"][number % 2]), "estimatedDeliveryDate": date });
            app.change(&cast.project_manager, "updateTicket", json!({ "ticketId": key, "facts": facts })).await;
        }
        if number % 4 == 0 {
            app.advance(TimeDelta::minutes(7));
        }
    }
}

/// What a ticket is sorted by, as text that sorts like it.
fn key(ticket: &Value, field: &str) -> Option<String> {
    let place =
        |words: &[&str], word: &Value| words.iter().position(|other| word == other).map(|place| place.to_string());
    let instant = |at: &Value| at.as_str().map(|at| at.parse::<DateTime<Utc>>().unwrap().format("%+").to_string());
    match field {
        "NUMBER" => ticket["number"].as_str().map(|key| format!("{:>5}", &key[3..])),
        "CREATED_AT" => instant(&ticket["createdAt"]),
        "UPDATED_AT" => instant(&ticket["updatedAt"]),
        "PRIORITY" => place(&["URGENT", "HIGH", "NORMAL", "LOW"], &ticket["priority"]),
        "SEVERITY" => place(&["CRITICAL", "MAJOR", "MINOR", "COSMETIC"], &ticket["severity"]),
        "STAGE" => place(
            &["VALIDATING", "REPLICATING", "ESTIMATING", "FIXING", "VERIFYING", "CLOSED_RESOLVED"],
            &ticket["stage"],
        ),
        "SLA_DUE_AT" => instant(&ticket["sla"]["dueAt"]),
        "ESTIMATED_DELIVERY_DATE" => ticket["estimatedDeliveryDate"].as_str().map(str::to_owned),
        "SUBJECT" => ticket["subject"].as_str().map(str::to_owned),
        other => panic!("{other}"),
    }
}

fn compare(orders: &[(&str, bool)], one: &Value, other: &Value) -> Ordering {
    let towards = |ordering: Ordering, descending: bool| if descending { ordering.reverse() } else { ordering };
    for (field, descending) in orders {
        let ordering = match (key(one, field), key(other, field)) {
            (Some(one), Some(other)) => towards(one.cmp(&other), *descending),
            (one, other) => one.is_none().cmp(&other.is_none()),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    towards(one["id"].as_str().cmp(&other["id"].as_str()), orders.last().unwrap().1)
}

fn written(orders: &[(&str, bool)]) -> String {
    let order = |(field, descending): &(&str, bool)| {
        format!("{{ field: {field}, direction: {} }}", if *descending { "DESC" } else { "ASC" })
    };
    format!("[{}]", orders.iter().map(order).collect::<Vec<_>>().join(", "))
}

async fn page(app: &TestApp, arguments: &str) -> Value {
    let query = format!(
        "{{ tickets({arguments}) {{ nodes {{ {NODE} }} edges {{ cursor }} \
         pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    app.ask(&app.cast.qa, &query, json!({})).await["tickets"].take()
}

fn ids(nodes: &[Value]) -> Vec<&str> {
    nodes.iter().map(|node| node["id"].as_str().unwrap()).collect()
}

/// Walks all pages in one direction; the tickets in the order of the list.
async fn walk(app: &TestApp, orders: &str, backward: bool) -> Vec<Value> {
    let (size, cursor) = if backward { ("last", "before") } else { ("first", "after") };
    let mut rows: Vec<Value> = Vec::new();
    let mut at = Value::Null;
    loop {
        let page = page(app, &format!("orderBy: {orders}, {size}: {PAGE}, {cursor}: {at}")).await;
        let mut nodes = page["nodes"].as_array().unwrap().clone();
        let info = &page["pageInfo"];
        let (further, behind) =
            if backward { ("hasPreviousPage", "hasNextPage") } else { ("hasNextPage", "hasPreviousPage") };
        assert_eq!(info[behind], json!(!at.is_null()), "{orders} {backward}");
        at = info[if backward { "startCursor" } else { "endCursor" }].clone();
        if backward {
            nodes.append(&mut rows);
            rows = nodes;
        } else {
            rows.append(&mut nodes);
        }
        if info[further] == false {
            return rows;
        }
        assert_eq!(page["nodes"].as_array().unwrap().len(), PAGE, "only the last page is short");
    }
}

each_database! {
    async fn every_order_is_walked_forward_and_backward_without_a_gap_or_a_repeat(app) {
        fill(app).await;
        let mut table: Vec<Vec<(&str, bool)>> = Vec::new();
        for field in FIELDS {
            table.extend([vec![(field, false)], vec![(field, true)]]);
        }
        for (place, field) in FIELDS.iter().enumerate() {
            let [second, third] = [FIELDS[(place + 4) % 9], FIELDS[(place + 7) % 9]];
            table.push(vec![(field, place % 2 == 0), (second, place % 3 == 0)]);
            table.push(vec![(third, place % 2 == 1), (field, place % 3 == 1), (second, place % 2 == 0)]);
        }
        table.push(vec![("PRIORITY", false), ("SLA_DUE_AT", false), ("SEVERITY", true)]);
        let mut all = page(app, "first: 100").await["nodes"].as_array().unwrap().clone();
        assert_eq!(all.len(), 31);
        for orders in table {
            let written = written(&orders);
            all.sort_by(|one, other| compare(&orders, one, other));
            for backward in [false, true] {
                let walked = walk(app, &written, backward).await;
                assert_eq!(ids(&walked), ids(&all), "{written} {backward}");
            }
        }
    }

    async fn windows_between_two_cursors_tell_what_lies_beyond(app) {
        for _ in 0..6 {
            app.file_ticket().await;
        }
        let order = "orderBy: { field: NUMBER, direction: ASC }";
        let all = page(app, order).await;
        let cursor = |number: usize| all["edges"][number - 1]["cursor"].clone();
        let (two, five) = (cursor(2), cursor(5));
        // Arguments; the numbers; whether there is more before and after.
        for (arguments, numbers, previous, next) in [
            (String::new(), "123456", false, false),
            ("first: 2".to_owned(), "12", false, true), ("last: 2".to_owned(), "56", true, false),
            ("first: 6".to_owned(), "123456", false, false), ("last: 6".to_owned(), "123456", false, false),
            (format!("after: {two}"), "3456", true, false), (format!("before: {five}"), "1234", false, true),
            (format!("first: 2, after: {two}"), "34", true, true), (format!("last: 2, before: {five}"), "34", true, true),
            (format!("last: 2, after: {two}"), "56", true, false), (format!("last: 9, after: {two}"), "3456", true, false),
            (format!("first: 2, before: {five}"), "12", false, true), (format!("first: 9, before: {five}"), "1234", false, true),
            (format!("after: {two}, before: {five}"), "34", true, true),
            (format!("first: 1, after: {two}, before: {five}"), "3", true, true),
            (format!("last: 1, after: {two}, before: {five}"), "4", true, true),
            (format!("after: {five}, before: {two}"), "", true, true),
        ] {
            let page = page(app, &format!("{order} {arguments}")).await;
            let nodes = page["nodes"].as_array().unwrap();
            let found: String = nodes.iter().map(|node| node["number"].as_str().unwrap().replace("L2-", "")).collect();
            let info = &page["pageInfo"];
            assert_eq!(
                (found.as_str(), &info["hasPreviousPage"], &info["hasNextPage"]),
                (numbers, &json!(previous), &json!(next)),
                "{arguments}"
            );
        }
        let first = page(app, &format!("{order} first: 1")).await["pageInfo"]["endCursor"].clone();
        let filter = "filter: { number: { gt: 1 } }";
        let page = page(app, &format!("{order} {filter} first: 1 after: {first}")).await;
        assert_eq!(page["pageInfo"]["hasPreviousPage"], false, "the row before the page is not of this list");
    }

    async fn arguments_that_make_no_sense_are_refused(app) {
        let number = "{ field: NUMBER, direction: ASC }";
        let stage = "{ field: STAGE, direction: DESC }";
        let severity = "{ field: SEVERITY, direction: DESC }";
        let created = "{ field: CREATED_AT, direction: DESC }";
        for arguments in [
            "first: 1, last: 1".to_owned(), "last: 0".to_owned(), "last: 101".to_owned(), "last: -1".to_owned(),
            format!("orderBy: [{number}, {number}]"), "orderBy: [{ field: STAGE, direction: ASC }, { field: STAGE, direction: DESC }]".to_owned(),
            format!("orderBy: [{number}, {stage}, {severity}, {created}]"),
        ] {
            let query = format!("{{ tickets({arguments}) {{ totalCount }} }}");
            assert_eq!(app.error(Some(&app.cast.qa.token), &query, json!({})).await, "BAD_INPUT", "{arguments}");
        }
        let query = format!("{{ tickets(orderBy: [{number}, {stage}, {severity}]) {{ totalCount }} }}");
        app.ask(&app.cast.qa, &query, json!({})).await;
    }

    async fn lists_of_names_are_filtered_and_walked_both_ways(app) {
        let cast = &app.cast;
        for name in ["Beta", "Alpha", "Gamma"] {
            app.make(&cast.administrator, "createCompany", "company", json!({ "name": name, "tier": "TIER_ONE" }), "id").await;
        }
        let names = async |query: &str| {
            let mut answer = app.ask(&cast.qa, &format!("{{ {query} }}"), json!({})).await;
            let list = answer.as_object_mut().unwrap().values_mut().next().unwrap().take();
            assert_eq!(list["totalCount"], list["nodes"].as_array().unwrap().len(), "{query}");
            let nodes = list["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap().to_owned());
            nodes.collect::<Vec<_>>().join(" ")
        };
        for (query, expected) in [
            ("companies(filter: { tier: { eq: TIER_ONE } })", "Alpha Beta Gamma"),
            ("companies(filter: { tier: { isNull: true } })", "Globex"),
            ("companies(filter: { name: { contains: \"AM\" } })", "Gamma"),
            ("companies(filter: { name: { in: [\"Acme\", \"Beta\", \"beta\"] } }, last: 2)", "Acme Beta"),
            ("contacts(filter: { email: { contains: \"OTTO\" } })", "Otto Other"),
            ("people(filter: { team: { eq: TECH } })", "Tariq Tech Theo Manager"),
            ("people(filter: { team: { neq: TECH }, name: { contains: \"a\" } })",
                "Ada Admin Mona Manager Olga Operations Paula Project Quentin Qa"),
            ("people(filter: { isActive: false })", ""),
            ("people(filter: { email: { eq: \"ada.admin@example.com\" } })", "Ada Admin"),
        ] {
            assert_eq!(names(&format!("{query} {{ totalCount nodes {{ name }} }}")).await, expected, "{query}");
        }
        let query = "query($before: String) { companies(last: 2, before: $before) { nodes { name } \
            pageInfo { hasPreviousPage hasNextPage startCursor } } }";
        let last = app.ask(&cast.qa, query, json!({})).await["companies"].take();
        assert_eq!(last["nodes"], json!([{ "name": "Gamma" }, { "name": "Globex" }]));
        let middle = app.ask(&cast.qa, query, json!({ "before": last["pageInfo"]["startCursor"] })).await;
        assert_eq!(middle["companies"]["nodes"], json!([{ "name": "Alpha" }, { "name": "Beta" }]));
        assert_eq!(middle["companies"]["pageInfo"]["hasNextPage"], true);
    }
}
