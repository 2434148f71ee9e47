//! Makes the clocks of open tickets again from their history, and reports what differs.

use crate::{jobs::Tools, service::ServiceError};

/// One run.
pub(super) async fn run(tools: Tools) -> Result<(), ServiceError> {
    let report = tools.service.verify_open_clocks().await?;
    tracing::info!(sla.verified = report.verified, sla.drifted = report.drifts.len(), "clocks were made again");
    Ok(())
}
