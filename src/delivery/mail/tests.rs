//! Settings, headers and the folder. The dialogue with a server is tested in `tests/it/delivery.rs`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mailparse::{MailHeaderMap, parse_mail};

use super::{Envelope, Mailbox, Mailer, Security, SendError, SettingsError, SmtpSettings, Thread, message};
use crate::notice::RenderedNotice;

fn envelope() -> Envelope {
    Envelope {
        message_id: "0198a7c2-7b1e@support.example.org".into(),
        from: Mailbox::parse("Secondline <support@example.org>").unwrap(),
        to_name: "Ana Ruíz, Acme".into(),
        to_address: "ana@acme.example".into(),
        thread: Some(Thread { ticket_key: "L2-123".into(), first_in_thread: false }),
        date: "2026-11-27T16:00:00Z".parse::<DateTime<Utc>>().unwrap(),
        mail: RenderedNotice {
            subject: "[L2-123] Export stops – again".into(),
            text: "Hello Ana,\n.\nnaïve text\n".into(),
            html: "<p>Hello Ana</p>".into(),
        },
    }
}

fn raw(envelope: &Envelope) -> String {
    String::from_utf8(message::build(envelope).unwrap().formatted()).unwrap()
}

fn header(raw: &str, name: &str) -> Option<String> {
    parse_mail(raw.as_bytes()).unwrap().headers.get_first_value(name)
}

fn permanent(envelope: &Envelope) -> String {
    match message::build(envelope) {
        Err(SendError::Permanent(text)) => text,
        other => panic!("expected a permanent error, got {other:?}"),
    }
}

