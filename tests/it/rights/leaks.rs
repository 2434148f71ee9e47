//! The ways around a list: filters, searches, cursors, mails, addresses of files. None leads to another company, nor backstage.

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    crawl::{Gate, Outcome, Told},
    reads::{Reading, unknown},
    world::{BACKSTAGE, Side, World, company_of},
};
use crate::support::TestApp;

/// What tickets can be sorted by that contacts see.
const ORDERS: [&str; 6] = ["NUMBER", "CREATED_AT", "UPDATED_AT", "SUBJECT", "STAGE", "SEVERITY"];
const TICKETS: &str = "query($filter: TicketFilter, $search: String) { root: tickets(filter: $filter, search: $search, \
     first: 100) { totalCount nodes { id key subject company { name } } } }";

/// A contact who looks for what is the other company's.
struct Spy<'a> {
    app: &'a TestApp,
    gate: &'a Gate,
    world: &'a World,
    side: Side,
    /// What must not be told to them.
    forbidden: BTreeSet<String>,
    problems: Vec<String>,
}

/// Whatever can be found out by asking for it.
pub async fn search(app: &TestApp, gate: &Gate, world: &World, reading: &Reading) -> Vec<String> {
    let mut problems = Vec::new();
    for side in Side::BOTH {
        let mut forbidden: BTreeSet<_> = reading.owners.ids(side.other()).map(|id| format!("\"{id}\"")).collect();
        forbidden.extend(side.other().words().into_iter().chain([BACKSTAGE]).map(str::to_owned));
        let mut spy = Spy { app, gate, world, side, forbidden, problems: Vec::new() };
        spy.filter().await;
        spy.search().await;
        spy.look_up_clients().await;
        spy.borrow_cursors().await;
        spy.name_by_key().await;
        spy.swap_signatures(&reading.all).await;
        problems.append(&mut spy.problems);
    }
    problems.extend(read_mails(app, world).await);
    problems
}

