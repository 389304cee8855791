//! Subscriptions, in both eras: who subscribed is told what changed, and the cluster is asked once for all.

use std::time::Duration;

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, is_error, stateless_meta};

const PATIENCE: Duration = Duration::from_secs(60);
const OFTEN: [&str; 2] = ["--poll-ms", "100"];
/// So seldom that only what is asked at the beginning counts.
const SELDOM: [&str; 2] = ["--poll-ms", "3600000"];

fn sim() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

/// Starts or stops guests by another way.
fn act(sim: &Sim, vmid: u32, action: &str) {
    let mut other = Client::connect(sim, &["--allow-elevated"]);
    let tool = if action == "stop" { "proxmox_stop" } else { "proxmox_power" };
    let arguments =
        if action == "stop" { json!({"vmid": vmid}) } else { json!({"vmid": vmid, "action": action}) };
    let result = other.call(tool, arguments);
    assert!(!is_error(&result), "{result}");
}

fn subscribe(client: &mut Client, uri: &str) -> Value {
    client.request("resources/subscribe", json!({"uri": uri}))
}

/// The URI of the next update.
fn update(client: &mut Client) -> String {
    let told = match client.aside.is_empty() {
        true => client.next_within(PATIENCE).expect("an update"),
        false => client.aside.remove(0),
    };
    assert_eq!(told["method"], "notifications/resources/updated", "{told}");
    told["params"]["uri"].as_str().unwrap().to_owned()
}

fn asked(sim: &Sim, path: &str) -> usize {
    arrived(sim).iter().filter(|line| **line == format!("GET {path}")).count()
}

#[test]
fn a_change_is_told_to_who_subscribed_to_it() {
    let sim = sim();
    let mut client = Client::connect(&sim, &OFTEN);
    assert_eq!(subscribe(&mut client, "proxmox://guests/108")["result"], json!({}));
    assert_eq!(subscribe(&mut client, "proxmox://guests/108")["result"], json!({}), "again is no more");
    act(&sim, 108, "start");
    assert_eq!(update(&mut client), "proxmox://guests/108");
    for uri in ["proxmox://vms", "proxmox://guests", "proxmox://nodes"] {
        subscribe(&mut client, uri);
    }
    act(&sim, 108, "stop");
    let mut told = [update(&mut client), update(&mut client), update(&mut client)];
    told.sort();
    assert_eq!(
        told,
        ["proxmox://guests", "proxmox://guests/108", "proxmox://vms"],
        "the nodes are as they were"
    );
    // What was given up is not told; what was not is.
    for uri in ["proxmox://guests/108", "proxmox://vms", "proxmox://guests/999"] {
        let answer = client.request("resources/unsubscribe", json!({"uri": uri}));
        assert_eq!(answer["result"], json!({}), "{uri}");
    }
    act(&sim, 108, "start");
    assert_eq!(update(&mut client), "proxmox://guests");
    client.request("ping", json!({}));
    assert!(client.aside.is_empty(), "{:?}", client.aside);
}

#[test]
fn the_end_of_a_task_is_told() {
    let sim = Sim::start(Options { task_seconds: 3_600.0, ..Options::instant() }).unwrap();
    let arguments = [&OFTEN[..], &["--grant", "VM.PowerMgmt@/vms/108"]].concat();
    let mut client = Client::connect(&sim, &arguments);
    // Guests are watched already when the task comes along.
    subscribe(&mut client, "proxmox://nodes");
    let begun = client.call("proxmox_power", json!({"vmid": 108, "action": "start", "wait": false}));
    let upid = begun["structuredContent"]["upid"].as_str().unwrap().to_owned();
    let uri = format!("proxmox://tasks/{}", upid.replace(':', "%3A").replace('@', "%40").replace('!', "%21"));
    assert_eq!(subscribe(&mut client, &uri)["result"], json!({}));
    sim.with_world(|world| world.tasks.iter_mut().for_each(|task| task.takes = Duration::ZERO));
    assert_eq!(update(&mut client), uri, "as the client wrote it");
}

#[test]
fn the_cluster_is_asked_once_for_all_and_only_for_what_somebody_wants() {
    let sim = sim();
    let mut client = Client::connect(&sim, &SELDOM);
    client.request("resources/list", json!({}));
    assert_eq!(arrived(&sim), [""; 0], "nobody has subscribed");
    for vmid in 100..130 {
        assert_eq!(subscribe(&mut client, &format!("proxmox://guests/{vmid}"))["result"], json!({}));
    }
    subscribe(&mut client, "proxmox://nodes/pve1");
    assert_eq!(arrived(&sim), ["GET /cluster/resources"]);
    let upid = "UPID:pve1:00003215:0004ADDD:6B02B8E4:qmstart:101:root@pam:";
    subscribe(&mut client, &format!("proxmox://tasks/{upid}"));
    subscribe(&mut client, &format!("proxmox://tasks/{}", upid.replace("101", "102")));
    assert_eq!((asked(&sim, "/cluster/resources"), asked(&sim, "/cluster/tasks")), (2, 1));
}

