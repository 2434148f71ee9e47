//! No statement of the jobs that run every few seconds goes through a whole table that grows with the tickets.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use secondline::{service::Service, store::connection};
use serde_json::json;

use crate::support::{TestApp, each_database, mail_route, plans::whole_tables, smtp::SmtpSink};

const DUE: usize = 4;
/// So many more that those are found more cheaply by an index than by looking at all.
const NOT_DUE: usize = 80;

type Kept = Arc<Mutex<Vec<Statement>>>;

/// Another server on the same database, whose statements are kept.
async fn observed(app: &TestApp) -> (Service, Kept) {
    let db = connection::open(&app.database.url, 4).await.unwrap();
    let kept = Kept::default();
    let keeps = Arc::clone(&kept);
    db.set_metric_callback(move |info| keeps.lock().unwrap().push(info.statement.clone()));
    (Service::new(db, app.clock.clone(), app.service.pipelines().to_vec()), kept)
}

/// What was kept since the last time goes by indexes.
async fn goes_by_indexes(app: &TestApp, what: &str, kept: &Kept) {
    let statements = std::mem::take(&mut *kept.lock().unwrap());
    assert!(!statements.is_empty(), "{what} ran no statement");
    for statement in &statements {
        let found = whole_tables(&app.db, statement, true).await.unwrap();
        assert!(found.is_empty(), "{what}: {found:?} of {}", statement.sql);
    }
}

each_database! {
    async fn the_jobs_find_by_indexes_what_is_due(app) {
        let smtp = SmtpSink::start().await;
        let route = mail_route(&smtp.url());
        for _ in 0..DUE {
            app.file_ticket().await;
        }
        app.advance(TimeDelta::hours(2));
        for _ in 0..NOT_DUE {
            app.file_ticket().await;
        }
        let paused = app.file_ticket().await;
        let pause = json!({
            "ticketId": paused, "reason": "ON_HOLD", "note": "Until tomorrow", "resumeAt": "2026-06-02T09:00:00Z",
        });
        app.change(&app.cast.operations, "pauseClock", pause).await;
        if app.db.get_database_backend() == DbBackend::Postgres {
            app.db.execute_unprepared("ANALYZE").await.unwrap();
        }
        let (service, kept) = observed(app).await;

        app.advance(TimeDelta::hours(4));
        assert_eq!(service.sla_scan().await.unwrap().raised, DUE);
        goes_by_indexes(app, "a scan that finds something", &kept).await;
        assert!(service.deliver(&route).await.unwrap().sent > 0);
        goes_by_indexes(app, "a delivery", &kept).await;
        app.advance(TimeDelta::days(1));
        assert_eq!(service.wake_clocks().await.unwrap(), 1);
        goes_by_indexes(app, "waking a clock", &kept).await;
        assert_eq!(service.follow_all_changes().await.unwrap(), 0);
        goes_by_indexes(app, "looking for clocks that lag behind", &kept).await;
        assert_eq!(service.wake_clocks().await.unwrap(), 0);
        goes_by_indexes(app, "looking for pauses that end", &kept).await;
    }
}
