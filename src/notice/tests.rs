//! Every kind of mail as its reader sees it, and what people's text cannot do to it.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::vocab::{AlertCause, AlertLevel, DeEscalationReason, NoticeKind, PauseReason, Stage, Visibility};

use super::{Recipient, RenderError, RenderedNotice, Site, english, render, text};
use crate::domain::notice::{DigestedAlert, DriftedTicket, NoticeContent, NoticeFacts, TicketLabel};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn client() -> Recipient {
    Recipient {
        name: "Ana Ruiz".into(),
        address: "ana@acme.example".into(),
        locale: "en".into(),
        time_zone: Tz::Europe__Madrid,
        is_client: true,
    }
}

fn staff() -> Recipient {
    Recipient {
        name: "Tom Okafor".into(),
        address: "tom@secondline.example".into(),
        locale: "en-GB".into(),
        time_zone: Tz::America__New_York,
        is_client: false,
    }
}

fn site() -> Site {
    Site {
        product_name: "Secondline".into(),
        public_url: Some("https://support.example.org/".into()),
        mail_host: "support.example.org".into(),
    }
}

fn label() -> TicketLabel {
    TicketLabel {
        ticket_key: "L2-123".into(),
        ticket_subject: "Export stops at 10 % <all clients> & \"counts\"".into(),
        company_name: "Acme & Sons".into(),
    }
}

fn content(facts: NoticeFacts) -> NoticeContent {
    NoticeContent { ticket: is_about_a_ticket(&facts).then(label), facts }
}

fn is_about_a_ticket(facts: &NoticeFacts) -> bool {
    !matches!(facts, NoticeFacts::SlaDigest { .. } | NoticeFacts::ClockDrift { .. })
}

fn to_client(facts: NoticeFacts) -> RenderedNotice {
    render(&content(facts), &client(), &site()).unwrap()
}

fn to_staff(facts: NoticeFacts) -> RenderedNotice {
    render(&content(facts), &staff(), &site()).unwrap()
}

fn page(mail: &RenderedNotice) -> String {
    format!("Subject: {}\n\n=== text ===\n{}\n=== html ===\n{}", mail.subject, mail.text, mail.html)
}

/// One set of facts of every kind.
fn every_kind() -> Vec<NoticeFacts> {
    let due_at = instant("2026-11-27T16:00:00Z");
    let assignee = Some("Mei Lin".to_owned());
    vec![
        NoticeFacts::DeliveryDateSet { date: date("2026-11-27") },
        NoticeFacts::DeliveryDateChanged { old: date("2026-11-27"), new: date("2026-12-04") },
        NoticeFacts::Delivered { resolution_notes: "The export now streams.\n\nIt no longer stops at 10 %.".into() },
        NoticeFacts::ClosedUnresolved { resolution_notes: "This is a limit of the file format.".into() },
        NoticeFacts::ClarificationRequested { question: "Which browser do you use?\nWhich version?".into() },
        NoticeFacts::ClarificationAnswered {
            question: "Which browser do you use?\nWhich version?".into(),
            answer: "Firefox,\nversion <145>".into(),
            answered_by: "Ana Ruiz".into(),
        },
        NoticeFacts::SlaWarning {
            stage: Stage::Replicating,
            level: AlertLevel::Warning,
            due_at,
            assignee: assignee.clone(),
            acknowledged: None,
        },
        NoticeFacts::SlaBreach {
            stage: Stage::Validating,
            due_at,
            assignee: None,
            acknowledged: Some(crate::domain::notice::Acknowledgement {
                level: AlertLevel::Warning,
                by: Some("Mei\nLin".into()),
                at: instant("2026-11-27T14:00:00Z"),
            }),
        },
        NoticeFacts::SlaEscalation {
            stage: Stage::Estimating,
            level: AlertLevel::EscalationTwo,
            due_at,
            assignee,
            acknowledged: None,
        },
        NoticeFacts::DeliveryOverdue { date: date("2026-11-27"), due_at, assignee: None, acknowledged: None },
        NoticeFacts::CommentAdded {
            body: "Please try it in a private window.\nDoes it still stop?".into(),
            author: "Mona Adler".into(),
            visibility: Visibility::Client,
        },
        NoticeFacts::Assigned { stage: Stage::Replicating, assigned_by: "Mona Adler".into() },
        NoticeFacts::TicketMoved { from: Stage::Verifying, to: Stage::ClosedResolved, moved_by: "Mona Adler".into() },
        NoticeFacts::digest(vec![
            digested(AlertLevel::Warning, AlertCause::Clock),
            digested(AlertLevel::Breach, AlertCause::Downtime),
            digested(AlertLevel::EscalationTwo, AlertCause::Change),
        ]),
        NoticeFacts::DeEscalationLoop {
            from: Stage::Replicating,
            to: Stage::Validating,
            count: 2,
            reasons: DeEscalationReason::all().take(2).collect(),
        },
        NoticeFacts::PauseEnded {
            stage: Stage::Estimating,
            reasons: vec![PauseReason::WaitingThirdParty],
            due_at: Some(due_at),
        },
        NoticeFacts::drift(vec![DriftedTicket {
            ticket_key: "L2-123".into(),
            differences: vec!["due_at is 1, its history says 2".into()],
        }]),
        NoticeFacts::ClientNotTold {
            what: NoticeKind::ClarificationRequested,
            contact: "Ana Ruíz".into(),
            cause: "refused for good: 550 5.1.1 no such user here".into(),
            clock_goes_on: true,
        },
        NoticeFacts::MailTrouble { troubles: vec!["133 mails failed for good within the last hour".into()] },
    ]
}

