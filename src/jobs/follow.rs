//! Lets running clocks follow edited policies and calendars, and ends pauses whose time has come.

use crate::{jobs::Tools, service::ServiceError};

/// One run.
pub(super) async fn run(tools: Tools) -> Result<(), ServiceError> {
    let followed = tools.service.follow_all_changes().await?;
    let woken = tools.service.wake_clocks().await?;
    if followed + woken > 0 {
        tracing::info!(sla.followed = followed, sla.woken = woken, "clocks follow what changed");
    }
    Ok(())
}
