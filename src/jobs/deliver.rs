//! Sends the mails whose turn has come.

use crate::{
    jobs::Tools,
    service::{ServiceError, deliver::DeliveryReport},
};

/// One run.
pub(super) async fn run(tools: Tools) -> Result<(), ServiceError> {
    let report = tools.service.deliver_until(&tools.mail, &tools.stop).await?;
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
