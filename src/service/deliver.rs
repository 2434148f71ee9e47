//! Sending what waits in the outbox.
//!
//! A notice is claimed with a lease, rendered and sent outside any transaction, and settled. The lease is short and renewed while
//! its worker lives, so that what a process had claimed that died is free within seconds; the next attempt carries the same
//! Message-ID.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
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
    domain::outbox::{LEASE, MOST_REFUSALS, refusal_wait},
    notice::{Recipient, RenderedNotice, Site, render},
    service::{Result, Service, ServiceError},
    store::{
        self,
        outbox::{Claimed, Settlement},
    },
};

/// Mails under way at once: a mail takes 45–75 ms even to a near server.
const AT_ONCE: u64 = 16;
/// How often leases are renewed: three times within one, so that a slow database does not lose them.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long mails that are under way may take when the server stops; then they are cut, and sent after the next start.
const LAST_MAILS: Duration = Duration::from_secs(5);
const UNREADABLE: &str = "it cannot be read, and will never be sent";

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

    /// The same, unless it is told to stop: then nothing more is begun, and what is under way has a few seconds to end.
    pub async fn deliver_until(&self, route: &MailRoute, stop: &CancellationToken) -> Result<DeliveryReport> {
        let mut report = DeliveryReport::default();
        let delivered = self.deliver_batches(route, stop, &mut report).await;
        // Also, and most of all, where something went wrong.
        let told = self.tell_mail_trouble().await;
        delivered.and(told).map(|()| report)
    }

    async fn deliver_batches(
        &self,
        route: &MailRoute,
        stop: &CancellationToken,
        report: &mut DeliveryReport,
    ) -> Result<()> {
        self.mend_waits().await?;
        while !stop.is_cancelled() {
            let released = self.release_held().await?;
            report.cancelled += released.cancelled;
            report.digested += released.digested;
            let now = self.clock.now();
            let lease = self.clock.new_uuid();
            // A server that refuses everybody is asked with one mail a run, until it takes one.
            let is_probe = self.mail.refuses_all();
            let most = if is_probe { 1 } else { AT_ONCE };
            let claimed = store::outbox::claim(&self.db, now, now + LEASE, lease, most).await?;
            if claimed.notices.is_empty() && claimed.unreadable.is_empty() {
                return Ok(());
            }
            self.deliver_batch(route, claimed, lease, stop, report).await?;
            if is_probe && self.mail.refuses_all() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends what was claimed, renewing its lease meanwhile.
    async fn deliver_batch(
        &self,
        route: &MailRoute,
        claimed: Claimed,
        lease: Uuid,
        stop: &CancellationToken,
        report: &mut DeliveryReport,
    ) -> Result<()> {
        let (done, cut) = (CancellationToken::new(), CancellationToken::new());
        let sending = async {
            let unreadable = join_all(claimed.unreadable.iter().map(|id| {
                let settlement = Settlement::Failed { detail: UNREADABLE.to_owned() };
                tracing::error!(notice.id = %id, "a notice in the outbox cannot be read and is given up");
                store::outbox::settle(&self.db, *id, lease, self.clock.now(), settlement)
            }))
            .await;
            let threads = threads(&claimed.notices).into_iter();
            let threads = join_all(threads.map(|thread| self.deliver_thread(route, thread, lease, &cut))).await;
            done.cancel();
            (unreadable, threads)
        };
        let ((unreadable, threads), (), ()) =
            tokio::join!(sending, self.keep_lease(lease, &done), cut_in_time(stop, &done, &cut));
        let mut failure = None;
        for settled in unreadable {
            match settled {
                Ok(settled) => report.failed += usize::from(settled),
                Err(error) => failure = Some(error.into()),
            }
        }
        for settlements in threads {
            match settlements {
                Ok(settlements) => settlements.iter().for_each(|settlement| report.count(settlement)),
                Err(error) => failure = Some(error),
            }
        }
        let Some(error) = failure else { return Ok(()) };
        // Where the database does not even do this, the lease runs out.
        let _ = store::outbox::release(&self.db, lease, self.clock.now()).await;
        Err(error)
    }

    /// Renews a lease until what it holds is done.
    async fn keep_lease(&self, lease: Uuid, done: &CancellationToken) {
        while done.run_until_cancelled(tokio::time::sleep(RENEW_EVERY)).await.is_some() {
            if let Err(error) = store::outbox::renew(&self.db, lease, self.clock.now() + LEASE).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the lease of notices could not be renewed");
            }
        }
    }

    /// Sends what one recipient is told of one ticket, in the order in which it happened. Where one must wait, those after it
    /// wait as long.
    async fn deliver_thread(
        &self,
        route: &MailRoute,
        thread: Vec<&notice::Model>,
        lease: Uuid,
        cut: &CancellationToken,
    ) -> Result<Vec<Settlement>> {
        let mut settlements = Vec::new();
        let mut waits_until = None;
        for notice in thread {
            if let Some(at) = waits_until {
                let settlement = Settlement::Released { at };
                store::outbox::settle(&self.db, notice.id, lease, self.clock.now(), settlement).await?;
                continue;
            }
            let settlement = match self.deliver_one(route, notice, lease, cut).await {
                Err(error) if !error.is_unavailable() => self.put_off(notice, lease, &error).await?,
                settled => settled?,
            };
            waits_until = match &settlement {
                Settlement::Retry { at, .. } | Settlement::Refused { at, .. } | Settlement::Released { at } => {
                    Some(*at)
                }
                Settlement::Sent | Settlement::Failed { .. } | Settlement::Cancelled { .. } => None,
            };
            settlements.push(settlement);
        }
        Ok(settlements)
    }

    async fn deliver_one(
        &self,
        route: &MailRoute,
        notice: &notice::Model,
        lease: Uuid,
        cut: &CancellationToken,
    ) -> Result<Settlement> {
        let settlement = match self.obsolete(notice).await? {
            Some(why) => Settlement::Cancelled { detail: why.to_owned() },
            None => self.attempt(route, notice, cut).await?,
        };
        if let Settlement::Failed { detail } = &settlement {
            tracing::error!(notice.id = %notice.id, outbox.attempts = notice.attempts, detail, "a notice was given up");
        }
        if !self.settle(notice, lease, settlement.clone()).await? {
            tracing::warn!(notice.id = %notice.id, "the lease of a notice ran out before it was settled");
        }
        Ok(settlement)
    }

    /// Tries a notice again later that something else than its mail keeps from being settled, until its attempts are over too.
    async fn put_off(&self, notice: &notice::Model, lease: Uuid, error: &ServiceError) -> Result<Settlement> {
        tracing::error!(notice.id = %notice.id, error = error as &dyn std::error::Error, "a notice could not be handled");
        let cause = Err(SendError::Transient("the server could not handle it; see its log".to_owned()));
        let now = self.clock.now();
        let settlement = settlement(cause, notice, false, now);
        store::outbox::settle(&self.db, notice.id, lease, now, settlement.clone()).await?;
        Ok(settlement)
    }

    /// Why a notice is no longer true; checked just before it is sent.
    async fn obsolete(&self, notice: &notice::Model) -> Result<Option<&'static str>> {
        if !store::directory::is_active(&self.db, notice.person_id, notice.contact_id).await? {
            return Ok(Some("its recipient had left"));
        }
        if let Some(visit) = notice.visit_id
            && let Some(state) = store::notices::visit_states(&self.db, &[visit]).await?.get(&visit)
            && let Ok(content) = store::notices::content(notice)
            && let Some(why) = content.facts.outlived_by(state)
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

    async fn attempt(&self, route: &MailRoute, notice: &notice::Model, cut: &CancellationToken) -> Result<Settlement> {
        let (ticket_key, mail) = match worded(notice, &route.site) {
            Ok(worded) => worded,
            Err(detail) => return Ok(Settlement::Failed { detail }),
        };
        let thread = match ticket_key {
            Some(ticket_key) => {
                Some(Thread { ticket_key, first_in_thread: !store::notices::continues_thread(&self.db, notice).await? })
            }
            None => None,
        };
        let envelope = Envelope {
            message_id: format!("{}@{}", notice.id.0, route.site.mail_host),
            from: route.from.clone(),
            to_name: notice.to_name.clone(),
            to_address: notice.to_address.clone(),
            thread,
            date: notice.created_at,
            mail,
        };
        // The server may have taken a mail that is cut here: it is sent again after the next start, under the same id.
        let Some(result) = cut.run_until_cancelled(route.mailer.send(&envelope)).await else {
            return Ok(Settlement::Released { at: self.clock.now() });
        };
        let now = self.clock.now();
        self.mail.note(&result, &notice.to_address, now);
        Ok(settlement(result, notice, self.mail.refuses_all(), now))
    }
}

