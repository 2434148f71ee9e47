//! The real application on a fresh database, with a clock that the test moves.

pub mod checks;
pub mod commands;
pub mod database;
pub mod following;
pub mod issuer;
pub mod plans;
pub mod proxy;
pub mod server;
pub mod sla;
pub mod smtp;
pub mod socket;
pub mod wire;

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Body};
use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    company, contact,
    vocab::{CompanyTier, Team},
};
use secondline::{
    clock::Clock,
    delivery::{
        attachments::{AttachmentKey, AttachmentStore},
        mail::{Mailbox, Mailer, SmtpSettings},
    },
    domain::{actor::Actor, process::OTHER_PIPELINES},
    graphql::admission::Policy,
    http::{HttpState, Settings},
    notice::Site,
    service::{
        Service,
        attachments::Attachments,
        deliver::{DeliveryReport, MailRoute},
        directory::{Particulars, PersonInput},
        tokens::TokenOwner,
    },
    store::{Database, connection, directory::PersonWithTeams},
};
use serde_json::{Value, json};
use tower::ServiceExt;

pub use self::database::{Engine, TestDatabase};

/// When every test begins: a Monday, as the working day of the default calendar opens.
pub static START: LazyLock<DateTime<Utc>> = LazyLock::new(|| "2026-06-01T09:00:00Z".parse().unwrap());

/// Runs a test on the application with SQLite and, where a server is named, with PostgreSQL.
macro_rules! each_database {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident) $body:block)+) => {$(
        $crate::support::each_engine! {
            $(#[$attribute])*
            async fn $name(engine) {
                if let Some(app) = $crate::support::TestApp::start(engine).await {
                    let $app = &app;
                    $body
                }
            }
        }
    )+};
}

/// Runs a test with SQLite and, where a server is named, with PostgreSQL.
macro_rules! each_engine {
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn test($engine: $crate::support::Engine) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                test($crate::support::Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[cfg_attr(not(postgres_is_named), ignore = "SECONDLINE_TEST_POSTGRES_URL names no server")]
            async fn postgres() {
                test($crate::support::Engine::Postgres).await;
            }
        }
    )+};
}
pub(crate) use {each_database, each_engine};

/// A person with a token.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: String,
    pub name: String,
    pub email: String,
    pub token: String,
}

/// The staff and clients that every test has at hand.
pub struct Cast {
    pub operations: Member,
    pub qa: Member,
    pub project_manager: Member,
    pub tech: Member,
    /// Manages Operations.
    pub operations_manager: Member,
    /// Manages Tech.
    pub tech_manager: Member,
    pub administrator: Member,
    /// Of the company `acme`, which is of the middle tier.
    pub client: Member,
    pub acme: company::Model,
    /// Of another company, `globex`, whose tier nobody stated.
    pub other_client: Member,
    pub globex: company::Model,
}

/// The application under test.
pub struct TestApp {
    pub service: Service,
    pub clock: Clock,
    pub cast: Cast,
    pub router: Router,
    pub db: Database,
    pub database: TestDatabase,
    /// Where attachments are kept.
    pub files: tempfile::TempDir,
    statements: Arc<AtomicUsize>,
}

impl TestApp {
    /// The application on a fresh database of the engine; none where PostgreSQL is not to be tested.
    pub async fn start(engine: Engine) -> Option<Self> {
        let database = TestDatabase::create(engine).await?;
        let db = connection::open(&database.url, 8).await.unwrap();
        let statements = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&statements);
        db.set_metric_callback(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let clock = Clock::manual(*START);
        let pipelines = OTHER_PIPELINES.map(str::to_owned).to_vec();
        let files = tempfile::tempdir().unwrap();
        let attachments = Attachments {
            store: AttachmentStore::folder(files.path()).unwrap(),
            key: AttachmentKey::new(b"the key of the tests, which is long enough"),
            limit: 100_000,
        };
        let service = Service::new(db.clone(), clock.clone(), pipelines).with_attachments(attachments);
        let cast = Cast::invite(&service).await;
        let router = secondline::http::router(HttpState::new(service.clone(), Policy::default(), Settings::default()));
        Some(Self { service, clock, cast, router, db, database, files, statements })
    }

