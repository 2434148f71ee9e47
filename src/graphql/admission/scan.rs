//! Looks at a document's text before the parser does, whose recursion follows the nesting of brackets.

use super::limits::{self, Excess, within};

/// Words beside the fields of a document: keywords, names of fragments and of types.
const OTHER_WORDS: usize = 2_000;

/// Why a document is not given to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is over a limit.
    Excess(Excess),
    /// A text in it does not end, which the parser would look for in many places.
    OpenText,
}

impl From<Excess> for Flaw {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

/// Counts what a document's text has of each kind, in one pass over its bytes, and refuses what no document needs.
pub(super) fn scan(text: &str) -> Result<(), Flaw> {
    let mut counts = Counts::default();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let left = counts.read(*first, after).ok_or(Flaw::OpenText)?;
        // The texts in it are read in one go, by the parser too.
        if *first != b'"' {
            counts.length += rest.len() - left.len();
            within(counts.length, limits::LENGTH, "bytes beside its texts")?;
        }
        counts.check()?;
        rest = left;
    }
    Ok(())
}

/// What was read so far.
#[derive(Default)]
struct Counts {
    length: usize,
    tokens: usize,
    /// Words outside of arguments: fields, mostly.
    words: usize,
    aliases: usize,
    directives: usize,
    longest_word: usize,
    /// Brackets that are open, and how many of them hold arguments.
    open: usize,
    open_arguments: usize,
}

impl Counts {
    /// Counts what begins with this byte; answers what follows it, none where it does not end.
    fn read<'a>(&mut self, first: u8, after: &'a [u8]) -> Option<&'a [u8]> {
        let in_arguments = self.open_arguments > 0;
        match first {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => return Some(after),
            b'#' => return Some(skip_while(after, |byte| byte != b'\n' && byte != b'\r')),
            _ => self.tokens += 1,
        }
        match first {
            b'"' => return after_string(after),
            b'{' | b'[' => self.open += 1,
            b'(' => {
                self.open += 1;
                self.open_arguments += 1;
            }
            b'}' | b']' => self.open = self.open.saturating_sub(1),
            b')' => {
                self.open = self.open.saturating_sub(1);
                self.open_arguments = self.open_arguments.saturating_sub(1);
            }
            b':' if !in_arguments => self.aliases += 1,
            b'@' => self.directives += 1,
            _ if is_word(first) => {
                let left = skip_while(after, is_word);
                self.longest_word = self.longest_word.max(1 + after.len() - left.len());
                self.words += usize::from(!in_arguments);
                return Some(left);
            }
            _ => {}
        }
        Some(after)
    }

    fn check(&self) -> Result<(), Excess> {
        within(self.tokens, limits::TOKENS, "words and signs")?;
        within(self.open, limits::NESTING, "levels of brackets")?;
        within(self.words, limits::FIELDS + OTHER_WORDS, "fields")?;
        within(self.aliases, limits::ALIASES, "aliases")?;
        within(self.directives, limits::DIRECTIVES, "directives")?;
        within(self.longest_word, limits::NAME, "letters in a name")
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn skip_while(mut rest: &[u8], skip: impl Fn(u8) -> bool) -> &[u8] {
    while let [first, after @ ..] = rest
        && skip(*first)
    {
        rest = after;
    }
    rest
}

/// What follows a string whose opening quote has been read; none where it does not end.
fn after_string(rest: &[u8]) -> Option<&[u8]> {
    if let Some(block) = rest.strip_prefix(b"\"\"") {
        return after_block(block);
    }
    let mut rest = rest;
    loop {
        rest = match rest {
            [] | [b'\n' | b'\r', ..] => return None,
            [b'"', after @ ..] => return Some(after),
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
        };
    }
}

fn after_block(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'"', b'"', b'"', after @ ..] => return Some(after),
            [b'\\', b'"', b'"', b'"', after @ ..] | [_, after @ ..] => after,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "{".repeat(limits::NESTING + 1);
        for text in
            [format!("# {many}\n{{a}}"), format!("{{a(b: \"{many}\")}}"), format!("{{a(b: \"\"\"{many}\"\"\")}}")]
        {
            assert_eq!(scan(&text), Ok(()), "{text}");
        }
        assert!(scan(&many).is_err());
    }

    #[test]
    fn an_escaped_quote_does_not_end_a_string() {
        let many = "[".repeat(limits::NESTING + 1);
        assert_eq!(scan(&format!(r#"{{a(b: "\"{many}")}}"#)), Ok(()));
        assert_eq!(scan(&format!(r#"{{a(b: """\"""{many}""")}}"#)), Ok(()));
    }

    #[test]
    fn a_text_that_does_not_end_is_found_at_once() {
        for open in ["{a(b: \"", "{a(b: \"x\n\")}", "{a(b: \"\"\"x\")}", "{a(b: \"\\\")}"] {
            assert_eq!(scan(open), Err(Flaw::OpenText), "{open}");
        }
    }

    #[test]
    fn everything_counts() {
        let refused = |text: String| match scan(&text) {
            Err(Flaw::Excess(excess)) => excess.of_what(),
            other => panic!("{other:?}"),
        };
        let signs = "! ".repeat(limits::TOKENS);
        assert_eq!(scan(&signs), Ok(()));
        assert_eq!(refused(signs + "!"), "words and signs");
        assert_eq!(refused(format!("{{ {} }}", "name ".repeat(limits::FIELDS + OTHER_WORDS + 1))), "fields");
        assert_eq!(refused(format!("{{ {} }}", "a: b ".repeat(limits::ALIASES + 1))), "aliases");
        assert_eq!(scan(&format!("{{ a({}) }}", "x: 1 ".repeat(limits::ALIASES + 1))), Ok(()));
        assert_eq!(refused(format!("{{ a {} }}", "@b ".repeat(limits::DIRECTIVES + 1))), "directives");
        assert_eq!(refused("x".repeat(limits::NAME + 1)), "letters in a name");
        assert_eq!(refused(" ".repeat(limits::LENGTH + 1)), "bytes beside its texts");
        assert_eq!(refused("#".repeat(limits::LENGTH + 1)), "bytes beside its texts");
        assert_eq!(scan(&format!("{{ a(b: \"{}\") }}", "x".repeat(200_000))), Ok(()));
    }
}
