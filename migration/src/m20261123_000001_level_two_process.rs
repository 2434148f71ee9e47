//! The tables of the Level 2 Support process.
//!
//! Closed word lists are text with a CHECK. Instants are `timestamptz`, which SQLite keeps as UTC text.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, boolean, boolean_null, date_null, integer, json_binary, json_binary_null,
        pk_auto, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
    },
    sea_orm::DbBackend,
};

/// Creates every table of the process.
#[derive(DeriveMigrationName)]
pub struct Migration;

const STAGES: &str = "'VALIDATING','REPLICATING','ESTIMATING','FIXING','VERIFYING','CLOSED_RESOLVED',\
                      'CLOSED_UNRESOLVED','TRANSFERRED'";
const TEAMS: &str = "'OPERATIONS','QA','PROJECT_MANAGER','TECH'";
const CATEGORIES: &str = "'BUGS_DEFECTS','DATA_ISSUES','INFRASTRUCTURE_NETWORKING','SECURITY_ISSUES'";
const PRIORITIES: &str = "'URGENT','HIGH','NORMAL','LOW'";
const LEVELS: &str = "'WARNING','BREACH','ESCALATION_TWO','ESCALATION_THREE'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        directory(manager).await?;
        policies(manager).await?;
        tickets(manager).await?;
        clocks(manager).await?;
        history(manager).await?;
        outbox(manager).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}

fn id(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().primary_key().take()
}

/// A column that holds one word of a closed list.
fn word(name: &'static str, words: &str) -> ColumnDef {
    text(name).check(Expr::cust(format!("{name} IN ({words})"))).take()
}

fn word_null(name: &'static str, words: &str) -> ColumnDef {
    text_null(name).check(Expr::cust(format!("{name} IN ({words})"))).take()
}

fn instant(name: &'static str) -> ColumnDef {
    timestamp_with_time_zone(name)
}

fn instant_null(name: &'static str) -> ColumnDef {
    timestamp_with_time_zone_null(name)
}

fn table(name: &'static str, columns: Vec<ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create().table(name).take();
    for column in columns {
        table.col(column);
    }
    table
}

fn references(table: &'static str, column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_{column}_fkey"))
        .from(table, column)
        .to(target, "id")
        .on_delete(ForeignKeyAction::Restrict)
        .take()
}

