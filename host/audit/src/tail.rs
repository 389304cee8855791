//! The end of a log that is opened again: where its chain goes on.
//!
//! Only the last part of the file is read, whatever its size. A power loss or a full disk can leave the
//! first part of a line at the end. It stays where it is, and the next line accounts for it by its length
//! and hash: nothing has to be removed, so nothing can get lost on the way, and a file that the system lets
//! nobody shorten (`chattr +a`) works too. A line that is whole but does not have the hash that it names
//! was not left by a crash: then the log is not continued.

use std::io::{self, Read, Seek, SeekFrom};

use sha2::{Digest as _, Sha256};

use crate::line::{self, Digest, Head, MAX_LINE, Malformed};

/// How much of the end is read, in bytes: room for the longest line and the remains of others.
pub(crate) const WINDOW: usize = 4 * MAX_LINE;

/// What every log starts with.
const START: &[u8] = b"{\"seq\":1,\"time\":\"";

/// The end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tail {
    /// The last whole line.
    pub(crate) head: Head,
    /// What comes after it, as its length in bytes and its hash, with a newline at its end.
    pub(crate) remains: Option<(u64, Digest)>,
    /// Whether the file's last byte is not a newline.
    pub(crate) needs_newline: bool,
}

#[derive(Debug)]
pub(crate) enum TailError {
    Read(io::Error),
    NotALog,
    Damaged(&'static str),
}

/// Reads the end of a log.
pub(crate) fn read(file: &mut (impl Read + Seek + ?Sized)) -> Result<Tail, TailError> {
    let length = file.seek(SeekFrom::End(0)).map_err(TailError::Read)?;
    let start = length.saturating_sub(WINDOW as u64);
    file.seek(SeekFrom::Start(start)).map_err(TailError::Read)?;
    let mut bytes = Vec::new();
    file.take(length - start).read_to_end(&mut bytes).map_err(TailError::Read)?;
    if start == 0 {
        return examine(&bytes, true);
    }
    // The window begins anywhere in a line.
    let whole = bytes.iter().position(|byte| *byte == b'\n').and_then(|at| bytes.get(at + 1..));
    examine(whole.unwrap_or_default(), false)
}

/// `all` says whether these are all the lines of the log or its last ones.
fn examine(bytes: &[u8], all: bool) -> Result<Tail, TailError> {
    let needs_newline = bytes.last().is_some_and(|byte| *byte != b'\n');
    let mut end = bytes.len();
    for piece in bytes.split_inclusive(|byte| *byte == b'\n').rev() {
        match line::read(piece.strip_suffix(b"\n").unwrap_or(piece)) {
            Ok(line) if line.hash == line.actual => {
                let head = Head { seq: line.seq, hash: line.hash };
                return Ok(Tail { head, remains: remains(bytes, end, needs_newline), needs_newline });
            }
            Ok(_) => return Err(TailError::Damaged("its last line does not have the hash that it names")),
            Err(Malformed::Form) => return Err(TailError::Damaged("its last line has not the form of one")),
            Err(Malformed::NoHash) => end -= piece.len(),
        }
    }
    if !all {
        return Err(TailError::Damaged("no whole line is near its end"));
    }
    if !bytes.split(|byte| *byte == b'\n').filter(|piece| !piece.is_empty()).all(begins_first_line) {
        return Err(TailError::NotALog);
    }
    Ok(Tail { head: Head::default(), remains: remains(bytes, 0, needs_newline), needs_newline })
}

/// Remains of a first line, maybe of several attempts at it; a file of another kind does not look so.
fn begins_first_line(piece: &[u8]) -> bool {
    piece.starts_with(START) || START.starts_with(piece)
}

fn remains(bytes: &[u8], from: usize, needs_newline: bool) -> Option<(u64, Digest)> {
    let bytes = bytes.get(from..).filter(|bytes| !bytes.is_empty())?;
    let newline: &[u8] = if needs_newline { b"\n" } else { b"" };
    let length = bytes.len() + newline.len();
    Some((length as u64, Digest::end(Sha256::new().chain_update(bytes).chain_update(newline))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::time::UNIX_EPOCH;

    fn lines(count: usize) -> (Vec<u8>, Head) {
        let (mut bytes, mut head) = (Vec::new(), Head::default());
        for _ in 0..count {
            let (line, next) = line::seal(head, UNIX_EPOCH, r#""event":"call""#);
            bytes.extend(line.bytes());
            head = next;
        }
        (bytes, head)
    }

    fn of(bytes: &[u8]) -> Result<Tail, TailError> {
        read(&mut Cursor::new(bytes))
    }

    #[test]
    fn a_whole_log_ends_with_its_last_line() {
        assert_eq!(of(b"").unwrap(), Tail::default());
        let (bytes, head) = lines(3);
        assert_eq!(of(&bytes).unwrap(), Tail { head, remains: None, needs_newline: false });
    }

    #[test]
    fn a_line_cut_anywhere_is_told_from_a_whole_one() {
        let (before, head) = lines(2);
        let (bytes, last) = lines(3);
        for end in before.len() + 1..bytes.len() - 1 {
            let mut kept = bytes[before.len()..end].to_vec();
            kept.push(b'\n');
            let remains = Some((kept.len() as u64, Digest::of(&kept)));
            assert_eq!(of(&bytes[..end]).unwrap(), Tail { head, remains, needs_newline: true }, "{end}");
        }
        let only_newline = of(&bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(only_newline, Tail { head: last, remains: None, needs_newline: true });
    }

    #[test]
    fn a_crash_while_mending_leaves_remains_of_two_lines() {
        let (mut bytes, head) = lines(2);
        let remains = b"{\"seq\":3,\"ti\n{\"seq\":3,\"time\":\"20";
        bytes.extend(remains);
        let kept = [&remains[..], b"\n"].concat();
        assert_eq!(
            of(&bytes).unwrap(),
            Tail { head, remains: Some((kept.len() as u64, Digest::of(&kept))), needs_newline: true }
        );
    }

    #[test]
    fn the_first_line_may_be_the_unfinished_one() {
        for text in ["{", "{\n{\"se", "{\"seq\":1", "{\"seq\":1,\"time\":\"2026-01"] {
            let tail = of(text.as_bytes()).unwrap();
            assert_eq!((tail.head, tail.remains.unwrap().0), (Head::default(), text.len() as u64 + 1));
        }
    }

    #[test]
    fn other_files_are_not_continued() {
        for text in
            ["root:x:0:0::/root:/bin/sh\n", "{\"seq\":2,\"time\":\"", "\0\0\0\0", "{\n  \"a\": 1\n}\n"]
        {
            assert!(matches!(of(text.as_bytes()), Err(TailError::NotALog)), "{text:?}");
        }
    }

    #[test]
    fn a_changed_last_line_is_not_continued() {
        let (bytes, _) = lines(3);
        let start = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
        // Up to where its hash begins; after that it looks like an unfinished line.
        for at in start..bytes.len() - 77 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(matches!(of(&bytes), Err(TailError::Damaged(_))), "{at}");
        }
        assert!(matches!(of(&vec![0; WINDOW + 1]), Err(TailError::Damaged(_))));
    }

    /// Counts the bytes that are read.
    struct Counting<R>(R, usize);

    impl<R: Read> Read for Counting<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(buffer)?;
            self.1 += count;
            Ok(count)
        }
    }

    impl<R: Seek> Seek for Counting<R> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn only_the_end_of_a_large_log_is_read() {
        use std::io::Write as _;
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(100_000_000).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        let (bytes, head) = lines(2);
        file.write_all(&[b"\n", &bytes[..]].concat()).unwrap();
        let mut counting = Counting(file, 0);
        assert_eq!(read(&mut counting).unwrap().head, head);
        assert!(counting.1 <= WINDOW, "{} bytes read", counting.1);
    }
}
