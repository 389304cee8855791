//! Backups: guests that no job takes, and guests without a recent one.

use serde_json::{Value, json};

use super::DAY;
use crate::pve::coverage::Backups;
use crate::pve::findings::{Finding, Severity};
use crate::pve::resources::{Figure, Resource};
use crate::text;

/// The oldest that the newest backup may be, in days: a job that runs each week is fine.
const OLDEST: u64 = 8;

fn finding(severity: Severity, code: &'static str, says: &str, mut ids: Vec<u32>) -> Option<Finding> {
    ids.sort_unstable();
    let about = text::count(ids.len(), "guest");
    (!ids.is_empty()).then(|| {
        let of = if let [only] = ids.as_slice() { json!({"vmid": only}) } else { json!({}) };
        Finding::new(severity, code, about, says).guests(ids).next("proxmox_list_backups", of)
    })
}

/// Guests in no backup job (`GET /cluster/backup-info/not-backed-up`), of those that are looked at.
pub fn without_job(answer: &Value, guests: &[&Resource<'_>]) -> Option<Finding> {
    let listed: Vec<u64> = answer
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| Figure::of(row.get("vmid")).whole())
        .collect();
    let without = |row: &&&Resource<'_>| row.vmid.whole().is_some_and(|vmid| listed.contains(&vmid));
    let ids = guests.iter().filter(without).filter_map(|row| row.guest_id()).map(|id| id.number()).collect();
    let found = finding(Severity::Warning, "backup-no-job", "in no backup job", ids)?;
    Some(found.read("/cluster/backup-info/not-backed-up"))
}

/// Guests without a backup on the storages that were asked, and those whose newest one is old.
pub fn recent(backups: &Backups, guests: &[&Resource<'_>], now: u64) -> Vec<Finding> {
    let (mut none, mut old) = (Vec::new(), Vec::new());
    for (vmid, row) in guests.iter().filter_map(|row| Some((row.guest_id()?.number(), row))) {
        match row.vmid.whole().and_then(|vmid| backups.get(&vmid)) {
            None => none.push(vmid),
            Some(kept) if now.saturating_sub(kept.newest) / DAY >= OLDEST => old.push(vmid),
            Some(_) => {}
        }
    }
    let broken = guests
        .iter()
        .filter_map(|row| row.guest_id())
        .map(|id| id.number())
        .filter(|vmid| backups.get(&u64::from(*vmid)).is_some_and(|kept| kept.verified == Some(false)));
    [
        finding(Severity::Warning, "backup-missing", "no backup on the storages that were asked", none),
        finding(Severity::Warning, "backup-old", &format!("newest backup at least {OLDEST} days old"), old),
        finding(
            Severity::Critical,
            "backup-broken",
            "newest backup failed its verification",
            broken.collect(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pve::coverage::Kept;

    const NOW: u64 = 1_795_340_000;

    #[test]
    fn guests_are_judged_by_their_newest_backup() {
        let rows: Vec<Resource<'_>> = serde_json::from_str(
            r#"[{"type":"qemu","vmid":100},{"type":"qemu","vmid":101},{"type":"lxc","vmid":102},{"type":"lxc","vmid":103}]"#,
        )
        .unwrap();
        let guests: Vec<&Resource<'_>> = rows.iter().collect();
        let kept = |age: u64, verified| Kept {
            newest: NOW - age,
            size: None,
            storage: "nfs".to_owned(),
            verified,
            number: 1,
        };
        let backups: Backups =
            [(100, kept(8 * DAY - 1, None)), (101, kept(8 * DAY, None)), (103, kept(60, Some(false)))].into();
        let found = recent(&backups, &guests, NOW);
        let codes: Vec<_> =
            found.iter().map(|finding| (finding.code, finding.datum()["guests"].clone())).collect();
        assert_eq!(
            codes,
            [("backup-missing", json!([102])), ("backup-old", json!([101])), ("backup-broken", json!([103]))]
        );
        let listed = without_job(&json!([{"vmid": "101"}, {"vmid": 999}]), &guests).unwrap();
        assert_eq!(listed.datum()["guests"], json!([101]));
        assert_eq!(without_job(&json!([]), &guests), None);
    }
}
