//! Sending what waits in the outbox.
//!
//! A notice is claimed with a lease, rendered and sent outside any transaction, and settled. A process that dies in between
//! leaves a lease that runs out; the next attempt carries the same Message-ID.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::{
    notice,
    vocab::{NoticeKind, Stage},
};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    delivery::{
        MAX_ATTEMPTS, backoff,
        mail::{Envelope, Mailbox, Mailer, SendError, Thread},
    },
    notice::{Recipient, Site, render},
    service::{Result, Service},
    store::{self, notices::Settlement},
};

/// A mail takes up to some 30 s when its server hangs in every phase; nobody else may take it meanwhile.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// Mails under way at once: a mail takes 45–75 ms even to a near server.
const AT_ONCE: u64 = 16;

/// Where mail goes, and what it says of this deployment.
#[derive(Clone)]
pub struct MailRoute {
    /// The wire.
    pub mailer: Arc<Mailer>,
    /// Who it comes from.
    pub from: Mailbox,
    /// What templates say of this deployment.
    pub site: Site,
}

/// What one run of the delivery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Taken over by the mail server.
    pub sent: usize,
    /// To be tried again.
    pub retried: usize,
    /// Given up.
    pub failed: usize,
    /// No longer true.
    pub cancelled: usize,
    /// Alerts that are told in a digest.
    pub digested: usize,
}

impl Service {
    /// Sends every notice whose turn has come.
    pub async fn deliver(&self, route: &MailRoute) -> Result<DeliveryReport> {
        self.deliver_until(route, &CancellationToken::new()).await
    }

    /// The same, unless it is told to stop: then what is under way is finished, and nothing more begun.
    pub async fn deliver_until(&self, route: &MailRoute, stop: &CancellationToken) -> Result<DeliveryReport> {
        let mut report = DeliveryReport::default();
        loop {
            if stop.is_cancelled() {
                return Ok(report);
            }
            let released = self.release_held().await?;
            report.cancelled += released.cancelled;
            report.digested += released.digested;
            let now = self.clock.now();
            let lease = self.clock.new_uuid();
            let claimed = store::notices::claim(&self.db, now, now + LEASE, lease, AT_ONCE).await?;
            if claimed.is_empty() {
                return Ok(report);
            }
            let threads = threads(&claimed).into_iter().map(|thread| self.deliver_thread(route, thread, lease));
            for settlements in join_all(threads).await {
                for settlement in settlements? {
                    match settlement {
                        Settlement::Sent => report.sent += 1,
                        Settlement::Retry { .. } => report.retried += 1,
                        Settlement::Failed { .. } => report.failed += 1,
                        Settlement::Cancelled { .. } => report.cancelled += 1,
                    }
                }
            }
        }
    }

    /// Sends what one recipient is told of one ticket, in the order in which it happened. Where one must wait, those after it
    /// wait too, at least until their lease runs out.
    async fn deliver_thread(
        &self,
        route: &MailRoute,
        thread: Vec<&notice::Model>,
        lease: Uuid,
    ) -> Result<Vec<Settlement>> {
        let mut settlements = Vec::new();
        for notice in thread {
            let settlement = self.deliver_one(route, notice, lease).await?;
            let must_wait = matches!(settlement, Settlement::Retry { .. });
            settlements.push(settlement);
            if must_wait {
                break;
            }
        }
        Ok(settlements)
    }

    async fn deliver_one(&self, route: &MailRoute, notice: &notice::Model, lease: Uuid) -> Result<Settlement> {
        let settlement = match self.obsolete(notice).await? {
            Some(why) => Settlement::Cancelled { detail: why.to_owned() },
            None => self.attempt(route, notice).await?,
        };
        let now = self.clock.now();
        if let Settlement::Failed { detail } = &settlement {
            tracing::error!(notice.id = %notice.id, outbox.attempts = notice.attempts, detail, "a notice was given up");
        }
        if !store::notices::settle(&self.db, notice.id, lease, now, settlement.clone()).await? {
            tracing::warn!(notice.id = %notice.id, "the lease of a notice ran out before it was settled");
        }
        Ok(settlement)
    }

