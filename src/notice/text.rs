//! Makes what people typed safe to stand in a mail: one line stays one line, and nothing reorders our own words.
//!
//! Imports nothing. Example: `one_line("Export\r\nBcc: x")` is `Export Bcc: x`.

/// Turns control characters, line breaks included, into single spaces and trims the ends.
pub(super) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().filter(|c| !reorders(*c)).map(|c| if breaks(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Keeps line breaks (as `\n`) and tabs, drops every other control character, trims the end and empty lines in front.
pub(super) fn many_lines(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let kept: String = lines.chars().filter(|c| matches!(c, '\n' | '\t') || !(breaks(*c) || reorders(*c))).collect();
    kept.lines().map(str::trim_end).skip_while(|line| line.is_empty()).collect::<Vec<_>>().join("\n").trim_end().into()
}

/// Whether a character ends or corrupts a line.
fn breaks(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Whether a character is a bidirectional override or isolate: unclosed, it would turn the words after it around.
const fn reorders(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
