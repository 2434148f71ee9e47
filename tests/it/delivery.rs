//! The mailer against a scripted SMTP server: what is delivered, what is worth another try, what is not.

use std::time::Duration;

use chrono::DateTime;
use secondline::delivery::mail::{Envelope, Mailbox, Mailer, SendError, SmtpSettings, Thread};
use secondline::notice::RenderedNotice;

use crate::support::smtp::{Reply, SmtpSink};

/// Short enough for a test that waits for it, long enough for a busy machine to answer.
const SHORT: Duration = Duration::from_secs(1);

fn envelope(number: usize) -> Envelope {
    Envelope {
        message_id: format!("mail-{number}@support.example.org"),
        from: Mailbox::parse("Secondline <support@example.org>").unwrap(),
        to_name: "Ana Ruíz".into(),
        to_address: "ana@acme.example".into(),
        thread: Some(Thread { ticket_key: "L2-123".into(), first_in_thread: number == 1 }),
        date: DateTime::from_timestamp(1_795_795_200, 0).unwrap(),
        mail: RenderedNotice {
            subject: "[L2-123] Export stops – again".into(),
            text: "Hello Ana,\n.\n..two dots\nSensitive words, naïvely.".into(),
            html: "<p lang=\"en\">Hello Ana</p>".into(),
        },
    }
}

fn mailer(sink: &SmtpSink) -> Mailer {
    Mailer::smtp(&SmtpSettings::parse(&sink.url(), None).unwrap()).unwrap()
}

fn impatient_mailer(sink: &SmtpSink) -> Mailer {
    Mailer::smtp(&SmtpSettings::parse(&sink.url(), None).unwrap().with_timeout(SHORT)).unwrap()
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let sink = SmtpSink::start().await;
    mailer(&sink).send(&envelope(1)).await.unwrap();
    let received = sink.wait_for(1).await;
    assert_eq!(
        (received[0].from.as_str(), received[0].to.as_slice()),
        ("support@example.org", &["ana@acme.example".into()][..])
    );
    let mail = received[0].parsed();
    assert_eq!(mail.header("Subject"), Some("[L2-123] Export stops – again"));
    assert_eq!(mail.header("Message-ID"), Some("<mail-1@support.example.org>"));
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(mail.text.trim_end(), "Hello Ana,\n.\n..two dots\nSensitive words, naïvely.");
    assert_eq!(mail.html.trim_end(), "<p lang=\"en\">Hello Ana</p>");
}

#[tokio::test]
async fn several_mails_share_a_connection() {
    let sink = SmtpSink::start().await;
    let mailer = mailer(&sink);
    for number in 1..=3 {
        mailer.send(&envelope(number)).await.unwrap();
    }
    mailer.close().await;
    assert_eq!((sink.log().received.len(), sink.log().connections), (3, 1));
}

#[tokio::test]
async fn a_4xx_is_worth_another_try() {
    let sink = SmtpSink::start().await;
    sink.script([Reply::Refuse(451, "4.3.0 try later"), Reply::RefuseAtData(452, "4.3.1 disk full")]);
    let mailer = mailer(&sink);
    assert_eq!(mailer.send(&envelope(1)).await, Err(SendError::Transient("451 4.3.0 try later".into())));
    assert_eq!(mailer.send(&envelope(1)).await, Err(SendError::Transient("452 4.3.1 disk full".into())));
    mailer.send(&envelope(1)).await.unwrap();
    assert_eq!((sink.log().received.len(), sink.log().attempts), (1, 3));
}

#[tokio::test]
async fn a_5xx_is_a_refusal_and_its_text_keeps_the_address_and_the_words_out() {
    let sink = SmtpSink::start().await;
    sink.script([
        Reply::Refuse(550, "5.1.1 <ana@acme.example>: user unknown"),
        Reply::RefuseAtData(554, "5.7.1 looks like spam"),
    ]);
    let mailer = mailer(&sink);
    let unknown = mailer.send(&envelope(1)).await.unwrap_err();
    assert_eq!(unknown, SendError::Refused("550 5.1.1 <the recipient>: user unknown".into()));
    let spam = mailer.send(&envelope(2)).await.unwrap_err();
    assert_eq!(spam.to_string(), "refused: 554 5.7.1 looks like spam");
}

#[tokio::test]
async fn a_refusal_of_our_settings_is_worth_another_try() {
    let sink = SmtpSink::start().await;
    sink.script([Reply::Refuse(530, "5.7.0 authentication required")]);
    let refused = mailer(&sink).send(&envelope(1)).await;
    assert_eq!(refused, Err(SendError::Transient("530 5.7.0 authentication required".into())));
}

#[tokio::test]
async fn a_server_that_hangs_is_left_in_time_and_its_connection_is_not_used_again() {
    let sink = SmtpSink::start().await;
    let mailer = impatient_mailer(&sink);
    mailer.send(&envelope(1)).await.unwrap();
    sink.script([Reply::Hang]);
    let hung = mailer.send(&envelope(2)).await;
    assert!(matches!(&hung, Err(SendError::Transient(text)) if text.contains("did not answer")), "{hung:?}");
    mailer.send(&envelope(3)).await.unwrap();
    assert_eq!((sink.log().received.len(), sink.log().connections), (2, 2));
}

#[tokio::test]
async fn a_connection_lost_after_the_text_is_worth_another_try_under_the_same_id() {
    let sink = SmtpSink::start().await;
    sink.script([Reply::DropAfterData]);
    let mailer = mailer(&sink);
    let lost = mailer.send(&envelope(1)).await;
    assert!(matches!(lost, Err(SendError::Transient(_))), "{lost:?}");
    mailer.send(&envelope(1)).await.unwrap();
    let ids: Vec<_> =
        sink.wait_for(2).await.iter().map(|mail| mail.parsed().header("Message-ID").map(String::from)).collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_worth_another_try() {
    let sink = SmtpSink::start().await;
    let mailer = mailer(&sink);
    drop(sink);
    // The listener goes with its task; whether its end or a refusal comes first, nothing is delivered.
    tokio::task::yield_now().await;
    assert!(matches!(mailer.send(&envelope(1)).await, Err(SendError::Transient(_))));
}

#[tokio::test]
async fn a_server_without_starttls_gets_no_mail() {
    let sink = SmtpSink::start().await;
    let url = sink.url().replace("smtp+plain", "smtp+starttls");
    let mailer = Mailer::smtp(&SmtpSettings::parse(&url, None).unwrap()).unwrap();
    let refused = mailer.send(&envelope(1)).await;
    assert!(matches!(&refused, Err(SendError::Transient(text)) if text.contains("STARTTLS")), "{refused:?}");
    assert_eq!(sink.log().attempts, 0);
}

#[tokio::test]
async fn an_address_that_is_none_never_reaches_the_server() {
    let sink = SmtpSink::start().await;
    let to_address = "ana@acme.example\r\nRCPT TO:<all@acme.example>".into();
    let refused = mailer(&sink).send(&Envelope { to_address, ..envelope(1) }).await;
    assert!(matches!(refused, Err(SendError::Permanent(_))));
    assert_eq!(sink.log().connections, 0);
}

#[tokio::test]
async fn an_international_address_is_final_where_the_server_cannot_carry_it() {
    let sink = SmtpSink::start().await;
    let refused = mailer(&sink).send(&Envelope { to_address: "añá@acme.example".into(), ..envelope(1) }).await;
    assert!(matches!(&refused, Err(SendError::Permanent(text)) if text.contains("SMTPUTF8")), "{refused:?}");
}
