//! Reading and writing key files: whole or not at all, and for their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use jobs::faults::step;
use secrecy::{ExposeSecret, SecretString};

use crate::error::Failure;

/// Makes the folder, mode 0700; one that is there must not be writable by others.
pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    if !folder.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| wrong(folder, &error))?;
    }
    let mode = fs::metadata(folder)
        .map_err(|error| wrong(folder, &error))?
        .mode();
    if mode & 0o022 == 0 {
        Ok(())
    } else {
        Err(Failure::usage(
            folder.display().to_string(),
            format!(
                "others can write there (mode {:04o}); chmod 700 it",
                mode & 0o7777
            ),
        ))
    }
}

/// A private key's text; refused when others can read it.
pub(super) fn read_private(file: &Path) -> Result<SecretString, Failure> {
    let mode = fs::metadata(file)
        .map_err(|error| wrong(file, &error))?
        .mode();
    if mode & 0o077 != 0 {
        return Err(Failure::usage(
            file.display().to_string(),
            format!(
                "others can read this private key (mode {:04o}); chmod 600 it",
                mode & 0o7777
            ),
        ));
    }
    fs::read_to_string(file)
        .map(SecretString::from)
        .map_err(|error| wrong(file, &error))
}

pub(super) fn read_public(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| wrong(file, &error))
}

/// The folder, locked until it is dropped or this process is gone. Two rotations at once would each bring another
/// key into use, and the first one's old key would be lost. Waits for whoever has it.
pub(super) fn alone(folder: &Path) -> Result<File, Failure> {
    let locked = File::open(folder).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|error| wrong(folder, &error))
}

/// The same; `None` when somebody has it.
pub(super) fn alone_at_once(folder: &Path) -> Result<Option<File>, Failure> {
    let file = File::open(folder).map_err(|error| wrong(folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(wrong(folder, &error)),
    }
}

/// Writes a private key that is not there yet.
pub(super) fn write_new(file: &Path, text: &SecretString) -> Result<(), Failure> {
    if file.exists() {
        return Err(Failure::usage(
            file.display().to_string(),
            "is there already and is not overwritten",
        ));
    }
    write_over(file, text.expose_secret(), 0o600)
}

/// Replaces a file in one step: a reader sees the old or the new one, also after a crash.
pub(super) fn write_over(file: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let beside = file.with_file_name(format!(
        "{}.tmp",
        file.file_name().unwrap_or_default().to_string_lossy()
    ));
    let write = || {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut new = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        step();
        writeln!(new, "{text}")?;
        new.sync_all()?;
        step();
        fs::rename(&beside, file)?;
        step();
        sync_folder(file)
    };
    write().map_err(|error| wrong(file, &error))
}

/// Renames and makes it last.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to)
        .and_then(|()| {
            step();
            sync_folder(to)
        })
        .map_err(|error| wrong(to, &error))
}

/// Removes a file; one that is not there is fine.
pub(super) fn remove(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(wrong(file, &error)),
        _ => sync_folder(file).map_err(|error| wrong(file, &error)),
    }
}

fn sync_folder(file: &Path) -> std::io::Result<()> {
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn wrong(file: &Path, error: &std::io::Error) -> Failure {
    let hint = if error.kind() == std::io::ErrorKind::NotFound {
        "; `hostler keys init` makes the keys"
    } else {
        ""
    };
    Failure::usage(file.display().to_string(), format!("{error}{hint}"))
}
