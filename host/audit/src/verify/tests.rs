use super::*;
use crate::event::samples;
use crate::log::storage::Small;
use crate::log::{AuditLog, SyncPolicy};
use proptest::prelude::*;
use std::io::Cursor;

/// A log of whole lines, and one in which a write was cut short.
fn logs() -> [Vec<u8>; 2] {
    let disk = Small::new(1_000_000);
    let log = AuditLog::in_storage(disk.clone(), SyncPolicy::Never);
    let append = || samples::all().iter().for_each(|event| drop(log.append(event)));
    append();
    let whole = disk.content();
    disk.set_space(whole.len() + 50);
    append();
    disk.set_space(1_000_000);
    append();
    [whole, disk.content()]
}

fn lines(log: &[u8]) -> Vec<&[u8]> {
    log.split_inclusive(|byte| *byte == b'\n').collect()
}

#[test]
fn a_sound_log_is_sound() {
    let [whole, broken] = logs();
    let summary = verify(&whole[..]).unwrap();
    assert_eq!((summary.head.seq, summary.broken), (8, 0));
    let summary = verify(&broken[..]).unwrap();
    assert_eq!((summary.head.seq, summary.broken), (17, 1));
    assert_eq!(verify(&b""[..]).unwrap(), Summary::default());
}

#[test]
fn findings_say_where_and_what() {
    let [log, _] = logs();
    let lines = lines(&log);
    let change = |at: usize, old: &str, new: &str| {
        let mut all: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
        all[at] = String::from_utf8(all[at].clone()).unwrap().replace(old, new).into_bytes();
        verify(&all.concat()[..]).unwrap_err()
    };
    assert!(matches!(change(4, "qmstart", "qmstop"), Finding::Changed { line: 5, .. }));
    assert!(matches!(change(4, ",\"hash\"", ",\"hasH\""), Finding::NotALine { line: 5, .. }));
    assert!(matches!(change(4, "{\"seq\"", " {\"seq\""), Finding::NotALine { line: 5, .. }));

    let without = [&lines[..2], &lines[3..]].concat().concat();
    let finding = verify(&without[..]).unwrap_err();
    assert_eq!(
        finding.to_string(),
        "line 3 should have the number 3, but has 4: lines were removed before it, or moved"
    );
    let repeated = [&lines[..3], &lines[2..]].concat().concat();
    assert!(matches!(verify(&repeated[..]), Err(Finding::Misplaced { line: 4, expected: 4, found: 3 })));
}

#[test]
fn a_line_forged_with_a_hash_of_its_own_breaks_the_chain() {
    let [log, _] = logs();
    let mut lines: Vec<Vec<u8>> = lines(&log).iter().map(|line| line.to_vec()).collect();
    let before = line::read(lines[3].trim_ascii_end()).unwrap();
    let head = Head { seq: before.seq, hash: before.hash };
    let event = r#""event":"task","call":"c1","upid":"other""#;
    lines[4] = line::seal(head, std::time::UNIX_EPOCH, event).0.into_bytes();
    assert!(matches!(verify(&lines.concat()[..]), Err(Finding::Unchained { line: 6, .. })));
}

#[test]
fn a_forged_account_is_found() {
    let [_, log] = logs();
    let all = lines(&log);
    let at = all.iter().position(|line| String::from_utf8_lossy(line).contains("\"broken\"")).unwrap();
    let without_remains = [&all[..at - 1], &all[at..]].concat().concat();
    let finding = verify(&without_remains[..]).unwrap_err();
    assert!(matches!(finding, Finding::Unaccounted { .. }), "{finding}");
    let other_remains = [&all[..at - 1], &[b"something else\n"], &all[at..]].concat().concat();
    let finding = verify(&other_remains[..]).unwrap_err();
    assert!(matches!(finding, Finding::Unaccounted { .. }), "{finding}");
}

#[test]
fn an_unfinished_end_is_told_from_tampering() {
    let [log, _] = logs();
    for end in 1..lines(&log)[0].len() {
        let finding = verify(&log[..end]).unwrap_err();
        assert!(matches!(finding, Finding::Unfinished { line: 1 }), "{finding}");
    }
}

#[test]
fn a_known_head_shows_what_the_chain_cannot() {
    let [log, longer] = logs();
    let known = verify(&log[..]).unwrap().head;
    assert_eq!(verify_expect(&longer[..], known).unwrap().head.seq, 17);
    let cut = lines(&log)[..6].concat();
    verify(&cut[..]).unwrap();
    assert!(matches!(verify_expect(&cut[..], known), Err(Finding::CutOff { expected: 8, found: 6 })));
    // The same events, written at another time.
    std::thread::sleep(std::time::Duration::from_millis(2));
    let [other, _] = logs();
    verify(&other[..]).unwrap();
    assert!(matches!(verify_expect(&other[..], known), Err(Finding::Rewritten { line: 8, .. })));
    assert_eq!(verify_expect(&log[..], Head::default()).unwrap().head, known);
}

#[test]
fn a_line_without_end_takes_no_memory() {
    // Whoever reads on beyond the limit meets the error behind it.
    let long = io::repeat(b'x').take(2 * MAX_LINE as u64).chain(Bad);
    assert!(matches!(verify(io::BufReader::new(long)), Err(Finding::NotALine { line: 1, .. })));
}

struct Bad;

impl Read for Bad {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("bad sector"))
    }
}

#[test]
fn an_error_of_the_disk_is_told() {
    let [log, _] = logs();
    let reader = io::BufReader::new(Cursor::new(log).chain(Bad));
    assert_eq!(verify(reader).unwrap_err().to_string(), "line 9 cannot be read: bad sector");
}

#[test]
fn every_byte_counts() {
    for log in logs() {
        for at in 0..log.len() {
            let mut log = log.clone();
            log[at] ^= 1;
            assert!(verify(&log[..]).is_err(), "byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn any_other_byte_anywhere_is_found(which in 0..2_usize, at: prop::sample::Index, byte: u8) {
        let mut log = logs()[which].clone();
        let at = at.index(log.len());
        prop_assume!(log[at] != byte);
        log[at] = byte;
        prop_assert!(verify(&log[..]).is_err());
    }

    #[test]
    fn any_byte_inserted_or_removed_is_found(which in 0..2_usize, at: prop::sample::Index, byte: u8) {
        let log = &logs()[which];
        let at = at.index(log.len());
        prop_assert!(verify(&[&log[..at], &[byte], &log[at..]].concat()[..]).is_err());
        prop_assert!(verify(&[&log[..at], &log[at + 1..]].concat()[..]).is_err());
    }

    #[test]
    fn any_line_removed_moved_or_repeated_is_found(
        which in 0..2_usize, a: prop::sample::Index, b: prop::sample::Index,
    ) {
        let log = &logs()[which];
        let lines = lines(log);
        // The last line removed cannot be seen from the file alone.
        let (a, b) = (a.index(lines.len() - 1), b.index(lines.len()));
        let mut removed = lines.clone();
        removed.remove(a);
        prop_assert!(verify(&removed.concat()[..]).is_err());
        let mut repeated = lines.clone();
        repeated.insert(b, lines[a]);
        prop_assert!(verify(&repeated.concat()[..]).is_err());
        let mut swapped = lines.clone();
        swapped.swap(a, b);
        prop_assert!(a == b || verify(&swapped.concat()[..]).is_err());
    }
}
