//! How figures are written: sizes, shares, durations, rates.

/// What stands where Proxmox gives no figure.
pub const UNKNOWN: &str = "not reported by Proxmox";

const KILO: f64 = 1024.0;
const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];

/// A size, in steps of 1024 with one decimal: `186.5 GB`, `512 B`.
pub fn bytes(bytes: f64) -> String {
    let mut value = bytes;
    let mut units = UNITS.iter().copied();
    let mut unit = units.next().unwrap_or_default();
    // A value that would be written as 1024.0 goes to the next unit.
    while value >= KILO - 0.05
        && let Some(next) = units.next()
    {
        value /= KILO;
        unit = next;
    }
    if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") }
}

/// A sum of memory, in whole gigabytes: `1536 GB`. Less than ten are written as [`bytes`].
pub fn total_memory(total: f64) -> String {
    whole_in(total, KILO.powi(3), "GB")
}

/// A sum of storage, in whole terabytes: `70 TB`. Less than ten are written as [`bytes`].
pub fn total_storage(total: f64) -> String {
    whole_in(total, KILO.powi(4), "TB")
}

fn whole_in(total: f64, unit: f64, name: &str) -> String {
    if total / unit < 10.0 { bytes(total) } else { format!("{:.0} {name}", total / unit) }
}

/// A share from 0 to 1: `42.3%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// Part of a whole: `186.5 GB / 512.0 GB (36.4%)`.
pub fn usage(used: f64, total: f64) -> String {
    let share = if total > 0.0 { format!(" ({})", percent(used / total)) } else { String::new() };
    format!("{} / {}{share}", bytes(used), bytes(total))
}

/// How long something is up, with its hourglass: `⏳ 156d 12h`, `⏳ 3h 5m`, `⏳ 42s`.
pub fn uptime(seconds: f64) -> String {
    format!("⏳ {}", duration(seconds))
}

/// A time span in its two largest units: `156d 12h`, `3h 5m`, `2m 10s`, `42s`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (1.., _, _) => format!("{days}d {}h", hours % 24),
        (0, 1.., _) => format!("{hours}h {}m", minutes % 60),
        (0, 0, 1..) => format!("{minutes}m {}s", seconds % 60),
        (0, 0, 0) => format!("{seconds}s"),
    }
}

/// A rate: `12.8 GB/s`.
pub fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// A count in thousands or millions from 1000 on: `15.2k`, `3.1M`, `812`.
pub fn thousands(count: f64) -> String {
    match count {
        c if c >= 999_950.0 => format!("{:.1}M", c / 1e6),
        c if c >= 1000.0 => format!("{:.1}k", c / 1e3),
        c => format!("{c:.0}"),
    }
}

/// A number with its noun: `1 guest`, `3 guests`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A bullet of an answer: `  • Status: ONLINE`, with its line end.
pub fn bullet(label: &str, value: impl std::fmt::Display) -> String {
    format!("  • {label}: {value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        const GB: f64 = 1024.0 * 1024.0 * 1024.0;
        for (value, expected) in [
            (0.0, "0 B"),
            (512.0, "512 B"),
            (1023.0, "1023 B"),
            (1024.0, "1.0 KB"),
            (186.5 * GB, "186.5 GB"),
            (512.0 * GB, "512.0 GB"),
            (1023.96 * GB, "1.0 TB"),
            (12.8 * 1024.0 * GB, "12.8 TB"),
            (5e15, "4.4 PB"),
            (5e18, "4440.9 PB"),
        ] {
            assert_eq!(bytes(value), expected);
        }
        assert_eq!(usage(186.5 * GB, 512.0 * GB), "186.5 GB / 512.0 GB (36.4%)");
        assert_eq!(usage(0.0, 0.0), "0 B / 0 B");
        assert_eq!(total_memory(1536.0 * GB), "1536 GB");
        assert_eq!(total_memory(4.5 * GB), "4.5 GB");
        assert_eq!(total_storage(70.2 * 1024.0 * GB), "70 TB");
        assert_eq!(total_storage(252.0 * GB), "252.0 GB");
        assert_eq!(rate(12.8 * GB), "12.8 GB/s");
    }

    #[test]
    fn times_show_their_two_largest_units() {
        for (seconds, expected) in
            [(13_521_600.0, "156d 12h"), (11_100.0, "3h 5m"), (130.0, "2m 10s"), (42.9, "42s"), (-1.0, "0s")]
        {
            assert_eq!(duration(seconds), expected);
        }
        assert_eq!(uptime(42.0), "⏳ 42s");
    }

    #[test]
    fn counts_are_short() {
        for (value, expected) in
            [(0.0, "0"), (812.0, "812"), (15_230.0, "15.2k"), (999_999.0, "1.0M"), (3_100_000.0, "3.1M")]
        {
            assert_eq!(thousands(value), expected);
        }
        assert_eq!((count(1, "guest"), count(0, "guest")), ("1 guest".to_owned(), "0 guests".to_owned()));
        assert_eq!(percent(0.4231), "42.3%");
    }
}
