//! Which files may be attached to a ticket.
//!
//! Pure: imports the vocabulary and `infer`, which knows the first bytes of file formats. Example: a PNG that is declared as
//! `image/jpeg` is refused, and so is anything that a browser would run.

use crate::domain::{
    facts::clean_text,
    refusal::{Code, Problem, Refusal},
    unicode::is_invisible,
};

/// What may be attached: pictures, recordings, documents and logs; never what a browser runs, such as SVG or HTML. Each with
/// the endings that names of such files have, of which the first is added where a name has none of them.
const TYPES: [(&str, &[&str]); 7] = [
    ("image/png", &["png"]),
    ("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    ("image/gif", &["gif"]),
    ("image/webp", &["webp"]),
    ("application/pdf", &["pdf"]),
    // What programs open to show or edit, and never to run.
    ("text/plain", &["txt", "text", "log", "csv", "tsv", "json", "md", "yaml", "yml", "har", "diff", "patch", "sql"]),
    ("video/mp4", &["mp4", "m4v"]),
];
/// How many bytes tell what a file is.
pub const FIRST_BYTES: usize = 8_192;
/// A file name fits into a line.
const NAME_LIMIT: usize = 200;
/// Most file systems take 255 bytes; programs add something of their own, such as ` (1)`.
const NAME_BYTES: usize = 240;
/// The ending of what is of no type that is known any more.
const NO_TYPE: [&str; 1] = ["bin"];
/// What Windows opens as a device, whatever the ending.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// Devices with a number, which can be a superscript.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];
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

/// Checks what is declared; answers it clean, under a name that is harmless and fits the type.
pub fn declare(file_name: &str, content_type: &str, size: i64, limit: u64) -> Result<Declared, Refusal> {
    let mut problems = Vec::new();
    let content_type = content_type.trim().to_ascii_lowercase();
    let name = stated_name(file_name).map_err(|(code, why)| problems.push(Problem::at(code, "fileName", why)));
    if !TYPES.iter().any(|(known, _)| *known == content_type) {
        let message = format!("attach one of {}", TYPES.map(|(known, _)| known).join(", "));
        problems.push(Problem::at(Code::Invalid, "contentType", message));
    }
    if size < 1 {
        problems.push(Problem::at(Code::Invalid, "size", "an empty file says nothing; state its size in bytes"));
    } else if u64::try_from(size).is_ok_and(|size| size > limit) {
        problems.push(Problem::at(Code::TooLong, "size", format!("the limit is {limit} bytes")));
    }
    match name {
        Ok(name) if problems.is_empty() => {
            Ok(Declared { file_name: harmless_name(&name, &content_type), content_type, size })
        }
        _ => Err(Refusal(problems)),
    }
}

/// The name that somebody gives a file, or why it cannot be one.
fn stated_name(file_name: &str) -> Result<String, (Code, String)> {
    let visible: String = file_name.chars().filter(|letter| !is_invisible(*letter)).collect();
    let name = clean_text(&visible, NAME_LIMIT, false).map_err(|(code, why)| (code, format!("the file name {why}")))?;
    if name.contains(['/', '\\']) || name.chars().all(|letter| letter == '.') {
        return Err((Code::Invalid, "give a file name without folders".to_owned()));
    }
    if name.len() > NAME_BYTES {
        let message = format!("the file name has {} bytes in UTF-8; the limit is {NAME_BYTES}", name.len());
        return Err((Code::TooLong, message));
    }
    Ok(name)
}

/// A name under which a file of the type can be saved and opened without harm, on any system.
///
/// Its last ending is one of the type, for that is what decides which program opens it; so `page.html` of plain text becomes
/// `page.html.txt`. Nothing in it is invisible, so that it ends as it is shown. A name that is harmless stays as it is.
pub fn harmless_name(file_name: &str, content_type: &str) -> String {
    let visible = file_name.chars().filter(|letter| !letter.is_control() && !is_invisible(*letter));
    let plain: String = visible.map(|letter| if "/\\<>:\"|?*".contains(letter) { '_' } else { letter }).collect();
    let mut name = plain.trim().trim_end_matches(is_dropped).to_owned();
    if name.is_empty() {
        "file".clone_into(&mut name);
    }
    if is_device(&name) {
        name.insert(0, '_');
    }
    let endings = TYPES.iter().find(|(known, _)| *known == content_type).map_or(&NO_TYPE[..], |(_, endings)| endings);
    let fits = |(stem, ending): &(&str, &str)| {
        !stem.is_empty() && endings.iter().any(|known| known.eq_ignore_ascii_case(ending))
    };
    let (stem, ending) = match name.rsplit_once('.').filter(fits) {
        Some(parts) => parts,
        None => (name.as_str(), endings.first().copied().unwrap_or_default()),
    };
    format!("{}.{ending}", shortened(stem, ending.len() + 1))
}

/// What Windows drops from the end of a name.
fn is_dropped(letter: char) -> bool {
    letter == '.' || letter.is_whitespace()
}

/// The beginning of a name that leaves room for so many more bytes.
fn shortened(stem: &str, more: usize) -> &str {
    let fits = |(at, letter): &(usize, char)| at + letter.len_utf8() + more <= NAME_BYTES;
    let letters = stem.char_indices().take(NAME_LIMIT.saturating_sub(more)).take_while(fits);
    let end = letters.last().map_or(0, |(at, letter)| at + letter.len_utf8());
    let kept = stem.get(..end).unwrap_or(stem);
    if kept.len() < stem.len() { kept.trim_end_matches(is_dropped) } else { kept }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is_numbered = |device: &&str| {
        let number = stem.get(device.len()..).unwrap_or_default();
        stem.get(..device.len()).is_some_and(|start| start.eq_ignore_ascii_case(device))
            && number.chars().count() == 1
            && number.chars().all(|digit| digit.is_ascii_digit() || "¹²³".contains(digit))
    };
    DEVICES.iter().any(|device| stem.eq_ignore_ascii_case(device)) || NUMBERED_DEVICES.iter().any(is_numbered)
}

/// Whether the first bytes of a file are of the declared type.
pub fn agrees(content_type: &str, first: &[u8]) -> bool {
    let first = first.get(..FIRST_BYTES).unwrap_or(first);
    if content_type == "text/plain" {
        return is_text(first);
    }
    let found = infer::get(first).map(|kind| kind.mime_type());
    found == Some(content_type) && TYPES.iter().any(|(known, _)| *known == content_type)
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
    use proptest::prelude::*;

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

    /// A name that a file of the type is to get, and the one that it gets.
    const NAMES: [(&str, &str, &str); 31] = [
        ("report.pdf", "application/pdf", "report.pdf"),
        ("photo.JPG", "image/jpeg", "photo.JPG"),
        ("photo.jfif", "image/jpeg", "photo.jfif"),
        ("server.log", "text/plain", "server.log"),
        ("export.csv", "text/plain", "export.csv"),
        ("Übersicht 1.png", "image/png", "Übersicht 1.png"),
        ("README", "text/plain", "README.txt"),
        ("screenshot", "image/png", "screenshot.png"),
        ("page.html", "text/plain", "page.html.txt"),
        ("evil.hta", "text/plain", "evil.hta.txt"),
        ("x.svg", "text/plain", "x.svg.txt"),
        ("main.rs", "text/plain", "main.rs.txt"),
        ("report.pdf.exe", "application/pdf", "report.pdf.exe.pdf"),
        ("picture.png", "image/jpeg", "picture.png.jpg"),
        ("evil\u{202e}gpj.exe", "text/plain", "evilgpj.exe.txt"),
        ("a\u{200b}b\u{2066}.png", "image/png", "ab.png"),
        ("a\r\nb.png", "image/png", "ab.png"),
        ("a.png. . ", "image/png", "a.png"),
        ("a.exe\u{a0}.", "image/png", "a.exe.png"),
        ("a.txt:evil.exe", "text/plain", "a.txt_evil.exe.txt"),
        ("../../etc/passwd", "text/plain", ".._.._etc_passwd.txt"),
        ("a|b<c>d?e*f\"g.txt", "text/plain", "a_b_c_d_e_f_g.txt"),
        ("con.png", "image/png", "_con.png"),
        ("NUL", "text/plain", "_NUL.txt"),
        ("com1.log.txt", "text/plain", "_com1.log.txt"),
        ("LPT³.txt", "text/plain", "_LPT³.txt"),
        ("company.txt", "text/plain", "company.txt"),
        (".htaccess", "text/plain", ".htaccess.txt"),
        (".png", "image/png", ".png.png"),
        (" \u{feff}. ", "text/plain", "file.txt"),
        ("page.html", "text/html", "page.html.bin"),
    ];

    #[test]
    fn a_name_ends_as_its_type_does_and_as_it_is_shown() {
        for (given, content_type, name) in NAMES {
            assert_eq!(harmless_name(given, content_type), name, "{given:?}");
        }
        let long = format!("{}.html", "ä".repeat(190));
        let short = harmless_name(&long, "text/plain");
        assert!(short.ends_with(".txt") && short.len() <= NAME_BYTES, "{short}");
    }

    #[test]
    fn a_declaration_gets_the_name_that_fits() {
        let declared = |name: &str| declare(name, "text/plain", 1, 100).map(|declared| declared.file_name);
        assert_eq!(declared("page.html").unwrap(), "page.html.txt");
        assert_eq!(declared("in\u{202e}voice").unwrap(), "invoice.txt");
        for refused in ["a\nb.txt", "a/b.txt", "\u{202e}", &"ä".repeat(199), &"a".repeat(201)] {
            assert!(declared(refused).is_err(), "{refused:?}");
        }
    }

    proptest! {
        #[test]
        fn a_harmless_name_stays_as_it_is(name in "\\PC{0,300}", of in 0..TYPES.len()) {
            let content_type = TYPES[of].0;
            let once = harmless_name(&name, content_type);
            prop_assert!(once.len() <= NAME_BYTES && once.chars().count() <= NAME_LIMIT && !is_device(&once));
            let ends = |ending: &&str| once.to_ascii_lowercase().ends_with(&format!(".{ending}"));
            let fits = TYPES[of].1.iter().any(ends);
            prop_assert!(fits);
            prop_assert_eq!(harmless_name(&once, content_type), once);
        }
    }
}