#[test]
fn nobody_is_told_what_lies_outside_the_allow_lists_or_is_turned_off() {
    let sim = sim();
    let arguments = [&OFTEN[..], &["--vmid-allowlist", "101"]].concat();
    let mut client = Client::connect(&sim, &arguments);
    for uri in ["proxmox://guests/108", "proxmox://guests", "proxmox://guests/101"] {
        assert_eq!(subscribe(&mut client, uri)["result"], json!({}));
    }
    act(&sim, 108, "start");
    act(&sim, 101, "stop");
    let mut told = [update(&mut client), update(&mut client)];
    told.sort();
    assert_eq!(told, ["proxmox://guests", "proxmox://guests/101"]);
    client.request("ping", json!({}));
    assert!(client.aside.is_empty(), "{:?}", client.aside);

    let mut client = Client::connect(&sim, &["--exclude-tools", "proxmox_get_guest"]);
    for uri in
        ["proxmox://guests/101", "proxmox://storage", "proxmox://tools/proxmox_get_vms", "file:///etc/passwd"]
    {
        let refused = subscribe(&mut client, uri);
        assert_eq!(refused["error"]["code"], -32602, "{uri}");
        assert!(
            refused["error"]["message"].as_str().unwrap().contains("proxmox://tasks/{upid}"),
            "{refused}"
        );
    }
}

#[test]
fn the_number_of_subscriptions_has_a_limit() {
    let sim = sim();
    let mut client = Client::connect(&sim, &SELDOM);
    for vmid in 0..256 {
        assert_eq!(subscribe(&mut client, &format!("proxmox://guests/{vmid}"))["result"], json!({}));
    }
    let refused = subscribe(&mut client, "proxmox://guests/256");
    assert!(refused["error"]["message"].as_str().unwrap().contains("256 subscriptions"), "{refused}");
    client.request("resources/unsubscribe", json!({"uri": "proxmox://guests/0"}));
    // The place is free as soon as the one who told is gone.
    let again = (0..600).map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        subscribe(&mut client, "proxmox://guests/256")
    });
    assert!(again.into_iter().any(|answer| answer["result"] == json!({})), "no place became free");
}

/// Begins to listen, and gives the request's id with what was accepted.
fn listen(client: &mut Client, uris: &[&str]) -> (i64, Value) {
    let notifications = json!({"resourceSubscriptions": uris, "toolsListChanged": true});
    let id = client
        .begin("subscriptions/listen", json!({"notifications": notifications, "_meta": stateless_meta()}));
    let accepted = client.next_within(PATIENCE).expect("an acknowledgement");
    assert_eq!(accepted["method"], "notifications/subscriptions/acknowledged", "{accepted}");
    assert_eq!(accepted["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    (id, accepted["params"]["notifications"].clone())
}

#[test]
fn the_stateless_era_listens() {
    let sim = sim();
    let mut command = configured(&sim, &sim.token());
    command.args(OFTEN);
    let mut client = Client::start(command);
    let discovered = client.request("server/discover", json!({"_meta": stateless_meta()}));
    assert_eq!(discovered["result"]["capabilities"]["resources"], json!({"subscribe": true}));
    let (id, accepted) =
        listen(&mut client, &["proxmox://guests/108", "proxmox://storage", "file:///etc/passwd"]);
    assert_eq!(accepted, json!({"resourceSubscriptions": ["proxmox://guests/108"]}));
    // It learns how things are at once.
    while asked(&sim, "/cluster/resources") == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    act(&sim, 108, "start");
    let told = client.next_within(PATIENCE).unwrap();
    assert_eq!(
        (&told["method"], &told["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!("proxmox://guests/108"))
    );
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    // What the client ends is not answered; what the server ends is.
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    let (other, accepted) = listen(&mut client, &[]);
    assert_eq!(accepted, json!({}));
    act(&sim, 108, "stop");
    let refused =
        client.request("resources/subscribe", json!({"uri": "proxmox://vms", "_meta": stateless_meta()}));
    assert_eq!(refused["error"]["code"], -32601, "not a method of this era");
    assert!(client.aside.is_empty(), "{:?}", client.aside);
    let (rest, code) = client.finish();
    assert_eq!((rest.len(), code), (1, Some(0)), "{rest:?}");
    assert_eq!((&rest[0]["id"], &rest[0]["result"]["resultType"]), (&json!(other), &json!("complete")));
    assert_eq!(rest[0]["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], other);
}
