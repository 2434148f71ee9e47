//! The real program's commands. Example: `run(&["config", "check"]).stdout`.

use std::process::{Command, Output};

use super::TestApp;

/// The program, without the settings of whoever runs the tests.
pub fn without_settings() -> Command {
    cleaned(Command::new(env!("CARGO_BIN_EXE_secondline")))
}

/// The same, after a line of shell that limits what the program may take.
pub fn limited(limits: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_secondline")]);
    cleaned(shell)
}

fn cleaned(mut command: Command) -> Command {
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
