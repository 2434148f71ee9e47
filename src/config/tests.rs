use std::io::Write;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    config: Config,
}

fn config(arguments: &[&str]) -> Config {
    let arguments = std::iter::once(&"secondline").chain(arguments);
    Command::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}")).config
}

fn problems(arguments: &[&str]) -> Vec<String> {
    config(arguments).check().err().map(|error| error.0).unwrap_or_default()
}

#[test]
fn the_defaults_can_be_used_and_agree_with_the_command_lines() {
    let checked = config(&["--data-dir", "here"]).check().unwrap();
    let in_folder = Config::in_folder("here".into());
    assert_eq!(format!("{in_folder:?}"), format!("{:?}", config(&["--data-dir", "here"])));
    assert_eq!(checked.database_url, "sqlite:here/secondline.db");
    assert_eq!(checked.pipelines, OTHER_PIPELINES);
    assert_eq!(checked.mail_from.host(), "localhost");
    assert_eq!(in_folder.mail_dir(), PathBuf::from("here/mail"));
    assert_eq!(in_folder.attachment_dir(), PathBuf::from("here/attachments"));
    assert!(!checked.mail_in_clear);
}

#[test]
fn attachments_have_one_place_and_a_long_key() {
    let wrong = ["--attachment-url=s3://files/of", "--attachment-dir=here"];
    assert_eq!(problems(&wrong), ["give --attachment-url or --attachment-dir, not both"]);
    assert_eq!(problems(&["--attachment-url=https://files"]), ["--attachment-url: must be s3://BUCKET/PREFIX"]);
    assert_eq!(problems(&["--attachment-key=short"]), ["--attachment-key: give at least 32 random characters"]);
    assert_eq!(problems(&["--attachment-url=s3://files/of"]), Vec::<String>::new());
}

#[test]
fn every_problem_is_told_at_once_with_its_option() {
    let problems = problems(&[
        "--database-url=mysql://root:geheim@host/db",
        "--mail-from=nobody",
        "--smtp-url=smtp://robot:geheim@mail",
        "--public-url=support.example.org",
        "--sla-scan-schedule=* * * * *",
        "--deliver-schedule=often",
        "--pipeline=Level 2 Support",
    ]);
    let expected = [
        "--database-url",
        "--pipeline",
        "--mail-from",
        "--smtp-url",
        "--public-url",
        "--sla-scan-schedule",
        "--deliver-schedule",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, option) in problems.iter().zip(expected) {
        assert!(problem.starts_with(option), "{problem}");
        assert!(!problem.contains("geheim"), "{problem}");
    }
}

#[test]
fn pipelines_are_added_to_the_built_in_ones_once() {
    let checked = config(&["--pipeline", "Billing", "--pipeline", "Client Support", "--pipeline=Billing,Legal"]);
    assert_eq!(checked.check().unwrap().pipelines, [&OTHER_PIPELINES[..], &["Billing", "Legal"]].concat());
}

#[test]
fn a_database_in_memory_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:"] {
        assert!(problems(&["--database-url", url]).concat().contains("secondline demo"));
    }
}

#[test]
fn secrets_come_from_files_or_directly_but_not_twice() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "geheim").unwrap();
    let path = file.path().to_str().unwrap();
    let url = "--smtp-url=smtp+plain://robot@mail";
    let from_file = config(&[url, "--smtp-password-file", path]).check().unwrap();
    assert!(from_file.mail_in_clear);
    assert!(problems(&[url, "--smtp-password-file", path, "--smtp-password=other"]).concat().contains("not both"));
    assert!(problems(&[url, "--smtp-password-file=/does/not/exist"]).concat().contains("cannot be read"));
    assert!(problems(&["--smtp-password=geheim"]).concat().contains("--smtp-url"));
}

#[test]
fn debug_output_holds_no_secret() {
    let url = "postgres://robot:geheim@host/db";
    let config = config(&["--database-url", url, "--smtp-url", "smtps://a:geheim@b", "--smtp-password=geheim"]);
    assert!(!format!("{config:?}").contains("geheim"));
}

#[test]
fn urls_are_shown_without_passwords() {
    assert_eq!(hide_passwords("postgres://robot:geheim@host/db"), "postgres://robot:***@host/db");
    assert_eq!(hide_passwords("postgres://host/db?password=geheim"), "postgres://host/db?***");
    assert_eq!(hide_passwords("sqlite:data/secondline.db"), "sqlite:data/secondline.db");
    assert_eq!(hide_passwords("geheim"), "***");
}

#[test]
fn a_zone_or_address_that_does_not_exist_is_a_usage_error() {
    for arguments in [["secondline", "--time-zone=Mars/Olympus"], ["secondline", "--listen=localhost"]] {
        assert_eq!(Command::try_parse_from(arguments).err().unwrap().exit_code(), 2);
    }
}

#[test]
fn a_schedule_has_six_fields() {
    for schedule in ["*/15 * * * * *", "0 30 9 * * Mon-Fri", "0 0 0 1 1 *"] {
        assert!(is_schedule(schedule), "{schedule}");
    }
    for schedule in ["", "often", "* * * * *", "61 * * * * *", "* * * * * * * *"] {
        assert!(!is_schedule(schedule), "{schedule}");
    }
}
