use super::*;
use crate::event::{Event, samples};
use crate::line::MAX_LINE;
use proptest::prelude::*;
use serde_json::json;

const SECRET: &str = "hunter2SECRET";

fn text(text: &str) -> String {
    Redactor::default().text(text)
}

#[test]
fn secrets_in_running_text() {
    for case in [
        "password=§",
        "a&cipassword=§&b=1",
        "PASSWORD = §",
        "export DB_PASSWORD=\"§\"; ls",
        "export DB_PASSWORD='x y § z'; ls",
        "TOKEN=\"a\"§ ls",
        "TOKEN=\"a\"'§' ls",
        "password: x y §",
        "Authorization: Basic §==",
        "curl -H 'Authorization: PVEAPIToken=root@pam!mcp=§' https://pve1",
        "PVEAPIToken root@pam!mcp=§",
        "PVEAPIToken=root@pam!mcp=§",
        "Cookie: PVEAuthCookie=§",
        "CSRFPreventionToken: 4F:§",
        "bearer §",
        "{\"password\":\"§\",\"x\":1}",
        "{\"password\" : \"a\\\"§\"}",
        "{\\\"password\\\":\\\"a\\\\\\\"§\\\"}",
        "{\"keys\":[\"a\",\"§\"]}",
        "{\"secret\":{\"a\":{},\"b\":\"§\"}}",
        "mysql --password §",
        "mysql --password '§'",
        "[\"mysql\",\"--password\",\"§\"]",
        "--api-key=§",
        "https://user:§@host/path",
        "http://user:a@§@proxy:3128",
        "sshpass -p § ssh root@host",
        "echo root:§ | chpasswd",
        "-----BEGIN RSA PRIVATE KEY-----\n§\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\\n§",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----§",
        "PuTTY-User-Key-File-3: ssh-rsa\n§",
        "b3BlbnNzaC1rZXktdjE§",
        "$6$salt$§",
        "PVE:root@pam:6A2B3C4D::§",
        "PVEVNC:root@pam:6A2B3C4D::§",
        "password%3D§",
        "%7B%22password%22%3A%22§%22%7D",
        "x=1&p%61ssword=§",
    ] {
        let redacted = text(&case.replace('§', SECRET));
        assert!(!redacted.contains(SECRET) && redacted.contains(REDACTED), "{case} became {redacted}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for case in [
        samples::UPID,
        "VM.PowerMgmt@/vms/101",
        "/nodes/pve1/storage/local/content/local:iso/debian-12.iso",
        "Permission check failed (/vms/102, VM.Audit)",
        "cat /etc/passwd",
        "PROXMOX_VMID_ALLOWLIST=100-199",
        "scsi0=local-lvm:vm-101-disk-0,size=32G",
        "smbios1=uuid=1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "net0=virtio=BC:24:11:00:00:01,bridge=vmbr0",
        "https://pve1:8006/api2/json",
        "tokenid=mcp",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here",
        "-----BEGIN CERTIFICATE-----",
        "100%",
        "größer → schneller",
        "",
    ] {
        assert_eq!(text(case), case);
    }
    assert_eq!(text("cipassword=x&cores=2"), "cipassword=[redacted]&cores=2");
    assert_eq!(text("a root@pam!mcp=1b4e28ba-2fa1-11d2-883f-0016d3cca427 b"), "a root@pam!mcp=[redacted] b");
    assert_eq!(text("https://me:pw@host/x"), "https://me:[redacted]@host/x");
    assert_eq!(text("{\"password\":\"x\",\"cores\":2}"), "{\"password\":[redacted],\"cores\":2}");
}

#[test]
fn known_secrets_go_wherever_they_stand() {
    let redactor = Redactor::new([SECRET.to_owned(), String::new(), "p@ss word".to_owned()]);
    assert_eq!(redactor.text("say hunter2SECRET twice: hunter2SECRET"), "say [redacted] twice: [redacted]");
    assert_eq!(redactor.text("p%40ss+word p%40ss%20word"), REDACTED);
    let object = json!({"a": [{"b": "xhunter2SECRETx"}], "hunter2SECRET": 1});
    let shown = Value::from(redactor.object(object.as_object().unwrap().clone())).to_string();
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(!format!("{redactor:?}").contains(SECRET));
}

#[test]
fn parameters_are_hidden_by_name() {
    let arguments = json!({
        "cipassword": SECRET, "sshkeys": [SECRET], "secret": {"a": SECRET}, "pin": 1234, "vmid": 101,
        "command": ["mysql", "--password", SECRET, "-e", "select 1"],
        "fields": [{"name": "X-Api-Key", "value": SECRET}, {"name": "Accept", "value": "text/plain"}],
        "content": SECRET, "input-data": SECRET,
    });
    let shown = Value::from(Redactor::default().object(arguments.as_object().unwrap().clone()));
    let all = shown.to_string();
    assert!(!all.contains(SECRET) && !all.contains("1234"), "{all}");
    assert_eq!(shown["vmid"], 101);
    assert_eq!(shown["fields"][1]["value"], "text/plain");
    assert_eq!(shown["command"], json!(["mysql", "--password", REDACTED, "-e", "select 1"]));
}

#[test]
fn no_field_of_an_event_is_hidden_by_its_own_name() {
    for event in samples::all() {
        let plain = serde_json::to_string(&event).unwrap();
        assert_eq!(format!("{{{}}}", Redactor::default().event(&event).unwrap()), plain);
    }
}

#[test]
fn long_texts_are_cut_with_a_note() {
    let cut = text(&"ä".repeat(3_000));
    assert!(cut.ends_with("[cut: 6000 bytes in all]") && cut.len() < TEXT + 40, "{}", cut.len());
    assert_eq!(text(&"x".repeat(TEXT)), "x".repeat(TEXT));
}

#[test]
fn a_cut_shows_no_half_of_a_secret() {
    let redactor = Redactor::new(["s3cr3t-".repeat(400)]);
    for start in TEXT - 60..TEXT + 5 {
        let filler = "x ".repeat(start / 2);
        for secret in
            [&format!("password={SECRET}"), "PVE:root@pam:6A2B::hunter2SECRET", &"s3cr3t-".repeat(400)]
        {
            let shown = redactor.text(&format!("{filler}{secret} and more"));
            assert!(!shown.contains("hun") && !shown.contains("s3c"), "{shown}");
        }
    }
    // Parts of many secrets do not make room for a text that was not looked at.
    let many = format!("{}{SECRET}", "password=0123456789012345 ".repeat(400));
    assert!(!text(&many).contains("0123"));
}

#[test]
fn events_are_bounded_however_large_their_arguments() {
    let deep = (0..100).fold(json!("x"), |inner, _| json!([inner]));
    for arguments in [
        json!({"a": "\u{1}".repeat(1_000_000)}),
        json!({"a": vec!["\u{1}\u{202e}"; 100_000]}),
        json!({"a": vec![-1.234_567_890_123_456_7e-300; 100_000]}),
        json!({"a": vec![json!([]); 100_000]}),
        json!({"a": vec![json!({}); 100_000]}),
        json!({"a": deep}),
        Value::Object((0..100_000).map(|n| (format!("{n}\u{1}"), Value::Null)).collect()),
        Value::Object(Map::from_iter([("k".repeat(1_000_000), json!(1))])),
    ] {
        let line = Redactor::default().event(&samples::call(&arguments)).unwrap();
        assert!(line.len() < MAX_LINE - 1024, "{}", line.len());
        assert!(line.contains("[cut"), "{}", prefix(&line, 300));
        serde_json::from_str::<Value>(&format!("{{{line}}}")).unwrap();
    }
}

#[test]
fn no_character_leaves_the_line_or_steers_a_terminal() {
    let nasty = "a\nb\r\u{1b}[31m\u{9b}2J\u{2028}\u{202e}\u{feff}\u{7f}\u{0}";
    let line = Redactor::default().event(&samples::call(&json!({"x": nasty}))).unwrap();
    assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
    let back: Value = serde_json::from_str(&format!("{{{line}}}")).unwrap();
    assert_eq!(back["arguments"]["x"], nasty);
}

proptest! {
    #[test]
    fn any_text_is_taken(input in "(?s).{0,400}") {
        let line = Redactor::new(["ab".to_owned()]).event(&Event::Brake { call: input.clone(), what: input }).unwrap();
        let back: Value = serde_json::from_str(&format!("{{{line}}}")).unwrap();
        prop_assert!(!line.contains('\n') && !back["call"].as_str().unwrap().contains("ab"));
    }

    #[test]
    fn a_named_secret_never_shows(
        before in "[ -~\u{e4}\u{2028}\\n]{0,40}",
        name in "(password|DB_PASSWORD|secret|api-key|token|cipassword|sshkeys)",
        separator in "( ?= ?|: ?|\": ?\"|\\\\\":\\\\\")",
        after in "([ &\"',][ -~]{0,20})?",
    ) {
        let shown = text(&format!("{before} {name}{separator}QZXSECRETQZX{after}"));
        prop_assert!(!shown.contains("QZX"), "{}", shown);
    }

    #[test]
    fn near_secrets_of_any_form_nothing_breaks(
        input in "([=:\"'\\\\\\[\\]{}%&@$-]|password|://|-----BEGIN|PRIVATE|-----END|bearer |\u{e4}|[ a-z0-9]){0,60}"
    ) {
        text(&input);
    }
}
