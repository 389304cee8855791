//! `proxmox_backup_coverage`: for each guest, which job backs it up and what its newest backup is.

use proxmox_api::methods;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::dates;
use crate::error::Error;
use crate::foreign;
use crate::pve::coverage::{self, Backups, Job, Kept};
use crate::pve::findings::{self, Gaps};
use crate::pve::guests::{self, GuestKind, label};
use crate::pve::ids::Vmid;
use crate::pve::resources::{self, Figure, Resource};
use crate::shape::{Shape, always, known};
use crate::text;
use crate::tool::{Args, Hidden, Outcome, Tool, Toolset, Whole};

/// The most storages that are asked.
const STORAGES: usize = 40;
/// How many guests an answer shows.
const SHOWN: usize = 10;
/// The most jobs of a guest that an answer names.
const JOBS: usize = 4;
const DAY: u64 = 86_400;

crate::params! {
    /// Of the newest.
    max_age_days: Whole<1, 999_999_999> = 2,
    /// Only this guest.
    vmid: Option<Vmid>,
    /// How many guests to show.
    limit: Hidden<Whole<1, 999_999_999>>,
}

const GUEST: Shape = Shape::Object(&[
    always("vmid", Shape::Count),
    always("name", Shape::Text),
    always("state", Shape::Words(&["broken", "none", "old", "no_job", "unknown", "ok"])),
    known("jobs", Shape::List(&Shape::Text)).about("enabled backup jobs that take it"),
    known("newest", Shape::Text).about("UTC"),
    known("age_hours", Shape::Count),
    known("size_bytes", Shape::Count),
    known("storage", Shape::Text),
    known("backups", Shape::Count),
    known("verified", Shape::Flag).about("by the backup server; left out where it never was"),
]);

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_backup_coverage",
    title: "Backup coverage",
    description: "Finds guests without a recent backup or a backup job.",
    toolset: Toolset::ByName,
    params: PARAMS,
    explained: &["max_age_days"],
    output: Shape::Object(&[
        always("guests", Shape::List(&GUEST)).about("worst first"),
        always("left_out", Shape::Count),
        always("total", Shape::Count).about("guests, without templates"),
        always("ok", Shape::Count),
        always("none", Shape::Count),
        always("old", Shape::Count),
        always("no_job", Shape::Count).about("backed up of late, but by no job"),
        always("broken", Shape::Count).about("the newest backup failed its verification"),
        always("unknown", Shape::Count).about("not seen, and not all storages could be asked"),
        findings::NOT_CHECKED,
    ]),
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_CLUSTER_BACKUP,
        &methods::GET_CLUSTER_BACKUP_INFO_NOT_BACKED_UP,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
    ],
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let reply = resources::fetch(cx)?;
    let rows = resources::rows(&reply)?;
    if let Some(vmid) = params.vmid {
        guests::among(vmid, &rows)?;
    }
    let known = Known::gather(cx, &rows, &params);
    let now = cx.now_ms() / 1000;
    let oldest = u64::from(params.max_age_days.0) * DAY;
    let wanted = |row: &&Resource<'_>| {
        row.is_guest() && params.vmid.map_or(!row.is_template(), |vmid| row.guest_id() == Some(vmid))
    };
    let mut covered: Vec<Covered<'_>> =
        rows.iter().filter(wanted).filter_map(|row| Covered::of(row, &known, now, oldest)).collect();
    covered.sort_by_key(|guest| (guest.state.rank(), guest.kept.map_or(0, |kept| kept.newest), guest.vmid));
    let limit = params.limit.get().map_or(SHOWN, |limit| usize::try_from(limit.0).unwrap_or(usize::MAX));
    let text = report(&covered, &known.gaps, &params, limit, now);
    Ok(Outcome::done(text, data(&covered, &known.gaps, limit, now)))
}

/// What could be had about jobs and backups.
struct Known {
    /// Enabled jobs.
    jobs: Option<Vec<Job>>,
    /// Guests that Proxmox itself counts as being in no job.
    without_job: Option<Vec<u64>>,
    backups: Backups,
    /// Whether all storages that may hold backups answered.
    all: bool,
    gaps: Gaps,
}

