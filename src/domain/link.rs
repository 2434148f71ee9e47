//! How tickets relate to each other.
//!
//! Pure: imports only the vocabulary. A link is kept once and read from both sides. Example: where L2-2 duplicates L2-1, L2-1
//! is duplicated by L2-2, and cannot duplicate it in turn.

use std::collections::{BTreeMap, BTreeSet};

use entity::{
    id::TicketId,
    vocab::{LinkKind, LinkRelation},
};

use crate::domain::refusal::{Code, Problem};

/// How the ticket that links relates to the other one.
pub const fn outward(kind: LinkKind) -> LinkRelation {
    match kind {
        LinkKind::Duplicates => LinkRelation::Duplicates,
        LinkKind::CausedBy => LinkRelation::CausedBy,
    }
}

/// How the other one relates to the ticket that links.
pub const fn inward(kind: LinkKind) -> LinkRelation {
    match kind {
        LinkKind::Duplicates => LinkRelation::DuplicatedBy,
        LinkKind::CausedBy => LinkRelation::Causes,
    }
}

/// Whether `from` may link to `to`, given all links of the same kind.
///
/// # Errors
/// A ticket does not link to itself, twice to the same one, or in a circle.
pub fn check(from: TicketId, to: TicketId, links: &[(TicketId, TicketId)]) -> Result<(), Problem> {
    if from == to {
        return Err(Problem::at(Code::Invalid, "otherTicketId", "a ticket is not linked to itself"));
    }
    if links.contains(&(from, to)) {
        return Err(Problem::at(Code::AlreadyExists, "otherTicketId", "the tickets are linked so already"));
    }
    if reaches(to, from, links) {
        let message = "the other ticket leads back to this one by links of this kind; remove one of those first";
        return Err(Problem::at(Code::Invalid, "otherTicketId", message));
    }
    Ok(())
}

fn reaches(start: TicketId, goal: TicketId, links: &[(TicketId, TicketId)]) -> bool {
    let mut next: BTreeMap<TicketId, Vec<TicketId>> = BTreeMap::new();
    for (from, to) in links {
        next.entry(*from).or_default().push(*to);
    }
    let (mut seen, mut open) = (BTreeSet::from([start]), vec![start]);
    while let Some(ticket) = open.pop() {
        if ticket == goal {
            return true;
        }
        open.extend(next.get(&ticket).into_iter().flatten().filter(|other| seen.insert(**other)));
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn ticket(number: u8) -> TicketId {
        TicketId(Uuid::from_u128(u128::from(number)))
    }

    #[test]
    fn no_ticket_links_to_itself_twice_or_in_a_circle() {
        let links = [(ticket(1), ticket(2)), (ticket(2), ticket(3))];
        let code = |from, to| check(ticket(from), ticket(to), &links).err().map(|problem| problem.code);
        assert_eq!(code(1, 1), Some(Code::Invalid));
        assert_eq!(code(1, 2), Some(Code::AlreadyExists));
        assert_eq!(code(2, 1), Some(Code::Invalid));
        assert_eq!(code(3, 1), Some(Code::Invalid));
        assert_eq!(code(1, 3), None);
        assert_eq!(code(3, 4), None);
    }

    proptest! {
        #[test]
        fn accepted_links_never_make_a_circle(wanted in prop::collection::vec((0_u8..8, 0_u8..8), 0..40)) {
            let mut links: Vec<(TicketId, TicketId)> = Vec::new();
            for (from, to) in wanted {
                if check(ticket(from), ticket(to), &links).is_ok() {
                    links.push((ticket(from), ticket(to)));
                }
            }
            for number in 0..8 {
                let start = ticket(number);
                let next = links.iter().filter(|(from, _)| *from == start);
                prop_assert!(next.clone().all(|(_, to)| !reaches(*to, start, &links)));
            }
        }
    }
}
