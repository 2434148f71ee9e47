//! Links between tickets.

use serde_json::{Value, json};

use crate::support::{TestApp, checks::pairs, each_database};

const LINKS: &str = "links { kind ticket { key } } history { kind linkRelation otherTicket { key } }";

fn link(from: &str, to: &str, kind: &str) -> Value {
    json!({ "ticketId": from, "otherTicketId": to, "kind": kind })
}

/// A ticket of the company `globex`.
async fn file_elsewhere(app: &TestApp) -> String {
    let input = json!({ "facts": app.first_facts().await });
    let ticket = app.change(&app.cast.other_client, "createTicket", input).await;
    ticket["key"].as_str().unwrap().to_owned()
}

each_database! {
    async fn a_link_is_read_from_both_sides(app) {
        let qa = &app.cast.qa;
        let (one, two) = (app.file_ticket().await, app.file_ticket().await);
        app.change(qa, "linkTickets", link(&two, &one, "DUPLICATES")).await;
        app.change(qa, "linkTickets", link(&one, &two, "CAUSED_BY")).await;
        for member in [qa, &app.cast.client] {
            let ticket = app.ticket(member, &one, LINKS).await;
            assert_eq!(ticket["links"], json!([
                { "kind": "DUPLICATED_BY", "ticket": { "key": two } },
                { "kind": "CAUSED_BY", "ticket": { "key": two } },
            ]));
            assert_eq!(ticket["history"].as_array().unwrap()[1..], [
                json!({ "kind": "TICKET_LINKED", "linkRelation": "DUPLICATED_BY", "otherTicket": { "key": two } }),
                json!({ "kind": "TICKET_LINKED", "linkRelation": "CAUSED_BY", "otherTicket": { "key": two } }),
            ]);
            let ticket = app.ticket(member, &two, LINKS).await;
            assert_eq!(ticket["links"], json!([
                { "kind": "DUPLICATES", "ticket": { "key": one } },
                { "kind": "CAUSES", "ticket": { "key": one } },
            ]));
        }
        app.change(qa, "unlinkTickets", link(&two, &one, "DUPLICATES")).await;
        let ticket = app.ticket(qa, &one, LINKS).await;
        assert_eq!(ticket["links"].as_array().unwrap().len(), 1);
        assert_eq!(ticket["history"][3]["kind"], "TICKET_UNLINKED");
        let again = app.refusal(qa, "unlinkTickets", link(&two, &one, "DUPLICATES")).await;
        assert_eq!(again, pairs(&[("UNKNOWN", "otherTicketId")]));
    }

    async fn no_ticket_is_linked_to_itself_twice_or_in_a_circle(app) {
        let qa = &app.cast.qa;
        let (one, two, three) = (app.file_ticket().await, app.file_ticket().await, app.file_ticket().await);
        app.change(qa, "linkTickets", link(&one, &two, "CAUSED_BY")).await;
        app.change(qa, "linkTickets", link(&two, &three, "CAUSED_BY")).await;
        let before = app.ticket(qa, &one, LINKS).await;
        for (from, to, code) in
            [(&one, &one, "INVALID"), (&one, &two, "ALREADY_EXISTS"), (&two, &one, "INVALID"), (&three, &one, "INVALID")]
        {
            let refused = app.refusal(qa, "linkTickets", link(from, to, "CAUSED_BY")).await;
            assert_eq!(refused, pairs(&[(code, "otherTicketId")]));
        }
        assert_eq!(app.ticket(qa, &one, LINKS).await, before);
        app.change(qa, "linkTickets", link(&three, &one, "DUPLICATES")).await;
    }

    async fn two_at_once_close_no_circle(app) {
        let qa = &app.cast.qa;
        let (one, two) = (app.file_ticket().await, app.file_ticket().await);
        let select = "ticket { id }";
        let (a, b) = tokio::join!(
            app.mutate(qa, "linkTickets", link(&one, &two, "DUPLICATES"), select),
            app.mutate(qa, "linkTickets", link(&two, &one, "DUPLICATES"), select),
        );
        assert_eq!([a, b].iter().filter(|payload| payload["ticket"].is_null()).count(), 1);
    }

    async fn a_link_to_another_companys_ticket_does_not_exist_for_a_contact(app) {
        let cast = &app.cast;
        let (own, other) = (app.file_ticket().await, file_elsewhere(app).await);
        app.change(&cast.qa, "linkTickets", link(&own, &other, "DUPLICATES")).await;
        let seen = app.ticket(&cast.client, &own, LINKS).await;
        assert_eq!(seen["links"], json!([]));
        assert_eq!(seen["history"].as_array().unwrap().len(), 1);
        let seen = app.ticket(&cast.other_client, &other, LINKS).await;
        assert_eq!(seen["links"], json!([]));
        assert_eq!(app.ticket(&cast.qa, &own, LINKS).await["links"].as_array().unwrap().len(), 1);
    }

    async fn contacts_link_nothing(app) {
        let cast = &app.cast;
        let (one, two, other) = (app.file_ticket().await, app.file_ticket().await, file_elsewhere(app).await);
        let refused = app.refusal(&cast.client, "linkTickets", link(&one, &two, "DUPLICATES")).await;
        assert_eq!(refused, pairs(&[("NOT_ALLOWED", "")]));
        for unseen in [other.as_str(), "L2-99", "ticket_00000000000000000000000000000001"] {
            for input in [link(&one, unseen, "DUPLICATES"), link(unseen, &one, "DUPLICATES")] {
                let token = Some(cast.client.token.as_str());
                assert_eq!(app.mutation_error(token, "linkTickets", input).await, "NOT_FOUND");
            }
        }
    }

    async fn links_of_a_page_cost_the_same_however_long_it_is(app) {
        let mut keys = Vec::new();
        for _ in 0..8 {
            keys.push(app.file_ticket().await);
        }
        for two in keys.windows(2) {
            app.change(&app.cast.qa, "linkTickets", link(&two[0], &two[1], "CAUSED_BY")).await;
        }
        let query = "query($first: Int) { tickets(first: $first) { nodes {
            links { kind ticket { key company { name } } } } } }";
        app.ask(&app.cast.qa, query, json!({ "first": 1 })).await;
        let (_, few) = app.statements(app.ask(&app.cast.qa, query, json!({ "first": 2 }))).await;
        let (_, many) = app.statements(app.ask(&app.cast.qa, query, json!({ "first": 8 }))).await;
        assert_eq!(few, many);
    }
}
