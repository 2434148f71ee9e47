//! Sends the mails whose turn has come.

use crate::{
    jobs::Tools,
    service::{ServiceError, deliver::DeliveryReport},
};

/// One run.
pub(super) async fn run(tools: Tools) -> Result<(), ServiceError> {
    let delivered = tools.service.deliver_until(&tools.mail, &tools.stop).await;
    tools.health.set_warnings("mail", tools.service.mail_troubles());
    let report = delivered?;
    if report != DeliveryReport::default() {
        tracing::info!(
            outbox.sent = report.sent,
            outbox.retried = report.retried,
            outbox.failed = report.failed,
            outbox.cancelled = report.cancelled,
            outbox.digested = report.digested,
            "mails were handed over"
        );
    }
    Ok(())
}
