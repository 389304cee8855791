//! Figures that drift: plausible, smooth, and the same for the same thing at the same time.

/// A number that stands for a name.
pub(crate) fn seed(name: &str) -> u64 {
    // FNV-1a: short, and stable between versions of the standard library.
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// A fraction 0..1 that depends on nothing but its arguments.
pub(crate) fn fraction(seed: u64, step: u64) -> f64 {
    let mut x = seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    let mantissa = (x >> 11) as f64;
    mantissa / 9_007_199_254_740_992.0
}

/// A fraction 0..1 that moves smoothly with time, a new direction every `period` seconds.
pub(crate) fn drift(seed: u64, time: u64, period: u64) -> f64 {
    let (step, into) = (time / period, time % period);
    let at = into as f64 / period as f64;
    let smooth = at * at * (3.0 - 2.0 * at);
    fraction(seed, step) * (1.0 - smooth) + fraction(seed, step + 1) * smooth
}

/// A part of a whole, both in bytes.
pub(crate) fn part(whole: u64, fraction: f64) -> u64 {
    // Whole pages, as a kernel counts.
    (whole as f64 * fraction) as u64 / 4096 * 4096
}

/// What a counter shows that grew with `rate` bytes per second for `seconds`.
pub(crate) fn counter(rate: f64, seconds: u64) -> u64 {
    (rate * seconds as f64) as u64
}

/// One number as a share of another.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_fractions_smooth_and_repeatable() {
        for t in 0..1000 {
            let now = drift(seed("x"), t, 60);
            assert!((0.0..1.0).contains(&now));
            assert!((now - drift(seed("x"), t + 1, 60)).abs() < 0.05);
            assert_eq!(now.to_bits(), drift(seed("x"), t, 60).to_bits());
        }
        assert_eq!(part(8192, 0.9), 4096);
    }
}