impl Known {
    fn gather(cx: &Cx<'_>, rows: &[Resource<'_>], params: &Params) -> Known {
        let mut gaps = Gaps::default();
        let (mut holders, silent) = coverage::holders(rows, None);
        let mut all = silent.is_empty() && holders.len() <= STORAGES;
        for storage in silent {
            gaps.note(&format!("backups on {storage}"), "the storage gives no figures: down, disabled, or its node is");
        }
        if holders.len() > STORAGES {
            let part = format!("backups on {}", text::count(holders.len() - STORAGES, "storage"));
            gaps.note(&part, format!("an answer asks at most {STORAGES} storages"));
        }
        holders.truncate(STORAGES);
        let with_guest = |call: &Call| call.clone().with_some("vmid", params.vmid.map(Vmid::number));
        let mut calls: Vec<Call> = holders.iter().map(|holder| with_guest(&holder.call)).collect();
        calls.push(Call::of(&methods::GET_CLUSTER_BACKUP_INFO_NOT_BACKED_UP));
        calls.push(Call::of(&methods::GET_CLUSTER_BACKUP));
        let mut replies = cx.replies(calls);
        let mut last = |part: &str| {
            let reply = replies.pop().unwrap_or_else(|| Err(Error::Defect("an answer is missing".to_owned())));
            gaps.take(part, reply.and_then(|reply| reply.data()))
        };
        let jobs = last("backup jobs").map(|answer| {
            let mut jobs = Job::all(&answer);
            jobs.retain(|job| job.enabled);
            jobs
        });
        let without = last("guests in no backup job").map(|answer| {
            answer.as_array().into_iter().flatten().filter_map(|row| Figure::of(row.get("vmid")).whole()).collect()
        });
        let mut backups = Backups::new();
        for (holder, reply) in holders.iter().zip(replies) {
            if let Err(error) = reply.and_then(|reply| coverage::collect(&mut backups, &reply)) {
                all = false;
                gaps.error(&format!("backups on {}", holder.storage), &error);
            }
        }
        Known { jobs, without_job: without, backups, all, gaps }
    }

    /// The enabled jobs that take a guest; nothing if the jobs are not known.
    fn jobs(&self, row: &Resource<'_>) -> Option<Vec<&Job>> {
        self.jobs.as_ref().map(|jobs| jobs.iter().filter(|job| job.covers(row)).collect())
    }

    /// Whether a guest is in no job; nothing if that is not known.
    fn is_without_job(&self, row: &Resource<'_>) -> Option<bool> {
        match (&self.without_job, self.jobs(row)) {
            (Some(without), _) => row.vmid.whole().map(|vmid| without.contains(&vmid)),
            (None, jobs) => jobs.map(|jobs| jobs.is_empty()),
        }
    }
}

/// How a guest is backed up, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The newest backup failed its verification.
    Broken,
    /// No backup.
    None,
    /// The newest backup is too old.
    Old,
    /// A recent backup, but no job makes the next one.
    NoJob,
    /// No backup was seen, but not all storages could be asked.
    Unknown,
    /// A recent backup, and a job as far as that is known.
    Ok,
}

impl State {
    const ALL: [State; 6] = [State::Broken, State::None, State::Old, State::NoJob, State::Unknown, State::Ok];

    const fn word(self) -> &'static str {
        match self {
            State::Broken => "broken",
            State::None => "none",
            State::Old => "old",
            State::NoJob => "no_job",
            State::Unknown => "unknown",
            State::Ok => "ok",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            State::Broken | State::None => "🔴",
            State::Old | State::NoJob => "🟡",
            State::Unknown => "⚪",
            State::Ok => "🟢",
        }
    }

    fn rank(self) -> usize {
        State::ALL.iter().position(|state| *state == self).unwrap_or_default()
    }
}

/// A guest and its backups.
struct Covered<'k> {
    vmid: Vmid,
    row: &'k Resource<'k>,
    state: State,
    jobs: Option<Vec<&'k Job>>,
    kept: Option<&'k Kept>,
}