fn digested(level: AlertLevel, cause: AlertCause) -> DigestedAlert {
    let due_at = instant("2026-11-27T16:00:00Z");
    DigestedAlert { ticket: label(), stage: Stage::Validating, level, due_at, cause, acknowledged: None }
}

fn is_for_staff(facts: &NoticeFacts) -> bool {
    !facts.is_for_clients()
}

#[test]
fn every_kind_reads_well() {
    for facts in every_kind() {
        let mail = if is_for_staff(&facts) { to_staff(facts.clone()) } else { to_client(facts.clone()) };
        let kind = serde_json::to_value(&facts).unwrap()["kind"].as_str().unwrap().to_lowercase();
        insta::assert_snapshot!(kind, page(&mail));
    }
}

#[test]
fn the_subject_is_the_same_for_every_kind() {
    for facts in every_kind().into_iter().filter(is_about_a_ticket) {
        assert_eq!(to_staff(facts).subject, "[L2-123] Export stops at 10 % <all clients> & \"counts\"");
    }
}

#[test]
fn what_happened_leads_the_text_and_hides_at_the_top_of_the_html() {
    let mail = to_client(NoticeFacts::DeliveryDateSet { date: date("2026-11-27") });
    let lead = "We plan to deliver the fix for your ticket on Friday, 27 November 2026.";
    assert_eq!(mail.text.lines().nth(2), Some(lead));
    let body = mail.html.split_once("<body").unwrap().1;
    let preheader = body.split_once("<div").unwrap().1.split_once("</div>").unwrap().0;
    assert!(preheader.contains("display:none") && preheader.ends_with(lead));
}

#[test]
fn clients_never_read_sla_words_stages_or_staff() {
    for facts in every_kind().into_iter().filter(|facts| !is_for_staff(facts)) {
        let mail = to_client(facts);
        for word in ["SLA", "breach", "escalat", "Replicating", "Validating", "Mei Lin", "@"] {
            assert!(!mail.text.contains(word) && !mail.html.contains(word), "{word}: {}", mail.text);
        }
    }
}

#[test]
fn kinds_for_staff_are_refused_to_clients() {
    for facts in every_kind().into_iter().filter(is_for_staff) {
        let refused = render(&content(facts.clone()), &client(), &site());
        assert!(matches!(refused, Err(RenderError::NotForClients(kind)) if kind == facts.kind()));
    }
}

#[test]
fn nobody_reads_their_own_address_in_the_body() {
    for facts in every_kind() {
        assert!(!page(&to_staff(facts)).contains("tom@secondline.example"));
    }
}

#[test]
fn without_a_public_address_there_is_no_link() {
    let site = Site { public_url: None, ..site() };
    for facts in every_kind() {
        let mail = render(&content(facts), &staff(), &site).unwrap();
        assert!(!mail.text.contains("http") && !mail.html.contains("href"));
    }
}

#[test]
fn html_loads_nothing_from_elsewhere() {
    for facts in every_kind() {
        let html = to_staff(facts).html;
        assert!(!["<img", "<link", "<script", "<style", "url(", "src="].iter().any(|tag| html.contains(tag)));
        assert_eq!(html.matches("<a ").count(), 1, "one action");
    }
}

#[test]
fn markup_of_people_is_shown_not_obeyed() {
    let attack = "<script>alert(1)</script>\"'><img src=x>";
    let facts = NoticeFacts::ClarificationAnswered {
        question: attack.into(),
        answer: format!("{attack}\n{attack}"),
        answered_by: attack.into(),
    };
    let label = TicketLabel { ticket_subject: attack.into(), company_name: attack.into(), ..label() };
    let content = NoticeContent { ticket: Some(label), facts };
    let mail = render(&content, &Recipient { name: attack.into(), ..staff() }, &site()).unwrap();
    assert!(!mail.html.contains("<script") && !mail.html.contains("<img"));
    assert!(mail.text.contains(attack), "the plain text shows it as it was typed");
}