#[test]
fn the_headers_are_those_that_people_and_servers_trust() {
    let raw = raw(&envelope());
    for (name, value) in [
        ("From", "Secondline <support@example.org>"),
        ("To", "\"Ana Ruíz, Acme\" <ana@acme.example>"),
        ("Subject", "[L2-123] Export stops – again"),
        ("Date", "Fri, 27 Nov 2026 16:00:00 +0000"),
        ("Message-ID", "<0198a7c2-7b1e@support.example.org>"),
        ("References", "<ticket-L2-123@support.example.org>"),
        ("In-Reply-To", "<ticket-L2-123@support.example.org>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("List-Id", "<tickets.support.example.org>"),
        ("MIME-Version", "1.0"),
    ] {
        let found = header(&raw, name).unwrap_or_default();
        // Whether a name needs quotes is lettre's and the parser's business.
        assert_eq!(found.replace('"', ""), value.replace('"', ""), "{name}");
    }
}

#[test]
fn the_text_comes_first_and_the_html_second() {
    let raw = raw(&envelope());
    let mail = parse_mail(raw.as_bytes()).unwrap();
    assert_eq!(mail.ctype.mimetype, "multipart/alternative");
    let parts: Vec<_> = mail.subparts.iter().map(|part| part.ctype.mimetype.as_str()).collect();
    assert_eq!(parts, ["text/plain", "text/html"]);
    assert!(mail.subparts.iter().all(|part| part.ctype.charset.eq_ignore_ascii_case("utf-8")));
    assert_eq!(mail.subparts[0].get_body().unwrap().replace("\r\n", "\n").trim_end(), "Hello Ana,\n.\nnaïve text");
}

#[test]
fn the_first_mail_of_a_thread_replies_to_nothing() {
    let first = Thread { ticket_key: "L2-123".into(), first_in_thread: true };
    let raw = raw(&Envelope { thread: Some(first), ..envelope() });
    assert_eq!(header(&raw, "In-Reply-To"), None);
    assert_eq!(header(&raw, "References").as_deref(), Some("<ticket-L2-123@support.example.org>"));
}

#[test]
fn a_mail_without_a_thread_refers_to_nothing() {
    let raw = raw(&Envelope { thread: None, ..envelope() });
    assert_eq!((header(&raw, "In-Reply-To"), header(&raw, "References")), (None, None));
}

#[test]
fn line_breaks_never_become_headers() {
    let attack = "x\r\nBcc: all@example.org\r\n\r\nbody";
    let mut envelope = Envelope { to_name: attack.into(), ..envelope() };
    envelope.mail.subject = attack.into();
    let raw = raw(&envelope);
    assert_eq!(header(&raw, "Bcc"), None);
    assert_eq!(header(&raw, "Subject").as_deref(), Some("x  Bcc: all@example.org    body"));
    assert!(header(&raw, "Message-ID").is_some(), "the headers end where they should");
}

#[test]
fn what_somebody_wrote_is_never_decoded() {
    for text in [
        "=?utf-8?q?=45vil?=",
        "Re: =?utf-8?b?RXZpbA==?= =?iso-8859-1?q?=45?=",
        "[L2-1] a=?utf-8?q?=45?=b naïve 注文 \u{202e}",
        "=?",
        "a=?utf-8?Q?=45?=, \"b\" <c>",
        &"=?utf-8?q?=45?= ".repeat(15),
        &format!("=?{}", "é".repeat(190)),
    ] {
        let mut envelope = Envelope { to_name: text.into(), ..envelope() };
        envelope.mail.subject = text.into();
        let raw = raw(&envelope);
        assert_eq!(header(&raw, "Subject").as_deref(), Some(text.trim()));
        let mail = parse_mail(raw.as_bytes()).unwrap();
        let to = mail.headers.get_first_header("To").unwrap();
        let [mailparse::MailAddr::Single(to)] = &mailparse::addrparse_header(to).unwrap()[..] else { panic!("{raw}") };
        assert_eq!((to.display_name.as_deref(), to.addr.as_str()), (Some(text.trim()), "ana@acme.example"));
        let head = raw.split("\r\n\r\n").next().unwrap();
        let subject = head.split("\r\nSubject: ").nth(1).unwrap().split("\r\nDate").next().unwrap();
        assert!(format!("Subject: {subject}").lines().all(|line| line.len() <= 78), "{head}");
        assert!(!head.contains("utf-8?q") && !head.contains("utf-8?Q") && !head.contains("iso-8859"), "{head}");
    }
}

#[test]
fn addresses_that_are_none_are_permanent_errors() {
    for address in [
        "",
        "ana",
        "ana@",
        "@acme.example",
        "ana@acme.example\r\nBcc: all@example.org",
        "ana\n@acme.example",
        "a@b@acme.example",
        "Ana <ana@acme.example>",
        "ana@acme.example, bob@acme.example",
        "ana@acme example",
        " ana@acme.example",
        "ana@acme.example>",
        "\"ana\r\nRCPT TO:<x@y.example>\"@acme.example",
    ] {
        let text = permanent(&Envelope { to_address: address.into(), ..envelope() });
        assert!(address.is_empty() || !text.contains(address), "{text}");
    }
}

#[test]
fn ids_and_keys_that_could_break_out_are_permanent_errors() {
    for id in ["", "no-host", "a@b>\r\nBcc: x", "../../etc/passwd@host", ".hidden@host", "a b@host", "a@b@c", "a@"] {
        permanent(&Envelope { message_id: id.into(), ..envelope() });
    }
    permanent(&Envelope { message_id: format!("{}@host", "a".repeat(300)), ..envelope() });
    for key in ["", "L2-1>\r\nBcc: x", "L2 1"] {
        let thread = Some(Thread { ticket_key: key.into(), first_in_thread: true });
        permanent(&Envelope { thread, ..envelope() });
    }
}

#[test]
fn the_scheme_says_how_the_connection_is_protected() {
    for (url, security, host, port) in [
        ("smtps://mail.example.org", Security::Tls, "mail.example.org", 465),
        ("smtp+starttls://mail.example.org/", Security::StartTls, "mail.example.org", 587),
        ("smtp+plain://127.0.0.1", Security::Plain, "127.0.0.1", 25),
        ("smtps://[::1]:2465", Security::Tls, "::1", 2465),
    ] {
        let settings = SmtpSettings::parse(url, None).unwrap();
        assert_eq!((settings.security(), settings.host.as_str(), settings.port), (security, host, port));
        assert_eq!(settings.user_and_password, None);
        assert_eq!(settings.timeout, Duration::from_secs(10));
    }
}

#[test]
fn user_and_password_are_decoded_and_may_come_apart() {
    let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
    let parse = |url, password| SmtpSettings::parse(url, password).unwrap().user_and_password;
    assert_eq!(parse("smtps://robot:p%40ss%25+=&x@mail.example.org", None), pair("robot", "p@ss%+=&x"));
    assert_eq!(
        parse("smtps://robot%40example.org@mail.example.org", Some("p%40ss")),
        pair("robot@example.org", "p%40ss")
    );
}

#[test]
fn settings_that_mean_nothing_or_too_much_are_refused() {
    let refused = |url, password| SmtpSettings::parse(url, password).unwrap_err();
    assert!(matches!(refused("mail.example.org", None), SettingsError::NotAUrl(_)));
    assert!(matches!(refused("smtp://mail.example.org", None), SettingsError::ProtectionNotChosen));
    assert!(
        matches!(refused("https://mail.example.org", None), SettingsError::UnknownScheme(scheme) if scheme == "https")
    );
    assert!(matches!(refused("smtps:", None), SettingsError::NoHost | SettingsError::NotAUrl(_)));
    assert!(matches!(refused("smtps:///", None), SettingsError::NoHost | SettingsError::NotAUrl(_)));
    assert!(matches!(refused("smtps://mail.example.org/path", None), SettingsError::Surplus));
    assert!(matches!(refused("smtps://mail.example.org?tls=no", None), SettingsError::Surplus));
    assert!(matches!(refused("smtps://mail.example.org", Some("secret")), SettingsError::PasswordWithoutUser));
    assert!(matches!(refused("smtps://:secret@mail.example.org", None), SettingsError::PasswordWithoutUser));
    assert!(matches!(refused("smtps://robot@mail.example.org", None), SettingsError::UserWithoutPassword));
    assert!(matches!(refused("smtps://robot:a@mail.example.org", Some("b")), SettingsError::PasswordTwice));
}

#[test]
fn a_plain_smtp_address_is_told_what_to_choose() {
    let text = SmtpSettings::parse("smtp://robot:secret@mail.example.org", None).unwrap_err().to_string();
    assert!(["smtps://", "smtp+starttls://", "smtp+plain://"].iter().all(|choice| text.contains(choice)), "{text}");
    assert!(!text.contains("secret"));
}

#[test]
fn debug_output_hides_the_password() {
    let settings = SmtpSettings::parse("smtps://robot:secret@mail.example.org", None).unwrap();
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn senders_are_an_address_with_or_without_a_name() {
    let shown = |text| Mailbox::parse(text).map(|mailbox| mailbox.inner().to_string());
    assert_eq!(shown("support@example.org").unwrap(), "support@example.org");
    assert_eq!(shown(" Equipo técnico <support@example.org> ").unwrap(), "Equipo técnico <support@example.org>");
    assert_eq!(shown("\"Second, line\" <support@example.org>").unwrap(), "\"Second, line\" <support@example.org>");
    assert_eq!(Mailbox::parse("Secondline <support@example.org>").unwrap().host(), "example.org");
    for text in ["", "Secondline", "a\r\nb <support@example.org>", "support@example.org>", "<>"] {
        assert!(matches!(shown(text), Err(SettingsError::NotAMailbox(_))), "{text}");
    }
}

#[test]
fn tls_is_set_up_with_ring_and_the_systems_certificates() {
    for url in ["smtps://mail.example.org", "smtp+starttls://mail.example.org"] {
        assert!(Mailer::smtp(&SmtpSettings::parse(url, None).unwrap()).is_ok());
    }
}

#[tokio::test]
async fn a_folder_keeps_one_file_per_mail_however_often_it_is_sent() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new").join("mail");
    let mailer = Mailer::folder(&folder);
    mailer.send(&envelope()).await.unwrap();
    mailer.send(&envelope()).await.unwrap();
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["0198a7c2-7b1e@support.example.org.eml"]);
    let raw = std::fs::read_to_string(folder.join(&names[0])).unwrap();
    assert_eq!(header(&raw, "Message-ID").as_deref(), Some("<0198a7c2-7b1e@support.example.org>"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let sent = Mailer::folder(file.path()).send(&envelope()).await;
    assert!(matches!(sent, Err(SendError::Transient(_))), "{sent:?}");
}
