//! Finding tickets by words and keys.

use serde_json::json;

use crate::support::{Member, TestApp, each_database};

/// The numbers of the tickets that a search finds, in order.
async fn found(app: &TestApp, member: &Member, search: &str) -> String {
    let query = "query($search: String) { tickets(search: $search, orderBy: { field: NUMBER, direction: ASC }) \
        { totalCount nodes { key } } }";
    let list = app.ask(member, query, json!({ "search": search })).await["tickets"].take();
    let nodes = list["nodes"].as_array().unwrap();
    assert_eq!(list["totalCount"], nodes.len(), "{search}");
    nodes.iter().map(|node| node["key"].as_str().unwrap().replace("L2-", "")).collect::<Vec<_>>().join(" ")
}

async fn file(app: &TestApp, subject: &str, description: &str, steps: Option<&str>) -> String {
    let mut input = app.filing().await;
    input["facts"]["subject"] = json!(subject);
    input["facts"]["description"] = json!(description);
    input["facts"]["stepsToReproduce"] = json!(steps);
    app.change(&app.cast.operations, "createTicket", input).await["key"].as_str().unwrap().to_owned()
}

each_database! {
    async fn a_search_finds_all_its_words_and_the_beginning_of_the_last(app) {
        let qa = &app.cast.qa;
        file(app, "Export stops at row 1000", "The CSV file of orders is cut.", None).await;
        file(app, "Übersicht lädt nicht", "see https://shop.example.com/orders?id=7", Some("Open 注文 page")).await;
        file(app, "Login fails", "it's \"near\" the column:subject, isn't it", Some("Press the red button")).await;
        for _ in 4..=12 {
            file(app, "Filler", "Nothing in here", None).await;
        }
        for (search, numbers) in [
            ("export", "1"), ("EXPORT Row", "1"), ("exp", "1"), ("exp row", ""), ("row exp", "1"), ("orders", "1 2"),
            ("orders cut", "1"), ("übersicht", "2"), ("ÜBERS", "2"), ("shop.example.com", "2"), ("注文", "2"), ("red butt", "3"),
            ("isn't", "3"), ("L2-2", "2"), ("l2-12", "12"), ("12", "12"), ("1000", "1"), ("L2-99", ""), ("99", ""), ("nowhere", ""),
            // Search syntax is only words, and what is no word finds nothing.
            ("\"export\" OR login", ""), ("export NOT row", ""), ("near", "3"), ("NEAR(export row)", ""), ("subject:export", ""),
            ("column:subject", "3"), ("export*", "1"), ("ex*port", ""), ("(export", "1"), ("export & !row", "1"),
            ("export | login", ""), ("'export':*", "1"), ("\\", ""), ("\"", ""), ("*", ""), ("%", ""), ("^export", "1"),
            ("-export", "1"), ("{staff} : export", ""), ("export\u{0}", "1"),
        ] {
            assert_eq!(found(app, qa, search).await, numbers, "{search:?}");
        }
        for blank in ["", "  ", "\n"] {
            assert_eq!(found(app, qa, blank).await, "1 2 3 4 5 6 7 8 9 10 11 12", "{blank:?}");
        }
        let long = format!("{{ tickets(search: {}) {{ totalCount }} }}", json!("x ".repeat(101)));
        assert_eq!(app.error(Some(&qa.token), &long, json!({})).await, "BAD_INPUT");
    }

    async fn a_search_goes_with_filters_orders_and_pages(app) {
        for number in 0..5 {
            file(app, &format!("Export {number}"), "Cut", None).await;
        }
        app.walk_to("L2-3", "REPLICATING").await;
        let query = "query($after: String) { tickets(search: \"export\", filter: { stage: { eq: VALIDATING } }, first: 2, after: $after, \
            orderBy: [{ field: SUBJECT, direction: DESC }]) { totalCount nodes { key } pageInfo { hasNextPage endCursor } } }";
        let first = app.ask(&app.cast.qa, query, json!({})).await["tickets"].take();
        assert_eq!((&first["totalCount"], &first["nodes"]), (&json!(4), &json!([{ "key": "L2-5" }, { "key": "L2-4" }])));
        let after = json!({ "after": first["pageInfo"]["endCursor"] });
        let rest = app.ask(&app.cast.qa, query, after).await["tickets"].take();
        assert_eq!(rest["nodes"], json!([{ "key": "L2-2" }, { "key": "L2-1" }]));
        assert_eq!(rest["pageInfo"]["hasNextPage"], false);
    }

    async fn a_changed_text_is_found_by_its_new_words_only(app) {
        let key = file(app, "Old subject", "Same", None).await;
        let change = json!({ "ticketId": key, "facts": { "subject": "New title", "stepsToReproduce": "Shake it" } });
        app.change(&app.cast.operations, "updateTicket", change).await;
        for (search, numbers) in [("old", ""), ("title", "1"), ("same", "1"), ("shake", "1")] {
            assert_eq!(found(app, &app.cast.qa, search).await, numbers, "{search}");
        }
        app.walk_to(&key, "REPLICATING").await;
        assert_eq!(found(app, &app.cast.qa, "shake").await, "", "the move stated other steps");
        assert_eq!(found(app, &app.cast.qa, "press export").await, "1");
    }

    async fn a_contact_finds_in_their_own_company_only(app) {
        file(app, "Export stops", "Secretly", Some("Press")).await;
        for (search, numbers) in [("export", "1"), ("press", "1"), ("1", "1"), ("L2-1", "1")] {
            assert_eq!(found(app, &app.cast.client, search).await, numbers, "{search}");
            assert_eq!(found(app, &app.cast.other_client, search).await, "", "{search}");
        }
    }
}
