//! Time, memory, stack and handles: what an instance may take, and that others do not feel it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proxmox_gate::Walls;
use proxmox_mcp_attacks::{COMPONENT, GREEDY};
use proxmox_mcp_host::calls::Answer;
use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stage::{Stage, VERSION, compiled, data, engine, failure, tools};

/// A stage on which a step computes for half a second and lasts two.
async fn impatient() -> Stage {
    let engine = engine().tightened(Duration::from_millis(500), Duration::from_secs(2));
    Stage::with(engine, Walls::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_computing_ends_and_others_go_on_meanwhile() {
    let stage = Arc::new(Stage::open().await);
    let begun = Instant::now();
    let spinning = tokio::spawn({
        let stage = stage.clone();
        async move { stage.call("all", json!({"do": "end", "how": "spin"})).await }
    });
    for _ in 0..20 {
        stage.still_works().await;
    }
    assert!(!spinning.is_finished(), "it ended before the others were served");
    let answer = spinning.await.unwrap();
    assert_eq!(failure(&answer).0, "defect");
    assert!(failure(&answer).1.contains("computed for too long"), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    stage.still_works().await;
}

#[tokio::test]
async fn computing_inside_the_host_counts_too() {
    let stage = impatient().await;
    let message = stage.fails(json!({"do": "end", "how": "busy with calls"}), "defect").await;
    assert!(message.contains("computed for too long"), "{message}");
}

#[tokio::test]
async fn endless_sleep_ends() {
    let stage = impatient().await;
    let begun = Instant::now();
    let message = stage.fails(json!({"do": "end", "how": "sleep"}), "defect").await;
    assert!(message.contains("longer than 2 s"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn limits_can_only_be_tightened() {
    let hours = Duration::from_secs(36_000);
    let engine =
        engine().tightened(Duration::from_millis(100), Duration::from_secs(60)).tightened(hours, hours);
    let stage = Stage::with(engine, Walls::default()).await;
    let begun = Instant::now();
    stage.fails(json!({"do": "end", "how": "spin"}), "defect").await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn broken_ends_are_defects_of_one_call() {
    let stage = Stage::open().await;
    for how in ["panic", "abort", "exit", "exit with an error", "recurse"] {
        let message = stage.fails(json!({"do": "end", "how": how}), "defect").await;
        assert!(message.contains("failed inside its sandbox") && message.len() < 1_000, "{how}: {message}");
        assert!(!message.contains("on purpose") && !message.contains('\u{1b}'), "{how}: {message}");
    }
}

#[tokio::test]
async fn an_instance_cannot_take_what_it_likes() {
    let stage = Stage::open().await;
    let many = ["fields", "pollables", "requests", "bodies", "small fields"].map(|what| (what, 10_000));
    for (what, count) in many.into_iter().chain([("memory", 200), ("random", 1)]) {
        stage.fails(json!({"do": "exhaust", "what": what, "count": count}), "defect").await;
    }
    // Enough for every honest tool.
    for (what, count) in [("memory", 60), ("fields", 2_000), ("pollables", 1_000), ("bodies", 500)] {
        let seen = stage.seen("all", json!({"do": "exhaust", "what": what, "count": count})).await;
        assert_eq!(seen["held"], count, "{what}");
    }
    stage.fails(json!({"do": "exhaust", "what": "large fields", "count": 1}), "defect").await;
}

#[tokio::test]
async fn a_table_cannot_grow_without_end() {
    let stage = Stage::with(compiled(GREEDY), Walls::default()).await;
    for _ in 0..2 {
        let (kind, message) = failure(&stage.call("grow", json!({})).await);
        assert!(kind == "defect" && message.contains("table"), "{kind}: {message}");
    }
}

#[tokio::test]
async fn of_one_call_few_requests_are_under_way_at_a_time() {
    let sim = Sim::start(Options { latency: Duration::from_millis(500), ..Options::instant() }).unwrap();
    let tools = tools(&sim, engine(), Walls::default()).await.unwrap();
    let stage = Stage { sim, tools };
    let flood = json!({"do": "flood", "count": 200, "request": {"path": VERSION}});
    assert_eq!(stage.seen("all", flood).await["answered"], 200);
    let connections: std::collections::HashSet<u64> =
        stage.sim.requests().iter().map(|request| request.connection).collect();
    // A request may find no idle connection although one is about to be, and open its own.
    assert!(connections.len() <= 64, "{} connections", connections.len());
}

/// The process's memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_account_of_refusals_stays_small() {
    let stage = Stage::open().await;
    let before = resident();
    let path = format!("/api2/json/{}", "x".repeat(7_900));
    stage.seen("all", json!({"do": "hammer", "count": 60_000, "request": {"path": path}})).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 256 << 20, "the process grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn answers_beyond_the_limit_are_defects() {
    let stage = Stage::open().await;
    stage.fails(json!({"do": "answer", "bytes": 60 << 20, "data": "{}"}), "defect").await;
    let answer = stage.call("all", json!({"do": "answer", "bytes": 8 << 20, "data": "{}"})).await;
    assert!(data(&answer).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_at_once() {
    let stage = Arc::new(Stage::with(compiled(COMPONENT), Walls::default()).await);
    let attacks = [
        json!({"do": "exhaust", "what": "memory", "count": 8}),
        json!({"do": "requests", "requests": [{"path": VERSION}, {"authority": "evil.example", "path": VERSION}]}),
        json!({"do": "end", "how": "abort"}),
        json!({"do": "print", "bytes": 10_000}),
        json!({"do": "wait", "then": {"do": "fail", "kind": "failed", "message": "no"}}),
    ];
    let calls: Vec<_> = (0..600)
        .map(|number| {
            let (stage, attack) = (stage.clone(), attacks[number % attacks.len()].clone());
            tokio::spawn(async move { stage.call("all", attack).await })
        })
        .collect();
    let mut kinds = std::collections::BTreeMap::new();
    for call in calls {
        *kinds.entry(failure(&call.await.unwrap()).0).or_insert(0) += 1;
    }
    assert_eq!(kinds, [("", 360), ("defect", 120), ("failed", 120)].into());
    let arrived = stage.arrived();
    assert!(arrived.len() == 120 && arrived.iter().all(|line| line.contains(VERSION)), "{arrived:?}");
    stage.still_works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_beyond_the_number_of_instances_wait() {
    // An engine of its own, so that other tests do not run short of instances.
    let engine = compiled(COMPONENT).tightened(Duration::from_secs(1), Duration::from_secs(1));
    let stage = Arc::new(Stage::with(engine, Walls::default()).await);
    let sleepers: Vec<_> = (0..300)
        .map(|_| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.call("all", json!({"do": "end", "how": "sleep"})).await })
        })
        .collect();
    for sleeper in sleepers {
        let answer = sleeper.await.unwrap();
        assert!(failure(&answer).1.contains("longer than 1 s"), "{answer:?}");
    }
    stage.still_works().await;
}

#[tokio::test]
async fn what_is_given_up_has_its_place_until_it_is_gone() {
    let sim = Sim::start(Options { latency: Duration::from_millis(500), ..Options::instant() }).unwrap();
    let tools = tools(&sim, compiled(COMPONENT), Walls::default()).await.unwrap();
    let stage = Arc::new(Stage { sim, tools });
    let ask = || {
        let stage = stage.clone();
        tokio::spawn(async move { stage.requests(vec![json!({"path": VERSION})]).await })
    };
    for _ in 0..3 {
        // The first ones are run by this thread, and make room for others that are not.
        let first: Vec<_> = (0..4).map(|_| ask()).collect();
        tokio::task::yield_now().await;
        let mut endless = JoinSet::new();
        for number in 0..128 {
            // The last ones compute, so that the others are not gone as soon as they are given up.
            let how = if number < 120 { "sleep" } else { "spin" };
            let stage = stage.clone();
            endless.spawn(async move { stage.call("all", json!({"do": "end", "how": how})).await });
        }
        for call in first {
            assert_eq!(call.await.unwrap()[0]["status"], 200);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(endless);
        let calls: Vec<_> = (0..150).map(|_| ask()).collect();
        for call in calls {
            assert_eq!(call.await.unwrap()[0]["status"], 200);
        }
    }
}

#[tokio::test]
async fn a_flood_of_requests_is_bounded_by_the_handles() {
    let stage = Stage::open().await;
    let flood = |count: u64, request: Value| json!({"do": "flood", "count": count, "request": request});
    stage.fails(flood(100_000, json!({"authority": "evil.example", "path": VERSION})), "defect").await;
    let seen = stage.seen("all", flood(100, json!({"path": VERSION}))).await;
    assert_eq!(seen["answered"], 100);
}

#[tokio::test]
async fn waiting_without_a_pause_does_not_spin() {
    let stage = Stage::open().await;
    let mut steps = 0_u32;
    let Value::Object(arguments) = json!({"do": "wait", "after_ms": 0}) else { unreachable!() };
    let call = stage.tools.call("all", &arguments, |_| steps += 1);
    let ended: Result<Answer, _> = tokio::time::timeout(Duration::from_secs(1), call).await;
    assert!(ended.is_err(), "a call that waits goes on until its caller gives it up");
    assert!((2..=60).contains(&steps), "{steps} steps in a second");
    stage.still_works().await;
}
