//! Which files may be attached to a ticket.
//!
//! Pure: imports the vocabulary and `infer`, which knows the first bytes of file formats. Example: a PNG that is declared as
//! `image/jpeg` is refused, and so is anything that a browser would run.

use crate::domain::{
    facts::clean_text,
    refusal::{Code, Problem, Refusal},
};

/// What may be attached. Pictures, recordings, documents and logs; never what a browser runs, such as SVG or HTML.
pub const CONTENT_TYPES: [&str; 7] =
    ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain", "video/mp4"];
/// How many bytes tell what a file is.
pub const FIRST_BYTES: usize = 8_192;
/// A file name fits into a line.
const NAME_LIMIT: usize = 200;
/// What a browser would run even if it were called plain text.
const MARKUP: [&str; 4] = ["<!doctype", "<html", "<script", "<svg"];

/// A file that is about to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub file_name: String,
    pub content_type: String,
    /// In bytes.
    pub size: i64,
}

/// Checks what is declared; answers it clean.
pub fn declare(file_name: &str, content_type: &str, size: i64, limit: u64) -> Result<Declared, Refusal> {
    let mut problems = Vec::new();
    let name = clean_text(file_name, NAME_LIMIT, false)
        .map_err(|(code, why)| Problem::at(code, "fileName", format!("the file name {why}")))
        .and_then(|name| {
            let is_path = name.contains(['/', '\\']) || name.chars().all(|letter| letter == '.');
            if is_path {
                Err(Problem::at(Code::Invalid, "fileName", "give a file name without folders"))
            } else {
                Ok(name)
            }
        });
    let content_type = content_type.trim().to_ascii_lowercase();
    if !CONTENT_TYPES.contains(&content_type.as_str()) {
        let message = format!("attach one of {}", CONTENT_TYPES.join(", "));
        problems.push(Problem::at(Code::Invalid, "contentType", message));
    }
    if size < 1 {
        problems.push(Problem::at(Code::Invalid, "size", "an empty file says nothing; state its size in bytes"));
    } else if u64::try_from(size).is_ok_and(|size| size > limit) {
        problems.push(Problem::at(Code::TooLong, "size", format!("the limit is {limit} bytes")));
    }
    match name {
        Ok(file_name) if problems.is_empty() => Ok(Declared { file_name, content_type, size }),
        Ok(_) => Err(Refusal(problems)),
        Err(problem) => Err(Refusal(std::iter::once(problem).chain(problems).collect())),
    }
}

/// Whether the first bytes of a file are of the declared type.
pub fn agrees(content_type: &str, first: &[u8]) -> bool {
    let first = first.get(..FIRST_BYTES).unwrap_or(first);
    if content_type == "text/plain" {
        return is_text(first);
    }
    let found = infer::get(first).map(|kind| kind.mime_type());
    found == Some(content_type) && CONTENT_TYPES.contains(&content_type)
}

/// UTF-8 without control characters but white space, that no browser takes for markup.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last letter may be cut.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let lower = text.to_ascii_lowercase();
    !text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}'))
        && !MARKUP.iter().any(|markup| lower.contains(markup))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn the_first_bytes_must_be_of_the_declared_type() {
        let pdf = b"%PDF-1.7\n";
        let gif = b"GIF89a\x01\0\x01\0";
        for (content_type, bytes, agreed) in [
            ("image/png", PNG, true),
            ("image/jpeg", PNG, false),
            ("text/plain", PNG, false),
            ("application/pdf", &pdf[..], true),
            ("image/gif", &gif[..], true),
            ("image/gif", &pdf[..], false),
            ("text/plain", "Zeile eins: äöü\n\tzwei".as_bytes(), true),
            ("text/plain", b"caf\xc3", true),
            ("text/plain", b"caf\xe9 au lait", false),
            ("text/plain", b"a\0b", false),
            ("text/plain", b"  <!DOCTYPE html><p>", false),
            ("text/plain", b"<?xml version='1.0'?><SVG onload='x'/>", false),
            ("image/svg+xml", b"<svg/>", false),
            ("text/html", b"<html>", false),
            ("image/png", b"", false),
        ] {
            assert_eq!(agrees(content_type, bytes), agreed, "{content_type} {bytes:?}");
        }
    }

    #[test]
    fn every_problem_of_a_declaration_is_told() {
        let codes = |name: &str, content_type: &str, size| {
            let refusal = declare(name, content_type, size, 100).unwrap_err();
            refusal.0.into_iter().map(|problem| (problem.code, problem.field.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(codes("../etc", "image/png", 1), [(Code::Invalid, "fileName".to_owned())]);
        assert_eq!(codes("..", "image/png", 1), [(Code::Invalid, "fileName".to_owned())]);
        let all = codes(" ", "image/svg+xml", 0);
        assert_eq!(all.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [Code::Blank, Code::Invalid, Code::Invalid]);
        assert_eq!(codes("a.png", "image/png", 101), [(Code::TooLong, "size".to_owned())]);
        let clean = declare(" a.png ", "Image/PNG", 100, 100).unwrap();
        assert_eq!(clean, Declared { file_name: "a.png".into(), content_type: "image/png".into(), size: 100 });
    }
}
