//! Removes what nothing refers to any more, and no row tells of: objects of attached files, and halves of files and mails.

use chrono::TimeDelta;

use crate::{jobs::Tools, service::ServiceError};

/// A mail is written in milliseconds.
const STALE_AFTER: TimeDelta = TimeDelta::hours(24);

/// One run.
pub(super) async fn run(tools: Tools) -> Result<(), ServiceError> {
    let report = tools.service.purge_orphans().await?;
    let before = tools.service.clock().now() - STALE_AFTER;
    let mails = tools.mail.mailer.remove_unfinished(before).await;
    if report.orphans + report.unfinished + mails > 0 {
        tracing::info!(
            attachments.orphans = report.orphans,
            attachments.unfinished = report.unfinished,
            mails.unfinished = mails,
            "what nothing refers to was removed"
        );
    }
    Ok(())
}
