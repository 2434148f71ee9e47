//! Bad input of tickets: each refused with code and field, and nothing half-written.

use serde_json::{Value, json};

use crate::support::{TestApp, checks::pairs, client, closing_facts, each_database, replicating_facts};

const UNKNOWN_TICKETS: [&str; 6] =
    ["L2-99", "L2-99999999999999999999", "ticket_00000000000000000000000000000001", "nonsense", "", "person_1"];
/// The texts of a ticket, each with the characters that it may have, and whether it may have lines.
const TEXTS: [(&str, usize, bool); 9] = [
    ("subject", 200, false),
    ("description", 20_000, true),
    ("acceptanceCriteria", 20_000, true),
    ("stepsToReproduce", 20_000, true),
    ("browser", 200, false),
    ("operatingSystem", 200, false),
    ("appVersion", 200, false),
    ("workaround", 20_000, true),
    ("resolutionNotes", 20_000, true),
];

/// Every mutation of a ticket, with an input that would be fine.
async fn changes(app: &TestApp) -> Vec<(&'static str, Value)> {
    vec![
        ("updateTicket", json!({ "facts": { "browser": "Firefox" } })),
        ("moveTicket", json!({ "to": "REPLICATING", "facts": replicating_facts() })),
        ("transferTicket", json!({ "pipeline": "Client Support" })),
        ("assignTicket", json!({ "assigneeId": app.cast.qa.id })),
        ("setEstimatedDeliveryDate", json!({ "estimatedDeliveryDate": "2026-06-20", "reason": "Known" })),
        ("askClient", json!({ "question": "Which browser?" })),
        ("recordClientAnswer", json!({ "answer": "Firefox" })),
    ]
}

/// The problems of all texts when each is what `text` makes of its limit and whether it may have lines.
async fn text_problems(app: &TestApp, key: &str, text: impl Fn(usize, bool) -> String) -> Vec<(String, String)> {
    let facts: serde_json::Map<String, Value> =
        TEXTS.iter().map(|(field, limit, lines)| ((*field).to_owned(), json!(text(*limit, *lines)))).collect();
    app.refusal_without_trace(&app.cast.operations, key, "updateTicket", json!({ "facts": facts })).await
}

fn all_texts(code: &str) -> Vec<(String, String)> {
    TEXTS.iter().map(|(field, ..)| (code.to_owned(), format!("facts.{field}"))).collect()
}

fn sorted(mut problems: Vec<(String, String)>) -> Vec<(String, String)> {
    problems.sort();
    problems
}