    /// Another server on the same database, with connections of its own and the same clock.
    pub async fn replica(&self) -> Service {
        let db = connection::open(&self.database.url, 8).await.unwrap();
        Service::new(db, self.clock.clone(), self.service.pipelines().to_vec())
    }

    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// What GraphQL answers, whatever it is.
    pub async fn graphql(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        self.post(token, json!({ "query": query, "variables": variables })).await
    }

    /// What GraphQL answers to one operation of a document.
    pub async fn operation(&self, member: &Member, document: &str, name: &str) -> Value {
        self.post(Some(&member.token), json!({ "query": document, "operationName": name })).await
    }

    async fn post(&self, token: Option<&str>, body: Value) -> Value {
        let mut request = axum::http::Request::post("/graphql").header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// What GraphQL answers to a request that must succeed.
    pub async fn ask(&self, member: &Member, query: &str, variables: Value) -> Value {
        let mut answer = self.graphql(Some(&member.token), query, variables).await;
        assert_eq!(answer.get("errors"), None, "{answer:#}");
        answer["data"].take()
    }

    /// The payload of a mutation, refused or not. `mutation` is its name; `input` its input; `select` what is asked of the
    /// ticket, such as `key stage`.
    pub async fn mutate(&self, member: &Member, mutation: &str, input: Value, select: &str) -> Value {
        let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query = format!(
            "mutation($input: {input_type}!) {{ payload: {mutation}(input: $input) \
             {{ {select} userErrors {{ code field message }} }} }}"
        );
        self.ask(member, &query, json!({ "input": input })).await["payload"].take()
    }

    /// The payload of a ticket's mutation that must succeed: the ticket.
    pub async fn change(&self, member: &Member, mutation: &str, input: Value) -> Value {
        let select = "ticket { id key version stage }";
        let mut payload = self.mutate(member, mutation, input, select).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
        payload["ticket"].take()
    }

    /// What a refused mutation of a ticket answers: code and field of each problem. Nothing may have been changed.
    pub async fn refusal(&self, member: &Member, mutation: &str, input: Value) -> Vec<(String, String)> {
        let payload = self.mutate(member, mutation, input, "ticket { id }").await;
        assert_eq!(payload["ticket"], Value::Null, "{payload:#}");
        let problems = payload["userErrors"].as_array().unwrap();
        assert!(!problems.is_empty(), "{payload:#}");
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        problems.iter().map(|problem| (text(&problem["code"]), text(&problem["field"]))).collect()
    }

    /// Files a ticket of `acme` as Operations; its key.
    pub async fn file_ticket(&self) -> String {
        let input = json!({
            "companyId": self.cast.acme.id.to_string(),
            "contactId": self.cast.client.id,
            "facts": self.first_facts().await,
        });
        let ticket = self.change(&self.cast.operations, "createTicket", input).await;
        ticket["key"].as_str().unwrap().to_owned()
    }

    /// What every new ticket must state.
    pub async fn first_facts(&self) -> Value {
        json!({
            "subject": "Export stops at row 1000",
            "description": "The CSV export of the orders page ends after 1000 rows.",
            "category": "BUGS_DEFECTS",
            "subtypeId": self.subtype("BUGS_DEFECTS").await,
        })
    }

    /// The id of the first subtype of a category.
    pub async fn subtype(&self, category: &str) -> String {
        let query = "query($category: Category) { ticketSubtypes(category: $category) { id } }";
        let answer = self.ask(&self.cast.operations, query, json!({ "category": category })).await;
        answer["ticketSubtypes"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Moves a ticket forward until it stands in the stage, with facts that open every gate.
    pub async fn walk_to(&self, key: &str, stage: &str) {
        let Cast { operations, qa, project_manager, tech, .. } = &self.cast;
        let steps = [
            (operations, "REPLICATING", replicating_facts()),
            (qa, "ESTIMATING", json!({ "affectsOtherClients": false })),
            (project_manager, "FIXING", json!({ "estimatedDeliveryDate": "2026-06-12", "priority": "HIGH" })),
            (tech, "VERIFYING", json!({ "pullRequest": "https://git.example.com/shop/pull/7" })),
            (qa, "CLOSED_RESOLVED", closing_facts()),
        ];
        if stage == "VALIDATING" {
            return;
        }
        for (member, to, facts) in steps {
            self.change(member, "moveTicket", json!({ "ticketId": key, "to": to, "facts": facts })).await;
            if to == stage {
                return;
            }
        }
        panic!("no way leads to {stage}");
    }

    /// A ticket's fields, as the member sees them.
    pub async fn ticket(&self, member: &Member, key: &str, select: &str) -> Value {
        let query = format!("query($key: String) {{ ticket(key: $key) {{ {select} }} }}");
        self.ask(member, &query, json!({ "key": key })).await["ticket"].take()
    }

    /// Sends what waits in the outbox to a mail server.
    pub async fn deliver(&self, smtp: &smtp::SmtpSink) -> DeliveryReport {
        self.service.deliver(&mail_route(&smtp.url())).await.unwrap()
    }

    /// How many statements the work runs.
    pub async fn statements<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let before = self.statements.load(Ordering::SeqCst);
        let done = work.await;
        (done, self.statements.load(Ordering::SeqCst) - before)
    }
}

/// A route to a mail server, as `serve` would make it.
pub fn mail_route(smtp_url: &str) -> MailRoute {
    let settings = SmtpSettings::parse(smtp_url, None).unwrap().with_timeout(std::time::Duration::from_secs(2));
    MailRoute {
        mailer: Arc::new(Mailer::smtp(&settings).unwrap()),
        from: Mailbox::parse("Secondline <support@secondline.example>").unwrap(),
        site: Site {
            product_name: "Secondline".to_owned(),
            public_url: Some("https://support.example.com".to_owned()),
            mail_host: "secondline.example".to_owned(),
        },
    }
}

/// What a ticket needs to enter Replicating.
pub fn replicating_facts() -> Value {
    json!({
        "severity": "MAJOR",
        "acceptanceCriteria": "All rows are exported.",
        "targetUrl": "https://shop.example.com/orders",
        "stepsToReproduce": "Open the orders page, press Export.",
        "opsCanReproduce": true,
    })
}

/// What a ticket needs to be closed as resolved.
pub fn closing_facts() -> Value {
    json!({
        "pullRequestMergedAt": "2026-06-01T09:00:00Z",
        "resolutionNotes": "The export now reads all pages.",
    })
}

impl Cast {
    async fn invite(service: &Service) -> Self {
        let acme = service.create_company(&Actor::System, "Acme", Some(CompanyTier::TierTwo)).await.unwrap();
        let globex = service.create_company(&Actor::System, "Globex", None).await.unwrap();
        Self {
            operations: staff(service, "Olga Operations", &[Team::Operations], &[], false).await,
            qa: staff(service, "Quentin Qa", &[Team::Qa], &[], false).await,
            project_manager: staff(service, "Paula Project", &[Team::ProjectManager], &[], false).await,
            tech: staff(service, "Tariq Tech", &[Team::Tech], &[], false).await,
            operations_manager: staff(service, "Mona Manager", &[], &[Team::Operations], false).await,
            tech_manager: staff(service, "Theo Manager", &[], &[Team::Tech], false).await,
            administrator: staff(service, "Ada Admin", &[], &[], true).await,
            client: client(service, &acme, "Carla Client").await,
            other_client: client(service, &globex, "Otto Other").await,
            acme,
            globex,
        }
    }
}

fn particulars(name: &str) -> Particulars {
    Particulars {
        name: Some(name.to_owned()),
        email: Some(format!("{}@example.com", name.to_lowercase().replace(' ', "."))),
        locale: None,
        time_zone: Some("Europe/Berlin".to_owned()),
    }
}

/// A member of staff with a token.
pub async fn staff(service: &Service, name: &str, teams: &[Team], manages: &[Team], administrator: bool) -> Member {
    let input = PersonInput {
        particulars: particulars(name),
        teams: Some(teams.to_vec()),
        manages: Some(manages.to_vec()),
        administrator: Some(administrator),
        active: None,
        calendar: None,
    };
    let PersonWithTeams { person, .. } = service.create_person(&Actor::System, input).await.unwrap();
    let token = service.create_token(TokenOwner::Person(person.id), "test", None).await.unwrap();
    Member { id: person.id.to_string(), name: person.name, email: person.email, token: token.secret }
}

/// A contact with a token.
pub async fn client(service: &Service, company: &company::Model, name: &str) -> Member {
    let contact: contact::Model = service.create_contact(&Actor::System, company.id, particulars(name)).await.unwrap();
    let token = service.create_token(TokenOwner::Contact(contact.id), "test", None).await.unwrap();
    Member { id: contact.id.to_string(), name: contact.name, email: contact.email, token: token.secret }
}
