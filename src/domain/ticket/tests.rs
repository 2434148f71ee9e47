//! Keys, and what a ticket knows.

use entity::vocab::Stage;

use super::*;
use crate::domain::samples::{bare_ticket, full_ticket, is_fact};

#[test]
fn a_key_is_read_back_as_people_type_it() {
    let ticket = bare_ticket(Stage::Validating);
    assert_eq!(ticket.key(), "L2-7");
    for key in ["L2-7", "l2-7", "  L2-7\n", "L2-007"] {
        assert_eq!(parse_key(key), Some(7), "{key:?}");
    }
    assert_eq!(parse_key(&format!("L2-{}", i64::MAX)), Some(i64::MAX));
}

#[test]
fn what_is_no_key_is_not_read_as_one() {
    for text in [
        "",
        "7",
        "L2",
        "L2-",
        "L3-7",
        "L2-x",
        "L2--7",
        "L2-+7",
        "L2- 7",
        "L2-7x",
        "L2-٧",
        "é2-7",
        "L2-9223372036854775808",
    ] {
        assert_eq!(parse_key(text), None, "{text:?}");
    }
}

#[test]
fn a_ticket_knows_what_was_stated_of_it_its_company_and_its_way() {
    let mut ticket = full_ticket(Stage::Validating);
    assert!(TicketField::all().filter(|field| is_fact(*field)).all(|field| ticket.knows(field)));
    ticket.company.tier = None;
    for field in TicketField::all().filter(|field| !is_fact(*field)) {
        assert!(!ticket.knows(field), "{field}");
    }
    ticket.company.tier = Some(CompanyTier::TierThree);
    ticket.de_escalation_reasons = vec![DeEscalationReason::Other];
    ticket.level_one_reference = Some("L1-12".to_owned());
    ticket.assignee = Some(crate::domain::samples::assignee("Tess"));
    assert!(TicketField::all().all(|field| ticket.knows(field)));
}
