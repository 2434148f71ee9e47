//! Removes the bytes of uploads that never came and of files that were removed.

use crate::{jobs::Tools, service::ServiceError};

/// One run.
pub(super) async fn run(tools: Tools) -> Result<(), ServiceError> {
    let swept = tools.service.sweep_attachments().await?;
    if swept > 0 {
        tracing::info!(attachments.swept = swept, "files that are not kept were removed");
    }
    Ok(())
}
