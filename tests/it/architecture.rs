//! Imports point one way: `main → app → {graphql, http, jobs} → service → {store, notice, delivery} → domain → entity`.

use std::path::{Path, PathBuf};

/// What each part of `src/` may import of the others.
const MAY_IMPORT: [(&str, &[&str]); 19] = [
    ("main", &["cli", "logging", "private_files"]),
    ("cli", &["app", "backup", "config", "demo", "domain", "graphql", "logging", "service", "store"]),
    (
        "app",
        &[
            "clock",
            "config",
            "delivery",
            "domain",
            "graphql",
            "http",
            "jobs",
            "notice",
            "oidc",
            "private_files",
            "service",
            "store",
        ],
    ),
    ("backup", &["clock", "delivery", "private_files", "store"]),
    ("demo", &["clock", "domain", "service"]),
    ("config", &["delivery", "domain", "graphql", "http", "logging", "oidc", "store"]),
    ("logging", &["config"]),
    ("health", &[]),
    ("http", &["clock", "domain", "graphql", "health", "logging", "service", "store"]),
    ("graphql", &["clock", "domain", "service", "store"]),
    ("jobs", &["clock", "health", "logging", "service"]),
    ("service", &["clock", "delivery", "domain", "notice", "oidc", "store"]),
    ("oidc", &[]),
    ("private_files", &[]),
    ("store", &["domain", "private_files"]),
    ("notice", &["domain"]),
    ("delivery", &["notice", "private_files"]),
    ("domain", &[]),
    ("clock", &[]),
];

/// Crates that must not be named in a part. `store` alone runs statements, and `domain` is pure.
const MUST_NOT_NAME: [(&str, &[&str]); 5] = [
    ("domain", &["sea_orm", "async_graphql", "tokio", "axum", "lettre"]),
    ("http", &["sea_orm", "lettre"]),
    ("notice", &["sea_orm", "async_graphql", "tokio", "axum", "lettre"]),
    ("delivery", &["sea_orm", "async_graphql", "axum"]),
    ("store", &["async_graphql", "axum", "lettre", "tokio"]),
];

/// What opens the database bounds the time of every statement, for all others.
const TIME_LIMITS: (&str, bool) = ("tokio", true);

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for (part, file, code) in sources() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(known, _)| *known == part) else {
            wrong.push(format!("{}: {part} is not on the map of this test", file.display()));
            continue;
        };
        for imported in imported_parts(&code) {
            if imported != part && !allowed.contains(&imported.as_str()) {
                wrong.push(format!("{}: {part} must not import {imported}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn parts_name_only_the_crates_that_are_theirs() {
    let mut wrong = Vec::new();
    for (part, file, code) in sources() {
        let forbidden = MUST_NOT_NAME.iter().find(|(known, _)| *known == part).map_or(&[][..], |(_, crates)| crates);
        for name in forbidden {
            if (*name, file.starts_with("store/connection")) == TIME_LIMITS {
                continue;
            }
            if code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(&format!("{name}::"))) {
                wrong.push(format!("{}: {part} must not name {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_store_uses_entity_tables() {
    let rows = ["Entity::find", "Entity::insert", "Entity::update", "Entity::delete", "ActiveModel"];
    let users: Vec<_> = sources()
        .into_iter()
        .filter(|(part, _, code)| part != "store" && rows.iter().any(|row| code.contains(row)))
        .map(|(_, file, _)| file)
        .collect();
    assert!(users.is_empty(), "{users:#?}");
}

/// What `.deny.toml` says why some advisories do not reach us: no private key of RSA, and no cache that evicts.
#[test]
fn code_with_known_flaws_is_not_used() {
    let flawed = ["EncodingKey", "jsonwebtoken::encode", "rsa::", "LruCache", "lru::", "ApolloPersistedQueries"];
    let users: Vec<_> = sources()
        .into_iter()
        .filter(|(_, _, code)| flawed.iter().any(|name| code.contains(name)))
        .map(|(_, file, _)| file)
        .collect();
    assert!(users.is_empty(), "see the advisories that .deny.toml ignores: {users:#?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, _, code)| !code.starts_with("//!")).map(|(_, file, _)| file).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// Every source file with the part it belongs to, without its tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).unwrap().to_owned();
                let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
                let part = first.trim_end_matches(".rs").to_owned();
                let is_test = relative.components().any(|part| part.as_os_str() == "tests")
                    || ["tests.rs", "samples.rs"].iter().any(|name| path.ends_with(name));
                if part != "lib" && !is_test {
                    let code = std::fs::read_to_string(&path).unwrap();
                    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                    found.push((part, relative, code.to_owned()));
                }
            }
        }
    }
    found.sort();
    found
}

/// The parts that `crate::…` paths outside comments name, in whatever form.
fn imported_parts(code: &str) -> Vec<String> {
    let code: String =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    let word =
        |text: &str| text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect::<String>();
    let mut parts = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => parts.extend(group_heads(group).iter().map(|head| word(head))),
            None => parts.push(word(rest)),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The first path segments of a `use crate::{…}` group.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut heads = vec![String::new()];
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(String::new()),
            letter if depth == 0 && !letter.is_whitespace() => heads.last_mut().unwrap().push(letter),
            _ => {}
        }
    }
    heads
}