each_database! {
    async fn a_ticket_that_does_not_exist_is_not_found_by_any_change(app) {
        for (mutation, mut input) in changes(app).await {
            for unknown in UNKNOWN_TICKETS {
                input["ticketId"] = json!(unknown);
                let token = Some(app.cast.administrator.token.as_str());
                let code = app.mutation_error(token, mutation, input.clone()).await;
                assert_eq!(code, "NOT_FOUND", "{mutation} {unknown:?}");
            }
        }
        for unknown in UNKNOWN_TICKETS {
            let query = "query($id: ID!, $key: String!) { ticket(id: $id) { id } other: ticket(key: $key) { id } node(id: $id) { id } }";
            let answer = app.ask(&app.cast.qa, query, json!({ "id": unknown, "key": unknown })).await;
            assert_eq!(answer, json!({ "ticket": null, "other": null, "node": null }));
        }
    }

    async fn another_companys_ticket_is_answered_like_one_that_does_not_exist(app) {
        let key = app.file_ticket().await;
        let before = app.footprint(&key).await;
        let token = Some(app.cast.other_client.token.as_str());
        for (mutation, mut input) in changes(app).await {
            let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
            let query = format!("mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ ticket {{ id }} }} }}");
            let mut answers = Vec::new();
            for id in [json!("L2-99"), json!(key), before["id"].clone()] {
                input["ticketId"] = id;
                input["expectedVersion"] = json!(7);
                answers.push(app.graphql(token, &query, json!({ "input": input })).await);
            }
            assert_eq!(answers[0]["errors"][0]["extensions"]["code"], "NOT_FOUND");
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{mutation}: {answers:#?}");
        }
        assert_eq!(app.footprint(&key).await, before);
    }

    async fn a_closed_ticket_is_changed_by_reopening_only(app) {
        for (stage, walk) in [("CLOSED_RESOLVED", true), ("TRANSFERRED", false)] {
            let key = app.file_ticket().await;
            if walk {
                app.walk_to(&key, stage).await;
            } else {
                let input = json!({ "ticketId": key, "pipeline": "Client Support" });
                app.change(&app.cast.operations, "transferTicket", input).await;
            }
            for (mutation, input) in changes(app).await {
                let admin = &app.cast.administrator;
                let refused = app.refusal_without_trace(admin, &key, mutation, input).await;
                let field = if matches!(mutation, "moveTicket" | "transferTicket") { "to" } else { "" };
                assert_eq!(refused, pairs(&[("WRONG_STAGE", field)]), "{stage} {mutation}");
            }
        }
    }

    async fn stages_are_not_skipped(app) {
        let key = app.file_ticket().await;
        for to in ["VALIDATING", "ESTIMATING", "FIXING", "VERIFYING", "CLOSED_RESOLVED"] {
            let facts = closing_facts();
            let input = json!({ "to": to, "facts": facts, "reason": "Now" });
            let refused = app.refusal_without_trace(&app.cast.administrator, &key, "moveTicket", input).await;
            assert_eq!(refused, pairs(&[("WRONG_STAGE", "to")]), "{to}");
        }
    }

    async fn a_blank_text_is_refused_in_every_fact(app) {
        let key = app.file_ticket().await;
        let refused = text_problems(app, &key, |_, _| " \t ".to_owned()).await;
        assert_eq!(sorted(refused), sorted(all_texts("BLANK")));
    }

    async fn an_over_long_text_is_refused_in_every_fact(app) {
        let key = app.file_ticket().await;
        let refused = text_problems(app, &key, |limit, _| "ä".repeat(limit + 1)).await;
        assert_eq!(sorted(refused), sorted(all_texts("TOO_LONG")));
    }

    async fn a_text_at_its_limit_is_taken_in_every_fact(app) {
        let key = app.file_ticket().await;
        let facts: serde_json::Map<String, Value> =
            TEXTS.iter().map(|(field, limit, _)| ((*field).to_owned(), json!("ä".repeat(*limit)))).collect();
        app.change(&app.cast.operations, "updateTicket", json!({ "ticketId": key, "facts": facts })).await;
    }

    async fn control_characters_are_refused_in_every_fact(app) {
        let key = app.file_ticket().await;
        for control in ["a\u{0}b", "a\u{7}b", "a\u{1b}[31mb"] {
            let refused = text_problems(app, &key, |_, _| control.to_owned()).await;
            assert_eq!(sorted(refused), sorted(all_texts("INVALID")), "{control:?}");
        }
        let refused = text_problems(app, &key, |_, lines| if lines { "\u{0}a" } else { "a\nb" }.to_owned()).await;
        assert_eq!(sorted(refused), sorted(all_texts("INVALID")));
    }

    async fn words_beside_the_facts_are_checked_like_them(app) {
        let operations = &app.cast.operations;
        let key = app.file_ticket().await;
        let long = "x".repeat(20_001);
        for (text, code) in [(" ", "BLANK"), (long.as_str(), "TOO_LONG"), ("a\u{0}b", "INVALID")] {
            let asked = app.refusal_without_trace(operations, &key, "askClient", json!({ "question": text })).await;
            assert_eq!(asked, pairs(&[(code, "question")]));
            let answered = app.refusal_without_trace(operations, &key, "recordClientAnswer", json!({ "answer": text })).await;
            assert_eq!(answered, pairs(&[(code, "answer")]));
            let reason = if code == "BLANK" { "REASON_REQUIRED" } else { code };
            let input = json!({ "estimatedDeliveryDate": "2026-06-20", "reason": text });
            let pm = &app.cast.project_manager;
            let promised = app.refusal_without_trace(pm, &key, "setEstimatedDeliveryDate", input).await;
            assert_eq!(promised, pairs(&[(reason, "reason")]));
        }
        for (text, code) in [(long.as_str(), "TOO_LONG"), ("a\u{0}b", "INVALID")] {
            let input = json!({ "pipeline": "Client Support", "reason": text });
            let moved = app.refusal_without_trace(operations, &key, "transferTicket", input).await;
            assert_eq!(moved, pairs(&[(code, "reason")]));
        }
        for (text, code) in [("", "BLANK"), ("x\ny", "INVALID"), (&long[..201], "TOO_LONG")] {
            let mut input = app.filing().await;
            input["levelOneReference"] = json!(text);
            assert_eq!(app.refusal(operations, "createTicket", input).await, pairs(&[(code, "levelOneReference")]));
        }
        assert_eq!(app.ticket_count().await, 1);
    }

    async fn addresses_are_complete_http_ones(app) {
        let key = app.file_ticket().await;
        for address in [
            "shop.example.com", "ftp://shop.example.com", "javascript:alert(1)", "http://", "https:///orders",
            "http:shop.example.com", "//shop.example.com", "mailto:a@example.com", "data:text/html,x", "file:///etc/passwd",
            "https://exa mple.com",
        ] {
            let facts = json!({ "targetUrl": address, "pullRequest": address });
            let refused = app.refusal_without_trace(&app.cast.qa, &key, "updateTicket", json!({ "facts": facts })).await;
            assert_eq!(refused, pairs(&[("INVALID", "facts.targetUrl"), ("INVALID", "facts.pullRequest")]), "{address}");
        }
        let long = format!("https://example.com/{}", "x".repeat(2_000));
        let facts = json!({ "targetUrl": long, "pullRequest": "" });
        let refused = app.refusal_without_trace(&app.cast.qa, &key, "updateTicket", json!({ "facts": facts })).await;
        assert_eq!(refused[0], pairs(&[("TOO_LONG", "facts.targetUrl")])[0]);
        assert!(refused.contains(&pairs(&[("BLANK", "facts.pullRequest")])[0]), "{refused:?}");
        for address in ["HTTPS://Shop.Example.com/Orders?x=1#y", "http://127.0.0.1:8080/a", "https://bücher.example/ä"] {
            let facts = json!({ "targetUrl": address });
            app.change(&app.cast.qa, "updateTicket", json!({ "ticketId": key, "facts": facts })).await;
        }
    }

    async fn no_day_that_is_over_is_promised(app) {
        let pm = &app.cast.project_manager;
        let key = app.file_ticket().await;
        let over = "2026-05-29";
        let refused = app
            .refusal_without_trace(pm, &key, "updateTicket", json!({ "facts": { "estimatedDeliveryDate": over } }))
            .await;
        assert_eq!(refused, pairs(&[("DATE_IN_PAST", "facts.estimatedDeliveryDate")]));
        app.walk_to(&key, "ESTIMATING").await;
        let facts = json!({ "estimatedDeliveryDate": over, "priority": "LOW" });
        let refused = app
            .refusal_without_trace(pm, &key, "moveTicket", json!({ "to": "FIXING", "facts": facts }))
            .await;
        assert_eq!(refused, pairs(&[("DATE_IN_PAST", "facts.estimatedDeliveryDate")]));
        let facts = json!({ "estimatedDeliveryDate": "2026-06-01", "priority": "LOW" });
        app.change(pm, "moveTicket", json!({ "ticketId": key, "to": "FIXING", "facts": facts })).await;
        let input = json!({ "estimatedDeliveryDate": over, "reason": "Earlier" });
        let refused = app.refusal_without_trace(pm, &key, "setEstimatedDeliveryDate", input).await;
        assert_eq!(refused, pairs(&[("DATE_IN_PAST", "estimatedDeliveryDate")]));
    }

    async fn a_pull_request_is_not_merged_in_the_future(app) {
        let key = app.file_ticket().await;
        let facts = json!({ "pullRequestMergedAt": "2026-06-01T09:06:00Z" });
        let refused = app.refusal_without_trace(&app.cast.qa, &key, "updateTicket", json!({ "facts": facts })).await;
        assert_eq!(refused, pairs(&[("INVALID", "facts.pullRequestMergedAt")]));
    }

    async fn days_and_instants_far_off_are_refused_and_break_nothing(app) {
        let key = app.file_ticket().await;
        let pm = &app.cast.project_manager;
        for far in ["+262142-12-31", "-200000-01-01", "9999-12-31", "0000-01-01", "+10000-01-01"] {
            for fact in ["clientTargetDate", "estimatedDeliveryDate"] {
                let query = "mutation($input: UpdateTicketInput!) { updateTicket(input: $input) { userErrors { code } } }";
                let facts = json!({ "ticketId": key, "facts": { fact: far } });
                let answer = app.graphql(Some(&pm.token), query, json!({ "input": facts })).await;
                let refused = answer["errors"].is_array() || answer["data"]["updateTicket"]["userErrors"][0].is_object();
                assert!(refused, "{fact} {far}: {answer}");
                assert!(!answer.to_string().contains("INTERNAL"), "{fact} {far}: {answer}");
            }
        }
        let merged = |at: &str| json!({ "facts": { "pullRequestMergedAt": at } });
        for far in ["-200000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"] {
            let mut input = merged(far);
            input["ticketId"] = json!(key);
            assert_eq!(app.mutation_error(Some(app.cast.qa.token.as_str()), "updateTicket", input).await, "BAD_INPUT", "{far}");
        }
        let refused = app.refusal_without_trace(&app.cast.qa, &key, "updateTicket", merged("0999-01-01T00:00:00Z")).await;
        assert_eq!(refused, pairs(&[("INVALID", "facts.pullRequestMergedAt")]));
        let query = "query($at: DateTime) { tickets(filter: { createdAt: { gt: $at } }) { totalCount } }";
        for far in ["-200000-01-01T00:00:00Z", "+200000-01-01T00:00:00Z"] {
            let answer = app.graphql(Some(&pm.token), query, json!({ "at": far })).await;
            assert!(!answer.to_string().contains("INTERNAL"), "{far}: {answer}");
        }
        app.footprint(&key).await;
    }

    async fn a_subtype_is_one_of_its_category_and_offered(app) {
        let cast = &app.cast;
        let key = app.file_ticket().await;
        let archived = app.subtype("BUGS_DEFECTS").await;
        let archive = json!({ "ticketSubtypeId": archived });
        let bugs = app.make(&cast.administrator, "createTicketSubtype", "ticketSubtype", json!({
            "category": "BUGS_DEFECTS", "name": "Short-lived",
        }), "id").await;
        app.make(&cast.administrator, "archiveTicketSubtype", "ticketSubtype", archive, "isArchived").await;
        let of_data = app.subtype("DATA_ISSUES").await;
        let unknown = pairs(&[("UNKNOWN", "facts.subtypeId")]);
        for facts in [
            json!({ "subtypeId": of_data }),
            json!({ "category": "DATA_ISSUES" }),
            json!({ "category": "DATA_ISSUES", "subtypeId": bugs["id"] }),
            json!({ "subtypeId": archived }),
            json!({ "subtypeId": "ticket_subtype_00000000000000000000000000000001" }),
            json!({ "subtypeId": "nonsense" }),
            json!({ "subtypeId": "" }),
        ] {
            let input = json!({ "facts": facts });
            let refused = app.refusal_without_trace(&cast.operations, &key, "updateTicket", input).await;
            assert_eq!(refused, unknown, "{facts}");
            let mut filing = app.filing().await;
            for (field, value) in facts.as_object().unwrap() {
                filing["facts"][field] = value.clone();
            }
            assert_eq!(app.refusal(&cast.operations, "createTicket", filing).await, unknown, "{facts}");
        }
        let facts = json!({ "category": null, "subtypeId": null });
        let refused = app.refusal_without_trace(&cast.operations, &key, "updateTicket", json!({ "facts": facts })).await;
        assert_eq!(sorted(refused), pairs(&[("BLANK", "facts.category"), ("BLANK", "facts.subtypeId")]));
        // What the ticket has already stays, archived or not.
        app.change(&cast.operations, "updateTicket", json!({ "ticketId": key, "facts": { "browser": "Firefox" } })).await;
        assert_eq!(app.ticket_count().await, 1);
    }

    async fn references_that_name_nothing_are_refused_with_their_field(app) {
        let cast = &app.cast;
        let colleague = client(&app.service, &cast.globex, "Gina Globex").await;
        let filing = app.filing().await;
        for (field, value) in [
            ("companyId", "company_00000000000000000000000000000001"), ("companyId", "nonsense"), ("companyId", ""),
            ("contactId", "contact_00000000000000000000000000000001"), ("contactId", "nonsense"),
            ("contactId", colleague.id.as_str()),
        ] {
            let mut input = filing.clone();
            input[field] = json!(value);
            let refused = app.refusal(&cast.operations, "createTicket", input).await;
            assert_eq!(refused, pairs(&[("UNKNOWN", field)]), "{value}");
        }
        assert_eq!(app.ticket_count().await, 0);
    }

    async fn a_de_escalation_says_why(app) {
        let key = app.file_ticket().await;
        app.walk_to(&key, "REPLICATING").await;
        let qa = &app.cast.qa;
        for (reasons, refused) in [
            (json!(null), ("MISSING_FIELDS", "deEscalationReasons")),
            (json!([]), ("MISSING_FIELDS", "deEscalationReasons")),
            (json!(["OTHER"]), ("REASON_REQUIRED", "reason")),
        ] {
            let input = json!({ "to": "VALIDATING", "deEscalationReasons": reasons });
            assert_eq!(app.refusal_without_trace(qa, &key, "moveTicket", input).await, pairs(&[refused]));
        }
        app.change(qa, "moveTicket", json!({
            "ticketId": key, "to": "VALIDATING", "deEscalationReasons": ["OTHER", "CANNOT_REPLICATE"], "reason": "Odd",
        })).await;
        let ticket = app.ticket(qa, &key, "deEscalationCount deEscalationReasons").await;
        assert_eq!(ticket, json!({ "deEscalationCount": 1, "deEscalationReasons": ["OTHER", "CANNOT_REPLICATE"] }));
    }
}
