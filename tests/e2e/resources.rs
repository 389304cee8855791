//! Lists in full, as resources: linked where an answer shows the beginning, read under the same guards.

use std::collections::BTreeSet;

use proxmox_sim::{Options, Sim};
use serde_json::{Value, json};

use crate::harness::{Client, arrived, configured, stateless_meta, text};

/// More guests than anybody shows in one answer.
const MANY: usize = 2_000;

fn many() -> Sim {
    Sim::start(Options { nodes: 20, guests: MANY, ..Options::instant() }).unwrap()
}

fn few() -> Sim {
    Sim::start(Options::instant()).unwrap()
}

/// The links of a tool result.
fn links(result: &Value) -> Vec<&Value> {
    result["content"].as_array().unwrap().iter().filter(|block| block["type"] == "resource_link").collect()
}

/// The one link of a call.
fn linked(client: &mut Client, tool: &str, arguments: Value) -> String {
    let result = client.call(tool, arguments);
    let links = links(&result);
    assert_eq!(links.len(), 1, "{}", text(&result));
    links[0]["uri"].as_str().unwrap().to_owned()
}

/// The data of a resource.
fn read(client: &mut Client, uri: &str) -> Value {
    let answer = client.request("resources/read", json!({"uri": uri}));
    let contents = answer["result"]["contents"].as_array().unwrap_or_else(|| panic!("{uri}: {answer}"));
    assert_eq!(contents.len(), 1);
    assert_eq!((&contents[0]["uri"], &contents[0]["mimeType"]), (&json!(uri), &json!("application/json")));
    serde_json::from_str(contents[0]["text"].as_str().unwrap()).unwrap()
}

