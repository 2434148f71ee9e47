//! Whether mail leaves at all; and who is told when it does not.
//!
//! Whoever runs the server hears of it by its log and `/readyz`, and administrators by a mail once a day, which leaves when mail
//! leaves again, or goes by what still works.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::{
    delivery::mail::SendError,
    domain::{notice::NoticeFacts, outbox::Refusals},
    service::{Result, Service},
    store,
};

/// So many notices that were given up within [`RECENTLY`] are no longer single mistaken addresses.
const MANY: u64 = 5;
const RECENTLY: TimeDelta = TimeDelta::hours(1);
/// Mail servers restart, and greylists open, within this time.
const SILENCE: TimeDelta = TimeDelta::hours(1);
/// How often the log repeats it.
const REPEAT: TimeDelta = TimeDelta::hours(1);

/// What this process knows of the mail server; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct MailState(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    refusals: Refusals,
    /// Since when no mail left although some were tried.
    failing_since: Option<DateTime<Utc>>,
    /// What is wrong.
    troubles: Vec<String>,
    logged_at: Option<DateTime<Utc>>,
}

impl MailState {
    /// Notes what became of a mail.
    pub(super) fn note(&self, result: &Result<(), SendError>, recipient: &str, now: DateTime<Utc>) {
        let mut inner = self.inner();
        match result {
            Ok(()) => {
                inner.failing_since = None;
                if inner.refusals.taken() {
                    tracing::info!("the mail server takes mails again");
                }
            }
            // That is no matter of the server.
            Err(SendError::Permanent(_)) => {}
            Err(SendError::Transient(_)) => inner.fail(now),
            // Who refuses a recipient answers, and may take others.
            Err(SendError::Refused(_)) => {
                if inner.refusals.refused(recipient, now) {
                    tracing::error!(
                        "the mail server refuses one recipient after the other; mails wait until it takes one"
                    );
                }
            }
        }
    }

    /// Returns true while the server is taken to refuse everybody.
    pub(super) fn refuses_all(&self) -> bool {
        self.inner().refusals.refuses_all()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn fail(&mut self, now: DateTime<Utc>) {
        // A clock that was set back since says nothing about how long it is.
        self.failing_since = Some(self.failing_since.map_or(now, |since| since.min(now)));
    }

    fn troubles(&self, failures: u64, now: DateTime<Utc>) -> Vec<String> {
        let failed = (failures >= MANY).then(|| format!("{failures} mails were given up within the last hour"));
        let refused = self
            .refusals
            .refuses_all()
            .then(|| "the mail server refuses one recipient after the other; mails wait until it takes one".to_owned());
        let silent = self.failing_since.filter(|since| now - *since >= SILENCE);
        let silent =
            silent.map(|since| format!("no mail has left since {}", since.to_rfc3339_opts(SecondsFormat::Secs, true)));
        [failed, refused, silent].into_iter().flatten().collect()
    }
}

impl Service {
    /// What is wrong with mail, one line each; nothing where it leaves.
    pub fn mail_troubles(&self) -> Vec<String> {
        self.mail.inner().troubles.clone()
    }

    /// Looks whether mails fail in numbers, and tells.
    pub(super) async fn tell_mail_trouble(&self) -> Result<()> {
        let now = self.clock.now();
        let failures = store::outbox::failures_since(&self.db, now - RECENTLY).await?;
        let troubles = {
            let mut inner = self.mail.inner();
            inner.troubles = inner.troubles(failures, now);
            if inner.troubles.is_empty() {
                inner.logged_at = None;
                return Ok(());
            }
            if inner.logged_at.is_some_and(|at| (now - at).abs() < REPEAT) {
                return Ok(());
            }
            inner.logged_at = Some(now);
            inner.troubles.clone()
        };
        tracing::error!(outbox.troubles = troubles.join("; "), "mails fail in numbers");
        let tx = self.begin().await?;
        let people = store::directory::active_people(&tx).await?;
        let administrators = people.iter().filter(|row| row.person.administrator);
        let facts = NoticeFacts::MailTrouble { troubles };
        // Every replica looks; one mail a day is enough.
        let occasion = now.date_naive().to_string();
        let rows = administrators.map(|row| self.to_person_of_many(&row.person, facts.clone(), &occasion, now));
        store::notices::enqueue(&tx, rows.collect::<Result<_>>()?).await?;
        self.commit(tx).await
    }
}
