//! What a patch may say of each fact.

use entity::vocab::{Category, Stage, TicketField};

use super::*;
use crate::domain::samples::{at, bare_ticket, clearing, everything, full_ticket, is_fact, patched, stating, subtype};

/// The codes of the problems that a patch of a full ticket has.
fn wrong(patch: &FactsPatch) -> Vec<(Code, String)> {
    let (_, problems) = full_ticket(Stage::Validating).facts.with(patch, at("02 10:00"));
    problems.into_iter().map(|problem| (problem.code, problem.field.unwrap())).collect()
}

/// A patch that sets every text to this one.
fn texts(text: &str) -> [(TicketField, FactsPatch); 10] {
    let set = || Patch::Set(text.to_owned());
    let none = FactsPatch::default;
    [
        (TicketField::Subject, FactsPatch { subject: set(), ..none() }),
        (TicketField::Description, FactsPatch { description: set(), ..none() }),
        (TicketField::AcceptanceCriteria, FactsPatch { acceptance_criteria: set(), ..none() }),
        (TicketField::StepsToReproduce, FactsPatch { steps_to_reproduce: set(), ..none() }),
        (TicketField::Browser, FactsPatch { browser: set(), ..none() }),
        (TicketField::OperatingSystem, FactsPatch { operating_system: set(), ..none() }),
        (TicketField::AppVersion, FactsPatch { app_version: set(), ..none() }),
        (TicketField::Workaround, FactsPatch { workaround: set(), ..none() }),
        (TicketField::ResolutionNotes, FactsPatch { resolution_notes: set(), ..none() }),
        (TicketField::TargetUrl, FactsPatch { target_url: set(), ..none() }),
    ]
}

fn is_one_line(field: TicketField) -> bool {
    use TicketField::{AppVersion, Browser, OperatingSystem, Subject, TargetUrl};
    matches!(field, Subject | Browser | OperatingSystem | AppVersion | TargetUrl)
}

#[test]
fn no_text_may_be_blank() {
    for blank in ["", "   ", "\n\t\r\n", "\u{a0}\u{3000}"] {
        for (field, patch) in texts(blank) {
            assert_eq!(wrong(&patch), [(Code::Blank, input_path(field).to_owned())], "{blank:?}");
        }
    }
}

#[test]
fn texts_are_kept_without_the_blanks_around_them() {
    let patch = FactsPatch { workaround: Patch::Set(" \n use\n\tthe phone \n".to_owned()), ..FactsPatch::default() };
    let facts = patched(&bare_ticket(Stage::Validating).facts, &patch);
    assert_eq!(facts.workaround.as_deref(), Some("use\n\tthe phone"));
}

#[test]
fn each_text_has_its_limit_in_characters() {
    for (field, limit) in [
        (TicketField::Subject, SUBJECT_LIMIT),
        (TicketField::Browser, LINE_LIMIT),
        (TicketField::OperatingSystem, LINE_LIMIT),
        (TicketField::AppVersion, LINE_LIMIT),
        (TicketField::Description, TEXT_LIMIT),
        (TicketField::AcceptanceCriteria, TEXT_LIMIT),
        (TicketField::StepsToReproduce, TEXT_LIMIT),
        (TicketField::Workaround, TEXT_LIMIT),
        (TicketField::ResolutionNotes, TEXT_LIMIT),
    ] {
        let of_length =
            |length: usize| texts(&"ü".repeat(length)).into_iter().find(|(known, _)| *known == field).unwrap().1;
        assert_eq!(wrong(&of_length(limit)), []);
        assert_eq!(wrong(&of_length(limit + 1)), [(Code::TooLong, input_path(field).to_owned())]);
    }
    let address = |length: usize| {
        let address = format!("https://acme.example/{}", "a".repeat(length - "https://acme.example/".len()));
        FactsPatch { target_url: Patch::Set(address), ..FactsPatch::default() }
    };
    assert_eq!(wrong(&address(URL_LIMIT)), []);
    assert_eq!(wrong(&address(URL_LIMIT + 1)), [(Code::TooLong, "facts.targetUrl".to_owned())]);
}

#[test]
fn no_text_may_have_control_characters_and_only_long_texts_have_lines() {
    for (control, in_long_texts) in [
        ("\0", false),
        ("\u{1b}[31m", false),
        ("\u{85}", false),
        ("\u{7f}", false),
        ("\n", true),
        ("\r\n", true),
        ("\t", true),
    ] {
        for (field, patch) in texts(&format!("https://acme.example/a{control}b")) {
            let invalid = vec![(Code::Invalid, input_path(field).to_owned())];
            let expected = if in_long_texts && !is_one_line(field) { vec![] } else { invalid };
            assert_eq!(wrong(&patch), expected, "{field} with {control:?}");
        }
    }
}

