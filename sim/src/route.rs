//! Finding the method that a path means.

use std::collections::HashMap;
use std::sync::OnceLock;

use proxmox_api::{Method, Verb, methods};

/// A method and the values of its path parameters, in the order of the template.
pub(crate) struct Routed {
    pub(crate) method: &'static Method,
    pub(crate) values: Vec<(&'static str, String)>,
}

#[derive(Default)]
struct Branch {
    fixed: HashMap<&'static str, Branch>,
    /// The branch of a parameter.
    any: Option<Box<Branch>>,
    methods: Vec<&'static Method>,
    /// A parameter here takes the rest of the path (volume ids and networks hold slashes).
    rest: bool,
}

/// Finds the method for a decoded path; empty segments do not count.
pub(crate) fn find(verb: Verb, path: &str) -> Option<Routed> {
    let mut branch = tree();
    let mut values = Vec::new();
    let mut segments = path.split('/').filter(|s| !s.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        if let Some(next) = branch.fixed.get(segment) {
            branch = next;
            continue;
        }
        branch = branch.any.as_deref()?;
        let mut value = segment.to_owned();
        if branch.rest {
            for more in segments.by_ref() {
                value.push('/');
                value.push_str(more);
            }
        }
        values.push(value);
    }
    let method = branch.methods.iter().find(|m| m.verb == verb)?;
    Some(Routed { method, values: method.path_params().zip(values).collect() })
}

/// The names one level below a path template that any verb knows; what an index lists.
pub(crate) fn children(template: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    let prefix = template.trim_end_matches('/');
    for method in methods::ALL {
        let Some(rest) = method.path.strip_prefix(prefix).and_then(|r| r.strip_prefix('/')) else { continue };
        let name = rest.split('/').next().unwrap_or_default();
        if !name.is_empty() && !name.starts_with('{') && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn tree() -> &'static Branch {
    static TREE: OnceLock<Branch> = OnceLock::new();
    TREE.get_or_init(|| {
        let mut root = Branch::default();
        for method in methods::ALL {
            let mut branch = &mut root;
            for segment in method.path.split('/').filter(|s| !s.is_empty()) {
                branch = match segment.starts_with('{') {
                    true => branch.any.get_or_insert_default(),
                    false => branch.fixed.entry(segment).or_default(),
                };
                branch.rest |= matches!(segment, "{volume}" | "{cidr}");
            }
            branch.methods.push(method);
        }
        root
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_own_path() {
        for method in methods::ALL {
            let path = method.path.replace(['{', '}'], "x");
            let found = find(method.verb, &path).map(|r| r.method.path);
            assert_eq!(found, Some(method.path), "{method}");
        }
    }

    #[test]
    fn empty_segments_do_not_count_and_a_volume_holds_slashes() {
        assert_eq!(find(Verb::Get, "//nodes/").map(|r| r.method.path), Some("/nodes"));
        let routed = find(Verb::Delete, "/nodes/a/storage/b/content/b:100/disk.raw").unwrap();
        assert_eq!(routed.values[2], ("volume", "b:100/disk.raw".to_owned()));
        assert!(find(Verb::Get, "/nodes/../access/users").is_none());
    }
}
