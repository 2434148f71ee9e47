//! Delivery dates that a client was told.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use entity::{notice, vocab::PromiseOutcome};

use crate::{
    domain::promise::{Standing, Telling, promises},
    graphql::{error::ApiError, scalar::Date, types::notice::Notice},
    service::queries::WithNames,
    store,
};

/// A delivery date that the client was told.
#[derive(SimpleObject)]
pub struct Promise {
    /// The day.
    date: Date,
    /// The day that was promised before; null for the first promise.
    previous_date: Option<Date>,
    /// How many days later it is than the one before; negative where it is earlier. Null for the first promise.
    slip_days: Option<i64>,
    /// When it was decided.
    made_at: DateTime<Utc>,
    /// When the mail server took over the first mail that tells it; null while none has left.
    told_at: Option<DateTime<Utc>>,
    /// What became of it.
    outcome: PromiseOutcome,
    /// The mails that tell it: to the ticket's contact and to the contacts who watch it.
    notices: Vec<Notice>,
}

impl Promise {
    /// The promises that a ticket's notices, oldest first, make.
    pub fn all(
        notices: &[WithNames<notice::Model>],
        standing: Standing,
        now: DateTime<Utc>,
    ) -> Result<Vec<Self>, ApiError> {
        let contents = notices.iter().map(|notice| Ok((&notice.row, store::notices::content(&notice.row)?.facts)));
        let contents = contents.collect::<Result<Vec<_>, ApiError>>()?;
        let told = contents.iter().map(|(row, facts)| Telling {
            notice: row.id,
            facts,
            written_at: row.created_at,
            sent_at: row.sent_at,
        });
        let of = |promise: crate::domain::promise::Promise| Self {
            date: Date(promise.date),
            previous_date: promise.before.map(Date),
            slip_days: promise.slip(),
            made_at: promise.made_at,
            told_at: promise.told_at,
            outcome: promise.outcome,
            notices: notices
                .iter()
                .filter(|notice| promise.notices.contains(&notice.row.id))
                .map(|notice| Notice::from(notice.clone()))
                .collect(),
        };
        Ok(promises(told, standing, now).into_iter().map(of).collect())
    }
}
