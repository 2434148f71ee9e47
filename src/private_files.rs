//! Files and folders that only the user who runs this reads: folders 0700, files 0600.
//!
//! May import nothing of ours. [`make_private`] at the start of the program sees to what libraries make; what the program makes
//! itself asks for its mode, so that tests and other programs get the same. What was there before stays as it is, for somebody
//! may have meant it: [`wider`] tells of it. Example: SQLite makes `secondline.db-wal` with the mode of `secondline.db`, which
//! [`touch`] makes first. [`Lock`] keeps processes from using the same place at once; it ends with its process, however that ends.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::{fs::Mode, process::umask};

/// Its owner may list it and reach what is in it.
const FOLDER: u32 = 0o700;
/// Its owner may read and write it.
const FILE: u32 = 0o600;
/// What its group and everybody else may.
const OTHERS: u32 = 0o077;

/// Takes what the process makes from now on away from everybody else.
pub fn make_private() {
    umask(Mode::from_raw_mode(OTHERS));
}

/// Makes a folder, with those above it, where it is missing.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(folder)
}

/// Makes a file that is written anew, in the place of one that is there.
pub fn create(file: &Path) -> io::Result<File> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(FILE).open(file)
}

/// Makes an empty file where there is none.
pub fn touch(file: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(FILE).open(file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Returns the mode of a file or folder that others can use, such as `0o755`; `None` where nobody can, or it is not there.
pub fn wider(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}

/// A lock on a file or folder, released when it is dropped or its process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Who may have a lock at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody who shares it.
    Shared,
    /// Nobody else.
    Exclusive,
}

impl Lock {
    /// Locks a file or folder that is there; `None` if another process has a lock that excludes this one.
    pub fn attempt(path: &Path, sharing: Sharing) -> io::Result<Option<Self>> {
        // Network file systems let only who may write lock alone; nobody may write a folder.
        let file = OpenOptions::new().read(true).write(!path.is_dir()).open(path)?;
        let locked = match sharing {
            Sharing::Shared => file.try_lock_shared(),
            Sharing::Exclusive => file.try_lock(),
        };
        match locked {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Locks a file or folder that is there, together with others, and waits for whoever has it alone. Blocks the thread.
    pub fn wait_for_shared(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        file.lock_shared()?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Lock::attempt(folder.path(), Sharing::Shared).unwrap().unwrap();
        let other = Lock::wait_for_shared(folder.path()).unwrap();
        assert!(Lock::attempt(folder.path(), Sharing::Exclusive).unwrap().is_none());
        drop((shared, other));
        let alone = Lock::attempt(folder.path(), Sharing::Exclusive).unwrap().unwrap();
        assert!(Lock::attempt(folder.path(), Sharing::Shared).unwrap().is_none());
        drop(alone);
        assert!(Lock::attempt(&folder.path().join("none"), Sharing::Shared).is_err());
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_its_owners_and_what_was_there_stays() {
        let parent = tempfile::tempdir().unwrap();
        set_mode(parent.path(), 0o755);
        let folder = parent.path().join("a/b");
        make_folder(&folder).unwrap();
        make_folder(parent.path()).unwrap();
        assert_eq!((mode(&folder), mode(&parent.path().join("a")), mode(parent.path())), (0o700, 0o700, 0o755));
        assert_eq!((wider(&folder), wider(parent.path()), wider(&folder.join("none"))), (None, Some(0o755), None));
        let file = folder.join("file");
        touch(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        set_mode(&file, 0o644);
        touch(&file).unwrap();
        assert_eq!(wider(&file), Some(0o644));
        create(&file).unwrap();
        assert_eq!(wider(&file), None);
        assert!(create(&parent.path().join("none/file")).is_err() && touch(&parent.path().join("none/file")).is_err());
    }
}
