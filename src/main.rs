//! The program: reads the command line, starts the log, runs the command and says how it went.
//!
//! Exit codes: 0 done, 1 failed, 2 asked for in a way that cannot be understood, be it by options or by environment.

#![forbid(unsafe_code)]

mod cli;

use std::{io::Write, process::ExitCode, time::Duration};

use clap::Parser;
use secondline::{config::ConfigError, logging, private_files};

use crate::cli::Cli;

/// Failed.
const FAILURE: u8 = 1;
/// Not understood.
const USAGE: u8 = 2;
/// Everything that must end has ended before; what is left may be cut.
const LEFTOVERS_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    private_files::make_private();
    // Before anything speaks TLS. Fails only where a provider was installed before, and nothing runs before this.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    if let Err(problem) = cli::refuse_unknown_settings() {
        return failed(&problem, USAGE);
    }
    let log = match logging::start(cli.command.log()) {
        Ok(log) => log,
        Err(error) => {
            return failed(&format!("--log-level: {error}; try debug, or info,secondline::http=debug"), USAGE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the runtime cannot be started: {error}"), FAILURE),
    };
    let result = runtime.block_on(cli.command.run());
    runtime.shutdown_timeout(LEFTOVERS_WITHIN);
    log.flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if cli::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<ConfigError>() => failed(&logging::chain(error.as_ref()), USAGE),
        Err(error) => failed(&logging::chain(error.as_ref()), FAILURE),
    }
}

fn failed(problem: &str, code: u8) -> ExitCode {
    // Where even standard error is gone, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "error: {problem}");
    ExitCode::from(code)
}
