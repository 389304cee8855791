//! The threat: a request that skips a step. [`Gate::check`] is the one way through, and its body is
//! the list of steps; each of them refuses what it does not know.

use crate::denied::{Denied, Subject, Wall};
use crate::grant::Grants;
use crate::opening::{self, Opening};
use crate::permit::Permit;
use crate::request::{RawRequest, Request};
use crate::subject::{Subjects, subjects};
use crate::verdict::{Need, Verdict};
use crate::walls::Walls;
use crate::{answer, decide, demand, route, value, volume};
use proxmox_api::{Method, Verb, rules};

/// Which pools guests and storages are in; the host looks it up. A grant on a pool reaches its members.
pub trait Pools {
    /// The guest's pool, with the pools above it (`dev/web`); `None` where it is in none or unknown.
    fn pool_of(&self, vmid: u32) -> Option<&str>;

    /// The storage's pools: unlike a guest it may be in several. Empty where it is in none or unknown.
    fn pools_of_storage(&self, storage: &str) -> Vec<&str> {
        let _ = storage;
        Vec::new()
    }
}

/// The lookup that knows no pool: a grant on a pool covers the pool's own path and no member.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPools;

impl Pools for NoPools {
    fn pool_of(&self, _vmid: u32) -> Option<&str> {
        None
    }
}

/// What one call of a tool may do at most: the methods that the tool declared, on the node and guest
/// that the call is about. Without a node (or guest) the call is about no particular one.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    methods: Vec<&'static Method>,
    /// Methods that it may call with just these values in the path.
    named: Vec<(&'static Method, Vec<String>)>,
    nodes: Vec<String>,
    guests: Vec<u32>,
    /// Guests whose volume it uses.
    sources: Vec<u32>,
    /// Whether it may name a new guest besides.
    makes_guest: bool,
}

impl Scope {
    /// A call of a tool that declared these methods.
    pub fn new(methods: impl IntoIterator<Item = &'static Method>) -> Self {
        Scope { methods: methods.into_iter().collect(), ..Scope::default() }
    }

    /// The same, and besides the method that this verb and path (below `/api2/json`) mean, with just the
    /// values that this path has. A path that means none adds nothing.
    #[must_use]
    pub fn naming(mut self, verb: Verb, path: &str) -> Self {
        if let Ok(found) = route::find(verb, &format!("/api2/json{path}")) {
            let values = found.values.into_iter().map(|(_, text)| text.into_owned());
            self.named.push((found.method, values.collect()));
        }
        self
    }

    /// The same, which may besides use this volume of other guests: read it, or name it beside the guest that
    /// it is about.
    #[must_use]
    pub fn on_owners_of(mut self, volume: &str) -> Self {
        self.sources.extend(volume::owners(volume));
        self
    }

    /// The same, and about the guest that a clone makes, whose id is not known yet. Proxmox makes none over
    /// another.
    #[must_use]
    pub fn making_a_guest(mut self) -> Self {
        self.makes_guest = true;
        self
    }

    /// The same, about this node and those named before: requests about another are refused.
    #[must_use]
    pub fn on_node(mut self, node: impl Into<String>) -> Self {
        self.nodes.push(node.into());
        self
    }

    /// The same, about this guest and those named before (a clone is about two): requests about
    /// another are refused.
    #[must_use]
    pub fn on_guest(mut self, vmid: u32) -> Self {
        self.guests.push(vmid);
        self
    }

    fn declares(&self, request: &Request) -> bool {
        let same = |method: &Method| method.verb == request.method.verb && method.path == request.method.path;
        let values = || request.path.iter().map(|(_, text)| text);
        self.methods.iter().any(|method| same(method))
            || self.named.iter().any(|(method, named)| same(method) && named.iter().eq(values()))
    }

    fn admits(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Node(name) => self.nodes.is_empty() || self.nodes.contains(name),
            Subject::Guest(vmid) => self.guests.is_empty() || self.guests.contains(vmid),
        }
    }
}

/// The operator's side: what is granted, and the walls around it.
#[derive(Debug, Clone)]
pub struct Gate {
    grants: Grants,
    walls: Walls,
    login: String,
}

impl Gate {
    /// A gate. `login` is the full id of the API token that requests carry (`root@pam!mcp`): its own
    /// tasks may be followed, those of others need `Sys.Audit` on the node.
    pub fn new(grants: Grants, walls: Walls, login: impl Into<String>) -> Self {
        Gate { grants, walls, login: login.into() }
    }

    /// What is granted.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The allow-lists.
    pub fn walls(&self) -> &Walls {
        &self.walls
    }

