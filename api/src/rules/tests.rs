use super::*;
use crate::{find, methods};

#[test]
fn every_rule_is_about_a_method_and_there_is_one_each() {
    for (i, rule) in all().enumerate() {
        assert!(find(rule.verb, rule.path).is_some(), "{} {}", rule.verb, rule.path);
        let twin = all().skip(i + 1).any(|r| r.verb == rule.verb && r.path == rule.path);
        assert!(!twin, "{} {} twice", rule.verb, rule.path);
    }
}

#[test]
fn a_change_is_never_open() {
    for method in methods::ALL.iter().filter(|m| !m.verb.reads()) {
        let decision = decision(method);
        let open = matches!(
            decision,
            Decision::Open | Decision::Rows | Decision::OwnTask(_) | Decision::OfOther(..)
        );
        assert!(!open, "{method}: {decision:?}");
    }
}

#[test]
fn what_the_schema_leaves_to_prose_is_decided_by_a_rule_or_shut() {
    for method in methods::ALL {
        let prose = match method.permission {
            Permission::AnyLogin { prose } | Permission::Check { prose, .. } => prose,
            _ => false,
        };
        if prose && for_method(method).is_none() {
            assert_eq!(decision(method), Decision::Undecided, "{method}");
        }
    }
}

#[test]
fn what_is_shut_says_why() {
    for method in methods::ALL {
        if decision(method) == Decision::Undecided {
            assert!(for_method(method).is_some(), "{method} is undecided, and no rule says why");
        }
    }
}

#[test]
fn a_rule_that_leaves_it_to_the_schema_finds_a_check_there() {
    for rule in all().filter(|rule| rule.decision == Decision::Schema) {
        let method = find(rule.verb, rule.path).unwrap();
        assert!(matches!(decision(method), Decision::Check(_)), "{method}");
    }
}

#[test]
fn a_rule_names_only_known_privileges_and_parameters_of_its_method() {
    fn walk(check: &Check, rule: &Rule) {
        match check {
            Check::Perm { path, privileges, .. } => {
                assert!(privileges.iter().all(|p| crate::privileges::is_known(p)), "{}", rule.path);
                let method = find(rule.verb, rule.path).unwrap();
                for name in path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')) {
                    assert!(method.param(name).is_some(), "{}: {name}", rule.path);
                }
            }
            Check::All(checks) | Check::Any(checks) => checks.iter().for_each(|c| walk(c, rule)),
            other => panic!("{}: {other:?}", rule.path),
        }
    }
    for rule in all() {
        if let Decision::Check(check)
        | Decision::OwnTask(check)
        | Decision::OfOther(_, check)
        | Decision::Parameters(_, check) = rule.decision
        {
            walk(check, rule);
        }
    }
}

/// How many methods are decided by what. The numbers change with the schema and with the rules; they
/// stand here so that no such change goes unnoticed.
#[test]
fn the_count() {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for method in methods::ALL {
        let by_rule = for_method(method).is_some();
        let kind = match (decision(method), by_rule, method.token) {
            (Decision::RootOnly, ..) => "root only",
            (_, _, false) => "needs a ticket",
            (Decision::Undecided, ..) => "undecided",
            (Decision::Open | Decision::Check(_), false, _) => "schema",
            (Decision::Rows, ..) => "rule: rows",
            (Decision::OwnTask(_), ..) => "rule: own task",
            (Decision::OfOther(..), ..) => "rule: of another",
            (Decision::Parameters(..), ..) => "rule: parameters",
            (Decision::Check(_) | Decision::Open | Decision::Schema, ..) => "rule: check",
        };
        *counts.entry(kind).or_default() += 1;
    }
    let shown: Vec<String> = counts.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
    assert_eq!(
        shown,
        [
            "needs a ticket 5",
            "root only 15",
            "rule: check 59",
            "rule: of another 1",
            "rule: own task 2",
            "rule: parameters 50",
            "rule: rows 11",
            "schema 506",
            "undecided 12"
        ]
    );
}