async fn index(manager: &SchemaManager<'_>, table: &'static str, columns: &[&'static str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(format!("{table}_{}_idx", columns.join("_"))).table(table).take();
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}

async fn unique(manager: &SchemaManager<'_>, table: &'static str, columns: &[&'static str]) -> Result<(), DbErr> {
    let mut index = Index::create().name(format!("{table}_{}_key", columns.join("_"))).table(table).unique().take();
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}

/// Runs a statement that both databases understand and the builder cannot say, such as a partial index.
async fn statement(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(drop)
}

async fn directory(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(table(
            "company",
            vec![
                id("id"),
                text("name"),
                word_null("tier", "'TIER_ONE','TIER_TWO','TIER_THREE'"),
                integer("version"),
                instant("created_at"),
            ],
        ))
        .await?;
    unique(manager, "company", &["name"]).await?;

    let mut contact = table(
        "contact",
        vec![
            id("id"),
            uuid("company_id"),
            text("name"),
            text("email"),
            text("locale"),
            text("time_zone"),
            integer("version"),
            instant("created_at"),
        ],
    );
    manager.create_table(contact.foreign_key(&mut references("contact", "company_id", "company")).take()).await?;
    unique(manager, "contact", &["company_id", "email"]).await?;
    index(manager, "contact", &["email"]).await?;

    manager
        .create_table(table(
            "person",
            vec![
                id("id"),
                text("name"),
                text("email"),
                text("locale"),
                text("time_zone"),
                boolean("administrator"),
                boolean("active"),
                integer("version"),
                instant("created_at"),
            ],
        ))
        .await?;
    unique(manager, "person", &["email"]).await?;

    let mut person_team =
        table("person_team", vec![uuid("person_id"), word("team", TEAMS), word("role", "'MEMBER','MANAGER'")]);
    person_team.primary_key(Index::create().col("person_id").col("team").col("role"));
    manager.create_table(person_team.foreign_key(&mut references("person_team", "person_id", "person")).take()).await?;
    index(manager, "person_team", &["team", "role"]).await?;

    let mut access_token = table(
        "access_token",
        vec![
            id("id"),
            text("name"),
            uuid_null("person_id"),
            uuid_null("contact_id"),
            text("token_hash"),
            instant("created_at"),
            instant_null("expires_at"),
            instant_null("last_used_at"),
            instant_null("revoked_at"),
        ],
    );
    access_token
        .foreign_key(&mut references("access_token", "person_id", "person"))
        .foreign_key(&mut references("access_token", "contact_id", "contact"))
        .check(Expr::cust("(person_id IS NULL) <> (contact_id IS NULL)"));
    manager.create_table(access_token).await?;
    unique(manager, "access_token", &["token_hash"]).await?;
    index(manager, "access_token", &["person_id"]).await?;
    index(manager, "access_token", &["contact_id"]).await
}

async fn policies(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(table(
            "calendar",
            vec![id("id"), text("name"), json_binary("definition"), integer("version"), instant("updated_at")],
        ))
        .await?;
    unique(manager, "calendar", &["name"]).await?;

    let mut policy = table(
        "sla_policy",
        vec![
            id("id"),
            word("stage", STAGES),
            text_null("budget"),
            uuid("calendar_id"),
            integer("version"),
            instant("updated_at"),
        ],
    );
    manager.create_table(policy.foreign_key(&mut references("sla_policy", "calendar_id", "calendar")).take()).await?;
    unique(manager, "sla_policy", &["stage"]).await?;
    index(manager, "sla_policy", &["calendar_id"]).await?;

    manager
        .create_table(table(
            "ticket_subtype",
            vec![
                id("id"),
                word("category", CATEGORIES),
                text("name"),
                instant_null("archived_at"),
                instant("created_at"),
            ],
        ))
        .await?;
    unique(manager, "ticket_subtype", &["category", "name"]).await?;

    let name = ColumnDef::new("name").text().not_null().primary_key().take();
    manager.create_table(table("counter", vec![name, big_integer("value")])).await?;
    statement(manager, "INSERT INTO counter (name, value) VALUES ('ticket', 0)").await
}

async fn tickets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut ticket = table(
        "ticket",
        vec![
            id("id"),
            big_integer("number"),
            integer("version"),
            word("source", "'ELEVATION','CLIENT_FORM'"),
            text_null("level_one_reference"),
            uuid("company_id"),
            uuid("contact_id"),
            uuid_null("assignee_id"),
            word("created_by_kind", "'PERSON','CONTACT','SYSTEM'"),
            uuid_null("created_by_id"),
            word("stage", STAGES),
            word_null("closed_from", STAGES),
            instant_null("closed_at"),
            instant_null("first_resolved_at"),
            text_null("transferred_to"),
            integer("de_escalation_count"),
            json_binary_null("de_escalation_reasons"),
            word_null("proposed_priority", PRIORITIES),
            json_binary_null("proposed_priority_reasons"),
            date_null("promised_delivery_date"),
            text("subject"),
            text("description"),
            word("category", CATEGORIES),
            uuid("subtype_id"),
            word_null("severity", "'CRITICAL','MAJOR','MINOR','COSMETIC'"),
            text_null("acceptance_criteria"),
            text_null("target_url"),
            text_null("steps_to_reproduce"),
            boolean_null("ops_can_reproduce"),
            boolean_null("affects_other_clients"),
            date_null("client_target_date"),
            word_null("platform", "'WEB','MOBILE_WEB','IOS','ANDROID','DESKTOP','API','OTHER'"),
            text_null("browser"),
            text_null("operating_system"),
            text_null("app_version"),
            text_null("workaround"),
            date_null("estimated_delivery_date"),
            word_null("priority", PRIORITIES),
            text_null("pull_request"),
            instant_null("pull_request_merged_at"),
            text_null("resolution_notes"),
            instant("created_at"),
            instant("updated_at"),
        ],
    );
    ticket
        .foreign_key(&mut references("ticket", "company_id", "company"))
        .foreign_key(&mut references("ticket", "contact_id", "contact"))
        .foreign_key(&mut references("ticket", "assignee_id", "person"))
        .foreign_key(&mut references("ticket", "subtype_id", "ticket_subtype"));
    manager.create_table(ticket).await?;
    unique(manager, "ticket", &["number"]).await?;
    index(manager, "ticket", &["company_id", "number"]).await?;
    index(manager, "ticket", &["contact_id"]).await?;
    index(manager, "ticket", &["assignee_id"]).await?;
    index(manager, "ticket", &["subtype_id"]).await?;
    index(manager, "ticket", &["stage", "number"]).await?;

    let mut clarification = table(
        "clarification",
        vec![
            id("id"),
            uuid("ticket_id"),
            uuid("contact_id"),
            text("question"),
            instant("asked_at"),
            uuid_null("asked_by"),
            text_null("answer"),
            instant_null("answered_at"),
            word_null("answered_by_kind", "'PERSON','CONTACT','SYSTEM'"),
            uuid_null("answered_by_id"),
        ],
    );
    clarification
        .foreign_key(&mut references("clarification", "ticket_id", "ticket"))
        .foreign_key(&mut references("clarification", "contact_id", "contact"))
        .foreign_key(&mut references("clarification", "asked_by", "person"));
    manager.create_table(clarification).await?;
    index(manager, "clarification", &["ticket_id", "asked_at"]).await?;
    index(manager, "clarification", &["contact_id"]).await?;
    index(manager, "clarification", &["asked_by"]).await?;
    let one_open =
        "CREATE UNIQUE INDEX clarification_one_open_key ON clarification (ticket_id) WHERE answered_at IS NULL";
    statement(manager, one_open).await
}

async fn clocks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut visit = table(
        "stage_visit",
        vec![
            id("id"),
            uuid("ticket_id"),
            word("stage", STAGES),
            instant("entered_at"),
            instant_null("left_at"),
            uuid("calendar_id"),
            text_null("budget"),
            date_null("deadline_on"),
            instant_null("due_at"),
            instant_null("original_due_at"),
            instant_null("warns_at"),
            instant_null("breached_at"),
            big_integer_null("elapsed_us"),
            instant_null("next_alert_at"),
            word_null("alerted_level", LEVELS),
        ],
    );
    visit.foreign_key(&mut references("stage_visit", "ticket_id", "ticket")).foreign_key(&mut references(
        "stage_visit",
        "calendar_id",
        "calendar",
    ));
    manager.create_table(visit).await?;
    index(manager, "stage_visit", &["ticket_id", "entered_at"]).await?;
    index(manager, "stage_visit", &["calendar_id"]).await?;
    statement(manager, "CREATE UNIQUE INDEX stage_visit_one_open_key ON stage_visit (ticket_id) WHERE left_at IS NULL")
        .await?;
    statement(manager, "CREATE INDEX stage_visit_open_stage_idx ON stage_visit (stage, due_at) WHERE left_at IS NULL")
        .await?;
    let due =
        "CREATE INDEX stage_visit_next_alert_at_idx ON stage_visit (next_alert_at) WHERE next_alert_at IS NOT NULL";
    statement(manager, due).await?;

    let mut pause = table(
        "clock_pause",
        vec![
            id("id"),
            uuid("visit_id"),
            word("reason", "'WAITING_CLIENT','AWAY'"),
            instant("started_at"),
            instant_null("ended_at"),
        ],
    );
    manager.create_table(pause.foreign_key(&mut references("clock_pause", "visit_id", "stage_visit")).take()).await?;
    index(manager, "clock_pause", &["visit_id", "started_at"]).await?;

    let mut alert = table(
        "sla_alert",
        vec![
            id("id"),
            uuid("visit_id"),
            uuid("ticket_id"),
            word("stage", STAGES),
            word("team", TEAMS),
            word("level", LEVELS),
            word("outcome", "'RAISED','SUPERSEDED'"),
            instant("reached_at"),
            instant("detected_at"),
            instant("due_at"),
        ],
    );
    alert.foreign_key(&mut references("sla_alert", "visit_id", "stage_visit")).foreign_key(&mut references(
        "sla_alert",
        "ticket_id",
        "ticket",
    ));
    manager.create_table(alert).await?;
    unique(manager, "sla_alert", &["visit_id", "level"]).await?;
    index(manager, "sla_alert", &["ticket_id"]).await?;
    index(manager, "sla_alert", &["detected_at", "id"]).await
}

