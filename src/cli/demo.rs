//! A server to try, on a database that is gone afterwards.

use anyhow::{Context, Result};
use chrono_tz::Tz;
use secondline::{
    app::{self, App},
    clock::Clock,
    config::Config,
    demo::{self, Demo},
    service::Service,
};
use serde_json::json;

use crate::cli::{DemoArgs, print, serve};

/// Fills a fresh database, says how to use it and runs the server on it.
pub(super) async fn run(arguments: DemoArgs) -> Result<()> {
    // Removed when it is dropped, at the end of this function.
    let folder = tempfile::Builder::new().prefix("secondline-demo-").tempdir().context("no temporary folder")?;
    let config = Config { listen: arguments.listen, log: arguments.log, ..Config::in_folder(folder.path().into()) };
    app::check_address(config.listen).await?;
    let demo = fill(&config).await?;
    let app = App::start(&config).await?;
    // The server is there all the same where nobody reads it.
    let _ = print::text(&welcome(&format!("http://{}", app.addr), &config, &demo));
    serve::until_stopped(app).await
}

async fn fill(config: &Config) -> Result<Demo> {
    let checked = config.check()?;
    let db = app::open_migrated(&checked.database_url, config.database.database_connections).await?;
    let clock = Clock::System;
    Service::new(db.clone(), clock.clone(), checked.pipelines).ensure_reference_data(Tz::UTC).await?;
    let demo = demo::seed(db.clone(), clock.now()).await.context("the demo's data cannot be made")?;
    db.close().await?;
    Ok(demo)
}

fn welcome(address: &str, config: &Config, demo: &Demo) -> String {
    let widest = |text: fn(&demo::DemoToken) -> &str| {
        demo.tokens.iter().map(|token| text(token).chars().count()).max().unwrap_or(0)
    };
    let (role_width, who_width) = (widest(|token| &token.role), widest(|token| &token.who));
    let tokens: Vec<_> = demo
        .tokens
        .iter()
        .map(|token| format!("  {:role_width$}  {:who_width$}  {}", token.role, token.who, token.secret))
        .collect();
    let key = &demo.sample_ticket_key;
    let secret = demo.tokens.first().map_or("TOKEN", |token| &token.secret);
    let query = format!(
        "{{ ticket(key: \"{key}\") {{ key subject stage sla {{ status dueAt }} \
         availableMoves {{ to kind allowed missingFields }} }} }}"
    );
    let mutation = format!(
        "mutation {{ moveTicket(input: {{ ticketId: \"{key}\", to: REPLICATING }}) \
         {{ ticket {{ key stage }} userErrors {{ code message field }} }} }}"
    );
    format!(
        "\nSecondline's demo is running. Everything in it is made up, and gone when it stops (ctrl-c).\n\n\
         API       {address}/graphql\n\
         GraphiQL  {address}/graphiql\n\
         Mails     {}\n\n\
         Tokens\n{}\n\n\
         Try a query\n{}\n\n\
         Try a move; what is missing for it is told\n{}\n",
        config.mail_dir().join("*.eml").display(),
        tokens.join("\n"),
        curl(address, secret, &query),
        curl(address, secret, &mutation),
    )
}

fn curl(address: &str, secret: &str, document: &str) -> String {
    let body = json!({ "query": document }).to_string();
    format!(
        "  curl -s {address}/graphql -H 'Authorization: Bearer {secret}' -H 'Content-Type: application/json' \\\n    \
         -d {}",
        print::quoted(&body)
    )
}
