//! Points in time as RFC 3339 text, in UTC with milliseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// Length of the text in bytes.
pub(crate) const LENGTH: usize = "2026-01-31T12:34:56.789Z".len();

const DAY: u64 = 86_400;

/// The end of the year 9999: what follows has no such text.
const LAST: u64 = 253_402_300_799;

/// `2026-01-31T12:34:56.789Z`. A clock before 1970 gives 1970, one after 9999 the end of 9999.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().min(LAST);
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Year, month and day of the day that is this many days after 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last day of a year, and in eras of 400
/// years, which all have the same number of days.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    const DAYS_FROM_YEAR_0_TO_1970: u64 = 719_468;
    let days = days + DAYS_FROM_YEAR_0_TO_1970;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64, millis: u64) -> String {
        rfc3339(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis))
    }

    #[test]
    fn known_points() {
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(1_709_251_199, 999), "2024-02-29T23:59:59.999Z");
        assert_eq!(at(4_107_542_399, 0), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(LAST, 0), "9999-12-31T23:59:59.000Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
        let (mut y, mut m, mut d) = (1970, 1, 1);
        for day in 0..200_000 {
            assert_eq!(date(day), (y, m, d), "day {day}");
            let length = match m {
                2 => 28 + u64::from(leap(y)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            d += 1;
            if d > length {
                (d, m) = (1, m + 1);
            }
            if m > 12 {
                (m, y) = (1, y + 1);
            }
        }
    }

    #[test]
    fn odd_clocks_keep_the_length() {
        for time in [UNIX_EPOCH - Duration::from_secs(5), UNIX_EPOCH + Duration::from_secs(LAST + 1_000_000)]
        {
            assert_eq!(rfc3339(time).len(), LENGTH);
        }
    }
}