#[test]
fn an_address_is_a_complete_http_or_https_one() {
    for address in [
        "http://acme.example",
        "https://acme.example:8443/a?b=c#d",
        "HTTPS://ACME.EXAMPLE",
        "https://[2001:db8::1]/",
        "https://müller.example/straße",
        " https://acme.example/ ",
    ] {
        let set = || Patch::Set(address.to_owned());
        assert_eq!(wrong(&FactsPatch { target_url: set(), pull_request: set(), ..FactsPatch::default() }), []);
    }
    for address in [
        "acme.example",
        "/basket",
        "ftp://acme.example",
        "javascript:alert(1)",
        "data:text/html,hello",
        "file:///etc/passwd",
        "mailto:carla@acme.example",
        "http://",
        "https://:80",
        "https:",
        "https:acme.example",
        "https:/acme.example",
        "see https://acme.example",
    ] {
        let set = || Patch::Set(address.to_owned());
        let both = FactsPatch { target_url: set(), pull_request: set(), ..FactsPatch::default() };
        let fields = ["facts.targetUrl", "facts.pullRequest"];
        assert_eq!(wrong(&both), fields.map(|field| (Code::Invalid, field.to_owned())), "{address}");
    }
}

#[test]
fn every_problem_of_a_patch_is_named_at_once() {
    let patch = FactsPatch {
        subject: Patch::Clear,
        target_url: Patch::Set("ftp://acme.example".to_owned()),
        category: Patch::Set(Category::SecurityIssues),
        pull_request_merged_at: Patch::Set(at("03 10:00")),
        ..FactsPatch::default()
    };
    assert_eq!(
        wrong(&patch),
        [
            (Code::Blank, "facts.subject".to_owned()),
            (Code::Invalid, "facts.targetUrl".to_owned()),
            (Code::Unknown, "facts.subtypeId".to_owned()),
            (Code::Invalid, "facts.pullRequestMergedAt".to_owned()),
        ]
    );
}

#[test]
fn an_archived_subtype_is_not_chosen_anew_but_stays_where_it_was() {
    let archived = Subtype { archived: true, ..subtype(Category::BugsDefects) };
    let choose = FactsPatch { subtype: Patch::Set(archived.clone()), ..FactsPatch::default() };
    assert_eq!(wrong(&choose), [(Code::Unknown, "facts.subtypeId".to_owned())]);

    let mut facts = full_ticket(Stage::Validating).facts;
    facts.subtype = archived;
    assert_eq!(facts.with(&stating(&[TicketField::Browser]), at("02 10:00")).1, []);
}

#[test]
fn a_merge_lies_in_the_past_give_or_take_the_clocks() {
    for (merged_at, accepted) in [("01 10:00", true), ("02 10:00", true), ("02 10:05", true), ("02 10:06", false)] {
        let patch = FactsPatch { pull_request_merged_at: Patch::Set(at(merged_at)), ..FactsPatch::default() };
        assert_eq!(wrong(&patch).is_empty(), accepted, "{merged_at}");
    }
}

#[test]
fn a_merge_belongs_to_its_pull_request() {
    let merged = full_ticket(Stage::Verifying).facts;
    let with = |patch: &FactsPatch| patched(&merged, patch).pull_request_merged_at;
    let another = Patch::Set("https://git.example/pulls/2".to_owned());
    assert_eq!(with(&FactsPatch { pull_request: another.clone(), ..FactsPatch::default() }), None);
    assert_eq!(with(&clearing(&[TicketField::PullRequest])), None);
    assert_eq!(with(&stating(&[TicketField::PullRequest])), merged.pull_request_merged_at, "it is the same one");
    let merged_at = Patch::Set(at("02 09:45"));
    let both = FactsPatch { pull_request: another, pull_request_merged_at: merged_at, ..FactsPatch::default() };
    assert_eq!(with(&both), Some(at("02 09:45")));
}

#[test]
fn a_patch_says_what_it_states_and_nothing_else() {
    for field in TicketField::all().filter(|field| is_fact(*field)) {
        assert_eq!(stating(&[field]).stated_fields(), [field]);
        assert_eq!(clearing(&[field]).stated_fields(), [field]);
    }
    assert_eq!(FactsPatch::default().stated_fields(), []);
}

#[test]
fn every_fact_reads_as_it_was_stated_and_as_nothing_when_cleared() {
    let facts = full_ticket(Stage::Validating).facts;
    let known: Vec<_> = TicketField::all().filter(|field| facts.value(*field).is_some()).collect();
    assert_eq!(known, TicketField::all().filter(|field| is_fact(*field)).collect::<Vec<_>>());
    for field in everything().stated_fields() {
        let cleared = patched(&facts, &clearing(&[field]));
        assert_eq!(cleared.value(field), None);
        let changed: Vec<_> = Facts::changes(Some(&facts), &cleared).into_iter().map(|change| change.field).collect();
        let merge = (field == TicketField::PullRequest).then_some(TicketField::MergedPullRequest);
        assert_eq!(changed, [field].into_iter().chain(merge).collect::<Vec<_>>());
    }
}

#[test]
fn facts_read_as_people_write_them() {
    let facts = full_ticket(Stage::Validating).facts;
    for (field, value) in [
        (TicketField::Category, "Bugs / Defects"),
        (TicketField::OpsCanReproduce, "yes"),
        (TicketField::AffectsOtherClients, "no"),
        (TicketField::EstimatedDeliveryDate, "2026-03-10"),
        (TicketField::MergedPullRequest, "2026-03-02T09:30:00Z"),
    ] {
        assert_eq!(facts.value(field).as_deref(), Some(value));
    }
}
