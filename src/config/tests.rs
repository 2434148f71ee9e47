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
        "--pipeline=level 2 support",
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
    let checked = config(&["--pipeline", "Billing", "--pipeline", "client support", "--pipeline=billing,Legal"]);
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
fn urls_are_shown_without_users_passwords_and_parameters() {
    for (url, shown) in [
        ("postgres://robot:geheim@host/db", "postgres://***@host/db"),
        ("postgres://geheim@host:5433/db", "postgres://***@host:5433/db"),
        ("postgres://:geheim@host/db", "postgres://***@host/db"),
        ("postgres://host/db?password=geheim&sslmode=require", "postgres://host/db?***"),
        ("postgres:///db?user=robot&password=geheim", "postgres:///db?***"),
        ("s3://key:geheim@bucket/prefix", "s3://***@bucket/prefix"),
        ("s3://bucket/prefix?secret=geheim#geheim", "s3://bucket/prefix?***#***"),
        ("smtps://robot:geheim@mail.example.org", "smtps://***@mail.example.org"),
        ("https://robot:geheim@id.example.org/realms/support", "https://***@id.example.org/realms/support"),
        ("https://id.example.org", "https://id.example.org/"),
        ("sqlite:data/secondline.db", "sqlite:data/secondline.db"),
        ("sqlite:data/secondline.db?key=geheim", "sqlite:data/secondline.db?***"),
        ("mailto:geheim", "mailto:***"),
        ("geheim", "***"),
    ] {
        assert_eq!(hide_passwords(url), shown);
    }
}

#[test]
fn links_in_mails_tell_nobody_how_to_sign_in() {
    let checked = config(&["--public-url=https://geheim:geheim@support.example.org/"]).check().unwrap();
    assert_eq!(checked.public_url.as_deref(), Some("https://support.example.org"));
}

#[test]
fn what_is_wrong_with_an_issuer_is_told_without_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for issuer in ["http://geheim:geheim@id.example.org", "geheim", "https://id.example.org/ geheim"] {
        let arguments = ["--oidc-audience=secondline", &format!("--oidc-issuer={issuer}")];
        let problems = problems(&arguments).concat();
        assert!(problems.starts_with("--oidc-issuer") && !problems.contains("geheim"), "{problems}");
    }
}

#[test]
fn help_shows_no_settings_of_the_environment_that_may_hold_a_secret() {
    let command = <Command as clap::CommandFactory>::command();
    for option in
        ["database_url", "smtp_url", "smtp_password", "attachment_url", "attachment_key", "oidc_issuer", "public_url"]
    {
        let found = command.get_arguments().find(|argument| argument.get_id() == option);
        assert!(found.is_some_and(clap::Arg::is_hide_env_values_set), "{option}");
    }
}

#[test]
fn a_sender_that_others_read_otherwise_is_refused() {
    let problems = problems(&["--mail-from=Support <mar\u{212a}@example.org>"]);
    assert!(
        problems.concat().starts_with("--mail-from") && problems.concat().contains("write mark@example.org"),
        "{problems:?}"
    );
    assert_eq!(config(&["--mail-from=Support@Example.org"]).check().unwrap().mail_from.host(), "Example.org");
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
