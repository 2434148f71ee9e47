//! Lists: pages, orders, filters, the board, and how many statements they cost.

use std::collections::HashSet;

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{TestApp, checks::each, closing_facts, each_database, replicating_facts};

/// Everything that a front end shows of a page of tickets.
const PAGE: &str = "query($first: Int!) { tickets(first: $first) { totalCount pageInfo { hasNextPage } nodes { key stage \
     company { name tier } contact { name email } assignee { name } subtype { name } \
     sla { status dueAt } availableMoves { to missingFields } visits { stage sla { status } } \
     history { kind person { name } contact { name } alert { level } } alerts { level } \
     notices { kind person { name } contact { name } } clarifications { question contact { name } } } } }";
const BOARD: &str = "{ board { stage count tickets(first: 50) { totalCount nodes { key company { name } assignee { name } \
     sla { status dueAt } } } } }";
const TICKET: &str = "{ ticket(key: \"L2-1\") { key company { name } contact { name } assignee { name } sla { status } \
     availableMoves { to } visits { stage } history { kind person { name } } alerts { level } notices { kind } } }";

/// The keys of all pages of a list.
async fn walk_pages(app: &TestApp, order: &str, first: usize) -> Vec<Value> {
    let query = format!(
        "query($after: String) {{ tickets(first: {first}, after: $after, orderBy: {order}) {{ \
         edges {{ cursor node {{ id key updatedAt sla {{ dueAt }} }} }} \
         pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }}"
    );
    let mut rows = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = app.ask(&app.cast.qa, &query, json!({ "after": after })).await["tickets"].take();
        assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(!after.is_null()));
        let edges = page["edges"].as_array().unwrap();
        rows.extend(edges.iter().map(|edge| edge["node"].clone()));
        after = page["pageInfo"]["endCursor"].clone();
        assert_eq!(edges.last().map(|edge| &edge["cursor"]), Some(&after));
        if page["pageInfo"]["hasNextPage"] == false {
            return rows;
        }
        assert_eq!(edges.len(), first, "only the last page is short");
    }
}

async fn found(app: &TestApp, filter: &str) -> Vec<String> {
    let query = format!(
        "{{ tickets(orderBy: {{ field: NUMBER, direction: ASC }}, filter: {filter}) {{ totalCount nodes {{ key }} }} }}"
    );
    let answer = app.ask(&app.cast.qa, &query, json!({})).await;
    let nodes = answer["tickets"]["nodes"].as_array().unwrap();
    assert_eq!(answer["tickets"]["totalCount"], nodes.len(), "{filter}");
    nodes.iter().map(|node| node["key"].as_str().unwrap().trim_start_matches("L2-").to_owned()).collect()
}

async fn file(app: &TestApp, facts: Value) -> String {
    let mut input = app.filing().await;
    input["facts"].as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    app.change(&app.cast.operations, "createTicket", input).await["key"].as_str().unwrap().to_owned()
}

/// Files tickets that have assignee, question, alert and notices, so that every nested field has something to read.
async fn file_eventful(app: &TestApp, count: usize) {
    let cast = &app.cast;
    for place in 0..count {
        let key = app.file_ticket().await;
        let assignee = if place % 2 == 0 { &cast.qa.id } else { &cast.tech.id };
        app.change(&cast.operations, "assignTicket", json!({ "ticketId": key, "assigneeId": assignee })).await;
        if place % 3 == 0 {
            app.change(&cast.operations, "askClient", json!({ "ticketId": key, "question": "Which?" })).await;
            app.change(&cast.client, "recordClientAnswer", json!({ "ticketId": key, "answer": "All" })).await;
        }
        if place % 4 == 0 {
            app.walk_to(&key, "FIXING").await;
        }
    }
    app.advance(TimeDelta::days(2));
    app.service.sla_scan().await.unwrap();
}

/// The fewest statements of a few runs: a batch that the machine was too busy to fill is read in two.
async fn fewest(app: &TestApp, query: &str, variables: Value) -> (Value, usize) {
    let mut counts = Vec::new();
    let mut answer = Value::Null;
    for _ in 0..3 {
        let (told, count) = app.statements(app.ask(&app.cast.qa, query, variables.clone())).await;
        counts.push(count);
        answer = told;
    }
    (answer, counts.into_iter().min().unwrap())
}

