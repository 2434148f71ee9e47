//! Subscriptions that lose nothing: they go on from a cursor, whatever happened meanwhile.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use entity::{
    id::{AccessTokenId, PersonId, TicketId},
    ticket_event,
    vocab::{EventKind, Team},
};
use futures_util::future::join_all;
use sea_orm::{EntityTrait, QueryOrder};
use secondline::{
    domain::{
        actor::Actor,
        event::{Event, EventData},
    },
    graphql::admission::Policy,
    http::{HttpState, Settings},
    service::{
        directory::PersonInput,
        feed::{Lost, Subscriber, Why},
        tokens::TokenOwner,
    },
    store::{self, event_log::LogFilter},
};
use serde_json::{Value, json};

use crate::support::{
    Member, TestApp, client, each_database,
    following::{all_is_told, follow, listen, serve, until},
    socket::Socket,
    staff,
};

/// Events before anybody subscribes: more than a page, and more than memory keeps.
const MISSED: usize = 300;
/// Writers that are at it while subscribers come, and what each writes.
const WRITERS: usize = 4;
const CHANGES: usize = 25;
/// Subscribers of an event at once.
const CROWD: usize = 100;
/// A handful for what is told of an event, and a handful for everybody's rights, which may be asked for in a few rounds.
const STATEMENTS: usize = 25;
/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

async fn cursor(app: &TestApp, member: &Member) -> String {
    app.ask(member, "{ eventCursor }", json!({})).await["eventCursor"].as_str().unwrap().to_owned()
}

async fn event_ids(app: &TestApp) -> Vec<i64> {
    let events = ticket_event::Entity::find().order_by_asc(ticket_event::Column::Id).all(&app.db).await.unwrap();
    events.into_iter().map(|event| event.id).collect()
}

async fn id_of(app: &TestApp, key: &str) -> TicketId {
    app.ticket(&app.cast.qa, key, "id").await["id"].as_str().unwrap().parse().unwrap()
}

/// Writes events of a kind, as many transactions would.
async fn write(app: &TestApp, ticket: TicketId, kind: EventKind, count: usize) {
    let event = Event { kind, data: EventData::default() };
    let events = std::iter::repeat_n((ticket, &event), count);
    store::events::append_many(&app.db, &Actor::System, app.clock.now(), events).await.unwrap();
}

async fn subscribe(app: &TestApp, member: &Member, after: Option<i64>, filter: LogFilter) -> Subscriber {
    let session = app.service.authenticate(&member.token).await.unwrap().unwrap();
    app.service.subscribe(session, after.or(app.service.log_position()), filter).await.unwrap()
}

async fn next(subscriber: &mut Subscriber) -> Result<i64, Lost> {
    let heard = tokio::time::timeout(PATIENCE, subscriber.next()).await;
    heard.expect("nothing is heard").map(|heard| heard.id())
}

/// Hears as many events as there are, over a socket; their places in the log, and the last cursor.
async fn hear(socket: &mut Socket, id: &str, count: usize) -> (Vec<i64>, String) {
    let (mut places, mut cursor) = (Vec::new(), String::new());
    for _ in 0..count {
        let heard = socket.next(id).await["ticketEvents"].take();
        places.push(heard["id"].as_str().unwrap().rsplit_once('_').unwrap().1.parse().unwrap());
        cursor = heard["cursor"].as_str().unwrap().to_owned();
    }
    (places, cursor)
}

/// The code with which a subscription is refused, or ends.
async fn refused(socket: &mut Socket, subscription: &str) -> Value {
    socket.request("refused", subscription).await;
    let answer = socket.receive().await.unwrap();
    let errors = if answer["type"] == "error" { &answer["payload"] } else { &answer["payload"]["errors"] };
    let code = errors[0]["extensions"]["code"].clone();
    if answer["type"] == "next" {
        assert_eq!(socket.receive().await, Ok(json!({ "type": "complete", "id": "refused" })));
    }
    code
}

