//! Copying files so that they stay: with a checksum, and on the disk before anything says that they are there.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use rustix::fs::statvfs;
use sha2::{Digest, Sha256};

use crate::private_files;

/// Read and written at once.
const CHUNK: usize = 256 * 1024;

/// What identifies the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// In bytes.
    pub(super) size: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
}

/// Copies a file to a place where none is, for its owner alone, and onto the disk.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<Fingerprint> {
    let from = File::open(from)?;
    if !from.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut copy = private_files::create(to)?;
    let fingerprint = digest(from, |part| copy.write_all(part))?;
    copy.sync_all()?;
    Ok(fingerprint)
}

/// Reads a file to its end.
pub(super) fn fingerprint(file: &Path) -> io::Result<Fingerprint> {
    digest(File::open(file)?, |_| Ok(()))
}

fn digest(mut from: File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Fingerprint> {
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        hash.update(part);
        each(part)?;
        size += u64::try_from(read).unwrap_or(0);
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Fingerprint { size, sha256 })
}

/// How many bytes the file system of a folder takes from whoever runs this.
pub(super) fn free_space(folder: &Path) -> io::Result<u64> {
    let found = statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Has the names in a folder on the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// All files in a folder and below it, by their paths in it with `/` between the parts; none where it is not there.
pub(super) fn files_in(folder: &Path) -> io::Result<Vec<String>> {
    let (mut found, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(at) = folders.pop() {
        let entries = match fs::read_dir(folder.join(&at)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && at.is_empty() => return Ok(found),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if at.is_empty() { name } else { format!("{at}/{name}") };
            if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// A path within a folder; `None` where it would lead out of it.
pub(super) fn within(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    (stays && path.file_name().is_some()).then(|| folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_does_not_lead_out_of_its_folder() {
        let folder = Path::new("/data");
        assert_eq!(within(folder, "files/a"), Some(PathBuf::from("/data/files/a")));
        for path in ["", "..", "../a", "a/../../b", "/etc/passwd"] {
            assert_eq!(within(folder, path), None, "{path}");
        }
    }

    #[test]
    fn a_copy_has_the_fingerprint_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&from, vec![7; 3 * CHUNK + 1]).unwrap();
        let copied = copy(&from, &to).unwrap();
        assert_eq!(copied, fingerprint(&to).unwrap());
        assert_eq!(copied.size, u64::try_from(3 * CHUNK + 1).unwrap());
        fs::write(&from, "abc").unwrap();
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint(&from).unwrap().sha256, of_abc);
        assert!(copy(folder.path(), &to).is_err(), "a folder is no file");
    }
}