each_database! {
    async fn pages_have_every_ticket_once_in_every_order(app) {
        let operations = &app.cast.operations;
        for number in 1..=130 {
            let key = app.file_ticket().await;
            if number % 20 == 0 {
                app.advance(TimeDelta::minutes(7));
            }
            // Every tenth has no due time: half of those wait for the client, half left.
            let input = json!({ "ticketId": key, "pipeline": "Client Support", "question": "Which?" });
            let part = |field: &str| json!({ "ticketId": input["ticketId"], field: input[field] });
            match number % 20 {
                9 => drop(app.change(operations, "transferTicket", part("pipeline")).await),
                19 => drop(app.change(operations, "askClient", part("question")).await),
                _ => {}
            }
        }
        let number = |row: &Value| row["key"].as_str().unwrap()[3..].parse::<u32>().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or("9999").to_owned();
        for (field, direction) in [
            ("NUMBER", "ASC"), ("NUMBER", "DESC"), ("UPDATED_AT", "ASC"), ("UPDATED_AT", "DESC"), ("SLA_DUE_AT", "ASC"),
            ("SLA_DUE_AT", "DESC"),
        ] {
            let rows = walk_pages(app, &format!("{{ field: {field}, direction: {direction} }}"), 37).await;
            let distinct: HashSet<_> = rows.iter().map(number).collect();
            assert_eq!((rows.len(), distinct.len()), (130, 130), "{field} {direction}");
            let place = |row: &Value| match field {
                "NUMBER" => (format!("{:05}", number(row)), String::new()),
                "UPDATED_AT" => (text(&row["updatedAt"]), text(&row["id"])),
                _ => (text(&row["sla"]["dueAt"]), text(&row["id"])),
            };
            // Tickets without a due time come last, whichever way the others are sorted.
            let undated = if field == "SLA_DUE_AT" { 13 } else { 0 };
            let (dated, last) = rows.split_at(130 - undated);
            assert!(last.iter().all(|row| row["sla"]["dueAt"].is_null()), "{field} {direction}");
            for part in [dated, last] {
                let mut places: Vec<_> = part.iter().map(place).collect();
                if direction == "DESC" {
                    places.reverse();
                }
                assert!(places.is_sorted(), "{field} {direction}: {places:#?}");
            }
        }
    }

    async fn filters_find_what_they_say(app) {
        let cast = &app.cast;
        file(app, json!({ "subject": "100% of rows fail", "severity": "MAJOR" })).await;
        file(app, json!({ "subject": "1000 of rows fail", "severity": "MINOR" })).await;
        app.advance(TimeDelta::hours(1));
        file(app, json!({ "subject": "snake_case is lost" })).await;
        file(app, json!({ "subject": "snakeXcase is lost" })).await;
        app.change(&cast.other_client, "createTicket", json!({ "facts": app.first_facts().await })).await;
        let data = app.subtype("DATA_ISSUES").await;
        file(app, json!({ "category": "DATA_ISSUES", "subtypeId": data, "subject": "Übersicht lädt nicht" })).await;
        app.change(&cast.operations, "assignTicket", json!({ "ticketId": "L2-2", "assigneeId": cast.qa.id })).await;
        app.walk_to("L2-3", "FIXING").await;
        app.change(&cast.operations, "transferTicket", json!({ "ticketId": "L2-4", "pipeline": "Client Support" })).await;
        let [qa, acme, nobody] = [json!(cast.qa.id), json!(cast.acme.id.to_string()), json!("person_1")];
        let table = [
            ("{}".to_owned(), "123456"),
            ("{ number: { eq: 2 } }".to_owned(), "2"), ("{ number: { neq: 2 } }".to_owned(), "13456"),
            ("{ number: { in: [1, 3, 99] } }".to_owned(), "13"), ("{ number: { in: [] } }".to_owned(), ""),
            ("{ number: { gt: 2, lte: 4 } }".to_owned(), "34"), ("{ number: { gte: 2, lt: 4 } }".to_owned(), "23"),
            ("{ stage: { eq: FIXING } }".to_owned(), "3"), ("{ stage: { neq: VALIDATING } }".to_owned(), "34"),
            ("{ stage: { in: [FIXING, TRANSFERRED] } }".to_owned(), "34"), ("{ isOpen: false }".to_owned(), "4"),
            ("{ isOpen: true, stage: { neq: FIXING } }".to_owned(), "1256"),
            ("{ category: { eq: DATA_ISSUES } }".to_owned(), "6"), ("{ category: { neq: DATA_ISSUES } }".to_owned(), "12345"),
            (format!("{{ subtypeId: {{ eq: {} }} }}", json!(data)), "6"),
            ("{ severity: { eq: MAJOR } }".to_owned(), "13"), ("{ severity: { neq: MAJOR } }".to_owned(), "2456"),
            ("{ severity: { isNull: true } }".to_owned(), "456"), ("{ severity: { isNull: false } }".to_owned(), "123"),
            ("{ priority: { eq: HIGH } }".to_owned(), "3"), ("{ priority: { neq: HIGH } }".to_owned(), "12456"),
            ("{ source: { eq: CLIENT_FORM } }".to_owned(), "5"),
            (format!("{{ companyId: {{ eq: {acme} }} }}"), "12346"), (format!("{{ companyId: {{ neq: {acme} }} }}"), "5"),
            (format!("{{ contactId: {{ in: [{}] }} }}", json!(cast.other_client.id)), "5"),
            (format!("{{ assigneeId: {{ eq: {qa} }} }}"), "2"), (format!("{{ assigneeId: {{ eq: {nobody} }} }}"), ""),
            ("{ assigneeId: { isNull: true } }".to_owned(), "13456"), (format!("{{ assigneeId: {{ neq: {qa} }} }}"), "13456"),
            ("{ subject: { eq: \"100% of rows fail\" } }".to_owned(), "1"),
            ("{ subject: { eq: \"100% OF rows fail\" } }".to_owned(), ""),
            ("{ subject: { contains: \"ROWS FAIL\" } }".to_owned(), "12"), ("{ subject: { contains: \"0%\" } }".to_owned(), "1"),
            ("{ subject: { contains: \"snake_case\" } }".to_owned(), "3"), ("{ subject: { contains: \"\\\\\" } }".to_owned(), ""),
            ("{ subject: { contains: \"Übersicht lädt\" } }".to_owned(), "6"),
            ("{ estimatedDeliveryDate: { eq: \"2026-06-12\" } }".to_owned(), "3"),
            ("{ estimatedDeliveryDate: { gt: \"2026-06-12\" } }".to_owned(), ""),
            ("{ estimatedDeliveryDate: { lte: \"2026-06-12\" } }".to_owned(), "3"),
            ("{ createdAt: { gt: \"2026-06-01T09:00:00Z\" } }".to_owned(), "3456"),
            ("{ createdAt: { lte: \"2026-06-01T11:00:00+02:00\" } }".to_owned(), "12"),
            ("{ updatedAt: { gte: \"2026-06-01T10:00:00Z\" } }".to_owned(), "23456"),
            ("{ slaDueAt: { isNull: true } }".to_owned(), "4"), ("{ slaDueAt: { lt: \"2026-06-02T09:30:00Z\" } }".to_owned(), "12"),
            ("{ slaDueAt: { gt: \"2026-06-12T00:00:00Z\" } }".to_owned(), "3"),
            ("{ or: [{ number: { eq: 1 } }, { and: [{ severity: { eq: MAJOR } }, { isOpen: true }] }] }".to_owned(), "13"),
            ("{ and: [{ number: { gt: 1 } }, { number: { lt: 4 } }], severity: { eq: MINOR } }".to_owned(), "2"),
            ("{ or: [] }".to_owned(), "123456"), ("{ and: [] }".to_owned(), "123456"), ("{ and: [{}] }".to_owned(), "123456"),
            ("{ subject: { neq: \"100% of rows fail\" } }".to_owned(), "23456"),
            ("{ subject: { in: [\"100% of rows fail\", \"?\"] } }".to_owned(), "1"),
            ("{ not: { number: { eq: 2 } } }".to_owned(), "13456"), ("{ not: { severity: { eq: MAJOR } } }".to_owned(), "2456"),
            ("{ not: {} }".to_owned(), ""),
            ("{ not: { not: { priority: { eq: HIGH } } } }".to_owned(), "3"),
            ("{ not: { or: [{ number: { lt: 3 } }, { isOpen: false }] } }".to_owned(), "356"),
            ("{ not: { isBreached: true } }".to_owned(), "123456"),
            ("{ isBreached: true }".to_owned(), ""), ("{ isBreached: false }".to_owned(), "123456"),
        ];
        for (filter, numbers) in table {
            assert_eq!(found(app, &filter).await.concat(), numbers, "{filter}");
        }
        app.clock.set("2026-06-01T17:00:00Z".parse().unwrap());
        assert_eq!(found(app, "{ isBreached: true }").await.concat(), "", "at the due time it is in time");
        app.advance(TimeDelta::microseconds(1));
        assert_eq!(found(app, "{ isBreached: true }").await.concat(), "12");
        assert_eq!(found(app, "{ isBreached: false, isOpen: true }").await.concat(), "356");
    }

    async fn the_board_counts_each_open_stage_and_shows_the_next_due_first(app) {
        for stage in ["VALIDATING", "VERIFYING", "VALIDATING", "FIXING", "CLOSED_RESOLVED", "VALIDATING"] {
            let key = app.file_ticket().await;
            app.walk_to(&key, stage).await;
            app.advance(TimeDelta::minutes(1));
        }
        app.change(&app.cast.operations, "askClient", json!({ "ticketId": "L2-1", "question": "Which?" })).await;
        let query = "{ board { stage ownerTeam count tickets(first: 2) { totalCount nodes { key } pageInfo { hasNextPage } } } }";
        let answer = app.ask(&app.cast.qa, query, json!({})).await;
        let column = |stage: &str, team: &str, count: usize, keys: &[&str], more: bool| {
            let nodes: Vec<_> = keys.iter().map(|key| json!({ "key": key })).collect();
            json!({
                "stage": stage, "ownerTeam": team, "count": count,
                "tickets": { "totalCount": count, "nodes": nodes, "pageInfo": { "hasNextPage": more } },
            })
        };
        assert_eq!(answer["board"], json!([
            column("VALIDATING", "OPERATIONS", 3, &["L2-3", "L2-6"], true),
            column("REPLICATING", "QA", 0, &[], false),
            column("ESTIMATING", "PROJECT_MANAGER", 0, &[], false),
            column("FIXING", "TECH", 1, &["L2-4"], false),
            column("VERIFYING", "QA", 1, &["L2-2"], false),
        ]));
    }

    async fn the_board_goes_on_where_its_column_ends(app) {
        for _ in 0..3 {
            app.file_ticket().await;
        }
        let query = "{ board { tickets(first: 2) { pageInfo { endCursor } } } }";
        let board = app.ask(&app.cast.qa, query, json!({})).await;
        let query = "query($after: String) { tickets(after: $after, filter: { stage: { eq: VALIDATING } }, \
            orderBy: { field: SLA_DUE_AT, direction: ASC }) { nodes { key } } }";
        let after = &board["board"][0]["tickets"]["pageInfo"]["endCursor"];
        let rest = app.ask(&app.cast.qa, query, json!({ "after": after })).await;
        assert_eq!(each(&rest["tickets"]["nodes"], "key"), ["L2-3"]);
    }

    async fn fifty_tickets_cost_as_many_statements_as_five(app) {
        file_eventful(app, 50).await;
        let (five, few) = fewest(app, PAGE, json!({ "first": 5 })).await;
        let (fifty, many) = fewest(app, PAGE, json!({ "first": 50 })).await;
        assert_eq!(five["tickets"]["nodes"].as_array().unwrap().len(), 5);
        assert_eq!(fifty["tickets"]["nodes"].as_array().unwrap().len(), 50);
        for field in ["alerts", "notices", "clarifications", "visits", "history"] {
            let lists = each(&five["tickets"]["nodes"], field);
            assert!(lists.iter().any(|list| **list != json!([])), "{field} is not tested");
        }
        let (_, board) = fewest(app, BOARD, json!({})).await;
        let (_, ticket) = fewest(app, TICKET, json!({})).await;
        let (_, bare) = fewest(app, "{ tickets(first: 50) { nodes { key subject stage subtype { name } } } }", json!({})).await;
        eprintln!(
            "statements on {:?}: a page of 5 {few}, of 50 {many}, a bare page {bare}, the board {board}, one ticket {ticket}",
            app.db.get_database_backend()
        );
        assert_eq!(few, many, "the number of statements must not grow with the page");
        assert!(many <= 24, "a page of 50 takes {many} statements");
    }

    async fn a_move_costs_a_constant_number_of_statements(app) {
        let key = app.file_ticket().await;
        let input = json!({ "ticketId": key, "to": "REPLICATING", "facts": replicating_facts() });
        let (_, first) = app.statements(app.change(&app.cast.operations, "moveTicket", input)).await;
        let other = app.file_ticket().await;
        app.walk_to(&other, "VERIFYING").await;
        let input = json!({ "ticketId": other, "to": "CLOSED_RESOLVED", "facts": closing_facts() });
        let (_, last) = app.statements(app.change(&app.cast.qa, "moveTicket", input)).await;
        eprintln!("statements on {:?}: the first move {first}, the last {last}", app.db.get_database_backend());
        assert!(first.max(last) <= 24, "{first} {last}");
    }
}
