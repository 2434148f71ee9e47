//! The outbox under what goes wrong around it: processes that die, clocks that are set, rows that cannot be read, mail servers that
//! refuse everybody. Mail leaves all the same, once, and somebody is told where it does not.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{
    notice,
    vocab::{NoticeKind, NoticeState, Team},
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use secondline::{
    clock::Clock,
    delivery::mail::{Mailer, SmtpSettings},
    domain::{
        actor::Actor,
        outbox::{LEASE, SKEW},
    },
    service::{Service, deliver::MailRoute},
    store::{connection, outbox::Failed},
};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::support::{
    TestApp, client,
    commands::run_on,
    each_database, mail_route,
    server::{self, Server},
    smtp::{Reply, SmtpSink},
    staff,
};

/// Recipients of one warning.
const MANY: usize = 12;
/// How often the job looks, in a test that lives through hours.
const TURN: TimeDelta = TimeDelta::minutes(5);

async fn all(app: &TestApp) -> Vec<notice::Model> {
    notice::Entity::find().all(&app.db).await.unwrap()
}

async fn in_state(app: &TestApp, state: NoticeState) -> usize {
    all(app).await.iter().filter(|row| row.state == state).count()
}

/// A ticket in Fixing: the client's delivery date waits.
async fn promised(app: &TestApp) {
    let key = app.file_ticket().await;
    app.walk_to(&key, "FIXING").await;
}

/// A warning to this many members of staff waits.
async fn warned(app: &TestApp, many: usize) {
    for number in 1..many {
        staff(&app.service, &format!("Oscar Operations {number}"), &[Team::Operations], &[], false).await;
    }
    app.file_ticket().await;
    app.advance(TimeDelta::hours(6));
    assert_eq!(app.service.sla_scan().await.unwrap().notices, many);
}

/// Looks again and again for so long.
async fn deliver_for(app: &TestApp, smtp: &SmtpSink, time: TimeDelta) {
    let until = app.clock.now() + time;
    while app.clock.now() < until {
        app.deliver(smtp).await;
        app.advance(TURN);
    }
}

/// A route whose mails hang for longer than anybody waits.
fn patient_route(smtp: &SmtpSink) -> MailRoute {
    let settings = SmtpSettings::parse(&smtp.url(), None).unwrap().with_timeout(Duration::from_secs(120));
    MailRoute { mailer: std::sync::Arc::new(Mailer::smtp(&settings).unwrap()), ..mail_route(&smtp.url()) }
}

