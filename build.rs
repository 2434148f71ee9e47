//! Says whether a PostgreSQL to test on is named, so that tests which need one are ignored, and counted as ignored, without it.

use std::env;

const SERVER: &str = "SECONDLINE_TEST_POSTGRES_URL";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={SERVER}");
    println!("cargo::rustc-check-cfg=cfg(postgres_is_named)");
    if env::var(SERVER).is_ok_and(|url| !url.is_empty()) {
        println!("cargo::rustc-cfg=postgres_is_named");
    }
}
