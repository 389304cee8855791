//! What the system knows of a process and its children: computing time and memory.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The process and all below it: some servers are started by another program.
fn family(root: u32) -> BTreeSet<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold anything.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut family = BTreeSet::from([root]);
    loop {
        let children: Vec<u32> = all
            .iter()
            .filter(|(pid, above)| family.contains(above) && !family.contains(pid))
            .map(|c| c.0)
            .collect();
        if children.is_empty() {
            return family;
        }
        family.extend(children);
    }
}

/// Computing time so far: of all threads, those that have ended too, and of the processes that live.
pub(crate) fn computed(pid: u32) -> Duration {
    let of_process = |pid: u32| -> Option<Duration> {
        let clock = clock_getcpuclockid(Pid::from_raw(pid.try_into().ok()?)).ok()?;
        Some(Duration::from(clock_gettime(clock).ok()?))
    };
    family(pid).into_iter().filter_map(of_process).sum()
}

/// Computing time since `earlier` was so far. Nothing where a process has ended that used more before.
pub(crate) fn computed_since(pid: u32, earlier: Duration) -> Duration {
    computed(pid).saturating_sub(earlier)
}

/// Memory in use, and the most that ever was, in KiB.
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let sum = |name: &str| {
        family(pid)
            .into_iter()
            .filter_map(|pid| {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
            })
            .sum()
    };
    (sum("VmRSS"), sum("VmHWM"))
}

/// What these figures were measured on.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} x {model}, Linux {}", system.trim())
}

/// How busy the machine is: processes that want to run, over the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_with_its_children() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let own = std::process::id();
        let family = family(own);
        assert!(family.contains(&own) && family.contains(&child.id()), "{family:?}");
        let (now, most) = memory(own);
        assert!(now > 500 && most >= now, "{now} {most}");
        let spins = (0..200_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        assert!(computed(own) > Duration::from_millis(1), "{spins}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