/// The error of a read.
fn refused(client: &mut Client, uri: &str) -> (i64, String) {
    let error = client.request("resources/read", json!({"uri": uri}))["error"].clone();
    (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
}

/// The ids of the guests in data, each once.
#[track_caller]
fn vmids(data: &Value) -> BTreeSet<u64> {
    let rows = data["guests"].as_array().unwrap();
    let ids: BTreeSet<u64> = rows.iter().map(|guest| guest["vmid"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), rows.len(), "a guest comes twice");
    ids
}

#[test]
fn a_long_list_links_to_all_of_its_rows() {
    let sim = many();
    let mut client = Client::connect(&sim, &[]);
    let result = client.call("proxmox_get_vms", json!({}));
    let link = links(&result)[0].clone();
    assert_eq!((&link["mimeType"], &link["name"]), (&json!("application/json"), &json!("proxmox_get_vms")));
    assert_eq!((&link["title"], &link["description"]), (&json!("List guests"), &json!("All rows as JSON")));
    assert!(link.to_string().len() < 250, "{link}");
    let shown = vmids(&result["structuredContent"]);
    assert!(shown.len() < 100, "{}", shown.len());

    let whole = read(&mut client, link["uri"].as_str().unwrap());
    let ids = vmids(&whole);
    assert_eq!((ids.len(), &whole["total"], &whole["left_out"]), (MANY, &json!(MANY), &json!(0)));
    assert_eq!((whole.get("next_cursor"), shown.is_subset(&ids)), (None, true));
    assert_eq!(whole["nodes"], result["structuredContent"]["nodes"]);
    assert_eq!(vmids(&read(&mut client, "proxmox://vms")), ids);

    // The pages after the first were come to by way of it.
    let next = &result["structuredContent"]["next_cursor"];
    assert!(links(&client.call("proxmox_get_vms", json!({"cursor": next}))).is_empty());
}

#[test]
fn a_link_keeps_the_filters_and_gives_all_that_fits_them() {
    let sim = many();
    let mut client = Client::connect(&sim, &[]);
    let all = read(&mut client, "proxmox://vms");
    let on_node: BTreeSet<u64> = all["guests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|guest| guest["node"] == "pve2")
        .map(|guest| guest["vmid"].as_u64().unwrap())
        .collect();
    assert!((21..MANY).contains(&on_node.len()), "{}", on_node.len());
    let uri = linked(&mut client, "proxmox_get_vms", json!({"node": "pve2", "limit": 5}));
    assert_eq!(uri, "proxmox://tools/proxmox_get_vms?arguments=%7B%22node%22%3A%22pve2%22%7D");
    assert_eq!(vmids(&read(&mut client, &uri)), on_node);
    // Names as people give them come through the URI as they are.
    let odd = json!({"name": "*-1&?\"%7D#", "limit": 1});
    assert!(links(&client.call("proxmox_get_vms", odd)).is_empty());
    let uri = linked(&mut client, "proxmox_get_vms", json!({"name": "*1*", "kind": "vm"}));
    let named = read(&mut client, &uri);
    let fits = |guest: &Value| guest["name"].as_str().unwrap().contains('1') && guest["kind"] == "vm";
    let expected = all["guests"].as_array().unwrap().iter().filter(|guest| fits(guest)).count();
    assert!(named["guests"].as_array().unwrap().iter().all(fits));
    assert_eq!(vmids(&named).len(), expected);
}

#[test]
fn tools_that_take_smaller_pages_are_read_to_the_end_too() {
    let sim = many();
    let mut client = Client::connect(&sim, &[]);
    let arguments =
        json!({"path": "/cluster/resources", "params": {"type": "vm"}, "fields": ["type", "template"]});
    let uri = linked(&mut client, "proxmox_read_api", arguments);
    let data = read(&mut client, &uri);
    assert_eq!((data["rows"].as_array().unwrap().len(), &data["total"]), (MANY, &json!(MANY)));
}

#[test]
fn allow_lists_hold_for_resources() {
    let sim = many();
    let mut client = Client::connect(&sim, &["--vmid-allowlist", "150-349"]);
    let whole = read(&mut client, "proxmox://vms");
    assert_eq!(vmids(&whole), (150..350).collect());
    let uri = linked(&mut client, "proxmox_get_vms", json!({}));
    assert_eq!(vmids(&read(&mut client, &uri)).len(), 200);
    // Whoever is outside is not there.
    for uri in [
        "proxmox://tools/proxmox_get_guest?arguments=%7B%22vmid%22%3A100%7D",
        "proxmox://guests/100",
        "proxmox://guests/100/config",
    ] {
        let (code, message) = refused(&mut client, uri);
        assert_eq!(code, -32002, "{message}");
        assert!(message.contains("There is no guest 100"), "{message}");
    }
    assert!(!arrived(&sim).iter().any(|line| line.contains("/100/")), "{:?}", arrived(&sim));
}

#[test]
fn a_small_answer_has_no_link_and_nodes_and_storages_are_read_by_their_names() {
    let sim = few();
    let mut client = Client::connect(&sim, &[]);
    for (uri, tool, rows) in [
        ("proxmox://nodes", "proxmox_get_nodes", "nodes"),
        ("proxmox://vms", "proxmox_get_vms", "guests"),
        ("proxmox://storage", "proxmox_get_storage", "storages"),
        ("proxmox://guests", "proxmox_get_vms", "guests"),
        ("proxmox://storages", "proxmox_get_storage", "storages"),
    ] {
        let result = client.call(tool, json!({}));
        assert!(links(&result).is_empty(), "{tool}");
        let data = read(&mut client, uri);
        assert_eq!(data[rows], result["structuredContent"][rows], "{uri}");
        assert!(!data[rows].as_array().unwrap().is_empty());
    }
}

#[test]
fn each_thing_has_a_uri() {
    let sim = few();
    let mut client = Client::connect(&sim, &["--grant", "Sys.Audit@/"]);
    // Each of what is listed can be read.
    let listed = client.request("resources/list", json!({}))["result"]["resources"].clone();
    let uris: Vec<String> =
        listed.as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap().to_owned()).collect();
    assert_eq!(uris.len(), 8, "{uris:?}");
    for uri in &uris {
        assert!(!read(&mut client, uri).as_object().unwrap().is_empty(), "{uri}");
    }
    let tasks = read(&mut client, "proxmox://tasks");
    let upid = tasks["tasks"][0]["upid"].as_str().unwrap().to_owned();
    let encoded = upid.replace(':', "%3A").replace('@', "%40").replace('!', "%21");
    for (uri, field, value) in [
        ("proxmox://nodes/pve1".to_owned(), "node", json!("pve1")),
        ("proxmox://nodes/pve1/metrics?timeframe=hour".to_owned(), "timeframe", json!("hour")),
        ("proxmox://nodes/pve1/info/services".to_owned(), "topic", json!("services")),
        ("proxmox://nodes/pve1/tasks".to_owned(), "running", json!(0)),
        ("proxmox://guests/101".to_owned(), "name", json!("prod-web-01")),
        ("proxmox://guests/101/config".to_owned(), "show", json!("config")),
        ("proxmox://guests/101/snapshots".to_owned(), "show", json!("snapshots")),
        ("proxmox://guests/101/metrics".to_owned(), "timeframe", json!("day")),
        ("proxmox://storages/local".to_owned(), "missing", json!([])),
        // A local storage is one of its own on each node.
        ("proxmox://storages/local/metrics?node=pve1".to_owned(), "node", json!("pve1")),
        (format!("proxmox://tasks/{encoded}"), "upid", json!(upid)),
        (format!("proxmox://tasks/{upid}/log"), "upid", json!(upid)),
    ] {
        assert_eq!(read(&mut client, &uri)[field], value, "{uri}");
    }
    let on_node = read(&mut client, "proxmox://nodes/pve1/guests");
    assert!(on_node["guests"].as_array().unwrap().iter().all(|guest| guest["node"] == "pve1"));
    // Whoever is not there is not found; what cannot be the name of anything is said to be so.
    for (uri, code, says) in [
        ("proxmox://guests/999", -32002, "There is no guest 999"),
        ("proxmox://nodes/pve9", -32002, "pve9"),
        ("proxmox://guests/1", -32602, "`vmid` is not valid"),
        ("proxmox://nodes/..%2Fpve1", -32602, "`node` is not valid"),
        ("proxmox://nodes/pve1/info/everything", -32602, "`topic` is not valid"),
        ("proxmox://guests/101/metrics?timeframe=decade", -32602, "`timeframe` is not valid"),
    ] {
        let (told, message) = refused(&mut client, uri);
        assert_eq!(told, code, "{uri}: {message}");
        assert!(message.contains(says), "{uri}: {message}");
    }
}

#[test]
fn what_changes_something_cannot_be_read() {
    let sim = few();
    let mut client = Client::connect(&sim, &["--allow-elevated"]);
    for (tool, arguments) in [
        ("proxmox_power", json!({"vmid": 108, "action": "start"})),
        ("proxmox_start_vm", json!({"vmid": 108})),
        ("proxmox_change_api", json!({"method": "POST", "path": "/nodes/pve2/lxc/108/status/start"})),
    ] {
        let query: String = arguments.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (code, message) = refused(&mut client, &format!("proxmox://tools/{tool}?arguments={query}"));
        assert_eq!(code, -32602, "{tool}: {message}");
        assert!(message.contains("changes something"), "{message}");
    }
    assert_eq!(arrived(&sim), [""; 0]);
}

#[test]
fn what_is_not_granted_or_turned_off_is_refused_in_the_hosts_words() {
    let sim = few();
    let status = "proxmox://tools/proxmox_read_api?arguments=%7B%22path%22%3A%22%2Fcluster%2Fha%2Fstatus%2Fcurrent%22%7D";
    let mut client = Client::connect(&sim, &["--ask", "Sys.Audit@/"]);
    let (code, message) = refused(&mut client, status);
    assert_eq!(code, -32602, "{message}");
    assert!(message.contains("reading a resource asks nobody"), "{message}");
    let (_, message) = refused(&mut Client::connect(&sim, &[]), status);
    assert!(message.contains("--grant Sys.Audit@/"), "{message}");
    let granted = read(&mut Client::connect(&sim, &["--grant", "Sys.Audit@/"]), status);
    assert!(!granted["rows"].as_array().unwrap().is_empty());

    let mut client = Client::connect(&sim, &["--exclude-tools", "proxmox_get_vms"]);
    let listed = client.request("resources/list", json!({}));
    let uris: Vec<&str> = listed["result"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["uri"].as_str().unwrap())
        .collect();
    assert!(!uris.contains(&"proxmox://guests") && uris.contains(&"proxmox://nodes"), "{uris:?}");
    let templates =
        client.request("resources/templates/list", json!({}))["result"]["resourceTemplates"].to_string();
    assert!(!templates.contains("proxmox://nodes/{node}/guests"), "{templates}");
    assert!(templates.contains("proxmox://guests/{vmid}/config"), "{templates}");
    let (code, message) = refused(&mut client, "proxmox://vms");
    assert_eq!(code, -32602);
    assert!(message.contains("--exclude-tools"), "{message}");
}

#[test]
fn a_uri_that_names_nothing_is_an_error_of_the_clients_revision() {
    let sim = few();
    let mut client = Client::connect(&sim, &[]);
    for (uri, says) in [
        ("proxmox://guest", "proxmox://guests"),
        ("proxmox://guests/101/unknown", "There is no resource"),
        ("file:///etc/passwd", "There is no resource"),
        ("proxmox://tools/proxmox_get_vm", "Did you mean `proxmox_get_vms`?"),
    ] {
        let (code, message) = refused(&mut client, uri);
        assert_eq!(code, -32002, "{uri}");
        assert!(message.contains(says), "{uri}: {message}");
        let params = json!({"uri": uri, "_meta": stateless_meta()});
        assert_eq!(client.request("resources/read", params)["error"]["code"], -32602, "{uri}");
    }
    let (code, message) =
        refused(&mut client, "proxmox://tools/proxmox_get_vms?arguments=%7B%22nodes%22%3A1%7D");
    assert_eq!(code, -32602);
    assert!(message.contains("`nodes`"), "{message}");
    assert_eq!(client.request("resources/read", json!({}))["error"]["code"], -32602);
}

#[test]
fn both_eras_have_resources() {
    let sim = many();
    let mut client = Client::start(configured(&sim, &sim.token()));
    let stateless = |extra: Value| {
        let mut params = json!({"_meta": stateless_meta()});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        params
    };
    let discovered = client.request("server/discover", stateless(json!({})));
    assert_eq!(discovered["result"]["capabilities"]["resources"], json!({"subscribe": true}));
    for (method, rows, count) in
        [("resources/list", "resources", 8), ("resources/templates/list", "resourceTemplates", 17)]
    {
        let listed = client.request(method, stateless(json!({})));
        assert_eq!(listed["result"][rows].as_array().unwrap().len(), count, "{listed}");
        assert_eq!(
            (&listed["result"]["resultType"], &listed["result"]["cacheScope"]),
            (&json!("complete"), &json!("private"))
        );
        assert!(listed["result"]["ttlMs"].as_u64().unwrap() > 0);
    }
    let called = client.request("tools/call", stateless(json!({"name": "proxmox_get_vms", "arguments": {}})));
    let uri = links(&called["result"])[0]["uri"].clone();
    let read = client.request("resources/read", stateless(json!({"uri": uri})));
    let result = &read["result"];
    assert_eq!(
        (&result["resultType"], &result["ttlMs"], &result["cacheScope"]),
        (&json!("complete"), &json!(0), &json!("private"))
    );
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "proxmox-mcp");
    let data: Value = serde_json::from_str(result["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(vmids(&data).len(), MANY);

    // Links came with 2025-06-18; who is older does not get any.
    for (version, links_there) in [("2025-03-26", 0), ("2025-06-18", 1)] {
        let mut client = Client::start(configured(&sim, &sim.token()));
        let shaken = client.shake_hands(version);
        assert_eq!(shaken["result"]["capabilities"]["resources"], json!({"subscribe": true}));
        let result = client.call("proxmox_get_vms", json!({}));
        assert_eq!(links(&result).len(), links_there, "{version}");
        let listed = client.request("resources/templates/list", json!({}));
        let templates: Vec<&Value> =
            listed["result"]["resourceTemplates"].as_array().unwrap().iter().collect();
        assert_eq!(templates.last().unwrap()["uriTemplate"], "proxmox://tools/{tool}{?arguments}");
        assert!(
            templates.iter().all(|each| each["title"].is_string() && each["mimeType"] == "application/json")
        );
        assert_eq!(listed["result"].get("ttlMs"), None);
        let read = client.request("resources/read", json!({"uri": "proxmox://nodes"}));
        assert!(read["result"]["contents"][0]["text"].as_str().unwrap().contains("pve1"), "{read}");
    }
}
