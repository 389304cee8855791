//! A copy of the tree, and what was built from it. Both are kept from run to run, and only files that
//! changed are written, so that little is built again.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::table::{Mutant, root};

/// The copy.
pub(super) struct Scratch {
    tree: PathBuf,
    target: PathBuf,
}

/// Keeps other runs away, whose mutants would get in between.
pub(super) fn lock() -> Result<File> {
    std::fs::create_dir_all(base())?;
    let lock = File::create(base().join("lock"))?;
    ensure!(lock.try_lock().is_ok(), "another mutation run is under way in this clone");
    Ok(lock)
}

fn base() -> PathBuf {
    root().join("target/mutants")
}

impl Scratch {
    /// Makes the copy of this number, or brings it up to date.
    pub(super) fn prepare(number: usize) -> Result<Scratch> {
        let place = |what: &str| base().join(format!("{what}-{number}"));
        let scratch = Scratch { tree: place("tree"), target: place("build") };
        std::fs::create_dir_all(&scratch.target)?;
        let files = sources()?;
        for file in &files {
            scratch.write(file, &std::fs::read(root().join(file))?)?;
        }
        let known: HashSet<PathBuf> = files.iter().map(|file| scratch.tree.join(file)).collect();
        remove_others(&scratch.tree, &known)?;
        Ok(scratch)
    }

    /// The copy's root.
    pub(super) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Where the copy is built.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Puts a mutant into the copy, until the guard is dropped.
    pub(super) fn put(&self, mutant: &Mutant) -> Result<Put<'_>> {
        let original = std::fs::read_to_string(root().join(&mutant.file))?;
        let file = PathBuf::from(&mutant.file);
        self.write(&file, mutant.apply(&original)?.as_bytes())?;
        Ok(Put { scratch: self, file, original })
    }

    fn write(&self, file: &Path, content: &[u8]) -> Result<()> {
        let path = self.tree.join(file);
        if std::fs::read(&path).is_ok_and(|old| old == content) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A mutant in its place.
pub(super) struct Put<'a> {
    scratch: &'a Scratch,
    file: PathBuf,
    original: String,
}

impl Drop for Put<'_> {
    fn drop(&mut self) {
        // The next run brings the copy up to date in any case.
        let _ = self.scratch.write(&self.file, self.original.as_bytes());
    }
}

/// All files of the repository that git does not ignore.
fn sources() -> Result<Vec<PathBuf>> {
    let listed = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("cannot run git, which lists the sources")?;
    ensure!(listed.status.success(), "git does not list the sources: is this a clone?");
    let names = String::from_utf8(listed.stdout)?;
    let files = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    Ok(files.filter(|file| root().join(file).is_file()).collect())
}

fn remove_others(folder: &Path, known: &HashSet<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, known)?;
        } else if !known.contains(&path) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}
