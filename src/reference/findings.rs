//! `docs/findings.md`: the codes of findings.

use super::compare;
use crate::health::codes::{Code, OF_BOTH, OF_CLUSTER, OF_GUEST};

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from src/health/codes.rs. Do not edit. -->

# Findings

What `proxmox_health` and `proxmox_diagnose` can find. A finding has a code, which stays the same from release to
release; how bad it is; what it is about; where something was measured, the `value`, the `limit` that it was held against
and the `unit` of both; and a call that shows more. What could not be looked at is no finding, but in `not_checked`, with
the reason.
";

/// Part of the page: its heading and its codes.
const PARTS: [(&str, &[Code]); 3] = [
    ("Of the cluster (`proxmox_health`)", OF_CLUSTER),
    ("Of the cluster and of a guest (both tools)", OF_BOTH),
    ("Of a guest (`proxmox_diagnose`)", OF_GUEST),
];

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (heading, codes) in PARTS {
        page += &format!("\n## {heading}\n\n| code | severity | meaning |\n|---|---|---|\n");
        for code in codes {
            let severities: Vec<&str> = code.severities.iter().map(|severity| severity.word()).collect();
            page += &format!("| `{}` | {} | {} |\n", code.word, severities.join(", "), code.means);
        }
    }
    page
}

#[test]
fn the_reference_of_the_findings_is_true() {
    compare("findings.md", &page());
}
