//! Policies and calendars in versions that never change, and what a clock needs so that it can be made again from them.

use sea_orm_migration::{
    prelude::*,
    schema::{
        integer, json_binary, json_binary_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
    sea_orm::DbBackend,
};

/// Adds the versions, lets every policy, calendar and visit refer to its first one, and allows more words.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// PostgreSQL: the same checks, with more words.
const ALLOW_WORDS_POSTGRES: &str = r#"
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT conrelid::regclass AS relation, conname, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint
        WHERE contype = 'c' AND connamespace = current_schema()::regnamespace
          AND (pg_get_constraintdef(oid) LIKE '%[''WARNING''::text, ''BREACH''::text,%'
               OR pg_get_constraintdef(oid) LIKE '%[''WAITING_CLIENT''::text,%')
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', found.relation, found.conname,
            found.conname, replace(replace(found.definition, '[''WARNING''::text,', '[''REMINDER''::text, ''WARNING''::text,'),
                '[''WAITING_CLIENT''::text,',
                '[''WAITING_CLIENT''::text, ''WAITING_THIRD_PARTY''::text, ''WAITING_RELEASE''::text, ''ON_HOLD''::text,'));
    END LOOP;
END
$$"#;

/// SQLite: the same. A check does not show in what is stored, so that the text of the schema is all there is to change.
const ALLOW_WORDS_SQLITE: &str = "
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql, '''WARNING'',''BREACH'',', '''REMINDER'',''WARNING'',''BREACH'','),
    '''WAITING_CLIENT'',', '''WAITING_CLIENT'',''WAITING_THIRD_PARTY'',''WAITING_RELEASE'',''ON_HOLD'',')
WHERE type = 'table';
PRAGMA writable_schema = RESET;
";

/// The first version of a calendar is what it is now, and held always.
const FIRST_CALENDARS: [&str; 2] = [
    "INSERT INTO calendar_version (id, calendar_id, version, effective_at, recorded_at, definition)
     SELECT gen_random_uuid(), id, version, 'epoch', updated_at, definition FROM calendar",
    "INSERT INTO calendar_version (id, calendar_id, version, effective_at, recorded_at, definition)
     SELECT randomblob(16), id, version, '1970-01-01 00:00:00+00:00', updated_at, definition FROM calendar",
];

/// The first version of a policy is what it is now, with the alerts that every policy had.
const FIRST_POLICIES: [&str; 2] = [
    "INSERT INTO sla_policy_version (id, policy_id, stage, version, effective_at, recorded_at, terms)
     SELECT gen_random_uuid(), id, stage, version, 'epoch', updated_at, jsonb_build_object(
        'calendar_id', calendar_id::text,
        'budgets', jsonb_build_array(jsonb_build_object('budget', budget)),
        'alerts', CASE stage WHEN 'FIXING' THEN '{fixing}'::jsonb ELSE '{others}'::jsonb END,
        'pause_reasons', CASE stage WHEN 'FIXING' THEN '[]'::jsonb ELSE '{reasons}'::jsonb END,
        'reentry', 'NEW_VISIT') FROM sla_policy",
    "INSERT INTO sla_policy_version (id, policy_id, stage, version, effective_at, recorded_at, terms)
     SELECT randomblob(16), id, stage, version, '1970-01-01 00:00:00+00:00', updated_at, json_object(
        'calendar_id', {calendar_id},
        'budgets', json_array(json_object('budget', budget)),
        'alerts', json(CASE stage WHEN 'FIXING' THEN '{fixing}' ELSE '{others}' END),
        'pause_reasons', json(CASE stage WHEN 'FIXING' THEN '[]' ELSE '{reasons}' END),
        'reentry', 'NEW_VISIT') FROM sla_policy",
];

const FIXING_ALERTS: &str = r#"[
    {"level":"WARNING","point":{"BUDGET_USED":{"percent":75}},"to":{"assignee":true,"owner_team":true}},
    {"level":"BREACH","point":"DUE_PASSED","to":{"team_managers":true,"teams":["PROJECT_MANAGER"]}},
    {"level":"ESCALATION_TWO","point":{"OVERDUE":{"after":"P1D"}},"to":{"all_managers":true}},
    {"level":"ESCALATION_THREE","point":{"OVERDUE":{"after":"P3D"}},"to":{"all_managers":true}}]"#;

const OTHER_ALERTS: &str = r#"[
    {"level":"WARNING","point":{"BUDGET_USED":{"percent":75}},"to":{"assignee":true,"owner_team":true}},
    {"level":"BREACH","point":"DUE_PASSED","to":{"assignee":true,"owner_team":true,"team_managers":true}},
    {"level":"ESCALATION_TWO","point":{"OVERDUE":{"after":"P1D"}},"to":{"all_managers":true}},
    {"level":"ESCALATION_THREE","point":{"OVERDUE":{"after":"P3D"}},"to":{"all_managers":true}}]"#;

const PAUSE_REASONS: &str = r#"["WAITING_THIRD_PARTY","WAITING_RELEASE","ON_HOLD"]"#;

