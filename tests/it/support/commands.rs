//! The real program's commands. Example: `run(&["config", "check"]).stdout`.

use std::process::{Command, Output};

use super::TestApp;

/// The program, without the settings of whoever runs the tests.
pub fn without_settings() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secondline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SECONDLINE_") || name == "DATABASE_URL") {
        command.env_remove(name);
    }
    command
}

/// What a command does.
pub fn run(arguments: &[&str]) -> Output {
    without_settings().args(arguments).output().unwrap()
}

/// What a command does with the test's database: whether it went well, what it printed, and what it said besides.
pub fn run_on(app: &TestApp, arguments: &[&str]) -> (bool, String, String) {
    let output = without_settings().args(arguments).env("DATABASE_URL", &app.database.url).output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    (output.status.success(), out, err)
}