impl<'k> Covered<'k> {
    fn of(row: &'k Resource<'k>, known: &'k Known, now: u64, oldest: u64) -> Option<Covered<'k>> {
        let vmid = row.guest_id()?;
        let kept = known.backups.get(&u64::from(vmid.number()));
        let state = match kept {
            None if known.all => State::None,
            None => State::Unknown,
            Some(kept) if kept.verified == Some(false) => State::Broken,
            Some(kept) if now.saturating_sub(kept.newest) > oldest => State::Old,
            Some(_) if known.is_without_job(row) == Some(true) => State::NoJob,
            Some(_) => State::Ok,
        };
        Some(Covered { vmid, row, state, jobs: known.jobs(row), kept })
    }

    fn line(&self, now: u64) -> String {
        let icon = if GuestKind::of(self.row) == GuestKind::Vm { "" } else { " 📦" };
        let newest = match self.kept {
            None => "no backup seen".to_owned(),
            Some(kept) => {
                let size = kept.size.map_or(String::new(), |size| format!(", {}", text::bytes(float(size))));
                let checked = match kept.verified {
                    Some(true) => ", verified",
                    Some(false) => ", verification FAILED",
                    None => "",
                };
                let age = text::duration(float(now.saturating_sub(kept.newest)));
                format!("newest {age} old on {}{size}{checked}, {} kept", foreign::name(&kept.storage), kept.number)
            }
        };
        let jobs = match &self.jobs {
            None => String::new(),
            Some(jobs) if jobs.is_empty() => "; in no job".to_owned(),
            Some(jobs) => format!("; {}", self.job_names(jobs)),
        };
        format!("{}{icon} {}: {newest}{jobs}\n", self.state.sign(), label(&self.row.name, self.vmid))
    }

    fn job_names(&self, jobs: &[&Job]) -> String {
        let named = |job: &&Job| {
            let when = if job.schedule.is_empty() { String::new() } else { format!(" ({})", foreign::name(&job.schedule)) };
            format!("job {}{when}", foreign::name(&job.id))
        };
        let names: Vec<String> = jobs.iter().take(JOBS).map(named).collect();
        names.join(", ")
    }

    fn datum(&self, now: u64) -> Value {
        let kept = self.kept;
        let ids = |jobs: &Vec<&Job>| jobs.iter().take(JOBS).map(|job| job.id.clone()).collect::<Vec<_>>();
        Data::new()
            .always("vmid", self.vmid.number())
            .always("name", foreign::line(&self.row.name, 80))
            .always("state", self.state.word())
            .known("jobs", self.jobs.as_ref().map(ids))
            .known("newest", kept.map(|kept| dates::minute(kept.newest)))
            .known("age_hours", kept.map(|kept| now.saturating_sub(kept.newest) / 3600))
            .known("size_bytes", kept.and_then(|kept| kept.size))
            .known("storage", kept.map(|kept| kept.storage.as_str()))
            .known("backups", kept.map(|kept| kept.number))
            .known("verified", kept.and_then(|kept| kept.verified))
            .into()
    }
}

fn count(covered: &[Covered<'_>], state: State) -> usize {
    covered.iter().filter(|guest| guest.state == state).count()
}

fn report(covered: &[Covered<'_>], gaps: &Gaps, params: &Params, limit: usize, now: u64) -> String {
    let days = text::count(usize::try_from(params.max_age_days.0).unwrap_or(usize::MAX), "day");
    let and = if covered.iter().all(|guest| guest.jobs.is_some()) { ", and a job" } else { "; jobs are not known" };
    let all = text::count(covered.len(), "guest");
    let mut out = format!("🛟 Backups: {} of {all} fine (a backup within {days}{and})\n", count(covered, State::Ok));
    for (state, what) in [
        (State::Broken, "newest backup failed its verification"),
        (State::None, "no backup"),
        (State::Old, "newest backup too old"),
        (State::NoJob, "in no backup job"),
        (State::Unknown, "no backup seen, but not all storages could be asked"),
    ] {
        let number = count(covered, state);
        if number > 0 {
            out += &format!("  • {} {number}: {what}\n", state.sign());
        }
    }
    out.push('\n');
    out += &covered.iter().take(limit).map(|guest| guest.line(now)).collect::<String>();
    if covered.len() > limit {
        out += &format!("{} more (`limit`)\n", text::count(covered.len() - limit, "guest"));
    }
    out + &gaps.lines()
}

fn data(covered: &[Covered<'_>], gaps: &Gaps, limit: usize, now: u64) -> Value {
    let rows: Vec<Value> = covered.iter().take(limit).map(|guest| guest.datum(now)).collect();
    let mut data = Data::new()
        .always("left_out", covered.len() - rows.len())
        .always("guests", rows)
        .always("total", covered.len());
    for state in State::ALL {
        data = data.always(state.word(), count(covered, state));
    }
    data.always("not_checked", gaps.data()).into()
}

#[expect(clippy::cast_precision_loss, reason = "sizes and times are far below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
#[path = "tests/proxmox_backup_coverage.rs"]
mod tests;
