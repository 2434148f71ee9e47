//! The tables, as Markdown.

use std::{collections::BTreeMap, time::Duration};

use crate::world::{Engine, Timed};

/// What the scan cost over so many due tickets.
pub struct Scan {
    pub engine: Engine,
    pub open: usize,
    pub due: usize,
    pub statements: usize,
    /// Rows written: visits, alerts, events, notices.
    pub rows: usize,
    pub scan: Duration,
    pub bare: Duration,
    pub bare_statements: usize,
}

/// What a job cost that found nothing to do.
pub struct Idle {
    pub engine: Engine,
    pub open: usize,
    pub job: &'static str,
    pub statements: usize,
    pub took: Duration,
}

pub fn print_scans(scans: &[Scan]) {
    println!("\n| database | open | due | statements (bare) | rows | scan | bare SQL | ratio |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for row in scans {
        let Scan { engine, open, due, statements, rows, bare_statements, .. } = row;
        let (scan, bare) = (millis(row.scan), millis(row.bare));
        let ratio = row.scan.as_secs_f64() / row.bare.as_secs_f64();
        println!(
            "| {engine} | {open} | {due} | {statements} ({bare_statements}) | {rows} | {scan} | {bare} | {ratio:.1} |"
        );
    }
    println!("\nThe cost of as many due tickets among the most and among the fewest open ones:");
    let mut by_due: BTreeMap<_, Vec<&Scan>> = BTreeMap::new();
    for row in scans {
        by_due.entry((row.engine, row.due)).or_default().push(row);
    }
    for ((engine, due), rows) in by_due {
        let fewest = rows.iter().min_by_key(|row| row.open);
        let most = rows.iter().max_by_key(|row| row.open);
        if let (Some(fewest), Some(most)) = (fewest, most)
            && fewest.open < most.open
        {
            let times = most.scan.as_secs_f64() / fewest.scan.as_secs_f64();
            println!("- {engine}, {due} due: {times:.2} times as much at {} as at {}", most.open, fewest.open);
        }
    }
}

pub fn print_idle(idle: &[Idle]) {
    println!("\n| database | open | job with nothing to do | statements | time |");
    println!("|---|--:|---|--:|--:|");
    for Idle { engine, open, job, statements, took } in idle {
        println!("| {engine} | {open} | {job} | {statements} | {} |", millis(*took));
    }
}

/// The statements of a run, alike ones together, in the order of what they cost.
pub fn print_profile(statements: &[Timed]) {
    let mut alike: BTreeMap<String, (usize, Duration)> = BTreeMap::new();
    for (statement, took) in statements {
        let words: Vec<_> = statement.sql.split(' ').collect();
        let table = words.windows(2).find_map(|pair| match pair {
            ["FROM" | "INTO" | "UPDATE", table] => Some(*table),
            _ => None,
        });
        let name = [words.first().copied(), table].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let (count, time) = alike.entry(name).or_default();
        *count += 1;
        *time += *took;
    }
    let mut alike: Vec<_> = alike.into_iter().collect();
    alike.sort_by_key(|(_, (_, time))| std::cmp::Reverse(*time));
    println!("\n| statement | times | time |\n|---|--:|--:|");
    for (name, (count, time)) in alike {
        println!("| {name} | {count} | {} |", millis(time));
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
