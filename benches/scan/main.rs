//! What the SLA scan costs: `cargo bench --bench scan -- --open 10000,100000,1000000`.
//!
//! A database full of open tickets, of which some are due: how many statements the scan takes, how many rows it writes, how
//! long that lasts, and how long the same rows take as bare SQL. Then what the jobs cost that run every few seconds and find
//! nothing to do, and whether any statement goes through a whole table. See `benches/README.md`.

mod bare;
mod fill;
#[path = "../../tests/it/support/plans.rs"]
mod plans;
mod table;
mod world;

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Parser, ValueEnum};

use crate::{
    bare::Bare,
    table::{Idle, Scan, print_idle, print_profile, print_scans},
    world::{Engine, Timed, World},
};

/// An idle job lasts less than a millisecond; so many of them give a steady median.
const IDLE_RUNS: usize = 21;
/// So many open tickets let an index pay in every table, that of pauses too.
const MANY: usize = 1_000_000;
/// Due in the scan that comes before those that are measured.
const WARM_UP: usize = 100;

/// What the SLA scan costs.
#[derive(Parser)]
struct Options {
    /// How many tickets are open.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    open: Vec<usize>,
    /// How many of them are due at a time.
    #[arg(long, value_delimiter = ',', default_value = "0,100,1000")]
    due: Vec<usize>,
    /// On which databases.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    database: Vec<Database>,
    /// How often each number of due tickets is measured; the median counts.
    #[arg(long, default_value_t = 4)]
    repeat: usize,
    /// Also print where the time of the last scan went, statement by statement.
    #[arg(long)]
    profile: bool,
    /// What cargo tells every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (mut scans, mut idle, mut scanned) = (Vec::new(), Vec::new(), Vec::new());
    for database in &options.database {
        let engine = match database {
            Database::Sqlite => Engine::Sqlite,
            Database::Postgres => Engine::Postgres,
        };
        for open in &options.open {
            let Some(mut world) = World::create(engine, *open).await? else {
                println!("PostgreSQL is left out: SECONDLINE_TEST_POSTGRES_URL names no server");
                break;
            };
            let measured = measure(&mut world, &options).await;
            world.remove().await?;
            let found = measured?;
            scans.extend(found.scans);
            idle.extend(found.idle);
            scanned.extend(found.scanned);
        }
    }
    print_scans(&scans);
    print_idle(&idle);
    println!("\nStatements that go through a whole table: {}", if scanned.is_empty() { "none" } else { "" });
    for line in scanned {
        println!("- {line}");
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    scans: Vec<Scan>,
    idle: Vec<Idle>,
    scanned: Vec<String>,
}

async fn measure(world: &mut World, options: &Options) -> anyhow::Result<Found> {
    let began = Instant::now();
    world.fill().await?;
    println!("{}: {} tickets after {:.0} s", world.engine, world.open, began.elapsed().as_secs_f64());
    let mut found = Found::default();
    world.pass(WARM_UP)?;
    let (report, statements) = world.recorder.record(world.service.sla_scan()).await;
    ensure!(report?.visits == WARM_UP, "the fill is not what the scan expects");
    found.scanned.extend(whole_tables(world, "scan", statements).await?);
    for due in &options.due {
        found.scans.push(if *due == 0 { nothing_due(world).await? } else { due_at_once(world, *due, options).await? });
    }
    world.empty_outbox().await?;
    for job in ["scan", "deliver", "follow", "wake"] {
        let (done, statements) = world.recorder.record(world.run(job)).await;
        ensure!(done? == 0, "{job} found something to do");
        found.scanned.extend(whole_tables(world, job, statements).await?);
        let (took, statements) = idle_job(world, job).await?;
        found.idle.push(Idle { engine: world.engine, open: world.open, job, statements, took });
    }
    Ok(found)
}

/// The statements that the planner lets go through a table that grows with the tickets.
async fn whole_tables(world: &World, job: &str, statements: Vec<Timed>) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    // Few rows are rightly read whole.
    let for_many_rows = world.open < MANY;
    for (statement, _) in statements {
        for step in plans::whole_tables(&world.db, &statement, for_many_rows).await? {
            lines.push(format!("{}, {} open, {job}: {step:.200} of {:.400}", world.engine, world.open, statement.sql));
        }
    }
    Ok(lines)
}

/// The scan beside the bare SQL, each over its own due tickets, in turn.
async fn due_at_once(world: &mut World, due: usize, options: &Options) -> anyhow::Result<Scan> {
    let (mut scans, mut bares) = (Vec::new(), Vec::new());
    let (mut statements, mut rows, mut bare_statements) = (Vec::new(), 0, 0);
    for _ in 0..options.repeat {
        world.pass(due)?;
        world.due().await?;
        let mark = world.last_event().await?;
        let began = Instant::now();
        let report;
        (report, statements) = world.recorder.record(world.service.sla_scan()).await;
        scans.push(began.elapsed());
        ensure!(report?.visits == due, "the scan found something else");
        let written = world.written(mark).await?;
        rows = written.rows() + due;

        world.pass(due)?;
        let visits = world.due().await?;
        let bare = Bare::prepare(world, written, &visits)?;
        bare_statements = bare.statements();
        let began = Instant::now();
        let locked = bare.run(&world.db).await?;
        bares.push(began.elapsed());
        ensure!(locked == due, "the bare SQL found something else");
    }
    let (scan, bare) = (median(scans), median(bares));
    if options.profile {
        print_profile(&statements);
    }
    let statements = statements.len();
    Ok(Scan { engine: world.engine, open: world.open, due, statements, rows, scan, bare, bare_statements })
}

async fn nothing_due(world: &World) -> anyhow::Result<Scan> {
    let (scan, statements) = idle_job(world, "scan").await?;
    let mut bares = Vec::new();
    let bare = Bare::idle(world);
    for _ in 0..IDLE_RUNS {
        let began = Instant::now();
        bare.run(&world.db).await?;
        bares.push(began.elapsed());
    }
    let (engine, open, bare_statements) = (world.engine, world.open, bare.statements());
    Ok(Scan { engine, open, due: 0, statements, rows: 0, scan, bare: median(bares), bare_statements })
}

async fn idle_job(world: &World, job: &str) -> anyhow::Result<(Duration, usize)> {
    let (mut runs, mut statements) = (Vec::new(), 0);
    for _ in 0..IDLE_RUNS {
        let began = Instant::now();
        let (done, counted) = world.recorder.count(world.run(job)).await;
        runs.push(began.elapsed());
        ensure!(done? == 0, "{job} found something to do");
        statements = counted;
    }
    Ok((median(runs), statements))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    let middle = times.len() / 2;
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    if times.len() % 2 == 1 { at(middle) } else { (at(middle.saturating_sub(1)) + at(middle)) / 2 }
}