each_database! {
    async fn what_a_killed_server_had_claimed_is_free_within_seconds(app) {
        promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script(vec![Reply::Hang; 16]);
        let options = [("--smtp-url", smtp.url()), ("--deliver-schedule", "* * * * * *".to_owned())];
        let options: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let server = Server::start(&app.database.url, &options);
        smtp.wait_until(|log| log.attempts >= 1).await;
        server.kill();
        smtp.forget_script();
        let claimed = all(app).await.into_iter().find(|row| row.leased_until.is_some()).unwrap();
        assert!(claimed.leased_until.unwrap() - Clock::System.now() <= LEASE, "{claimed:?}");

        let db = connection::open(&app.database.url, 2).await.unwrap();
        let next = Service::new(db, Clock::manual(Clock::System.now() + LEASE), Vec::new());
        assert!(next.deliver(&mail_route(&smtp.url())).await.unwrap().sent >= 1);
        let taken_over = all(app).await.into_iter().find(|row| row.id == claimed.id).unwrap();
        assert_eq!((taken_over.state, taken_over.attempts), (NoticeState::Sent, 2));
    }

    async fn a_worker_that_lives_keeps_its_lease(app) {
        promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script([Reply::Hang]);
        let (service, route) = (app.service.clone(), patient_route(&smtp));
        let slow = tokio::spawn(async move { service.deliver(&route).await });
        smtp.wait_until(|log| log.attempts == 1).await;
        let leased_until = all(app).await[0].leased_until.unwrap();
        app.advance(LEASE - TimeDelta::seconds(1));
        let began = Instant::now();
        while all(app).await[0].leased_until.unwrap() == leased_until {
            assert!(began.elapsed() < Duration::from_secs(20), "the lease is not renewed");
            sleep(Duration::from_millis(50)).await;
        }
        app.advance(LEASE - TimeDelta::seconds(1));
        assert_eq!(app.deliver(&smtp).await.sent, 0, "it is renewed");
        slow.abort();
    }

    async fn a_clock_that_is_set_back_delays_no_mail(app) {
        warned(app, 3).await;
        promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script([Reply::Refuse(451, "4.3.0 try later"), Reply::Hang]);
        let (service, route) = (app.service.clone(), patient_route(&smtp));
        let dying = tokio::spawn(async move { service.deliver(&route).await });
        smtp.wait_until(|log| log.attempts == 4).await;
        dying.abort();
        app.file_ticket().await;
        promised(app).await;

        app.clock.set(app.clock.now() - TimeDelta::hours(1));
        deliver_for(app, &smtp, TURN).await;
        let waiting: Vec<_> = all(app).await.into_iter().filter(|row| row.state != NoticeState::Sent).collect();
        assert!(waiting.is_empty(), "{waiting:#?}: retries, claims of the dead and what is new leave at once");
    }

    async fn a_clock_that_is_set_forward_and_back_delays_no_mail(app) {
        let smtp = SmtpSink::start().await;
        smtp.script(vec![Reply::Refuse(451, "4.3.0 try later"); 2]);
        smtp.script([Reply::Hang]);
        let right = app.clock.now();
        app.clock.set(right + TimeDelta::hours(2));
        promised(app).await;
        promised(app).await;
        app.deliver(&smtp).await;
        promised(app).await;
        let (service, route) = (app.service.clone(), patient_route(&smtp));
        let dying = tokio::spawn(async move { service.deliver(&route).await });
        smtp.wait_until(|log| log.attempts == 3).await;
        dying.abort();

        app.clock.set(right + TimeDelta::minutes(1));
        deliver_for(app, &smtp, TURN).await;
        assert_eq!(in_state(app, NoticeState::Sent).await, 3);
    }

    async fn what_waits_for_working_hours_waits_for_the_right_ones_when_the_clock_is_set(app) {
        warned(app, 2).await;
        app.db.execute_unprepared("DELETE FROM notice").await.unwrap();
        // A wrong clock says that it is evening.
        let right = app.clock.now();
        app.clock.set(right + TimeDelta::hours(3));
        app.service.sla_scan().await.unwrap();
        assert_eq!(in_state(app, NoticeState::Held).await, 3);
        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await.sent, 0);
        app.clock.set(right);
        assert_eq!(app.deliver(&smtp).await.sent, 3, "they work now");
    }

    async fn a_notice_that_cannot_be_read_is_given_up_and_keeps_no_other(app) {
        for _ in 0..3 {
            promised(app).await;
        }
        warned(app, 2).await;
        let mut rows = all(app).await;
        rows.sort_by_key(|row| row.id);
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let held: Vec<_> = rows.iter().filter(|row| row.state == NoticeState::Held).map(|row| row.id).collect();
        for (id, what) in [
            (ids[0], (notice::Column::Content, sea_orm::sea_query::Expr::val(json!({ "facts": 7 })))),
            (ids[1], (notice::Column::Kind, sea_orm::sea_query::Expr::val("FROM_THE_FUTURE"))),
            (held[0], (notice::Column::Content, sea_orm::sea_query::Expr::val(json!([])))),
        ] {
            let broken = notice::Entity::update_many().col_expr(what.0, what.1).filter(notice::COLUMN.id.eq(id));
            broken.exec(&app.db).await.unwrap();
        }
        let smtp = SmtpSink::start().await;
        let report = app.deliver(&smtp).await;
        assert_eq!((report.failed, report.retried), (3, 0), "{report:?}");
        assert_eq!(report.sent, ids.len() - 3 + 2, "all others, and of a client who was not told the Project Manager and the team");
        assert_eq!(app.deliver(&smtp).await.failed, 0, "for good");
        let states = "SELECT count(*) AS failed FROM notice WHERE state = 'FAILED' AND detail LIKE '%cannot be read%'";
        let row = app.db.query_one_raw(sea_orm::Statement::from_string(app.db.get_database_backend(), states)).await;
        assert_eq!(row.unwrap().unwrap().try_get::<i64>("", "failed").unwrap(), 3);
    }

    async fn a_server_that_refuses_everybody_for_hours_makes_nobody_give_up(app) {
        warned(app, MANY).await;
        let smtp = SmtpSink::start().await;
        smtp.script(vec![Reply::Refuse(550, "5.7.1 relaying denied"); 10_000]);
        app.deliver(&smtp).await;
        let asked = smtp.log().attempts;
        deliver_for(app, &smtp, TimeDelta::hours(5)).await;
        assert_eq!(in_state(app, NoticeState::Failed).await, 0);
        assert!(smtp.log().attempts - asked <= 61, "one mail a turn asks whether it is over: {}", smtp.log().attempts);

        smtp.forget_script();
        deliver_for(app, &smtp, TimeDelta::hours(7)).await;
        let rows = all(app).await;
        let sent = |kind| rows.iter().filter(|row| row.kind == kind && row.state == NoticeState::Sent).count();
        assert_eq!((sent(NoticeKind::SlaWarning), sent(NoticeKind::MailTrouble)), (MANY, 1), "{rows:#?}");
        let mails = smtp.log().received;
        assert_eq!(mails.len(), rows.len(), "each once");
        let told = mails.iter().find(|mail| mail.to == [app.cast.administrator.email.clone()]).unwrap();
        assert!(told.parsed().text.contains("refuses one recipient after the other"), "{}", told.parsed().text);
    }

    async fn a_recipient_who_is_refused_while_others_are_not_is_given_up_alone(app) {
        warned(app, MANY).await;
        let smtp = SmtpSink::start().await;
        for _ in 0..3 {
            smtp.script([Reply::Refuse(550, "5.1.1 no such user here")]);
            app.deliver(&smtp).await;
            app.advance(TimeDelta::hours(1));
        }
        assert_eq!((in_state(app, NoticeState::Failed).await, in_state(app, NoticeState::Sent).await), (1, MANY - 1));
        assert_eq!(app.service.mail_troubles(), Vec::<String>::new());
    }

    async fn administrators_and_whoever_watches_are_told_when_notices_fail_in_numbers(app) {
        warned(app, 6).await;
        app.db.execute_unprepared("UPDATE notice SET to_address = 'no address'").await.unwrap();
        let smtp = SmtpSink::start().await;
        assert_eq!(app.deliver(&smtp).await.failed, 6);
        assert_eq!(app.service.mail_troubles(), ["6 mails were given up within the last hour"]);
        assert_eq!(app.deliver(&smtp).await.sent, 1);
        assert_eq!(app.deliver(&smtp).await.sent, 0, "once");
        let told = smtp.log().received.remove(0);
        assert_eq!(told.to, std::slice::from_ref(&app.cast.administrator.email));
        assert!(told.parsed().text.contains("6 mails were given up"), "{}", told.parsed().text);
        app.advance(TimeDelta::hours(2));
        app.deliver(&smtp).await;
        assert_eq!(app.service.mail_troubles(), Vec::<String>::new());
    }

    async fn failed_mails_are_sent_again_all_or_since_or_to_whom(app) {
        let colleague = client(&app.service, &app.cast.acme, "Cora Colleague").await;
        warned(app, 4).await;
        app.db.execute_unprepared("UPDATE notice SET to_address = 'no address'").await.unwrap();
        let smtp = SmtpSink::start().await;
        app.deliver(&smtp).await;
        assert_eq!(in_state(app, NoticeState::Failed).await, 4);
        let retry = async |which: Failed| app.service.retry_notices(&Actor::System, &which).await.unwrap();
        assert_eq!(retry(Failed::Since(Some(app.clock.now() + TimeDelta::seconds(1)))).await, 0);
        assert_eq!(retry(Failed::To(colleague.email.clone())).await, 0);
        assert_eq!(retry(Failed::Since(Some(app.clock.now()))).await, 4);
        assert_eq!(app.deliver(&smtp).await.sent, 4, "to the addresses that people have now");

        app.db.execute_unprepared("UPDATE notice SET state = 'FAILED'").await.unwrap();
        let address = app.cast.operations.email.to_uppercase();
        let (is_done, _, said) = run_on(app, &["outbox", "retry", "--recipient", &address]);
        assert!(is_done && said.contains("1 mails are queued again"), "{said}");
        let (is_done, _, said) = run_on(app, &["outbox", "retry", "--since", "2026-06-01T00:00:00Z"]);
        assert!(is_done && said.contains("3 mails are queued again"), "{said}");
        app.db.execute_unprepared("UPDATE notice SET state = 'FAILED'").await.unwrap();
        let (is_done, _, said) = run_on(app, &["outbox", "retry", "--all"]);
        assert!(is_done && said.contains("4 mails are queued again"), "{said}");
        assert!(!run_on(app, &["outbox", "retry"]).0, "it must be said which");
        assert!(!run_on(app, &["outbox", "retry", "--all", "--recipient", &address]).0);
    }

    async fn a_mail_server_that_hangs_keeps_nobody_from_stopping(app) {
        promised(app).await;
        let smtp = SmtpSink::start().await;
        smtp.script([Reply::Hang]);
        let stop = CancellationToken::new();
        let (service, route, told) = (app.service.clone(), patient_route(&smtp), stop.clone());
        let sending = tokio::spawn(async move { service.deliver_until(&route, &told).await });
        smtp.wait_until(|log| log.attempts == 1).await;
        stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(12), sending).await.expect("it hangs");
        assert_eq!(ended.unwrap().unwrap().retried, 0);
        let row = all(app).await.remove(0);
        assert_eq!((row.state, row.attempts, row.lease), (NoticeState::Queued, 0, None), "nothing is lost, and it is free");
        assert_eq!(app.deliver(&smtp).await.sent, 1);
    }
}

