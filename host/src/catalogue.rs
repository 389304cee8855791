//! The tools as the component declares them, and what the host makes of each declaration.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use proxmox_api::{Method, Verb};
use proxmox_gate::Scope;
use serde_json::{Map, Value};

use crate::engine::Tool;

/// A tool and what the host makes of its declaration.
pub struct Entry {
    /// As the component declares it.
    pub tool: Tool,
    /// The API methods that it may call.
    pub methods: Vec<&'static Method>,
}

/// All tools, by their names and older names.
pub struct Catalogue {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

impl Catalogue {
    /// The tools that a component listed.
    ///
    /// # Errors
    /// Where a declaration makes no sense, or two tools share a name.
    pub fn new(listed: Vec<Tool>) -> Result<Self> {
        let entries: Vec<Entry> = listed.into_iter().map(Entry::new).collect::<Result<_>>()?;
        let mut by_name = HashMap::new();
        for (at, Entry { tool, .. }) in entries.iter().enumerate() {
            for name in std::iter::once(&tool.name).chain(&tool.aliases) {
                ensure!(by_name.insert(name.clone(), at).is_none(), "two tools have the name {name}");
            }
        }
        Ok(Self { entries, by_name })
    }

    /// All tools, in the component's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tool of this name, or of this older name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).and_then(|at| self.entries.get(*at))
    }

    /// The sentence for a name that no tool has.
    pub fn unknown(&self, name: &str) -> String {
        let nearest =
            self.by_name.keys().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
        match nearest {
            Some((distance, near)) if distance <= 8 => {
                format!("There is no tool `{name}`. Did you mean `{near}`?")
            }
            _ => format!("There is no tool `{name}`; `tools/list` names those there are."),
        }
    }
}

impl Entry {
    /// Checks a declaration and resolves its calls; one that makes no sense is a defect of the build.
    fn new(tool: Tool) -> Result<Entry> {
        for name in std::iter::once(&tool.name).chain(&tool.aliases) {
            let named = (1..=64).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            ensure!(
                named,
                "a tool's name has 1 to 64 letters, digits, underscores and hyphens; one has another"
            );
        }
        let methods = tool.calls.iter().map(|call| {
            Verb::parse(&call.verb)
                .and_then(|verb| proxmox_api::find(verb, &call.path))
                .with_context(|| format!("{}: no such API method: {} {}", tool.name, call.verb, call.path))
        });
        let methods: Vec<&'static Method> = methods.collect::<Result<_>>()?;
        // Clients let through unasked what only reads.
        let reads = methods.iter().all(|method| method.verb.reads());
        ensure!(
            reads || !tool.annotations.read_only,
            "{} says that it only reads, but declares more",
            tool.name
        );
        Ok(Entry { tool, methods })
    }

    /// Whether it says that it only reads; then it declares nothing else.
    pub(crate) fn only_reads(&self) -> bool {
        self.tool.annotations.read_only
    }

    /// What a call with these arguments is about: the tool's declared methods, on the node and the guest that
    /// the arguments name. Where they name one in a way that cannot be read, it is about nothing.
    pub fn scope(&self, arguments: &Map<String, Value>) -> Scope {
        let all = Scope::new(self.methods.iter().copied());
        self.narrowed(all, self.tool.names_its_call, arguments)
    }

    /// The same for a call that may only look how far it is: what the tool declared that reads.
    pub(crate) fn looking(&self, arguments: &Map<String, Value>) -> Scope {
        let reads = self.methods.iter().copied().filter(|method| method.verb.reads());
        self.narrowed(Scope::new(reads), false, arguments)
    }

    fn narrowed(&self, mut scope: Scope, names_its_call: bool, arguments: &Map<String, Value>) -> Scope {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        if names_its_call {
            scope = match self.named(text("method"), text("path")) {
                Some((verb, path)) => {
                    let below = path.trim().strip_prefix("/api2/json").unwrap_or(path.trim());
                    let path = format!("/{}", below.trim_matches('/'));
                    let scope = scope.naming(verb, &path);
                    // Who changes values looks at what they are.
                    if verb == Verb::Put { scope.naming(Verb::Get, &path) } else { scope }
                }
                None => scope,
            };
        }
        match arguments.get("node") {
            None | Some(Value::Null) => {}
            Some(Value::String(node)) => {
                // A guest that moves touches two.
                scope =
                    [Some(node.as_str()), text("target")].into_iter().flatten().fold(scope, Scope::on_node);
            }
            Some(_) => return Scope::default(),
        }
        for name in ["vmid", "newid"] {
            scope = match arguments.get(name) {
                None | Some(Value::Null) => scope,
                Some(value) => match guest_id(value) {
                    Some(vmid) => scope.on_guest(vmid),
                    None => return self.of_a_name(value),
                },
            };
        }
        if self.clones() && arguments.get("newid").is_none_or(Value::is_null) {
            scope = scope.making_a_guest();
        }
        // What is restored was another guest once.
        [text("archive"), text("volume")].into_iter().flatten().fold(scope, Scope::on_owners_of)
    }

    fn clones(&self) -> bool {
        self.methods.iter().any(|method| !method.verb.reads() && method.path.ends_with("/clone"))
    }

    /// The request that the arguments name. A tool that says it only reads may name no other.
    fn named<'a>(&self, method: Option<&str>, path: Option<&'a str>) -> Option<(Verb, &'a str)> {
        let verb = Verb::parse(method.unwrap_or("GET"))?;
        (verb.reads() || !self.tool.annotations.read_only).then_some((verb, path?))
    }

    /// Where a guest is named by something that is no id, the tool may look up which guests there are, to say
    /// which was meant, and do no more.
    fn of_a_name(&self, value: &Value) -> Scope {
        let looks_up = |method: &&&'static Method| method.verb.reads() && method.path == "/cluster/resources";
        let is_name = value.as_str().is_some_and(|text| text.contains(|c: char| c.is_ascii_alphabetic()));
        Scope::new(self.methods.iter().filter(|method| is_name && looks_up(method)).copied())
    }
}

/// A guest's id as number or as its plain text.
fn guest_id(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|vmid| u32::try_from(vmid).ok()),
        Value::String(text) => text.parse().ok().filter(|vmid: &u32| vmid.to_string() == *text),
        _ => None,
    }
}
