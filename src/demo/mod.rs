//! STUB, replaced by the real demo data.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseConnection;

#[derive(Debug)]
pub struct Demo {
    pub tokens: Vec<DemoToken>,
    pub sample_ticket_key: String,
}

#[derive(Debug)]
pub struct DemoToken {
    pub who: String,
    pub role: String,
    pub secret: String,
}

pub async fn seed(_db: DatabaseConnection, _now: DateTime<Utc>) -> anyhow::Result<Demo> {
    let token = DemoToken { who: "Ada".into(), role: "Operations".into(), secret: "secondline_stub".into() };
    Ok(Demo { tokens: vec![token], sample_ticket_key: "L2-1".into() })
}