    /// Decides one request.
    ///
    /// # Errors
    /// [`Denied`], which says why and, where one would help, which grant opens it.
    pub fn check(&self, scope: &Scope, raw: RawRequest<'_>, pools: &dyn Pools) -> Result<Permit, Denied> {
        let request = Request::parse(raw)?;
        let subjects = subjects(&request)?;
        in_scope(&request, &subjects, scope)?;
        self.in_walls(&request, &subjects)?;
        let demand = demand::of(&request, &self.login)?;
        decide::decide(request.method, &demand, &self.grants, pools)?;
        request.rebuild()
    }

    /// Explains what [`Gate::check`] decides about a request, and by what.
    pub fn explain(&self, scope: &Scope, raw: RawRequest<'_>, pools: &dyn Pools) -> Verdict {
        let outcome = self.check(scope, raw, pools).map(|_| ());
        let Ok(request) = Request::parse(raw) else {
            return Verdict {
                method: None,
                rule: "it is not a request that the API has",
                needs: Vec::new(),
                outcome,
            };
        };
        let rests_on = match demand::of(&request, &self.login) {
            Ok(demand) => decide::rests_on(&demand, &self.grants, pools),
            Err(_) => Vec::new(),
        };
        let needs = rests_on.into_iter().map(|(need, grant)| Need {
            privilege: need.privilege,
            path: need.path,
            covered_by: grant.map(ToString::to_string),
        });
        let rule = rules::reason(request.method);
        Verdict { method: Some(request.method), rule, needs: needs.collect(), outcome }
    }

    /// Cuts the body of a successful answer to what grants and allow-lists cover. `None`: it may pass
    /// as it is. A row that cannot be judged is left out. Not for the bodies of error answers.
    pub fn filter(&self, method: &Method, body: &[u8], pools: &dyn Pools) -> Option<Vec<u8>> {
        let judge = answer::Judge { grants: &self.grants, walls: &self.walls, login: &self.login, pools };
        judge.filter(method, body)
    }

    /// Whether the grants open a method: everywhere, somewhere or nowhere.
    pub fn opens(&self, method: &'static Method) -> Opening {
        opening::of(method, &self.grants)
    }

    fn in_walls(&self, request: &Request, subjects: &Subjects) -> Result<(), Denied> {
        for subject in subjects.iter() {
            let (inside, wall) = match subject {
                Subject::Node(name) => (self.walls.admits_node(name), Wall::Nodes),
                Subject::Guest(vmid) => (self.walls.admits_guest(*vmid), Wall::Guests),
            };
            if !inside {
                return Err(Denied::Walled { subject: subject.clone(), wall });
            }
        }
        let names = |wanted: Wall| subjects.main.iter().any(|subject| wall_of(subject) == wanted);
        for (bounds, wall) in
            [(self.walls.bounds_nodes(), Wall::Nodes), (self.walls.bounds_guests(), Wall::Guests)]
        {
            if bounds && !names(wall) && !answer::is_bounded(request.method, wall) {
                return Err(Denied::Unbounded { method: request.method, wall });
            }
        }
        Ok(())
    }
}

const fn wall_of(subject: &Subject) -> Wall {
    match subject {
        Subject::Node(_) => Wall::Nodes,
        Subject::Guest(_) => Wall::Guests,
    }
}

fn in_scope(request: &Request, subjects: &Subjects, scope: &Scope) -> Result<(), Denied> {
    let method = request.method;
    if !scope.declares(request) {
        return Err(Denied::NotDeclared(method));
    }
    let made = scope.makes_guest.then(|| made_guest(request)).flatten();
    let used = |subject: &Subject| {
        matches!(subject, Subject::Guest(vmid) if scope.sources.contains(vmid))
            && (method.verb.reads() || !subjects.main.contains(subject))
    };
    let admits = |subject: &Subject| scope.admits(subject) || used(subject) || made.as_ref() == Some(subject);
    if let Some(other) = subjects.iter().find(|subject| !admits(subject)) {
        return Err(Denied::OutOfScope(other.clone()));
    }
    let names_guests = subjects.main.iter().any(|subject| wall_of(subject) == Wall::Guests);
    if !scope.guests.is_empty() && demand::is_about_guests(method) && !names_guests {
        return Err(Denied::ScopeExceeded(method));
    }
    Ok(())
}

/// The guest that a clone makes. No other method has this parameter.
fn made_guest(request: &Request) -> Option<Subject> {
    value::vmid(request.value("newid")?).map(Subject::Guest)
}
