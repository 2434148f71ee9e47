//! Running the server until it is told to stop.

use anyhow::Result;
use secondline::{
    app::{App, RunningApp},
    config::Config,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{print, same_database};

/// Runs the server.
pub(super) async fn run(config: &Config) -> Result<()> {
    let app = App::start(config).await?;
    if !app.service().has_people().await? {
        tracing::warn!("nobody can sign in yet: there are no people in the database");
        // The server is there all the same where nobody reads it.
        let _ = print::text(&first_steps(config));
    }
    until_stopped(app).await
}

/// Waits for SIGTERM or ctrl-c and stops in order; a second signal stops at once.
pub(super) async fn until_stopped(mut app: RunningApp) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        error = app.failed() => return Err(error),
    }
    tokio::select! {
        () = app.stop() => Ok(()),
        _ = terminate.recv() => Err(anyhow::anyhow!("stopped at once, as a second signal asked for")),
        _ = interrupt.recv() => Err(anyhow::anyhow!("stopped at once, as a second signal asked for")),
    }
}

fn first_steps(config: &Config) -> String {
    let database = same_database(&config.database);
    let same = match (&config.database.database_url, &config.database.database_url_file) {
        (None, None) => "",
        _ => " (with the same DATABASE_URL)",
    };
    format!(
        "\nThere are no people yet. Make the first administrator, in another terminal{same}:\n\n  \
         secondline person add{database} --name 'Ada Lovelace' --email ada@example.org --administrator\n  \
         secondline token create{database} --person ada@example.org --name first\n\n\
         The second command prints a token; send it as `Authorization: Bearer <token>`, for example from /graphiql.\n"
    )
}
