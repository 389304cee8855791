//! Points in time: written as UTC dates, and read from what people write.

use serde_json::Value;

use crate::text;
use crate::tool::{Argument, Kind, whole};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// A date (UTC) of seconds since 1970: `2026-11-22`.
pub fn date(unix: u64) -> String {
    let (year, month, day) = civil(unix / DAY);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Date and time (UTC) of seconds since 1970: `2026-11-22 09:43`.
pub fn minute(unix: u64) -> String {
    let seconds = unix % DAY;
    format!("{} {:02}:{:02}", date(unix), seconds / HOUR, seconds % HOUR / MINUTE)
}

/// The same with its zone: `2026-11-22 09:43 UTC`.
pub fn moment(unix: u64) -> String {
    format!("{} UTC", minute(unix))
}

/// How long ago: `2h 3m ago`, or `in 2h 3m`.
#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53")]
pub fn ago(now: u64, then: u64) -> String {
    if then > now {
        return format!("in {}", text::duration((then - now) as f64));
    }
    format!("{} ago", text::duration((now - then) as f64))
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // A year that begins in March has its leap day at the end.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// Days since 1970-01-01; nothing if there is no such date, or it is before.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Since when: a span before now (`2h`, `1d`), a date or date and time (UTC where no offset is given), or
/// seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So many seconds before now.
    Ago(u64),
    /// Seconds since 1970.
    At(u64),
}

impl Since {
    /// A day before now.
    pub const A_DAY: Since = Since::Ago(86_400);

    /// Seconds since 1970.
    pub fn unix(self, now: u64) -> u64 {
        match self {
            Since::Ago(seconds) => now.saturating_sub(seconds),
            Since::At(unix) => unix,
        }
    }

    fn parse(text: &str) -> Option<Since> {
        let text = text.trim();
        span(text)
            .map(Since::Ago)
            .or_else(|| text.parse().ok().map(Since::At))
            .or_else(|| iso(text).map(Since::At))
    }
}

impl Argument for Since {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a span such as 30m, 2h, 1d or 1w, a time such as 2026-11-22 or 2026-11-22T09:30, or seconds since 1970";

    fn read(value: &Value) -> Option<Self> {
        whole(value).map(|unix| Since::At(unix.into())).or_else(|| Since::parse(value.as_str()?))
    }
}

/// `90s`, `30m`, `2h`, `1d`, `1w` in seconds.
fn span(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(number.len()..)? {
        "s" => 1,
        "m" | "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// `2026-11-22`, with an optional time `T09:30[:15]` or after a space, and an optional `Z` or `+01:00`.
fn iso(text: &str) -> Option<u64> {
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let midnight = days(number(year)?, number(month)?, number(day)?)? * DAY;
    let (clock, offset) = match time.find(['+', '-']) {
        Some(at) => time.split_at(at),
        None => (time.strip_suffix('Z').unwrap_or(time), ""),
    };
    let of_day = |clock: &str| {
        let mut parts = clock.split(':');
        let (hours, minutes) = (number(parts.next()?)?, number(parts.next()?)?);
        let seconds = parts.next().map_or(Some(0), |text| number(text.split('.').next()?))?;
        let valid = parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
        valid.then_some(hours * HOUR + minutes * MINUTE + seconds)
    };
    let at = midnight + of_day(clock)?;
    match offset.split_at_checked(1) {
        Some(("+", ahead)) => at.checked_sub(of_day(ahead)?),
        Some((_, behind)) => at.checked_add(of_day(behind)?),
        None => Some(at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_written_as_people_read_it() {
        for (unix, expected) in
            [(1_795_340_586, "2026-11-22 09:43"), (951_782_400, "2000-02-29 00:00"), (0, "1970-01-01 00:00")]
        {
            assert_eq!(minute(unix), expected);
            assert_eq!(date(unix), expected.split(' ').next().unwrap());
            assert_eq!(moment(unix), format!("{expected} UTC"));
        }
        assert_eq!((ago(100, 40), ago(40, 100)), ("1m 0s ago".to_owned(), "in 1m 0s".to_owned()));
    }

    #[test]
    fn a_date_that_is_written_is_read_again() {
        for unix in (0..4_000_000_000).step_by(7_654_321) {
            assert_eq!(iso(&minute(unix)), Some(unix / 60 * 60), "{unix}");
        }
    }

    #[test]
    fn since_takes_spans_dates_and_seconds() {
        const NOW: u64 = 1_795_341_600;
        for (value, expected) in [
            (json!("2h"), NOW - 7200),
            (json!("90s"), NOW - 90),
            (json!("1w"), NOW - 604_800),
            (json!("30min"), NOW - 1800),
            (json!(1_795_340_000), 1_795_340_000),
            (json!("1795340000"), 1_795_340_000),
            (json!("2026-11-22"), 1_795_305_600),
            (json!("2026-11-22T09:43"), 1_795_340_580),
            (json!("2026-11-22 09:43:06Z"), 1_795_340_586),
            (json!("2026-11-22 09:43 UTC"), 1_795_340_580),
            (json!("2026-11-22T10:43:06.5+01:00"), 1_795_340_586),
            (json!("2026-11-22T08:43:06-01:00"), 1_795_340_586),
            (json!("9999999d"), 0),
        ] {
            assert_eq!(Since::read(&value).map(|since| since.unix(NOW)), Some(expected), "{value}");
        }
        for bad in [
            "",
            "h",
            "2 hours",
            "2026-13-01",
            "2026-02-30",
            "2026-1-1",
            "2026-11-22T25:00",
            "-1d",
            "yesterday",
        ] {
            assert_eq!(Since::read(&json!(bad)), None, "{bad}");
        }
    }
}
