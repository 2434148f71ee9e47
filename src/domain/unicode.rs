//! Characters that nobody sees, and texts that other programs read as other texts.
//!
//! Pure: imports Unicode's normal forms. Example: the Kelvin sign is a letter of its own, which lower-casing turns into a `k`.

use unicode_normalization::UnicodeNormalization;

/// Ranges that show nothing, or change how their neighbours are shown: soft hyphens, joiners, marks and overrides of direction,
/// line and paragraph separators, fillers and tags. Variation selectors belong to the picture before them and are not among them.
const INVISIBLE: [(char, char); 20] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Returns true for what shows nothing by itself, such as a zero-width space or a right-to-left override.
pub fn is_invisible(letter: char) -> bool {
    INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

/// Returns what a program reads that folds case or composes letters by the rules of Unicode: lower case in normal form KC.
pub fn folded_otherwise(text: &str) -> String {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).nfkc().collect::<String>();
    // A compatibility form can hold a capital, whose lower case can need composing.
    lower(&lower(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_other_programs_take_for_others_are_folded() {
        for (text, folded) in [
            ("mar\u{212a}", "mark"),
            ("MARK", "mark"),
            ("\u{ff4d}ark", "mark"),
            ("e\u{301}", "é"),
            ("É", "é"),
            ("ﬁx", "fix"),
            ("\u{17f}", "s"),
            ("㎒", "mhz"),
            ("straße", "straße"),
            ("注文", "注文"),
        ] {
            assert_eq!(folded_otherwise(text), folded, "{text}");
        }
    }

    #[test]
    fn what_shows_nothing_is_known() {
        assert!("\u{200b}\u{200d}\u{202e}\u{2066}\u{feff}\u{ad}\u{e0041}".chars().all(is_invisible));
        assert!(!"aÄ注 .-\u{301}\u{fe0f}".chars().any(is_invisible));
    }
}