#[test]
fn a_subject_cannot_carry_headers() {
    let label = TicketLabel {
        ticket_subject: "Broken\r\nBcc: all@example.org\n\n\0Hello\u{2028}there\u{202E}".into(),
        company_name: "Acme\r\nX-Evil: 1".into(),
        ..label()
    };
    let facts = NoticeFacts::DeliveryDateSet { date: date("2026-11-27") };
    let content = NoticeContent { ticket: Some(label), facts };
    let recipient = Recipient { name: "Ana\r\nX-Evil: 1".into(), ..staff() };
    let mail = render(&content, &recipient, &site()).unwrap();
    assert_eq!(mail.subject, "[L2-123] Broken Bcc: all@example.org Hello there");
    assert!(mail.text.starts_with("Hello Ana X-Evil: 1,\n"));
    assert!(mail.text.contains("\nCompany: Acme X-Evil: 1\n"));
}

#[test]
fn long_texts_keep_their_lines() {
    let notes = "\r\nFirst.\r\n\r\n  Second,\tindented.\rThird.\u{7}\n\n".to_owned();
    assert_eq!(text::many_lines(&notes), "First.\n\n  Second,\tindented.\nThird.");
    let mail = to_client(NoticeFacts::Delivered { resolution_notes: notes });
    assert!(mail.text.contains("\n    First.\n\n      Second,\tindented.\n    Third.\n"), "{}", mail.text);
    assert!(mail.html.contains("First.<br/><br/>  Second,\tindented.<br/>Third.</blockquote>"), "{}", mail.html);
}

#[test]
fn a_nameless_recipient_is_greeted_all_the_same() {
    let nameless = Recipient { name: " ".into(), ..client() };
    let facts = NoticeFacts::DeliveryDateSet { date: date("2026-11-27") };
    let mail = render(&content(facts), &nameless, &site()).unwrap();
    assert!(mail.text.starts_with("Hello,\n") && mail.html.contains(">Hello,</p>"));
}

#[test]
fn unknown_languages_read_english() {
    let facts = NoticeFacts::DeliveryDateSet { date: date("2026-11-27") };
    for locale in ["", "en_US", "EN", "tlh", "…"] {
        let recipient = Recipient { locale: locale.into(), ..client() };
        assert_eq!(render(&content(facts.clone()), &recipient, &site()).unwrap(), to_client(facts.clone()));
    }
}

#[test]
fn a_digest_names_the_cause_that_all_its_alerts_have() {
    let lead = |causes: [AlertCause; 2]| {
        let alerts = causes.map(|cause| digested(AlertLevel::Breach, cause)).to_vec();
        to_staff(NoticeFacts::digest(alerts)).text.lines().nth(2).unwrap().to_owned()
    };
    let late = "2 SLA alerts came together: they were found late, after a time in which nobody looked at the clocks.";
    assert_eq!(lead([AlertCause::Downtime; 2]), late);
    let changed = "2 SLA alerts came together: a policy, a calendar or a due time was changed.";
    assert_eq!(lead([AlertCause::Change; 2]), changed);
    assert_eq!(lead([AlertCause::Clock, AlertCause::Change]), "2 SLA alerts came together.");
}

#[test]
fn a_digest_of_very_many_lists_the_highest_levels() {
    let alerts = (0..150)
        .map(|number| digested(if number < 120 { AlertLevel::Warning } else { AlertLevel::Breach }, AlertCause::Clock));
    let mail = to_staff(NoticeFacts::digest(alerts.collect()));
    assert_eq!(mail.subject, "[Secondline] 150 SLA alerts");
    assert_eq!((mail.text.matches("- Breach:").count(), mail.text.matches("- and 50 more").count()), (30, 1));
}

#[test]
fn an_earlier_date_needs_no_apology() {
    let changed = |old, new| to_client(NoticeFacts::DeliveryDateChanged { old: date(old), new: date(new) }).text;
    assert!(changed("2026-11-27", "2026-12-04").contains("We are sorry"));
    assert!(!changed("2026-12-04", "2026-11-27").contains("sorry"));
}

#[test]
fn instants_stand_in_the_readers_zone_and_in_utc() {
    for (at, zone, reading) in [
        ("2026-11-27T16:00:00Z", Tz::UTC, "Friday, 27 November 2026, 16:00 UTC"),
        ("2026-11-27T16:00:00Z", Tz::Europe__Berlin, "Friday, 27 November 2026, 17:00 CET (16:00 UTC)"),
        (
            "2026-07-01T22:30:00Z",
            Tz::Europe__Berlin,
            "Thursday, 2 July 2026, 00:30 CEST (Wednesday, 1 July 2026, 22:30 UTC)",
        ),
        ("2026-11-27T16:00:00Z", Tz::America__Sao_Paulo, "Friday, 27 November 2026, 13:00 UTC-03:00 (16:00 UTC)"),
        ("2026-11-27T16:00:00Z", Tz::Asia__Kathmandu, "Friday, 27 November 2026, 21:45 UTC+05:45 (16:00 UTC)"),
    ] {
        assert_eq!(english::instant(instant(at), zone), reading);
    }
}
