//! What tests of the SLA clock ask, again and again.

use chrono::{DateTime, Utc};
use secondline::service::sla_scan::ScanReport;
use serde_json::Value;

use super::{Member, TestApp};

/// Lets the clock stand at an instant, looks, and says what the scan did.
pub async fn scan_at(app: &TestApp, at: &str) -> ScanReport {
    app.clock.set(instant(at));
    app.service.sla_scan().await.unwrap()
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub const fn told(visits: usize, superseded: usize, notices: usize) -> ScanReport {
    ScanReport { visits, raised: 1, without_recipients: 0, superseded, notices }
}

/// The addresses that a kind of notice about a ticket goes to, and how each stands.
pub async fn ledger(app: &TestApp, key: &str, kind: &str) -> Vec<(String, String)> {
    let ticket = app.ticket(&app.cast.qa, key, "notices { kind state toAddress }").await;
    let mut found: Vec<_> = ticket["notices"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|notice| notice["kind"] == kind)
        .map(|notice| (word(&notice["toAddress"]), word(&notice["state"])))
        .collect();
    found.sort();
    found
}

/// What the ledger shows when each of these was told, and nobody else.
pub fn all<'a>(members: impl IntoIterator<Item = &'a Member>, state: &str) -> Vec<(String, String)> {
    let mut expected: Vec<_> = members.into_iter().map(|member| (member.email.clone(), state.to_owned())).collect();
    expected.sort();
    expected
}

/// The alerts of a ticket: stage, level, outcome, and when the clock reached the level.
pub async fn alerts(app: &TestApp, key: &str) -> Vec<[String; 4]> {
    let ticket = app.ticket(&app.cast.qa, key, "alerts { stage level outcome reachedAt }").await;
    let fields = ["stage", "level", "outcome", "reachedAt"];
    ticket["alerts"].as_array().unwrap().iter().map(|alert| fields.map(|field| word(&alert[field]))).collect()
}

pub fn alert(stage: &str, level: &str, outcome: &str, reached_at: &str) -> [String; 4] {
    [stage, level, outcome, reached_at].map(str::to_owned)
}

/// A text; instants as `…Z`.
pub fn word(value: &Value) -> String {
    value.as_str().unwrap_or("-").replace("+00:00", "Z")
}

/// The same with every instant as `…Z`.
pub fn zulu(value: Value) -> Value {
    match value {
        Value::String(_) => Value::String(word(&value)),
        Value::Array(values) => values.into_iter().map(zulu).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, zulu(value))).collect(),
        other => other,
    }
}

pub async fn clock(app: &TestApp, key: &str) -> Value {
    let select = "sla { status dueAt dueIfResumedAt warnsAt breachedAt budget deadlineOn elapsed remaining }";
    zulu(app.ticket(&app.cast.qa, key, select).await["sla"].take())
}

/// Status, due time, used and left working time.
pub async fn reading(app: &TestApp, key: &str) -> [String; 4] {
    let sla = clock(app, key).await;
    ["status", "dueAt", "elapsed", "remaining"].map(|field| word(&sla[field]))
}

pub fn shows(status: &str, due_at: &str, elapsed: &str, remaining: &str) -> [String; 4] {
    [status, due_at, elapsed, remaining].map(str::to_owned)
}