impl DeliveryReport {
    fn count(&mut self, settlement: &Settlement) {
        match settlement {
            Settlement::Sent => self.sent += 1,
            Settlement::Retry { .. } | Settlement::Refused { .. } => self.retried += 1,
            Settlement::Released { .. } => {}
            Settlement::Failed { .. } => self.failed += 1,
            Settlement::Cancelled { .. } => self.cancelled += 1,
        }
    }
}

/// Once the server stops, lets mails that are under way end for a while, and then cuts them.
async fn cut_in_time(stop: &CancellationToken, done: &CancellationToken, cut: &CancellationToken) {
    let stopped = done.run_until_cancelled(stop.cancelled()).await.is_some();
    if stopped && done.run_until_cancelled(tokio::time::sleep(LAST_MAILS)).await.is_some() {
        cut.cancel();
    }
}

/// A notice in words, with the key of its ticket; or why there are none. Whatever is wrong with it, others must be sent.
fn worded(notice: &notice::Model, site: &Site) -> Result<(Option<String>, RenderedNotice), String> {
    let content = store::notices::content(notice).map_err(|_| UNREADABLE.to_owned())?;
    let recipient = Recipient {
        name: notice.to_name.clone(),
        address: notice.to_address.clone(),
        locale: notice.locale.clone(),
        time_zone: notice.time_zone.parse().unwrap_or(Tz::UTC),
        is_client: notice.contact_id.is_some(),
    };
    let mail = catch_unwind(AssertUnwindSafe(|| render(&content, &recipient, site)));
    let mail = mail.map_err(|_| "it cannot be put into words".to_owned())?.map_err(|error| error.to_string())?;
    Ok((content.ticket.map(|ticket| ticket.ticket_key), mail))
}

/// Groups notices, which come in order, by ticket and recipient.
fn threads(claimed: &[notice::Model]) -> Vec<Vec<&notice::Model>> {
    let mut threads: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for notice in claimed {
        threads.entry((notice.ticket_id, &notice.to_address)).or_default().push(notice);
    }
    threads.into_values().collect()
}

fn settlement(
    result: Result<(), SendError>,
    notice: &notice::Model,
    server_refuses_all: bool,
    now: DateTime<Utc>,
) -> Settlement {
    let attempts = u32::try_from(notice.attempts).unwrap_or(u32::MAX);
    match result {
        Ok(()) => Settlement::Sent,
        Err(error @ SendError::Permanent(_)) => Settlement::Failed { detail: error.to_string() },
        // Where everybody is refused, it says nothing about this recipient.
        Err(SendError::Refused(answer)) if !server_refuses_all => match refusal_wait(notice.refusals + 1) {
            Some(wait) => {
                Settlement::Refused { at: now + wait, detail: format!("refused, to be tried again: {answer}") }
            }
            None => Settlement::Failed { detail: format!("refused for good, {MOST_REFUSALS} times: {answer}") },
        },
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
