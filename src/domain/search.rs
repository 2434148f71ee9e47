//! What people search tickets by: words and keys, never the search syntax of a database.
//!
//! Pure: imports the facts and the key's form. Texts and searches are cut into words the same way, here, so that both databases
//! find the same. Example: `"Export" -fails*` asks for tickets with the word `export` and a word that starts with `fails`.
//!
//! What contacts may find is indexed by company: each word begins with a key of the company whose ticket it stands in, so that a
//! search goes to nothing that belongs to others. How long it takes, then, tells nothing of what others write about.

use std::collections::BTreeSet;

use entity::id::CompanyId;

use crate::domain::{facts::Facts, ticket::parse_key};

/// Longer words are kept and searched by their beginning only; PostgreSQL takes 2,046 bytes.
const LONGEST_WORD: usize = 100;
/// Bytes of one document's words: PostgreSQL's search document holds a megabyte.
const LARGEST_DOCUMENT: usize = 500_000;
/// The digits of the largest ticket number.
const LONGEST_NUMBER: usize = 18;

/// What a caller searches for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Words that must all be there; the last one may go on, for it may still be being typed.
    pub words: Vec<String>,
    /// The number of a ticket, where a key or a number was typed.
    pub number: Option<i64>,
}

impl Search {
    /// The search that a text asks for.
    pub fn parse(text: &str) -> Self {
        let trimmed = text.trim();
        let is_number =
            (1..=LONGEST_NUMBER).contains(&trimmed.len()) && trimmed.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_number { trimmed.parse().ok() } else { parse_key(trimmed) };
        let mut words = Vec::new();
        for word in split(text) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        Self { words, number }
    }
}

/// Whether a ticket with these facts is found by other words than it was.
pub fn is_found_otherwise(before: &Facts, after: &Facts) -> bool {
    let texts = |facts: &Facts| (facts.subject.clone(), facts.description.clone(), facts.steps_to_reproduce.clone());
    texts(before) != texts(after)
}

/// The words of some texts, each once, in alphabetical order; those of the first texts where it is too much.
pub fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words_under("", texts)
}

/// The same, each as [`word_of`] the company.
pub fn words_of<'a>(company: CompanyId, texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words_under(&company_key(company), texts)
}

/// A word as it is indexed for the contacts of a company: after the company's key.
pub fn word_of(company: CompanyId, word: &str) -> String {
    company_key(company) + word
}

/// The last 48 bits of the company's id in hexadecimal digits: most of them are random. Where two companies share a key, a search finds
/// nothing wrong, for its scope is checked as well; only its time tells of both.
fn company_key(CompanyId(id): CompanyId) -> String {
    format!("{:012x}", id.as_u128() & 0xffff_ffff_ffff)
}

fn words_under<'a>(key: &str, texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut bytes = 0;
    for word in texts.into_iter().flat_map(split) {
        let word = format!("{key}{word}");
        if bytes + word.len() > LARGEST_DOCUMENT {
            break;
        }
        if !found.contains(&word) {
            bytes += word.len();
            found.insert(word);
        }
    }
    found.into_iter().collect()
}

/// Letters and digits in a row, in lower case.
fn split(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty());
    parts
        .map(|part| part.chars().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric()))
        .map(|letters| letters.take(LONGEST_WORD).collect::<String>())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_search_is_its_words_in_lower_case() {
        let search = |text: &str| Search::parse(text).words.join(" ");
        assert_eq!(search("Export STOPS"), "export stops");
        assert_eq!(search("\"export\" NEAR/3 (row* OR -subject:x) & ! | ^ 'y'"), "export near 3 row or subject x y");
        assert_eq!(search("shop.example.com/orders?id=7"), "shop example com orders id 7");
        assert_eq!(search("ÜBERSICHT 注文 naïve_İx"), "übersicht 注文 naïve ix");
        assert_eq!(search(" -*\"'%_\\\0 "), "");
        assert_eq!(search("a a b a"), "a b");
    }

    #[test]
    fn a_key_or_a_number_names_a_ticket() {
        for text in ["L2-12", "l2-12", " 12 ", "012"] {
            assert_eq!(Search::parse(text).number, Some(12), "{text}");
        }
        for text in ["12 rows", "L2-", "L3-12", "-12", "1.2", "99999999999999999999", "१२"] {
            assert_eq!(Search::parse(text).number, None, "{text}");
        }
    }

    #[test]
    fn long_words_and_documents_are_cut() {
        let long = "ä".repeat(5_000);
        assert_eq!(words([long.as_str()]), ["ä".repeat(LONGEST_WORD)]);
        assert_eq!(Search::parse(&long).words, words([long.as_str()]));
        let many: Vec<_> = (0..200_000).map(|number| number.to_string()).collect();
        let text = many.join(" ");
        let company = CompanyId(uuid::Uuid::from_u128(7));
        for words in [words([text.as_str()]), words_of(company, [text.as_str()])] {
            let bytes: usize = words.iter().map(String::len).sum();
            assert!((LARGEST_DOCUMENT - 20..=LARGEST_DOCUMENT).contains(&bytes), "{bytes}");
        }
    }

    #[test]
    fn words_of_a_company_begin_with_its_key() {
        let company = CompanyId(uuid::Uuid::from_u128(0x0198_0000_0000_7000_8000_00ab_cdef_0123));
        assert_eq!(words_of(company, ["Export, export!"]), ["00abcdef0123export"]);
        assert_eq!(word_of(company, "export"), "00abcdef0123export");
    }

    proptest! {
        #[test]
        fn words_hold_nothing_but_letters_and_digits(text in ".{0,200}") {
            for word in Search::parse(&text).words {
                prop_assert!(!word.is_empty() && word.chars().all(char::is_alphanumeric), "{word:?}");
                prop_assert_eq!(Search::parse(&word).words, [word]);
            }
        }
    }
}
