//! The threat: a privilege that nobody granted. This file holds a request's demands against the
//! grants. What is not known to be granted is missing, and what is missing is named, least first.

use crate::demand::Demand;
use crate::denied::{self, Denied, Missing};
use crate::gate::Pools;
use crate::grant::{Grant, Grants};
use proxmox_api::Method;

/// Why a demand is not met.
enum Failure {
    /// These are missing.
    Missing(Vec<Missing>),
    /// Only every privilege would do.
    Elevated,
    /// This parameter, which the ACL path is made of, is absent or not fit for one.
    Parameter(&'static str),
}

/// Decides by the grants.
pub(crate) fn decide(
    method: &'static Method,
    demand: &Demand,
    grants: &Grants,
    pools: &dyn Pools,
) -> Result<(), Denied> {
    evaluate(demand, grants, pools).map_err(|failure| match failure {
        Failure::Missing(missing) => Denied::Missing { method, missing },
        Failure::Elevated => Denied::NeedsElevated(method),
        Failure::Parameter(name) => Denied::BadParameter {
            method,
            name: name.to_owned(),
            why: "the permission depends on it, and it is absent or not a plain name".to_owned(),
        },
    })
}

fn evaluate(demand: &Demand, grants: &Grants, pools: &dyn Pools) -> Result<(), Failure> {
    match demand {
        Demand::Privilege(one) if grants.covers(one.privilege, &one.path, pools).is_some() => Ok(()),
        Demand::Privilege(one) => Err(Failure::Missing(vec![one.clone()])),
        Demand::All(demands) => all(demands.iter().map(|demand| evaluate(demand, grants, pools))),
        Demand::Any(demands) => any(demands.iter().map(|demand| evaluate(demand, grants, pools))),
        Demand::Elevated if grants.is_elevated() => Ok(()),
        Demand::Elevated => Err(Failure::Elevated),
        Demand::Parameter(name) => Err(Failure::Parameter(name)),
    }
}

/// Each privilege that is missing, once, and none beside the same on a path above.
fn all(results: impl Iterator<Item = Result<(), Failure>>) -> Result<(), Failure> {
    let mut missing: Vec<Missing> = Vec::new();
    for result in results {
        match result {
            Ok(()) => {}
            Err(Failure::Missing(more)) => {
                more.into_iter().for_each(|one| add(&mut missing, one));
            }
            Err(other) => return Err(other),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::Missing(missing)) }
}

/// Adds what no other entry covers, in the place of those that it covers.
fn add(missing: &mut Vec<Missing>, one: Missing) {
    let covers = |a: &Missing, b: &Missing| a.privilege == b.privilege && is_above(&a.path, &b.path);
    if !missing.iter().any(|known| covers(known, &one)) {
        missing.retain(|known| !covers(&one, known));
        missing.push(one);
    }
}

/// Whether a grant on `upper` holds on `path`.
fn is_above(upper: &str, path: &str) -> bool {
    upper == "/" || path.strip_prefix(upper).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One success is enough; else the least of the failures.
fn any(results: impl Iterator<Item = Result<(), Failure>>) -> Result<(), Failure> {
    let mut least = None;
    for result in results {
        let Err(failure) = result else { return Ok(()) };
        if least.as_ref().is_none_or(|known| weight(&failure) < weight(known)) {
            least = Some(failure);
        }
    }
    Err(least.unwrap_or(Failure::Missing(Vec::new())))
}

/// How much an operator would have to grant; failures that no single privilege heals weigh most.
fn weight(failure: &Failure) -> (usize, usize, usize) {
    match failure {
        Failure::Missing(missing) => denied::weight(missing),
        Failure::Elevated => (usize::MAX - 1, 0, 0),
        Failure::Parameter(_) => (usize::MAX, 0, 0),
    }
}

/// The privileges that the decision rests on, each once, with the grant that covers it: of
/// alternatives the least that is granted, else the least.
pub(crate) fn rests_on<'a>(
    demand: &Demand,
    grants: &'a Grants,
    pools: &dyn Pools,
) -> Vec<(Missing, Option<&'a Grant>)> {
    match demand {
        Demand::Privilege(one) => {
            vec![(one.clone(), grants.covers(one.privilege, &one.path, pools))]
        }
        Demand::All(demands) => {
            let mut list: Vec<(Missing, Option<&Grant>)> = Vec::new();
            for (one, grant) in demands.iter().flat_map(|demand| rests_on(demand, grants, pools)) {
                if !list.iter().any(|(known, _)| *known == one) {
                    list.push((one, grant));
                }
            }
            list
        }
        Demand::Any(demands) => {
            let result = |demand: &&Demand| evaluate(demand, grants, pools);
            let granted = demands.iter().filter(|demand| result(demand).is_ok());
            let granted = granted.map(|demand| rests_on(demand, grants, pools)).min_by_key(|list| {
                let privileges: Vec<Missing> = list.iter().map(|(one, _)| one.clone()).collect();
                (privileges.is_empty(), denied::weight(&privileges))
            });
            let least = || {
                let weighed = |demand: &&Demand| result(demand).err().map_or((0, 0, 0), |f| weight(&f));
                demands.iter().min_by_key(weighed)
            };
            granted.or_else(|| Some(rests_on(least()?, grants, pools))).unwrap_or_default()
        }
        Demand::Elevated | Demand::Parameter(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoPools;

    fn grants(text: &str) -> Grants {
        let mut grants = Grants::default();
        grants.add(text).unwrap();
        grants
    }

    fn missing(demand: &Demand, text: &str) -> Option<String> {
        match evaluate(demand, &grants(text), &NoPools) {
            Ok(()) => None,
            Err(Failure::Missing(missing)) => Some(denied::joined(&missing)),
            Err(Failure::Elevated) => Some("everything".to_owned()),
            Err(Failure::Parameter(name)) => Some(format!("{{{name}}}")),
        }
    }

    #[test]
    fn all_names_each_once_and_any_the_least() {
        let (a, b) = (Demand::guest("VM.Audit", 101), Demand::guest("VM.Clone", 101));
        let wide = Demand::on("VM.Audit", "/vms");
        let both = Demand::All(vec![a.clone(), b.clone(), a.clone()]);
        assert_eq!(missing(&both, "Sys.Audit@/").as_deref(), Some("VM.Audit@/vms/101,VM.Clone@/vms/101"));
        assert_eq!(missing(&both, "VM.Audit@/").as_deref(), Some("VM.Clone@/vms/101"));
        assert_eq!(missing(&both, "VM.*@/vms/101"), None);
        let either = Demand::Any(vec![both.clone(), wide.clone(), b.clone()]);
        assert_eq!(missing(&either, "Sys.Audit@/").as_deref(), Some("VM.Clone@/vms/101"));
        assert_eq!(missing(&either, "VM.Audit@/vms"), None);
        let wide_too = Demand::All(vec![a.clone(), wide.clone(), Demand::on("VM.Audit", "/vms2")]);
        assert_eq!(missing(&wide_too, "Sys.Audit@/").as_deref(), Some("VM.Audit@/vms,VM.Audit@/vms2"));
        assert_eq!(missing(&wide_too, "VM.Audit@/vms").as_deref(), Some("VM.Audit@/vms2"));
        assert_eq!(missing(&Demand::nothing(), "Sys.Audit@/"), None);
        assert_eq!(missing(&Demand::Any(vec![]), "Administrator@/").as_deref(), Some(""));
    }

    #[test]
    fn what_no_privilege_heals_outweighs() {
        let a = Demand::guest("VM.Audit", 101);
        let odd = Demand::Parameter("pool");
        assert_eq!(
            missing(&Demand::Any(vec![odd.clone(), a.clone()]), "Sys.Audit@/").as_deref(),
            Some("VM.Audit@/vms/101")
        );
        assert_eq!(missing(&Demand::All(vec![a.clone(), odd]), "VM.Audit@/").as_deref(), Some("{pool}"));
        assert_eq!(missing(&Demand::Elevated, "Administrator@/vms").as_deref(), Some("everything"));
        assert_eq!(missing(&Demand::Elevated, "Administrator@/"), None);
    }

    #[test]
    fn the_list_behind_a_decision() {
        let (a, b) = (Demand::guest("VM.Audit", 101), Demand::guest("VM.Clone", 101));
        let demand =
            Demand::All(vec![a.clone(), Demand::Any(vec![Demand::on("VM.Clone", "/pool/dev"), b]), a]);
        let given = grants("VM.*@/vms/101");
        let list = rests_on(&demand, &given, &NoPools);
        let shown: Vec<String> =
            list.iter().map(|(one, grant)| format!("{one} {}", grant.is_some())).collect();
        assert_eq!(shown, ["VM.Audit@/vms/101 true", "VM.Clone@/vms/101 true"]);
        let nothing = Grants::default();
        assert_eq!(rests_on(&demand, &nothing, &NoPools).len(), 2);
    }
}
