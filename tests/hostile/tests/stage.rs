//! The cluster, the host, and the hostile component in it.

use std::sync::{Arc, OnceLock};

use proxmox_gate::{Gate, Grants, Walls};
use proxmox_mcp_attacks::COMPONENT;
use proxmox_mcp_host::calls::{Answer, Tools};
use proxmox_mcp_host::egress::{Egress, Endpoint};
use proxmox_mcp_host::engine::{Engine, Pending};
use proxmox_mcp_host::settings::authorization;
use proxmox_mcp_host::tls::Trust;
use proxmox_sim::{Options, Sim};
use serde_json::{Map, Value, json};

/// The request that every stage can still make after an attack.
pub(crate) const VERSION: &str = "/api2/json/version";
/// Starts guest 101, which is on node pve1.
pub(crate) const START_101: &str = "/api2/json/nodes/pve1/qemu/101/status/start";

/// A component, compiled for this machine, and threads for it as the program has them.
pub(crate) fn compiled(bytes: &[u8]) -> Engine {
    // SAFETY: the build script made it with the same wasmtime; tests overwrite constant text in it at most.
    #[expect(unsafe_code, reason = "the bytes come from this build")]
    let engine = unsafe { Engine::from_compiled(bytes) }.unwrap();
    engine.with_crew(Arc::default())
}

/// The hostile component. All tests share it, as all calls of the program do.
pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| compiled(COMPONENT)).clone()
}

pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) tools: Tools,
}

impl Stage {
    /// Everything is granted, and no allow-list stands around it.
    pub(crate) async fn open() -> Stage {
        Stage::with(engine(), Walls::default()).await
    }

    /// Reading is granted, and a person may be asked for everything.
    pub(crate) async fn asking() -> Stage {
        let sim = Sim::start(Options::instant()).unwrap();
        let (login, endpoint) = endpoint(&sim);
        let gate = |grants| Gate::new(grants, Walls::default(), login.clone());
        let tools = Tools::with_engine(engine(), gate(Grants::basic()), Egress::new(endpoint)).await.unwrap();
        let tools = tools.asking(gate(Grants::elevated()));
        Stage { sim, tools }
    }

    pub(crate) async fn with(engine: Engine, walls: Walls) -> Stage {
        let sim = Sim::start(Options::instant()).unwrap();
        let tools = tools(&sim, engine, walls).await.unwrap();
        Stage { sim, tools }
    }

    /// Calls a tool; whatever comes back must not hold the token.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let secret = self.sim.token().secret;
        let watch = |pending: &Pending| {
            assert!(!pending.message.contains(&secret) && !pending.continuation.contains(&secret));
        };
        let Value::Object(arguments) = arguments else { panic!("{arguments} is no object") };
        let answer = self.tools.call(tool, &arguments, watch).await;
        assert!(!format!("{answer:?}").contains(&secret), "the token came back");
        answer
    }

    /// Calls a tool and gives what the component saw.
    pub(crate) async fn seen(&self, tool: &str, arguments: Value) -> Value {
        match self.call(tool, arguments.clone()).await {
            Answer::Done { mut data, .. } => data.remove("seen").expect("a report"),
            Answer::Failed { kind, message } => panic!("{arguments}: {kind}: {message}"),
        }
    }

    /// Makes requests from the tool that declares everything, and gives what came of each.
    pub(crate) async fn requests(&self, requests: Vec<Value>) -> Vec<Value> {
        let Value::Array(seen) = self.seen("all", json!({"do": "requests", "requests": requests})).await
        else {
            panic!("no list");
        };
        assert_eq!(seen.len(), requests.len());
        seen
    }

    /// None of the requests may leave; what else the component learns is that each was refused.
    pub(crate) async fn all_refused(&self, requests: Vec<Value>) {
        self.sim.clear_requests();
        let outcomes = self.requests(requests.clone()).await;
        for (request, outcome) in requests.iter().zip(&outcomes) {
            assert!(outcome.get("status").is_none(), "{request} was answered: {outcome}");
        }
        assert_eq!(self.arrived(), Vec::<String>::new());
        self.still_works().await;
    }

    /// The call fails, with this kind, and nothing reaches the cluster. Gives the message.
    pub(crate) async fn fails(&self, arguments: Value, expected: &str) -> String {
        self.sim.clear_requests();
        let Answer::Failed { kind, message } = self.call("all", arguments.clone()).await else {
            panic!("{arguments} did not fail");
        };
        assert_eq!(kind, expected, "{arguments}: {message}");
        assert_eq!(self.arrived(), Vec::<String>::new());
        self.still_works().await;
        message
    }

    /// An honest call works and makes one request.
    pub(crate) async fn still_works(&self) {
        self.sim.clear_requests();
        let seen = self.requests(vec![json!({"path": VERSION})]).await;
        assert_eq!(seen[0]["status"], 200, "{seen:?}");
        assert!(seen[0]["body"].as_str().unwrap().contains("version"), "{seen:?}");
        assert_eq!(self.arrived(), [format!("GET {VERSION}")]);
        self.sim.clear_requests();
    }

    /// What arrived at the cluster: verb, path and query of each request.
    pub(crate) fn arrived(&self) -> Vec<String> {
        let line = |verb: &str, path: &str, query: &str| match query {
            "" => format!("{verb} {path}"),
            _ => format!("{verb} {path}?{query}"),
        };
        self.sim.requests().iter().map(|r| line(&r.verb, &r.path, &r.query)).collect()
    }
}

/// The host with this component, in front of this cluster.
pub(crate) async fn tools(sim: &Sim, engine: Engine, walls: Walls) -> Result<Tools, String> {
    let (login, endpoint) = endpoint(sim);
    let gate = Gate::new(Grants::elevated(), walls, login);
    Tools::with_engine(engine, gate, Egress::new(endpoint)).await.map_err(|error| format!("{error:#}"))
}

/// The way to this cluster, and who goes it.
pub(crate) fn endpoint(sim: &Sim) -> (String, Endpoint) {
    let token = sim.token();
    let login = format!("{}!{}", token.user, token.name);
    let endpoint = Endpoint {
        host: sim.addr().ip().to_string(),
        port: sim.addr().port(),
        trust: Trust::CaPem(sim.ca_pem().to_owned()),
        authorization: authorization(&login, &token.secret).unwrap(),
    };
    (login, endpoint)
}

/// Fails with the kind and the message of a failure, or with an empty one for an answer.
pub(crate) fn failure(answer: &Answer) -> (&'static str, String) {
    match answer {
        Answer::Failed { kind, message } => (kind, message.clone()),
        Answer::Done { .. } => ("", String::new()),
    }
}

/// The data of an answer.
pub(crate) fn data(answer: &Answer) -> Option<&Map<String, Value>> {
    match answer {
        Answer::Done { data, .. } => Some(data),
        Answer::Failed { .. } => None,
    }
}