impl Spy<'_> {
    fn token(&self) -> Option<&str> {
        Some(&self.world.contact_of(self.app, self.side).token)
    }

    /// Asks, and answers how many there are; the count must be that of what is there.
    async fn ask(&mut self, how: &str, query: &str, variables: Value) -> u64 {
        let answer = self.gate.ask(self.token(), query, variables).await;
        let text = answer.text.to_lowercase();
        if let Some(word) = self.forbidden.iter().find(|word| text.contains(word.as_str())) {
            self.problems.push(format!("{how}: {:?} was told of {word}: {text}", self.side));
        }
        let root = &answer.json["data"]["root"];
        let count = root["totalCount"].as_u64().unwrap_or_else(|| panic!("{how}: {text}"));
        let is_whole = root.get("pageInfo").is_none();
        if is_whole && Some(usize::try_from(count).unwrap()) != root["nodes"].as_array().map(Vec::len) {
            self.problems.push(format!("{how}: {:?} was told that there are {count}: {text}", self.side));
        }
        count
    }

    fn expect(&mut self, how: &str, count: u64, expected: u64) {
        if count != expected {
            self.problems.push(format!("{how}: {:?} finds {count}, and not {expected}", self.side));
        }
    }

    async fn filter(&mut self) {
        let (app, other) = (self.app, self.side.other());
        let select = "id subject createdAt contact { id } company { id } number: key";
        let ticket = app.ticket(&app.cast.administrator, self.world.rich_of(other), select).await;
        let number: i64 = ticket["number"].as_str().unwrap()[3..].parse().unwrap();
        let (company, contact) = (&ticket["company"]["id"], &ticket["contact"]["id"]);
        for filter in [
            json!({ "number": { "eq": number } }),
            json!({ "companyId": { "eq": company } }),
            json!({ "companyId": { "neq": company_of(app, self.side) } }),
            json!({ "contactId": { "in": [contact] } }),
            json!({ "subject": { "contains": other.word() } }),
            json!({ "subject": { "eq": ticket["subject"] } }),
            json!({ "and": [{ "companyId": { "eq": company } }, { "isOpen": true }] }),
            json!({ "or": [{ "companyId": { "eq": company } }, { "number": { "eq": number } }] }),
            json!({ "not": { "companyId": { "eq": company_of(app, self.side) } } }),
        ] {
            let how = format!("tickets by {filter}");
            let count = self.ask(&how, TICKETS, json!({ "filter": filter })).await;
            self.expect(&how, count, 0);
        }
        let own = self.ask("tickets", TICKETS, json!({})).await;
        for filter in [
            json!({ "or": [{ "isOpen": true }, { "isOpen": false }] }),
            json!({ "not": { "number": { "eq": -1 } } }),
            json!({ "createdAt": { "gte": "2000-01-01T00:00:00Z" } }),
        ] {
            let how = format!("tickets by {filter}");
            let count = self.ask(&how, TICKETS, json!({ "filter": filter })).await;
            self.expect(&how, count, own);
        }
    }

    async fn search(&mut self) {
        let key = self.world.rich_of(self.side.other()).to_owned();
        for text in [self.side.other().word(), &self.side.other().word()[..3], &key, BACKSTAGE, "rude"] {
            let how = format!("a search for {text}");
            let count = self.ask(&how, TICKETS, json!({ "search": text })).await;
            self.expect(&how, count, 0);
        }
        let count = self.ask("a search for Safari", TICKETS, json!({ "search": "Safari" })).await;
        self.expect("a search for Safari", count, 1);
    }

    async fn look_up_clients(&mut self) {
        let (company, word) = (company_of(self.app, self.side.other()), self.side.other().word());
        for arguments in [
            format!("companies(filter: {{ name: {{ contains: \"{word}\" }} }})"),
            format!("companies(filter: {{ name: {{ in: [\"Acme\", \"Globex\"], neq: \"{}\" }} }})", name_of(self.side)),
            format!("contacts(filter: {{ companyId: {{ eq: \"{company}\" }} }})"),
            format!("contacts(filter: {{ name: {{ contains: \"{word}\" }} }})"),
            format!("contacts(companyId: \"{company}\")"),
        ] {
            let query = format!("{{ root: {arguments} {{ totalCount nodes {{ id name }} }} }}");
            let count = self.ask(&arguments, &query, json!({})).await;
            self.expect(&arguments, count, 0);
        }
    }

    /// Names a ticket by its key: one that they may not see is as one that is not there, in as many statements.
    async fn name_by_key(&mut self) {
        let hidden = self.world.rich_of(self.side.other()).to_owned();
        for query in [
            "query($key: ID!, $text: String!) { a: ticket(by: { key: $text }) { id } b: node(id: $key) { id } }",
            "mutation($key: ID!, $text: String!) { addComment(input: { ticketId: $key, body: $text }) { comment { id } } }",
            "query($key: ID!, $text: String!) { tickets(filter: { subject: { eq: $text }, companyId: { eq: $key } }) { totalCount } }",
        ] {
            let mut seen = Vec::new();
            for key in [hidden.as_str(), "L2-99999"] {
                let asked = self.gate.ask(self.token(), query, json!({ "key": key, "text": key }));
                let (answer, statements) = self.app.statements(asked).await;
                seen.push((answer.text, statements));
            }
            if seen[0] != seen[1] {
                self.problems.push(format!("{:?} can tell {hidden} from a key that is none: {seen:?}", self.side));
            }
        }
    }

    /// Starts their own lists where others have seen something.
    async fn borrow_cursors(&mut self) {
        let mut lists = vec!["companies(".to_owned(), "contacts(".to_owned()];
        lists.extend(ORDERS.map(|field| format!("tickets(orderBy: [{{ field: {field}, direction: ASC }}], ")));
        for list in lists {
            let query = format!("{{ root: {list}first: 100) {{ totalCount edges {{ cursor }} }} }}");
            let own = self
                .ask(&list, &format!("{{ root: {list}first: 100) {{ totalCount nodes {{ id }} }} }}"), json!({}))
                .await;
            let seen = self.gate.ask(Some(&self.app.cast.administrator.token), &query, json!({})).await;
            for edge in seen.json["data"]["root"]["edges"].as_array().unwrap().iter().step_by(3) {
                for side in ["first: 100, after", "last: 100, before"] {
                    let how = format!("{list}{side}: {})", edge["cursor"]);
                    let page = "pageInfo { startCursor endCursor hasNextPage hasPreviousPage }";
                    let query = format!("{{ root: {how} {{ totalCount {page} nodes {{ __typename id }} }} }}");
                    let count = self.ask(&how, &query, json!({})).await;
                    self.expect(&how, count, own);
                }
            }
        }
    }

    /// Asks for a file of the other company with an address of their own.
    async fn swap_signatures(&mut self, all: &Told) {
        let attachment = |side: Side| {
            let files = all.of_field("Attachment", "url").filter(|(_, url)| !url.is_nothing());
            let mut files = files.filter(|(id, _)| {
                let name = all.of_field("Attachment", "fileName").find(|(other, _)| other == id);
                name.is_some_and(|(_, name)| *name == Outcome::Says(json!(format!("{}.png", side.word()))))
            });
            let (id, url) = files.next().unwrap();
            (id.clone(), url.keys()[0].to_owned())
        };
        let ((own, url), (others, _)) = (attachment(self.side), attachment(self.side.other()));
        let path = url.split('?').next().unwrap().to_owned();
        assert_eq!(fetch(self.app, &url).await.0, 200);
        for url in [url.as_str(), path.as_str(), &format!("{path}?expires=9999999999&signature=")] {
            let [stolen, none] = [&others, &unknown(&others)].map(|id| url.replace(&own, id));
            let (stolen, none) = (fetch(self.app, &stolen).await, fetch(self.app, &none).await);
            if stolen != none || stolen.0 == 200 {
                self.problems.push(format!("{url}: {stolen:?} for a file of the other company, {none:?} for none"));
            }
        }
    }
}

const fn name_of(side: Side) -> &'static str {
    match side {
        Side::A => "Acme",
        Side::B => "Globex",
    }
}

/// What an address answers, but for the request id.
async fn fetch(app: &TestApp, url: &str) -> (u16, String) {
    let response = app.router.clone().oneshot(Request::get(url).body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Sends everything that waits: nothing that goes to a contact is of the other company, or of backstage.
async fn read_mails(app: &TestApp, world: &World) -> Vec<String> {
    while app.deliver(&world.smtp).await.sent > 0 {}
    let mut problems = Vec::new();
    for side in Side::BOTH {
        let addresses = [&world.contact_of(app, side).email, &world.colleague_of(side).email];
        let received = world.smtp.log().received;
        let mails: Vec<_> = received.iter().filter(|mail| mail.to.iter().any(|to| addresses.contains(&to))).collect();
        if mails.len() < 2 {
            problems.push(format!("{side:?} is mailed too little to see anything: {}", mails.len()));
        }
        for mail in mails {
            let parsed = mail.parsed();
            let text = format!("{:?} {} {}", parsed.headers, parsed.text, parsed.html).to_lowercase();
            for word in side.other().words().into_iter().chain([BACKSTAGE]).filter(|word| text.contains(word)) {
                problems.push(format!("a mail to {side:?} tells of {word}: {text}"));
            }
        }
    }
    problems
}
