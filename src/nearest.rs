//! The right name behind a slightly wrong one.

/// The longest word that is compared, in bytes: comparing takes time by length, and a longer one is no slip.
const LONGEST: usize = 80;

/// The candidate nearest to `word`, if one is near enough to be meant: equal but for case, at most a
/// third of the letters changed, or one the beginning of the other.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.to_ascii_lowercase();
            let begins = word.len() > 1 && (other.starts_with(&word) || word.starts_with(&other));
            let distance = distance(&word, &other);
            let turned = letters(&word) == letters(&other);
            (begins || turned || distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The letters of a word in order: the same for two words of which one has letters swapped.
fn letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

/// How many letters have to be added, dropped or replaced to make `b` of `a` (Levenshtein).
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, pair) in b.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("101", "1011", 1)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_near_names_are_named() {
        let names = ["vmid", "node", "timeout_seconds"];
        assert_eq!(nearest("vm_id", names), Some("vmid"));
        assert_eq!(nearest("NODE", names), Some("node"));
        assert_eq!(nearest("timeout", names), Some("timeout_seconds"));
        assert_eq!(nearest("vm", names), Some("vmid"));
        assert_eq!(nearest("v", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest(&"node".repeat(100), names), None);
        assert_eq!(nearest("timeout_second", names), Some("timeout_seconds"));
        assert_eq!(nearest("storage", names), None);
    }
}
