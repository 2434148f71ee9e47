//! Mail addresses, and the one way in which they are compared.
//!
//! Pure: imports `unicode`. ASCII letters count in either case, in the domain as before the `@`; everything else counts as it is.
//! To compare by all of Unicode's rules would let the owner of `mar\u{212a}@example.com` (a Kelvin sign) be `mark@example.com`, and
//! databases fold by rules that differ from each other's and with their locale. So they never fold: what is stored is an
//! [`Address`], and is looked for as one. Example: `Address::of("Ada@Example.com") == Address::of("ada@example.com")`.

use std::fmt;

use crate::domain::unicode::{folded_otherwise, is_invisible};

/// A mail address in the form in which it is stored and compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// The address that a text names, to be looked for. Whether it is well formed is another matter.
    pub fn of(text: &str) -> Self {
        Self(text.trim_ascii().to_ascii_lowercase())
    }

    /// The address that somebody states, to be stored.
    ///
    /// # Errors
    /// Says what to do where other programs would read another address, so that two people could take it for theirs.
    pub fn stated(text: &str) -> Result<Self, String> {
        let address = Self::of(text);
        if address.0.chars().any(is_invisible) {
            return Err("has characters that do not show; type it anew".to_owned());
        }
        let folded = folded_otherwise(&address.0);
        if folded != address.0 {
            return Err(format!(
                "has letters that other programs read as others; write {folded} if that is the address"
            ));
        }
        Ok(address)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a stored text is what would be stored today.
    pub fn is_stored_as(text: &str) -> bool {
        Self::stated(text).is_ok_and(|address| address.0 == text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_letters_count_in_either_case_and_nothing_else_does() {
        assert_eq!(Address::of(" Mark@Example.COM "), Address::of("mark@example.com"));
        for other in
            ["mar\u{212a}@example.com", "m\u{ff41}rk@example.com", "mark@ex\u{e4}mple.com", "mark@example.com\u{a0}"]
        {
            assert_ne!(Address::of(other), Address::of("mark@example.com"), "{other}");
        }
        assert_ne!(Address::of("É@example.com"), Address::of("é@example.com"));
    }

    #[test]
    fn an_address_that_others_read_otherwise_is_not_stored() {
        for (stated, advice) in [
            ("mar\u{212a}@example.com", "write mark@example.com"),
            ("É@example.com", "write é@example.com"),
            ("e\u{301}@example.com", "write é@example.com"),
            ("mark@\u{ff45}xample.com", "write mark@example.com"),
            ("mark@\u{130}.example", "write mark@i\u{307}.example"),
            ("ma\u{200b}rk@example.com", "type it anew"),
            ("mark\u{202e}@example.com", "type it anew"),
        ] {
            let refused = Address::stated(stated).unwrap_err();
            assert!(refused.contains(advice), "{stated}: {refused}");
        }
        for fine in ["Mark@Example.com", "é@example.com", "josé@bücher.example", "straße@example.com", "用户@例子.广告"]
        {
            assert_eq!(Address::stated(fine).unwrap(), Address::of(fine));
        }
        assert!(Address::is_stored_as("mark@example.com") && !Address::is_stored_as("Mark@example.com"));
    }
}