each_database! {
    async fn what_was_missed_is_told_first_and_then_what_happens_however_much_is_written_meanwhile(app) {
        let server = listen(app).await;
        let begin = cursor(app, &app.cast.qa).await;
        let mut keys = Vec::new();
        for _ in 0..WRITERS {
            keys.push(app.file_ticket().await);
        }
        write(app, id_of(app, &keys[0]).await, EventKind::FactsChanged, MISSED).await;
        let write_on = join_all(keys.iter().enumerate().map(|(number, key)| async move {
            for change in 0..CHANGES {
                let facts = json!({ "ticketId": key, "facts": { "browser": format!("Firefox {number}.{change}") } });
                app.change(&app.cast.operations, "updateTicket", facts).await;
            }
        }));
        let total = WRITERS + MISSED + WRITERS * CHANGES;
        let subscribers = join_all((0..4).map(|number| {
            let (begin, addr) = (begin.clone(), server.addr);
            async move {
                let (mut places, mut after) = (Vec::new(), begin);
                // Each leaves and comes back at other moments.
                while places.len() < total {
                    let stay = (40 + 17 * number).min(total - places.len());
                    let mut socket = Socket::open(addr, &app.cast.qa.token).await;
                    socket.request("1", &format!("subscription {{ ticketEvents(after: \"{after}\") {{ id cursor }} }}")).await;
                    let (more, last) = hear(&mut socket, "1", stay).await;
                    places.extend(more);
                    after = last;
                }
                places
            }
        }));
        let (_, heard) = tokio::join!(write_on, subscribers);
        let expected = event_ids(app).await;
        assert_eq!(expected.len(), total);
        for places in heard {
            assert_eq!(places, expected);
        }
    }

    async fn nothing_is_lost_between_a_page_and_the_subscription_that_follows_it(app) {
        let server = listen(app).await;
        let before = app.file_ticket().await;
        all_is_told(app).await;
        let page = app.ask(&app.cast.qa, "{ tickets { nodes { key } } eventCursor }", json!({})).await;
        assert_eq!(page["tickets"]["nodes"], json!([{ "key": before }]));
        let after = app.file_ticket().await;
        let mut socket = Socket::open(server.addr, &app.cast.qa.token).await;
        socket.request("1", &format!("subscription {{ ticketEvents(after: {}) {{ kind ticket {{ key }} }} }}", page["eventCursor"])).await;
        let expected = json!({ "ticketEvents": { "kind": "TICKET_CREATED", "ticket": { "key": after } } });
        assert_eq!(socket.next("1").await, expected);
    }

    async fn alerts_are_told_from_a_cursor_on_as_the_filter_chooses(app) {
        let server = listen(app).await;
        let manager = &app.cast.operations_manager;
        let begin = cursor(app, manager).await;
        let keys = [app.file_ticket().await, app.file_ticket().await];
        for hours in [6, 3] {
            app.advance(TimeDelta::hours(hours));
            assert_eq!(app.service.sla_scan().await.unwrap().raised, keys.len());
        }
        let alerts = |after: &str, filter: &str| {
            format!("subscription {{ slaAlerts(after: \"{after}\", filter: {{ {filter} }}) {{ cursor level ticket {{ key }} }} }}")
        };
        let mut socket = Socket::open(server.addr, &manager.token).await;
        socket.request("all", &alerts(&begin, "")).await;
        let mut all = Vec::new();
        for level in ["WARNING", "WARNING", "BREACH", "BREACH"] {
            let alert = socket.next("all").await["slaAlerts"].take();
            assert_eq!(alert["level"], level);
            all.push(alert);
        }
        let after_first = all[0]["cursor"].as_str().unwrap().to_owned();
        socket.request("breaches", &alerts(&begin, "level: { eq: BREACH }")).await;
        socket.request("rest", &alerts(&after_first, "")).await;
        let one = all[0]["ticket"]["key"].as_str().unwrap();
        let mut of_one = Socket::open(server.addr, &manager.token).await;
        of_one.request("one", &alerts(&begin, &format!("ticketId: {{ eq: \"{}\" }}", id_of(app, one).await))).await;
        assert_eq!(of_one.next("one").await["slaAlerts"], all[0]);
        assert_eq!(of_one.next("one").await["slaAlerts"]["level"], "BREACH");
        let (mut breaches, mut rest) = (Vec::new(), Vec::new());
        while breaches.len() + rest.len() < 5 {
            let mut message = socket.receive().await.unwrap();
            let heard = if message["id"] == "rest" { &mut rest } else { &mut breaches };
            heard.push(message["payload"]["data"]["slaAlerts"].take());
        }
        assert_eq!((breaches.as_slice(), rest.as_slice()), (&all[2..], &all[1..]));

        let listed = app.ask(manager, "{ slaAlerts(first: 1) { nodes { cursor } } }", json!({})).await;
        assert_eq!(listed["slaAlerts"]["nodes"], json!([{ "cursor": null }]), "lists have cursors of their own");
    }

    async fn what_is_no_cursor_of_events_is_refused(app) {
        let server = listen(app).await;
        app.file_ticket().await;
        let list = app.ask(&app.cast.qa, "{ tickets { pageInfo { endCursor } } }", json!({})).await;
        let made_up = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let mut socket = Socket::open(server.addr, &app.cast.qa.token).await;
        for cursor in [
            String::new(),
            "ticket_event_1".to_owned(),
            list["tickets"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned(),
            made_up(r#"["2","events",1]"#),
            made_up(r#"["1","events",-1]"#),
            // A later state of the log than the database has.
            made_up(r#"["1","events",9000000000000000000]"#),
        ] {
            for subscription in ["ticketEvents", "slaAlerts"] {
                let asked = format!("subscription {{ {subscription}(after: \"{cursor}\") {{ id }} }}");
                assert_eq!(refused(&mut socket, &asked).await, "BAD_INPUT", "{asked}");
            }
        }
    }

    async fn who_may_see_no_tickets_gets_no_cursor(app) {
        let _follower = follow(&app.service).await;
        let answer = app.graphql(None, "{ eventCursor }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert!(!cursor(app, &app.cast.client).await.is_empty());
    }

    async fn rights_are_those_of_the_moment_in_which_an_event_is_told(app) {
        let _follower = follow(&app.service).await;
        let qa = |id: &str| id.parse::<PersonId>().unwrap();
        let change = |input: PersonInput, id: &str| {
            let id = qa(id);
            async move { app.service.update_person(&Actor::System, id, input, None).await.unwrap() }
        };
        let mut subscribers = Vec::new();
        let members = join_all(["One", "Two", "Three", "Four"].map(|name| staff(&app.service, name, &[Team::Qa], &[], false))).await;
        for member in &members {
            subscribers.push(subscribe(app, member, None, LogFilter::default()).await);
        }
        let expiring = app.service.create_token(
            TokenOwner::Person(qa(&members[3].id)), "soon over", Some(app.clock.now() + TimeDelta::hours(1)),
        ).await.unwrap();
        let session = app.service.authenticate(&expiring.secret).await.unwrap().unwrap();
        subscribers.push(app.service.subscribe(session, app.service.log_position(), LogFilter::default()).await.unwrap());
        app.file_ticket().await;
        for subscriber in &mut subscribers {
            next(subscriber).await.unwrap();
        }

        let token: AccessTokenId = {
            let tokens = app.service.tokens().await.unwrap();
            tokens.iter().find(|token| token.person_id == Some(qa(&members[0].id))).unwrap().id
        };
        assert!(app.service.revoke_token(token).await.unwrap());
        change(PersonInput { active: Some(false), ..PersonInput::default() }, &members[1].id).await;
        change(PersonInput { teams: Some(vec![Team::Tech]), ..PersonInput::default() }, &members[2].id).await;
        app.advance(TimeDelta::hours(2));
        let before = *event_ids(app).await.last().unwrap();
        app.file_ticket().await;
        for (number, subscriber) in subscribers.iter_mut().enumerate() {
            match next(subscriber).await {
                Ok(place) => assert!(number == 3 && place > before, "{number} hears {place}"),
                Err(lost) => {
                    assert!(number != 3 && matches!(lost.why, Why::RightsChanged), "{number}: {lost:?}");
                    assert_eq!(lost.position, Some(before), "from where the next token goes on");
                }
            }
        }
    }

    async fn a_subscription_whose_token_is_revoked_tells_nothing_more(app) {
        let server = listen(app).await;
        let owner = TokenOwner::Person(app.cast.qa.id.parse().unwrap());
        let token = app.service.create_token(owner, "lost", None).await.unwrap();
        let mut socket = Socket::open(server.addr, &token.secret).await;
        socket.subscribe("1", "subscription { ticketEvents { id cursor } }").await;
        app.file_ticket().await;
        let (_, heard) = hear(&mut socket, "1", 1).await;
        app.service.revoke_token(token.row.id).await.unwrap();
        app.file_ticket().await;
        match socket.receive().await {
            Ok(told) => {
                let extensions = &told["payload"]["errors"][0]["extensions"];
                assert_eq!((&extensions["code"], &extensions["cursor"]), (&json!("UNAUTHENTICATED"), &json!(heard)), "{told}");
                assert_eq!(told["payload"]["data"], Value::Null);
                assert_eq!(socket.receive().await, Ok(json!({ "type": "complete", "id": "1" })));
            }
            // The connection itself was looked at first.
            Err((code, _)) => assert_eq!(code, 4403),
        }
    }

    async fn a_slow_subscriber_is_told_to_resume_from_its_cursor_and_loses_nothing(app) {
        let service = app.service.clone().with_patience(Duration::ZERO);
        let router = secondline::http::router(HttpState::new(service.clone(), Policy::default(), Settings::default()));
        let server = serve(&service, router).await;
        let mut after = cursor(app, &app.cast.qa).await;
        let ticket = id_of(app, &app.file_ticket().await).await;
        write(app, ticket, EventKind::FactsChanged, MISSED).await;
        all_is_told(app).await;

        let (mut places, mut resumed) = (Vec::new(), 0);
        while places.len() <= MISSED {
            let mut socket = Socket::open(server.addr, &app.cast.qa.token).await;
            socket.request("1", &format!("subscription {{ ticketEvents(after: \"{after}\") {{ id cursor }} }}")).await;
            while places.len() <= MISSED {
                let mut message = socket.receive().await.unwrap();
                let Some(place) = message["payload"]["data"]["ticketEvents"]["id"].as_str() else {
                    let extensions = message["payload"]["errors"][0]["extensions"].take();
                    assert_eq!(extensions["code"], "LAGGED", "{message}");
                    assert_eq!(extensions["cursor"], after);
                    assert_eq!(socket.receive().await, Ok(json!({ "type": "complete", "id": "1" })));
                    resumed += 1;
                    break;
                };
                places.push(place.rsplit_once('_').unwrap().1.parse::<i64>().unwrap());
                after = message["payload"]["data"]["ticketEvents"]["cursor"].as_str().unwrap().to_owned();
            }
        }
        assert_eq!(places, event_ids(app).await);
        assert!(resumed >= 3, "dropped {resumed} times");
    }

    async fn a_replay_is_as_fast_as_its_budget_allows_and_no_request_pays_for_it(app) {
        let per_minute = 500;
        let policy = Policy { cost_limit: 100, cost_per_minute: per_minute.try_into().unwrap(), ..Policy::default() };
        let router = secondline::http::router(HttpState::new(app.service.clone(), policy, Settings::default()));
        let ticket = id_of(app, &app.file_ticket().await).await;
        write(app, ticket, EventKind::FactsChanged, MISSED).await;
        let server = serve(&app.service, router).await;
        let begin = BASE64_URL_SAFE_NO_PAD.encode(r#"["1","events",0]"#);
        let mut socket = Socket::open(server.addr, &app.cast.qa.token).await;
        // Three points each: subscription, id and cursor.
        socket.request("1", &format!("subscription {{ ticketEvents(after: \"{begin}\") {{ id cursor }} }}")).await;
        hear(&mut socket, "1", 166).await;
        let waits = tokio::time::timeout(Duration::from_millis(500), socket.receive()).await;
        // The first event of each page is for nothing.
        let (mut more, mut is_waiting) = (0, waits.is_err());
        while !is_waiting {
            more += 1;
            is_waiting = tokio::time::timeout(Duration::from_millis(500), socket.receive()).await.is_err();
        }
        assert!(more < 10, "{more} more than could be paid");
        let mut other = Socket::open(server.addr, &app.cast.qa.token).await;
        other.request("2", "{ viewer { person { name } } }").await;
        assert_eq!(other.next("2").await["viewer"]["person"]["name"], json!(app.cast.qa.name));
        app.advance(TimeDelta::minutes(1));
        hear(&mut socket, "1", MISSED + 1 - 166 - more).await;
    }

    async fn an_event_costs_the_same_however_many_hear_it(app) {
        let _follower = follow(&app.service).await;
        let mut subscribers = Vec::new();
        for number in 0..CROWD {
            let member = match number % 4 {
                0 => client(&app.service, &app.cast.acme, &format!("Client {number}")).await,
                _ => staff(&app.service, &format!("Person {number}"), &[Team::Qa], &[], false).await,
            };
            subscribers.push(subscribe(app, &member, None, LogFilter::default()).await);
        }
        let (_, filing) = app.statements(app.file_ticket()).await;
        assert!(join_all(subscribers.iter_mut().map(next)).await.iter().all(Result::is_ok));
        let ((), told) = app.statements(async {
            let heard = join_all(subscribers.iter_mut().map(next));
            let (heard, _) = tokio::join!(heard, app.file_ticket());
            assert!(heard.iter().all(Result::is_ok));
        }).await;
        println!("filing a ticket: about {filing} statements; with {CROWD} subscribers who hear it: {told}");
        assert!(told < filing + STATEMENTS, "{told} statements, of which {filing} to file a ticket");
    }

    async fn a_long_past_is_read_in_stretches_whatever_is_asked_for(app) {
        let ticket = id_of(app, &app.file_ticket().await).await;
        let other = id_of(app, &app.file_ticket().await).await;
        let begin = *event_ids(app).await.last().unwrap();
        for (of, kind) in [(other, EventKind::CommentAdded), (ticket, EventKind::TicketLinked)] {
            for _ in 0..22 {
                write(app, ticket, EventKind::FactsChanged, 1_000).await;
            }
            write(app, of, kind, 1).await;
        }
        let _follower = follow(&app.service).await;
        let last = *event_ids(app).await.last().unwrap();
        let rare = LogFilter { kinds: Some(vec![EventKind::CommentAdded, EventKind::TicketLinked]), ..LogFilter::default() };
        let mut subscriber = subscribe(app, &app.cast.qa, Some(begin), rare).await;
        let (heard, statements) = app.statements(async { [next(&mut subscriber).await.unwrap(), next(&mut subscriber).await.unwrap()] }).await;
        assert_eq!(heard, [begin + 22_001, last]);
        println!("two events among 44,000 others: {statements} statements");
        assert!(statements < 30, "{statements}");
        let of_one = LogFilter { ticket: Some(other), ..LogFilter::default() };
        let mut subscriber = subscribe(app, &app.cast.qa, Some(begin), of_one).await;
        let (heard, statements) = app.statements(next(&mut subscriber)).await;
        assert_eq!(heard.unwrap(), begin + 22_001);
        assert!(statements < 12, "an index leads to it: {statements}");
    }

    async fn subscribers_of_nothing_new_wait_and_leave_nothing_behind(app) {
        let _follower = follow(&app.service).await;
        let service = Arc::new(app.service.clone());
        let mut subscriber = subscribe(app, &app.cast.qa, None, LogFilter::default()).await;
        assert!(tokio::time::timeout(Duration::from_millis(50), subscriber.next()).await.is_err());
        app.file_ticket().await;
        next(&mut subscriber).await.unwrap();
        drop(subscriber);
        app.file_ticket().await;
        until("the log is followed without subscribers", async || {
            service.log_position() == event_ids(app).await.last().copied()
        }).await;
    }
}
