//! Finds clocks that reached an alert level and tells people.

use crate::{jobs::Tools, service::ServiceError};

/// One run.
pub(super) async fn run(tools: Tools) -> Result<(), ServiceError> {
    let report = tools.service.sla_scan().await?;
    if report.raised > 0 {
        tracing::info!(
            sla.raised = report.raised,
            sla.superseded = report.superseded,
            sla.notices = report.notices,
            "clocks reached an alert level"
        );
    }
    Ok(())
}
