use super::storage::Small;
use super::*;
use crate::event::samples;
use crate::{Finding, verify};
use std::fs;
use std::io::BufReader;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    (folder, path)
}

fn append(log: &AuditLog, count: usize) {
    for event in samples::all().iter().cycle().take(count) {
        log.append(event).unwrap();
    }
}

fn verified(path: &Path) -> Result<crate::Summary, Finding> {
    verify(BufReader::new(File::open(path).unwrap()))
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let (_folder, path) = folder();
    let mut head = Head::default();
    for round in 1..=4 {
        let log = AuditLog::open(&path).unwrap();
        assert_eq!(log.head(), head);
        append(&log, 8);
        head = log.head();
        assert_eq!(head.seq, round * 8);
    }
    let summary = verified(&path).unwrap();
    assert_eq!((summary.head, summary.broken), (head, 0));
    for (line, seq) in fs::read_to_string(&path).unwrap().lines().zip(1..) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["seq"], seq);
    }
}

#[test]
fn threads_share_a_log() {
    let (_folder, path) = folder();
    let log = AuditLog::open(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| append(&log, 50));
        }
    });
    assert_eq!(verified(&path).unwrap().head, log.head());
    assert_eq!(log.head().seq, 400);
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let (_folder, path) = folder();
    let first = AuditLog::open(&path).unwrap();
    let error = AuditLog::open(&path).unwrap_err();
    assert!(matches!(error, AuditError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("its own audit log"), "{error}");
    drop(first);
    AuditLog::open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_new_log_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path) = folder();
    AuditLog::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_power_loss_anywhere_in_the_last_line_is_accounted_for() {
    let (_folder, path) = folder();
    let log = AuditLog::open(&path).unwrap();
    append(&log, 3);
    drop(log);
    let whole = fs::read(&path).unwrap();
    let start = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in start..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        append(&AuditLog::open(&path).unwrap(), 1);
        let summary = verified(&path).unwrap();
        // Between two lines nothing is broken; without the newline alone, the line is there.
        let (lines, broken) = match end {
            end if end == start => (3, 0),
            end if end == whole.len() - 1 => (4, 0),
            _ => (4, 1),
        };
        assert_eq!((summary.head.seq, summary.broken), (lines, broken), "{end}");
        assert!(fs::read(&path).unwrap().starts_with(&whole[..end]), "what was written stays");
    }
}

#[test]
fn a_crash_while_mending_is_mended() {
    let (_folder, path) = folder();
    append(&AuditLog::open(&path).unwrap(), 2);
    let cut = fs::metadata(&path).unwrap().len() as usize - 30;
    fs::write(&path, &fs::read(&path).unwrap()[..cut]).unwrap();
    append(&AuditLog::open(&path).unwrap(), 1);
    let mended = fs::read(&path).unwrap();
    for end in cut..mended.len() {
        fs::write(&path, &mended[..end]).unwrap();
        append(&AuditLog::open(&path).unwrap(), 1);
        verified(&path).unwrap_or_else(|finding| panic!("{end}: {finding}"));
    }
}

#[test]
fn a_changed_last_line_refuses_the_log() {
    let (_folder, path) = folder();
    append(&AuditLog::open(&path).unwrap(), 2);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"approved\"", "\"declined\"")).unwrap();
    let error = AuditLog::open(&path).unwrap_err();
    assert!(matches!(error, AuditError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("under another name"), "{error}");
}

#[test]
fn other_files_are_left_alone() {
    let (_folder, path) = folder();
    fs::write(&path, "PROXMOX_HOST=pve1\n").unwrap();
    let error = AuditLog::open(&path).unwrap_err();
    assert!(matches!(error, AuditError::NotALog { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "PROXMOX_HOST=pve1\n");
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let (folder, _) = folder();
    let error = AuditLog::open(folder.path().join("missing/audit.log")).unwrap_err();
    assert!(error.to_string().contains("missing/audit.log cannot be opened"), "{error}");
    assert!(matches!(AuditLog::open(folder.path()), Err(AuditError::Open { .. })));
}

#[cfg(unix)]
#[test]
fn a_log_that_lost_its_name_takes_no_more_lines() {
    let (folder, path) = folder();
    let elsewhere = folder.path().join("audit.log.1");
    let recorder = crate::Recorder::new(AuditLog::open(&path).unwrap());
    let change = || recorder.record_change(&samples::change());
    let first = change().unwrap();
    fs::rename(&path, &elsewhere).unwrap();
    let gone = |result: Result<Head, AuditError>| matches!(result, Err(AuditError::Gone { .. }));
    assert!(gone(change()), "renamed");
    fs::copy(&elsewhere, &path).unwrap();
    assert!(gone(change()), "another file has its name");
    fs::remove_file(&path).unwrap();
    recorder.record_read(&samples::read());
    assert_eq!(recorder.lost(), 3, "what goes on unrecorded is counted");
    fs::rename(&elsewhere, &path).unwrap();
    assert_eq!(change().unwrap().seq, first.seq + 2, "after the line that says what was lost");
    fs::remove_file(&path).unwrap();
    assert!(gone(change()), "removed");
}

#[test]
fn lines_of_changes_are_synced() {
    for (policy, syncs) in [(SyncPolicy::Never, 0), (SyncPolicy::Changes, 5), (SyncPolicy::Always, 8)] {
        let disk = Small::new(100_000);
        append(&AuditLog::in_storage(disk.clone(), policy), 8);
        assert_eq!(disk.syncs(), syncs, "{policy:?}");
    }
}

#[test]
fn a_write_cut_short_is_accounted_for_by_the_next() {
    let disk = Small::new(100_000);
    let log = AuditLog::in_storage(disk.clone(), SyncPolicy::Changes);
    append(&log, 2);
    disk.set_space(disk.content().len() + 100);
    log.append(&samples::change()).unwrap_err();
    log.append(&samples::change()).unwrap_err();
    assert!(matches!(verify(&disk.content()[..]), Err(Finding::Unfinished { line: 3 | 4 })));
    disk.set_space(100_000);
    append(&log, 2);
    assert!(!log.state().torn, "the end is read again only after a failure");
    let summary = verify(&disk.content()[..]).unwrap();
    assert_eq!((summary.head.seq, summary.broken), (5, 1));
}

#[test]
fn nothing_shows_the_secrets() {
    let (_folder, path) = folder();
    let options = Options { redactor: Redactor::new(["hunter2".to_owned()]), ..Options::default() };
    let log = AuditLog::open_with(&path, options).unwrap();
    log.append(&samples::call(&serde_json::json!({"x": "ahunter2b", "password": "letmein"}))).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("letmein"), "{text}");
    assert!(!format!("{log:?}").contains("hunter2"));
}

#[test]
fn appending_to_a_large_log_reads_its_end_only() {
    let (_folder, path) = folder();
    let log = AuditLog::open(&path).unwrap();
    append(&log, 3);
    let head = log.head();
    drop(log);
    let lines = fs::read(&path).unwrap();
    // Whatever the front holds, it is not looked at: here it is not even a log.
    let file = File::create(&path).unwrap();
    file.set_len(100_000_000).unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[b"\n", &lines[..]].concat()).unwrap();
    let log = AuditLog::open(&path).unwrap();
    assert_eq!(log.head(), head);
    append(&log, 1);
    assert_eq!(log.head().seq, 4);
}
