//! What a database's errors mean for whoever asked: try again, or tell us.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// PostgreSQL's classes of what passes: connection exceptions, insufficient resources, operator intervention, system errors.
const PASSING_CLASSES: [&str; 4] = ["08", "53", "57", "58"];
/// PostgreSQL's single codes of what passes: a deadlock, and a server that only reads, as after a failover.
const PASSING_CODES: [&str; 2] = ["40P01", "25006"];
/// Of those, what is about the disk: it is full, it fails, it cannot be written.
const POSTGRES_DISK: [&str; 3] = ["53100", "58030", "25006"];
/// SQLite's primary codes of what passes: busy, locked, out of memory, interrupted by our time limit, protocol of locking.
const SQLITE_PASSING: [u16; 5] = [5, 6, 7, 9, 15];
/// SQLite's primary codes of a disk that fails: it cannot be written, input or output failed, it is full, no file opens.
const SQLITE_DISK: [u16; 4] = [8, 10, 13, 14];

/// Returns true if the database is gone, busy, or out of what it needs: the statement is not wrong, and may succeed later.
pub(in crate::store) fn is_unavailable(error: &DbErr) -> bool {
    match source(error) {
        Some(
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed,
        ) => true,
        Some(sqlx::Error::Database(database)) => database.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

/// Returns true if the database cannot write, or read, because of its disk.
pub(in crate::store) fn is_disk_failure(error: &DbErr) -> bool {
    let Some(sqlx::Error::Database(database)) = source(error) else { return false };
    database.code().is_some_and(|code| is_of_disk(&code))
}

/// Returns true if connecting may succeed a little later: the server is not there yet, starts, or is full.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

/// An error of connecting, in the shape of this layer.
pub(super) fn connecting(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

fn source(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source))
        | DbErr::Conn(RuntimeErr::SqlxError(source)) => Some(source),
        _ => None,
    }
}

fn is_passing(code: &str) -> bool {
    match sqlite_code(code) {
        Some(primary) => SQLITE_PASSING.contains(&primary) || SQLITE_DISK.contains(&primary),
        None => PASSING_CODES.contains(&code) || PASSING_CLASSES.iter().any(|class| code.starts_with(class)),
    }
}

fn is_of_disk(code: &str) -> bool {
    sqlite_code(code).map_or_else(|| POSTGRES_DISK.contains(&code), |primary| SQLITE_DISK.contains(&primary))
}

/// SQLite's primary code, the lowest byte of its own; `None` for PostgreSQL's, which have five characters.
fn sqlite_code(code: &str) -> Option<u16> {
    if code.len() == 5 { None } else { code.parse::<u16>().ok().map(|code| code & 0xFF) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_wrong() {
        for code in ["08006", "53300", "57014", "57P01", "5", "6", "261", "517"] {
            assert!(is_passing(code), "{code}");
        }
        for code in ["23505", "42601", "22P05", "40001", "1", "19", "531", "787", "2067", ""] {
            assert!(!is_passing(code), "{code}");
        }
    }

    #[test]
    fn a_disk_that_fails_passes_once_it_is_mended() {
        // SQLITE_FULL, _IOERR, _IOERR_WRITE, _IOERR_FSYNC, _READONLY, _READONLY_DBMOVED, _CANTOPEN.
        for code in ["13", "10", "778", "1034", "8", "1032", "14", "53100", "58030", "25006"] {
            assert!(is_passing(code) && is_of_disk(code), "{code}");
        }
        for code in ["5", "9", "57014", "53300", "40P01"] {
            assert!(is_passing(code) && !is_of_disk(code), "{code}");
        }
    }
}
