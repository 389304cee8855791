//! Sends every recorded request to the simulator, in the order of the recording, and compares what
//! comes back: status, reason phrase, whether there is a Content-Type, the texts of errors, and the
//! shape of the body. Values of figures differ; that a figure is there and is a number does not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proxmox_sim::world::{Guest, GuestKind, Node, NodeState};
use proxmox_sim::{Options, Sim, WorldKind};
use serde_json::Value;

use crate::support::{Answer, Connection};

/// Recordings that the simulator does not answer alike, with the reason.
const NOT_COVERED: &[(&[&str], &str)] = &[
    (&["066"], "the recorded machine had no disk counters"),
    (&["180"], "the recorded guest ran another system, which has no version text"),
    (&["326"], "asks for a window of time of the recording itself"),
    (&["334"], "the recorded container had no addresses"),
];

/// Recordings of something under way: no time passes before them.
const UNDER_WAY: &[&str] = &["108", "109", "159", "165", "185", "253", "254", "255", "256"];

fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/pve-captures");
    std::env::var_os("PROXMOX_CAPTURES").map(PathBuf::from).or(Some(beside)).filter(|dir| dir.is_dir())
}

#[test]
fn recorded_requests_get_the_recorded_answers() {
    let Some(dir) = recordings() else {
        println!("skipped: no recorded exchanges (set PROXMOX_CAPTURES)");
        return;
    };
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".req").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() > 300, "only {} recordings", names.len());
    let mut replay = Replay::start();
    let mut problems = Vec::new();
    for name in &names {
        let number = &name[..3];
        let excused =
            NOT_COVERED.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, reason)| reason);
        match (replay.run(&dir, name), excused) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Ok(()), Some(reason)) => problems.push(format!("{name}: passes, though listed ({reason})")),
            (Err(why), None) => problems.push(format!("{name}: {why}")),
        }
    }
    for number in NOT_COVERED.iter().flat_map(|(numbers, _)| *numbers) {
        assert!(
            names.iter().any(|n| n.starts_with(number)),
            "{number} is listed, but there is no such recording"
        );
    }
    let listed: usize = NOT_COVERED.iter().map(|(numbers, _)| numbers.len()).sum();
    println!("{} recordings, {listed} not covered", names.len());
    assert!(problems.is_empty(), "{} differ:\n{}", problems.len(), problems.join("\n"));
}

/// The simulator in the course of the recording.
struct Replay {
    sim: Sim,
    second_node: Node,
    its_guests: Vec<Guest>,
    /// What the recording calls a task, a process or a ticket, and what the simulator calls it.
    names: BTreeMap<String, String>,
}

impl Replay {
    fn start() -> Replay {
        let options = Options { world: WorldKind::Recorded, task_seconds: 1.0, ..Options::instant() };
        let sim = Sim::start(options).unwrap();
        // The recording begins with one node that stands alone.
        let (second_node, its_guests) = sim.with_world(|world| {
            world.clock.hold();
            world.cluster = None;
            let theirs: Vec<u32> =
                world.guests.values().filter(|g| g.node == "pve2").map(|g| g.vmid).collect();
            let guests = theirs.iter().filter_map(|id| world.guests.remove(id)).collect();
            (world.nodes.pop().unwrap(), guests)
        });
        Replay { sim, second_node, its_guests, names: BTreeMap::new() }
    }

    fn run(&mut self, dir: &Path, name: &str) -> Result<(), String> {
        let number = &name[..3];
        self.scene(number);
        if !UNDER_WAY.contains(&number) {
            self.sim.with_world(|world| world.skip(Duration::from_secs(20)));
        }
        let request = std::fs::read(dir.join(format!("{name}.req"))).unwrap();
        let request = self.translate(&request);
        let expected = Answer::parse(&std::fs::read(dir.join(format!("{name}.http"))).unwrap());
        let got = match number {
            "091" => plain(&self.sim, &request),
            _ => Connection::open(&self.sim).until_closed(&request),
        };
        if got.is_empty() {
            return Err("no answer".into());
        }
        let got = Answer::parse(&got);
        self.learn(&expected.json(), &got.json());
        compare(&expected, &got)
    }

