//! A disk with little space.

use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use super::Storage;

/// A file on a disk of a given size. Clones are the same file.
#[derive(Clone)]
pub(crate) struct Small(Arc<Mutex<Disk>>);

struct Disk {
    file: Cursor<Vec<u8>>,
    space: usize,
    syncs: usize,
}

impl Small {
    pub(crate) fn new(space: usize) -> Self {
        Small(Arc::new(Mutex::new(Disk { file: Cursor::default(), space, syncs: 0 })))
    }

    pub(crate) fn set_space(&self, space: usize) {
        self.0.lock().unwrap().space = space;
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        self.0.lock().unwrap().file.get_ref().clone()
    }

    pub(crate) fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }
}

impl Read for Small {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap().file.read(buffer)
    }
}

impl Seek for Small {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.lock().unwrap().file.seek(to)
    }
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.0.lock().unwrap();
        let free = disk.space.saturating_sub(disk.file.get_ref().len()).min(bytes.len());
        if free == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        // As with a file that is open for appending.
        disk.file.seek(SeekFrom::End(0))?;
        disk.file.write(&bytes[..free])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for Small {
    fn sync(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().syncs += 1;
        Ok(())
    }
}
