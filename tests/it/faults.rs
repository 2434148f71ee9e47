//! A campaign of faults: clients who write without pause to the real program while it is killed, stopped, cut off from its
//! database, left without disk space, given a mail server that refuses, hangs and hangs up, and a clock that jumps; some
//! clients go away before they are answered. Afterwards whatever was acknowledged is stored, once, every mail went out, and the
//! database contradicts itself nowhere.
//!
//! CI runs it for some seconds on each database. By hand:
//! `SECONDLINE_FAULT_SECONDS=1800 cargo test --test it -- --nocapture faults`. The clock jumps where Debian's `libfaketime` is
//! installed; the summary says how often.

mod injection;
mod invariants;
mod ledger;
mod work;

use std::{sync::Arc, time::Duration};

use sea_orm::ConnectionTrait;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use self::{injection::Injector, ledger::Ledger, work::Client};
use crate::support::each_database;

/// How long faults are injected, in seconds, unless the environment says otherwise.
const SECONDS: &str = "SECONDLINE_FAULT_SECONDS";
const DEFAULT_SECONDS: u64 = 20;
const CLIENTS: usize = 6;
/// What a client may still need once all faults are over.
const CLIENTS_END_WITHIN: Duration = Duration::from_secs(90);

each_database! {
    async fn nothing_acknowledged_is_lost_or_doubled_whatever_fails(app) {
        let seconds = std::env::var(SECONDS).map_or(DEFAULT_SECONDS, |seconds| seconds.parse().unwrap());
        let until = Instant::now() + Duration::from_secs(seconds);
        let ledger = Arc::new(Ledger::default());
        let mut injector = Injector::start(app).await;
        let (finish, finished) = watch::channel(false);
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let client = Client::new(app, number, injector.address(), Arc::clone(&ledger), finished.clone()).await;
            clients.push(tokio::spawn(client.work()));
        }
        injector.inject_until(until).await;
        injector.recover().await;
        finish.send(true).unwrap();
        for client in clients {
            let ended = timeout(CLIENTS_END_WITHIN, client).await;
            ended.unwrap_or_else(|_| panic!("a client is stuck: {:?}", ledger.wrong_answers().last())).unwrap();
        }
        injector.deliver_everything(app).await;
        let (faults, smtp) = injector.stop();
        let found = invariants::check(app, &ledger, &smtp).await;
        println!("{:?}: {seconds} s, {faults}; {found}", app.db.get_database_backend());
        assert!(faults.total() >= 3 && found.acknowledged > 10, "there were no faults, or no work");
        found.assert_none_broken();
    }
}