    /// What happened between the recorded requests.
    fn scene(&mut self, number: &str) {
        let (node, guests) = (self.second_node.clone(), self.its_guests.clone());
        self.sim.with_world(|world| {
            let mut guest = |vmid: u32, f: &dyn Fn(&mut Guest)| f(world.guests.get_mut(&vmid).unwrap());
            match number {
                "150" => guest(150, &|g| g.lock = Some("backup".into())),
                "153" => guest(150, &|g| g.lock = None),
                "232" => guest(100, &|g| {
                    g.extra.insert("kvm".into(), 0.into());
                    g.extra.insert("onboot".into(), 1.into());
                }),
                "259" => guest(100, &|g| g.held = true),
                "260" => guest(100, &|g| g.held = false),
                "200" => world.nodes.push(Node { state: NodeState::Refusing, ..node }),
                "201" => {
                    world.cluster = Some("testcluster".into());
                    world.set_online("pve2", true);
                    world.guests.extend(guests.into_iter().map(|g| (g.vmid, g)));
                }
                "210" => world.set_online("pve2", false),
                "327" => {
                    world.set_online("pve2", false);
                    world.skip(Duration::from_secs(360));
                }
                "217" => world.quorate = false,
                "231" => {
                    world.quorate = true;
                    world.set_online("pve2", true);
                }
                "300" => {
                    let mut warns = Guest::new(106, GuestKind::Qemu, "warns", "pve1");
                    warns.start_warning = Some("netdev net0: ignoring MTU '1400', not using VirtIO".into());
                    world.guests.insert(106, warns);
                }
                "331" => world.set_online("pve2", true),
                _ => {}
            }
        });
    }

    /// The request with the simulator's names in place of the recorded ones.
    fn translate(&self, request: &[u8]) -> Vec<u8> {
        let mut text: String = request.iter().copied().map(char::from).collect();
        for (theirs, ours) in &self.names {
            text = text.replace(theirs, ours);
            text = text.replace(&encoded(theirs), &encoded(ours));
        }
        let ticket = self.names.iter().find(|(theirs, _)| theirs.starts_with("PVE:"));
        if let (Some((before, _)), Some((_, ours))) = (text.split_once("PVEAuthCookie="), ticket) {
            text = format!("{before}PVEAuthCookie={}\r\n\r\n", encoded(ours));
        }
        text.chars().map(|c| u8::try_from(c).unwrap()).collect()
    }

    fn learn(&mut self, theirs: &Value, ours: &Value) {
        let pairs = [
            (theirs["data"].as_str().map(str::to_owned), ours["data"].as_str().map(str::to_owned)),
            (
                theirs["data"]["pid"].as_i64().map(|p| format!("pid={p} ")),
                ours["data"]["pid"].as_i64().map(|p| format!("pid={p} ")),
            ),
            (
                theirs["data"]["ticket"].as_str().map(str::to_owned),
                ours["data"]["ticket"].as_str().map(str::to_owned),
            ),
        ];
        for (theirs, ours) in pairs {
            if let (Some(theirs), Some(ours)) = (theirs, ours)
                && (theirs.starts_with("UPID:") || theirs.starts_with("pid=") || theirs.starts_with("PVE:"))
            {
                self.names.insert(theirs, ours);
            }
        }
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the test is the client")]
fn plain(sim: &Sim, request: &[u8]) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(sim.addr()).unwrap();
    stream.write_all(request).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn compare(expected: &Answer, got: &Answer) -> Result<(), String> {
    let same = |what: &str, a: &str, b: &str| {
        let (a, b) = (usual(a), usual(b));
        if a == b { Ok(()) } else { Err(format!("{what}: recorded {a:?}, simulated {b:?}")) }
    };
    same("status", &expected.status.to_string(), &got.status.to_string())?;
    same("reason", &expected.reason, &got.reason)?;
    for name in ["Content-Type", "Content-Encoding", "Location", "Server", "Connection"] {
        same(name, expected.header(name).unwrap_or("none"), got.header(name).unwrap_or("none"))?;
    }
    if expected.header("Content-Type").is_none() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        return same("body", &text(&expected.body), &text(&got.body));
    }
    let (mut theirs, mut ours) = (expected.json(), got.json());
    if theirs["message"].is_string() {
        for body in [&mut theirs, &mut ours] {
            body["message"] = usual(body["message"].as_str().unwrap_or_default()).into();
        }
        return if theirs == ours {
            Ok(())
        } else {
            Err(format!("body: recorded {theirs}, simulated {ours}"))
        };
    }
    for key in ["status", "exitstatus", "exitcode", "exited", "out-data", "err-data", "signal"] {
        same(key, &theirs["data"][key].to_string(), &ours["data"][key].to_string())?;
    }
    same("shape", &shape(&theirs), &shape(&ours))
}

/// Texts without what differs from machine to machine: the port, the number of a temporary file,
/// and the wrapper around a tool that the recorded machine had.
fn usual(text: &str) -> String {
    let text = text.replace("qemu-img.debian", "qemu-img");
    let Some((before, after)) = text.split_once(".conf.tmp.") else { return text };
    format!("{before}.conf.tmp.N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Keys and types. The elements of a list count once for each shape that they have.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(items) => {
            let shapes: BTreeSet<String> = items.iter().map(shape).collect();
            format!("[{}]", shapes.into_iter().collect::<Vec<_>>().join(" | "))
        }
        Value::Object(map) => {
            let fields: BTreeSet<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", shape(value))).collect();
            format!("{{{}}}", fields.into_iter().collect::<Vec<_>>().join(" "))
        }
    }
}