/// Every visit refers to the first versions. Its rank was not kept; without a budget by rank, none is needed.
const FIRST_VISITS: [&str; 2] = [
    "UPDATE stage_visit SET policy_version_id = policy.id, calendar_version_id = calendar.id,
        eras = jsonb_build_array(jsonb_build_object(
            'from', to_char(entered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'version', calendar.id::text))
     FROM sla_policy_version AS policy, calendar_version AS calendar
     WHERE policy.stage = stage_visit.stage AND calendar.calendar_id = stage_visit.calendar_id",
    "UPDATE stage_visit SET policy_version_id = policy.id, calendar_version_id = calendar.id,
        eras = json_array(json_object('from', replace(entered_at, ' ', 'T'), 'version', {calendar.id}))
     FROM sla_policy_version AS policy, calendar_version AS calendar
     WHERE policy.stage = stage_visit.stage AND calendar.calendar_id = stage_visit.calendar_id",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let allow = match manager.get_database_backend() {
            DbBackend::Postgres => ALLOW_WORDS_POSTGRES,
            _ => ALLOW_WORDS_SQLITE,
        };
        statement(manager, allow).await?;
        versions(manager).await?;
        visits(manager).await?;
        first_versions(manager).await?;
        indexes(manager).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the schema is append-only: restore a backup to go back".to_owned()))
    }
}

async fn statement(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(drop)
}

async fn versions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = |name: &'static str, of: &'static str, parent: &'static str, columns: Vec<ColumnDef>| {
        let mut table = Table::create().table(name).col(uuid("id").primary_key().take()).col(uuid(of)).take();
        for column in columns {
            table.col(column);
        }
        table
            .col(integer("version"))
            .col(timestamp_with_time_zone("effective_at"))
            .col(timestamp_with_time_zone("recorded_at"))
            .col(uuid_null("recorded_by"))
            .foreign_key(
                ForeignKey::create()
                    .name(format!("{name}_{of}_fkey"))
                    .from(name, of)
                    .to(parent, "id")
                    .on_delete(ForeignKeyAction::Restrict),
            )
            .take()
    };
    manager.create_table(table("calendar_version", "calendar_id", "calendar", vec![json_binary("definition")])).await?;
    manager
        .create_table(table("sla_policy_version", "policy_id", "sla_policy", vec![text("stage"), json_binary("terms")]))
        .await?;
    for (name, of) in [("calendar_version", "calendar_id"), ("sla_policy_version", "policy_id")] {
        let key =
            Index::create().name(format!("{name}_{of}_version_key")).table(name).col(of).col("version").unique().take();
        manager.create_index(key).await?;
    }
    statement(manager, "CREATE INDEX sla_policy_version_stage_idx ON sla_policy_version (stage, version)").await
}

async fn visits(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let additions: [(&str, Vec<ColumnDef>); 3] = [
        (
            "stage_visit",
            vec![
                uuid_null("policy_version_id"),
                uuid_null("calendar_version_id"),
                json_binary_null("eras"),
                text_null("priority"),
                text_null("tier"),
                timestamp_with_time_zone_null("override_due_at"),
                timestamp_with_time_zone_null("acknowledged_at"),
                timestamp_with_time_zone_null("snoozed_until"),
                timestamp_with_time_zone_null("moved_at"),
                timestamp_with_time_zone_null("excused_at"),
                uuid_null("excused_by"),
                text_null("excuse"),
                text_null("tzdb"),
            ],
        ),
        ("clock_pause", vec![timestamp_with_time_zone_null("resume_at")]),
        (
            "sla_alert",
            vec![
                text_null("cause"),
                text_null("detail"),
                timestamp_with_time_zone_null("acknowledged_at"),
                uuid_null("acknowledged_by"),
                text_null("acknowledgement"),
            ],
        ),
    ];
    for (table, columns) in additions {
        for column in columns {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
    }
    Ok(())
}

async fn first_versions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let dialect = usize::from(manager.get_database_backend() != DbBackend::Postgres);
    for sql in [FIRST_CALENDARS, FIRST_POLICIES, FIRST_VISITS].iter().filter_map(|dialects| dialects.get(dialect)) {
        let sql = sql
            .replace("{fixing}", FIXING_ALERTS)
            .replace("{others}", OTHER_ALERTS)
            .replace("{reasons}", PAUSE_REASONS)
            .replace("{calendar_id}", &uuid_text("calendar_id"))
            .replace("{calendar.id}", &uuid_text("calendar.id"));
        statement(manager, &sql).await?;
    }
    Ok(())
}

/// SQLite: how a blob is written as a UUID.
fn uuid_text(column: &str) -> String {
    let part = |from: u8, length: u8| format!("substr(hex({column}), {from}, {length})");
    let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
    format!("lower({})", parts.join(" || '-' || "))
}

/// Running visits by what they follow, for those who look for what lags behind; pauses by when they end.
async fn indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for sql in [
        "CREATE INDEX stage_visit_open_policy_idx ON stage_visit (policy_version_id) WHERE left_at IS NULL",
        "CREATE INDEX stage_visit_open_calendar_idx ON stage_visit (calendar_version_id) WHERE left_at IS NULL",
        "CREATE INDEX stage_visit_left_at_idx ON stage_visit (left_at) WHERE left_at IS NOT NULL",
        "CREATE INDEX clock_pause_resume_at_idx ON clock_pause (resume_at) WHERE ended_at IS NULL AND resume_at IS NOT NULL",
    ] {
        statement(manager, sql).await?;
    }
    Ok(())
}