/// On PostgreSQL a sequence is not commit order, so each event also keeps the transaction that wrote it: a reader may
/// only pass events whose transaction no running one can still precede.
async fn history(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut event = table(
        "ticket_event",
        vec![
            pk_auto("id").big_integer().take(),
            uuid("ticket_id"),
            instant("happened_at"),
            word("actor_kind", "'PERSON','CONTACT','SYSTEM'"),
            uuid_null("actor_id"),
            text("kind"),
            json_binary("data"),
        ],
    );
    manager.create_table(event.foreign_key(&mut references("ticket_event", "ticket_id", "ticket")).take()).await?;
    index(manager, "ticket_event", &["ticket_id", "id"]).await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        statement(manager, "ALTER TABLE ticket_event ADD COLUMN written_by xid8 NOT NULL DEFAULT pg_current_xact_id()")
            .await?;
    }
    Ok(())
}

async fn outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut notice = table(
        "notice",
        vec![
            id("id"),
            uuid("ticket_id"),
            uuid_null("visit_id"),
            uuid_null("clarification_id"),
            text("kind"),
            uuid_null("contact_id"),
            uuid_null("person_id"),
            text("to_name"),
            text("to_address"),
            text("locale"),
            text("time_zone"),
            json_binary("content"),
            text("dedupe_key"),
            word("state", "'QUEUED','SENT','FAILED','CANCELLED'"),
            integer("attempts"),
            instant("next_attempt_at"),
            instant_null("leased_until"),
            uuid_null("lease"),
            text_null("detail"),
            instant("created_at"),
            instant_null("sent_at"),
        ],
    );
    notice
        .foreign_key(&mut references("notice", "ticket_id", "ticket"))
        .foreign_key(&mut references("notice", "visit_id", "stage_visit"))
        .foreign_key(&mut references("notice", "clarification_id", "clarification"))
        .foreign_key(&mut references("notice", "contact_id", "contact"))
        .foreign_key(&mut references("notice", "person_id", "person"))
        .check(Expr::cust("(person_id IS NULL) <> (contact_id IS NULL)"));
    manager.create_table(notice).await?;
    unique(manager, "notice", &["dedupe_key"]).await?;
    index(manager, "notice", &["ticket_id", "id"]).await?;
    index(manager, "notice", &["created_at", "id"]).await?;
    index(manager, "notice", &["visit_id"]).await?;
    index(manager, "notice", &["clarification_id"]).await?;
    index(manager, "notice", &["contact_id"]).await?;
    index(manager, "notice", &["person_id"]).await?;
    statement(manager, "CREATE INDEX notice_queued_idx ON notice (next_attempt_at) WHERE state = 'QUEUED'").await
}
