use serde_json::json;

use super::*;

fn change() -> Change {
    let guest = Guest {
        vmid: Vmid::new(101).unwrap(),
        node: NodeName::parse("pve1").unwrap(),
        kind: GuestKind::Vm,
        name: "web".to_owned(),
        template: false,
    };
    Change::new("📸 Test of web (ID: 101)")
        .guest(&guest)
        .fact("Storage", "local-lvm")
        .before("memory", "2048")
        .loses("The disk's content.")
        .undo("proxmox_configure", json!({"vmid": 101, "memory": 2048}))
        .warning("It is slow.")
        .extra(json!({"stage": 1}))
}

#[test]
fn a_change_survives_its_state() {
    assert_eq!(Change::from_state(&change().state()), Some(change()));
    let plain = Change::new("x");
    assert_eq!(Change::from_state(&plain.state()), Some(plain));
}

#[test]
fn a_state_of_another_shape_is_none() {
    for (key, value) in [
        ("title", json!(1)),
        ("facts", json!([["a"]])),
        ("guest", json!({"vmid": 1, "node": "pve1", "kind": "vm", "name": ""})),
        ("lost", json!("x")),
        ("undo", json!([1])),
    ] {
        let mut state = change().state();
        state[key] = value;
        assert_eq!(Change::from_state(&state), None, "{key}");
    }
}

#[test]
fn a_report_says_what_was_and_how_to_put_it_back() {
    let Outcome::Done(output) = change().done() else { panic!("it is over") };
    for line in [
        "Result: done",
        "Storage: local-lvm",
        "Before: memory = 2048",
        "Lost: The disk's content.",
        "Warning: It is slow.",
    ] {
        assert!(output.text.contains(line), "{line}: {}", output.text);
    }
    assert!(
        output.text.contains(r#"`proxmox_configure` with `{"vmid":101,"memory":2048}`"#),
        "{}",
        output.text
    );
    crate::testing::validate(&SHAPE, &output.data);
    let Outcome::Done(output) = change().unchanged() else { panic!("it is over") };
    assert_eq!(output.data["changed"], false);
    assert!(!output.text.contains("Lost") && !output.text.contains("put it back"), "{}", output.text);
}