    /// Why a notice is no longer true; checked just before it is sent.
    async fn obsolete(&self, notice: &notice::Model) -> Result<Option<&'static str>> {
        if !store::directory::is_active(&self.db, notice.person_id, notice.contact_id).await? {
            return Ok(Some("its recipient had left"));
        }
        if let Some(visit) = notice.visit_id
            && let Some(state) = store::notices::visit_states(&self.db, &[visit]).await?.get(&visit)
            && let Some(why) = store::notices::content(notice)?.facts.outlived_by(state)
        {
            return Ok(Some(why));
        }
        if let Some(question) = notice.clarification_id
            && !store::notices::question_is_open(&self.db, question).await?
        {
            return Ok(Some("the question had been answered, or the ticket closed"));
        }
        if let Some(comment) = notice.comment_id
            && !store::notices::comment_stands(&self.db, comment).await?
        {
            return Ok(Some("the comment had been deleted"));
        }
        let Some(ticket) = notice.ticket_id else { return Ok(None) };
        if notice.kind == NoticeKind::Assigned
            && store::notices::assignee_of(&self.db, ticket).await? != notice.person_id
        {
            return Ok(Some("the ticket had been assigned to somebody else"));
        }
        let closed_as = match notice.kind {
            NoticeKind::Delivered => Stage::ClosedResolved,
            NoticeKind::ClosedUnresolved => Stage::ClosedUnresolved,
            _ => return Ok(None),
        };
        let stage = store::notices::stage_of(&self.db, ticket).await?;
        Ok((stage != Some(closed_as)).then_some("the ticket had been reopened"))
    }

    async fn attempt(&self, route: &MailRoute, notice: &notice::Model) -> Result<Settlement> {
        let content = store::notices::content(notice)?;
        let recipient = Recipient {
            name: notice.to_name.clone(),
            address: notice.to_address.clone(),
            locale: notice.locale.clone(),
            time_zone: notice.time_zone.parse().unwrap_or(Tz::UTC),
            is_client: notice.contact_id.is_some(),
        };
        let mail = match render(&content, &recipient, &route.site) {
            Ok(mail) => mail,
            Err(error) => return Ok(Settlement::Failed { detail: error.to_string() }),
        };
        let thread = match content.ticket.map(|ticket| ticket.ticket_key) {
            Some(ticket_key) => {
                Some(Thread { ticket_key, first_in_thread: !store::notices::continues_thread(&self.db, notice).await? })
            }
            None => None,
        };
        let envelope = Envelope {
            message_id: format!("{}@{}", notice.id.0, route.site.mail_host),
            from: route.from.clone(),
            to_name: recipient.name,
            to_address: recipient.address,
            thread,
            date: notice.created_at,
            mail,
        };
        let result = route.mailer.send(&envelope).await;
        Ok(settlement(result, notice, self.clock.now()))
    }
}

/// Groups notices, which come in order, by ticket and recipient.
fn threads(claimed: &[notice::Model]) -> Vec<Vec<&notice::Model>> {
    let mut threads: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for notice in claimed {
        threads.entry((notice.ticket_id, &notice.to_address)).or_default().push(notice);
    }
    threads.into_values().collect()
}

fn settlement(result: Result<(), SendError>, notice: &notice::Model, now: DateTime<Utc>) -> Settlement {
    let attempts = u32::try_from(notice.attempts).unwrap_or(u32::MAX);
    match result {
        Ok(()) => Settlement::Sent,
        Err(error) if error.is_permanent() => Settlement::Failed { detail: error.to_string() },
        Err(error) if attempts >= MAX_ATTEMPTS => {
            Settlement::Failed { detail: format!("given up after {attempts} attempts: {error}") }
        }
        Err(error) => Settlement::Retry { at: now + backoff(attempts, jitter(notice)), detail: error.to_string() },
    }
}

/// Between 0 and 1, spread over notices: the low bits of a UUIDv7 are random.
fn jitter(notice: &notice::Model) -> f64 {
    let [.., high, low] = *notice.id.0.as_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}
