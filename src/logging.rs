//! Log lines: to standard error, as text or JSON, with dotted fields. Logging never fails: what cannot be written is lost.
//!
//! May import: `config`, tracing. Example: a failed job logs one line with `error` = [`chain`] of its error and, inside a
//! request, with the span's `request.id`.

mod writer;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    error::Error,
    io::IsTerminal,
    time::Duration,
};

use tracing_subscriber::{
    EnvFilter,
    filter::{LevelFilter, ParseError},
    util::SubscriberInitExt,
};

use self::writer::LogWriter;
use crate::config::{LogConfig, LogFormat};

/// The level of this program unless another is asked for.
const DEFAULT_LEVEL: &str = "info";

/// A reader of the log that needs longer does not get the last lines.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// The log of the process.
#[derive(Debug)]
pub struct Log(LogWriter);

impl Log {
    /// Waits, though not for long, until everything that was logged is written.
    pub fn flush(&self) {
        self.0.flush(FLUSH_WITHIN);
    }
}

/// Starts logging; once per process. Panics are logged too, with the place where they happened.
///
/// # Errors
/// When the filter cannot be read, or logging was started before.
pub fn start(config: &LogConfig) -> Result<Log, Box<dyn Error + Send + Sync>> {
    let filter = filter(config)?;
    let writer = LogWriter::start(std::io::stderr())?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer.clone());
    // The library would print them to standard error, and panic where that cannot be written.
    let lines = lines.log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).finish().try_init()?;
        }
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log(writer))
}

/// What is logged. A bare level is meant for this program: what others say below `warn` is about their own inner life.
///
/// # Errors
/// When it cannot be read.
pub fn filter(config: &LogConfig) -> Result<EnvFilter, ParseError> {
    match config.log_level.as_deref().unwrap_or(DEFAULT_LEVEL) {
        level if level.parse::<LevelFilter>().is_ok() => EnvFilter::try_new(format!("warn,secondline={level}")),
        directives => EnvFilter::try_new(directives),
    }
}

/// An error and all its causes, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some crates repeat the cause in their own text.
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

/// The one place where panics are logged: whoever catches one only answers.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    let what = panic.payload_as_str().unwrap_or("without words");
    tracing::error!(panic.place = place, panic.backtrace = trace, "panicked: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn a_bare_level_is_this_programs_own() {
        let shown = |level: &str| {
            let config = LogConfig { log_level: Some(level.to_owned()), ..LogConfig::default() };
            filter(&config).map(|filter| filter.to_string())
        };
        assert_eq!(shown("debug").unwrap(), "secondline=debug,warn");
        assert_eq!(shown("info,hyper=debug").unwrap(), "hyper=debug,info");
        assert!(shown("a=b=c").is_err());
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = Layer("top", Some(Box::new(Layer("middle: end", Some(Box::new(Layer("end", None)))))));
        assert_eq!(chain(&error), "top: middle: end");
    }
}
