//! Looks at a document's text before the parser does, whose recursion follows the nesting of brackets.

use super::limits::{self, Excess};

/// Counts the tokens of a document and the nesting of its brackets, in one pass over its bytes.
pub(super) fn scan(text: &str) -> Result<(), Excess> {
    let mut rest = text.as_bytes();
    let (mut tokens, mut nesting) = (0_usize, 0_usize);
    while let [first, after @ ..] = rest {
        rest = match first {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => {
                rest = after;
                continue;
            }
            b'#' => {
                rest = skip_while(after, |byte| byte != b'\n' && byte != b'\r');
                continue;
            }
            b'"' => after_string(after),
            b'{' | b'[' | b'(' => {
                nesting += 1;
                limits::within(nesting, limits::NESTING, "levels of brackets")?;
                after
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                after
            }
            _ if is_word(*first) => skip_while(after, is_word),
            _ => after,
        };
        tokens += 1;
        limits::within(tokens, limits::TOKENS, "words and signs")?;
    }
    Ok(())
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

/// What follows a string whose opening quote has been read. One that does not end is for the parser to refuse.
fn after_string(rest: &[u8]) -> &[u8] {
    if let Some(block) = rest.strip_prefix(b"\"\"") {
        return after_block(block);
    }
    let mut rest = rest;
    loop {
        rest = match rest {
            [] => return rest,
            [b'"', after @ ..] => return after,
            [b'\n' | b'\r', ..] => return rest,
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
        };
    }
}

fn after_block(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] => return rest,
            [b'"', b'"', b'"', after @ ..] => return after,
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
    fn every_word_and_sign_counts() {
        assert_eq!(scan(&"a ".repeat(limits::TOKENS)), Ok(()));
        assert!(scan(&"a ".repeat(limits::TOKENS + 1)).is_err());
        assert!(scan(&"!".repeat(limits::TOKENS + 1)).is_err());
        assert_eq!(scan(&" ,\n".repeat(100_000)), Ok(()));
    }
}
