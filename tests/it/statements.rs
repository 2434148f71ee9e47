//! How many SQL statements the shapes that front ends ask most cost: a number that does not depend on how many rows there are.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{TestApp, each_database};

/// Everything that can be asked of a ticket.
const EVERYTHING: &str = "key stage company { name tier } contact { name } assignee { name } subtype { name } \
    sla { status dueAt remaining } availableMoves { to allowed missingFields } visits { stage sla { status } } \
    history { kind person { name } contact { name } } clarifications { question contact { name } } \
    alerts { level } notices { kind state person { name } contact { name } }";

/// Three for the token, one for the tickets with company, contact, subtype and assignee, four for the clocks (visits,
/// pauses, policies, calendars), one for the total.
const CARD_STATEMENTS: usize = 9;

async fn page(app: &TestApp, first: u32, select: &str) -> (Value, usize) {
    let query = format!("query($first: Int) {{ tickets(first: $first) {{ totalCount nodes {{ {select} }} }} }}");
    app.statements(app.ask(&app.cast.qa, &query, json!({ "first": first }))).await
}

/// Tickets in every stage, with assignees, alerts, notices and questions.
async fn fill(app: &TestApp, count: usize) {
    let stages = ["VALIDATING", "REPLICATING", "ESTIMATING", "FIXING", "VERIFYING", "CLOSED_RESOLVED"];
    for number in 0..count {
        let key = app.file_ticket().await;
        let assignment = json!({ "ticketId": key, "assigneeId": app.cast.operations.id });
        app.change(&app.cast.operations, "assignTicket", assignment).await;
        if number % 6 == 0 {
            let question = json!({ "ticketId": key, "question": "Which browser?" });
            app.change(&app.cast.operations, "askClient", question).await;
        }
        app.walk_to(&key, stages[number % stages.len()]).await;
    }
    app.advance(TimeDelta::hours(7));
    app.service.sla_scan().await.unwrap();
}

each_database! {
    async fn a_page_of_tickets_costs_the_same_however_long_it_is(app) {
        fill(app, 54).await;
        // The first use in a minute is noted on the token.
        page(app, 1, "key").await;
        let card = "key company { name } assignee { name } sla { status dueAt } availableMoves { to missingFields }";
        let (answer, card_statements) = page(app, 50, card).await;
        assert_eq!(answer["tickets"]["nodes"].as_array().unwrap().len(), 50);
        assert_eq!(answer["tickets"]["totalCount"], 54);
        assert_eq!(page(app, 6, card).await.1, card_statements);

        assert_eq!(card_statements, CARD_STATEMENTS);
        println!("a page of 50 tickets as cards: {card_statements} statements");
    }

    async fn the_board_and_one_ticket_cost_a_handful(app) {
        fill(app, 12).await;
        let board = "{ board { stage count tickets(first: 50) { nodes { key company { name } sla { dueAt } } } } }";
        let (_, few) = app.statements(app.ask(&app.cast.qa, board, json!({}))).await;
        fill(app, 24).await;
        let (_, more) = app.statements(app.ask(&app.cast.qa, board, json!({}))).await;
        assert_eq!(few, more);
        let (_, one) = app.statements(app.ticket(&app.cast.qa, "L2-1", EVERYTHING)).await;
        println!("the board: {more} statements; one ticket with everything: {one}");
    }
}
