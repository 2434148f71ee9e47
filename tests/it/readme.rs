//! What the README says is so.

const README: &str = include_str!("../../README.md");

#[test]
fn every_error_code_is_explained() {
    let sdl = secondline::graphql::sdl();
    let codes = sdl.split("enum UserErrorCode {").nth(1).unwrap().split('}').next().unwrap();
    let codes = codes
        .lines()
        .map(str::trim)
        .filter(|line| line.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'));
    for code in codes.filter(|code| !code.is_empty()) {
        assert!(README.contains(&format!("`{code}`")), "{code} is not in the README");
    }
}

#[test]
fn every_option_of_serve_is_explained() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_secondline")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
    let mut missing: Vec<_> = options
        .map(|word| word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()))
        .filter(|option| !["--help", "--database-url-file", "--smtp-password-file", "--log-level"].contains(option))
        .filter(|option| !README.contains(&format!("`{option}`")))
        .collect();
    missing.dedup();
    assert_eq!(missing, Vec::<&str>::new(), "not in the README");
}

#[test]
fn the_two_commands_of_the_first_screen_stand_there() {
    let first_screen: Vec<_> = README.lines().take(20).collect();
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(first_screen.iter().any(|line| line.starts_with(command)), "{command}");
    }
}