/// The same, of the whole program.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_mail_server_hangs_stops_in_time() {
    let Some(app) = TestApp::start(crate::support::Engine::Sqlite).await else { return };
    promised(&app).await;
    let smtp = SmtpSink::start().await;
    smtp.script(vec![Reply::Hang; 16]);
    let options = [("--smtp-url", smtp.url()), ("--deliver-schedule", "* * * * * *".to_owned())];
    let options: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::start(&app.database.url, &options);
    smtp.wait_until(|log| log.attempts >= 1).await;
    let began = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let row = all(&app).await.into_iter().find(|row| row.kind == NoticeKind::DeliveryDateSet).unwrap();
    assert_eq!((row.state, row.lease), (NoticeState::Queued, None));
}

/// Whoever watches the process sees it at `/readyz`.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_mails_fail_in_numbers_is_degraded() {
    let Some(app) = TestApp::start(crate::support::Engine::Sqlite).await else { return };
    warned(&app, 6).await;
    let now: DateTime<Utc> = Clock::System.now();
    let broken = "UPDATE notice SET state = 'QUEUED', to_address = 'no address'";
    app.db.execute_unprepared(broken).await.unwrap();
    let server = Server::start(&app.database.url, &[("--deliver-schedule", "* * * * * *")]);
    let client = server::http_client();
    loop {
        let answer = client.get(format!("http://{}/readyz", server.addr)).send().await.unwrap();
        let body: serde_json::Value = answer.json().await.unwrap();
        if body["warnings"][0].as_str().is_some_and(|warning| warning.contains("6 mails were given up")) {
            assert_eq!(body["status"], "degraded");
            break;
        }
        assert!(Clock::System.now() - now < SKEW, "{body}");
        sleep(Duration::from_millis(200)).await;
    }
}
