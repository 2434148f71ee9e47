//! What whoever runs a deployment does by hand.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use entity::{audit_entry, notice, vocab::NoticeState};
use secondline::{
    app,
    config::{Config, ConfigError, hide_passwords},
    domain::{actor::Actor, ticket::parse_key},
    store::page::Window,
    store::{
        audit::AuditFilter,
        outbox::Failed,
        page::{Position, SortKey},
    },
};

use crate::cli::{Common, RetryArgs, print};

/// Entries of the audit log that are read at once.
const AUDIT_PAGE: u64 = 500;

/// Brings the schema up to date.
pub(super) async fn migrate(common: &Common) -> Result<()> {
    let url = common.database.url().map_err(|problem| ConfigError(vec![problem]))?;
    let db = app::open_migrated(&url, common.database.database_connections).await?;
    db.close().await?;
    print::text(&format!("The schema of {} is up to date.", hide_passwords(&url)))
}

/// Runs the SLA scan once.
pub(super) async fn sla_scan(common: &Common) -> Result<()> {
    let service = common.service().await?;
    let report = service.sla_scan().await?;
    service.close().await;
    print::text(&format!(
        "clocks that were due: {}\nalerts raised:        {}\nalerts superseded:    {}\nnotices queued:       {}",
        report.visits, report.raised, report.superseded, report.notices
    ))
}

/// Makes clocks again from their history.
pub(super) async fn sla_verify(key: Option<&str>, common: &Common) -> Result<()> {
    let service = common.service().await?;
    let ticket = match key {
        Some(key) => {
            let number = parse_key(key).with_context(|| format!("{key} is not the key of a ticket, such as L2-123"))?;
            let found = service.ticket_by_number(&Actor::System, number).await?;
            Some(found.with_context(|| format!("there is no ticket {key}"))?.ticket.id)
        }
        None => None,
    };
    let report = service.verify_clocks(&Actor::System, ticket).await?;
    service.close().await;
    for drift in &report.drifts {
        for difference in &drift.differences {
            print::text(&format!("L2-{}: {difference}", drift.number))?;
        }
    }
    print::text(&format!(
        "tickets verified:                   {}\nfiled before the history had clocks: {}\ndrifted:                            {}",
        report.verified,
        report.without_history,
        report.drifts.len()
    ))?;
    anyhow::ensure!(report.drifts.is_empty(), "stored clocks are not what their history says");
    Ok(())
}

/// Lists mails.
pub(super) async fn list_outbox(state: Option<NoticeState>, limit: u64, common: &Common) -> Result<()> {
    let service = common.service().await?;
    let notices = service.outbox(state, limit).await?;
    service.close().await;
    let rows: Vec<_> = notices.iter().map(row).collect();
    print::table(["ID", "STATE", "KIND", "TICKET", "TO", "ATTEMPTS", "CREATED", "SENT OR NEXT", "DETAIL"], &rows)
}

fn row(notice: &notice::Model) -> [String; 9] {
    let waits = matches!(notice.state, NoticeState::Held | NoticeState::Queued);
    let next = waits.then_some(notice.next_attempt_at);
    [
        notice.id.to_string(),
        notice.state.label().to_lowercase(),
        notice.kind.label().to_owned(),
        notice.content.get("ticket_key").and_then(|key| key.as_str()).unwrap_or("-").to_owned(),
        notice.to_address.clone(),
        notice.attempts.to_string(),
        print::instant(Some(notice.created_at)),
        print::instant(notice.sent_at.or(next)),
        notice.detail.as_deref().unwrap_or("-").replace(char::is_control, " "),
    ]
}

/// Queues failed mails again.
pub(super) async fn retry(RetryArgs { which, common }: RetryArgs) -> Result<()> {
    let service = common.service().await?;
    let which = match (which.id, which.recipient) {
        (Some(id), _) => {
            service.retry_notice(&Actor::System, id).await?;
            service.close().await;
            return print::note("The mail is queued again; the running server sends it.");
        }
        (None, Some(address)) => Failed::To(address),
        (None, None) => Failed::Since(which.since),
    };
    let queued = service.retry_notices(&Actor::System, &which).await?;
    service.close().await;
    print::note(&format!("{queued} mails are queued again; the running server sends them."))
}

/// Prints the audit log as JSON lines, page by page.
pub(super) async fn export_audit(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    common: &Common,
) -> Result<()> {
    let service = common.service().await?;
    let filter = AuditFilter { from, to, ..AuditFilter::default() };
    let mut after = None;
    loop {
        let page = Window { after, ..Window::first(AUDIT_PAGE) };
        let page = service.audit_export(&Actor::System, &filter, page).await?;
        for entry in &page.rows {
            print::text(&line(entry).to_string())?;
        }
        match page.rows.last() {
            Some(last) if page.has_next => after = Some(Position::new(SortKey::Instant(last.at), last.id.0)),
            _ => break,
        }
    }
    service.close().await;
    Ok(())
}

fn line(entry: &audit_entry::Model) -> serde_json::Value {
    serde_json::json!({
        "id": entry.id.to_string(),
        "at": entry.at,
        "actorKind": entry.actor_kind,
        "actorId": entry.actor(),
        "actorName": entry.actor_name,
        "action": entry.action.label(),
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "address": entry.address,
        "requestId": entry.request_id,
    })
}

/// Checks the configuration and prints it.
pub(super) fn check_config(config: &Config) -> Result<()> {
    let checked = config.check()?;
    let mail = match &config.mail.smtp_url {
        Some(url) => hide_passwords(url.expose()),
        None => format!("files in {}", config.mail_dir().display()),
    };
    let shown = |url: Option<&str>, none: &str| url.map_or_else(|| none.to_owned(), hide_passwords);
    let lines = [
        ("database", hide_passwords(&checked.database_url)),
        ("database connections", config.database.database_connections.to_string()),
        ("migrate at start", if config.no_migrate { "no" } else { "yes" }.to_owned()),
        ("listen", config.listen.to_string()),
        ("public URL", shown(checked.public_url.as_deref(), "none: mails carry no links")),
        ("OpenID Connect", shown(config.oidc.oidc_issuer.as_deref(), "none: only tokens made here")),
        ("time zone", config.time_zone.name().to_owned()),
        ("pipelines", checked.pipelines.join(", ")),
        (
            "attachments",
            match &config.attachments.attachment_url {
                Some(url) => hide_passwords(url.as_str()),
                None => format!("files in {}", config.attachment_dir().display()),
            },
        ),
        ("mail from", config.mail.mail_from.clone()),
        ("mail", if checked.mail_in_clear { format!("{mail} (in clear)") } else { mail }),
        ("SLA scan", config.sla_scan_schedule.clone()),
        ("deliver", config.deliver_schedule.clone()),
        ("log", format!("{:?}, {}", config.log.log_format, config.log.log_level.as_deref().unwrap_or("default"))),
    ];
    let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name:20}  {value}")).collect();
    print::text(&lines.join("\n"))?;
    print::note("The configuration can be used.")
}
