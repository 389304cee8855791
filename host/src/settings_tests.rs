use super::*;

fn sources(pairs: &[(&str, &str)]) -> Sources {
    Sources::of(pairs)
}

fn connect(pairs: &[(&str, &str)]) -> Result<Connection, String> {
    connection(&Options::default(), &sources(pairs)).map_err(|error| error.to_string())
}

const SECRET: (&str, &str) = ("PROXMOX_TOKEN_VALUE", "1a353845-a614-40f3-8bff-9f5a4b85bb11");

#[test]
fn a_host_may_have_scheme_and_port() {
    for (host, port, expected) in [
        ("pve.example.com", None, ("pve.example.com", 8006)),
        ("https://pve.example.com", None, ("pve.example.com", 8006)),
        ("https://pve.example.com:443/", None, ("pve.example.com", 443)),
        ("192.168.1.100:8007", None, ("192.168.1.100", 8007)),
        ("192.168.1.100", Some("9000"), ("192.168.1.100", 9000)),
        ("192.168.1.100:9000", Some("9000"), ("192.168.1.100", 9000)),
        ("fd00::1", None, ("fd00::1", 8006)),
        ("[fd00::1]:443", None, ("fd00::1", 443)),
        ("https://[fd00::1]", None, ("fd00::1", 8006)),
    ] {
        let got = address(host, port).unwrap();
        assert_eq!((got.0.as_str(), got.1), expected, "{host}");
    }
}

#[test]
fn a_wrong_address_is_named() {
    for (host, port, part) in [
        ("http://pve", None, "https only"),
        ("pve:0", None, "port `0`"),
        ("pve", Some("99999"), "port `99999`"),
        ("pve:1", Some("2"), "leave one of them out"),
        ("pve/api2", None, "host name or an address"),
        ("pve ve", None, "host name or an address"),
        ("user@pve", None, "host name or an address"),
        ("[fd00::1", None, "bracket"),
        ("", None, "host name or an address"),
    ] {
        let error = address(host, port).unwrap_err().to_string();
        assert!(error.contains(part), "{host}: {error}");
    }
}

#[test]
fn what_is_missing_is_said_with_the_variable_to_set() {
    assert!(connect(&[]).err().unwrap().contains("PROXMOX_HOST is not set"));
    assert!(connect(&[("PROXMOX_HOST", "pve")]).err().unwrap().contains("PROXMOX_TOKEN_VALUE is not set"));
}

#[test]
fn the_defaults_are_the_familiar_ones() {
    let connection = connect(&[("PROXMOX_HOST", "pve"), SECRET]).unwrap();
    assert_eq!(connection.login, "root@pam!mcpserver");
    assert_eq!(connection.endpoint.port, 8006);
    assert_eq!(connection.endpoint.trust, Trust::System);
    assert!(connection.endpoint.authorization.is_sensitive());
}

#[test]
fn a_token_may_be_pasted_whole() {
    let whole = ("PROXMOX_TOKEN_VALUE", "root@pam!mcp=1a353845-a614-40f3-8bff-9f5a4b85bb11");
    let name = ("PROXMOX_TOKEN_NAME", "joe@pve!power");
    let connection = connect(&[("PROXMOX_HOST", "pve"), name, whole]).unwrap();
    assert_eq!(connection.login, "joe@pve!power");
    let header = connection.endpoint.authorization.to_str().unwrap().to_owned();
    assert_eq!(header, "PVEAPIToken=joe@pve!power=1a353845-a614-40f3-8bff-9f5a4b85bb11");
}

#[test]
fn a_secret_cannot_carry_a_header() {
    for secret in ["abc\r\nX: y", "abc def", "abc,def", "abc;def", "abc\tdef", "abc\u{e9}"] {
        let refused = connect(&[("PROXMOX_HOST", "pve"), ("PROXMOX_TOKEN_VALUE", secret)]);
        assert!(refused.is_err_and(|error| error.contains("characters that none has")), "{secret:?}");
    }
}

#[test]
fn users_and_token_names_are_checked() {
    for (name, value) in [
        ("PROXMOX_USER", "root"),
        ("PROXMOX_USER", "a b@pam"),
        ("PROXMOX_TOKEN_NAME", "a=b"),
        ("PROXMOX_TOKEN_NAME", "a b"),
    ] {
        let error = connect(&[("PROXMOX_HOST", "pve"), SECRET, (name, value)]).err().unwrap();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn tls_settings_that_contradict_are_refused() {
    let pin = "AB:".repeat(31) + "AB";
    let trust =
        |pairs: &[(&str, &str)]| trust(&Options::default(), &sources(pairs)).map_err(|e| e.to_string());
    assert!(matches!(trust(&[("PROXMOX_FINGERPRINT", &pin)]), Ok(Trust::Fingerprint(_))));
    assert_eq!(trust(&[("PROXMOX_VERIFY_TLS", "false")]), Ok(Trust::DangerAnything));
    assert!(trust(&[("PROXMOX_VERIFY_TLS", "maybe")]).unwrap_err().contains("true or false"));
    assert!(trust(&[("PROXMOX_FINGERPRINT", "AB:CD")]).unwrap_err().contains("32 pairs"));
    assert!(
        trust(&[("PROXMOX_FINGERPRINT", &pin), ("PROXMOX_VERIFY_TLS", "false")])
            .unwrap_err()
            .contains("Remove")
    );
    assert!(trust(&[("PROXMOX_CA_FILE", "/no/such/file")]).unwrap_err().contains("no such file"));
}

#[test]
fn the_environment_wins_over_the_file_and_a_file_runs_no_command() {
    let mut both = sources(&[("PROXMOX_HOST", "env"), SECRET]);
    both.file.insert("PROXMOX_HOST".into(), "file".into());
    both.file.insert("PROXMOX_PORT".into(), "1234".into());
    let got = connection(&Options::default(), &both).map_err(|e| e.to_string()).unwrap();
    assert_eq!((got.endpoint.host.as_str(), got.endpoint.port), ("env", 1234));
    // An empty variable hides the file's: it is set, to nothing.
    both.environment.insert("PROXMOX_PORT".into(), String::new());
    let got = connection(&Options::default(), &both).map_err(|e| e.to_string()).unwrap();
    assert_eq!(got.endpoint.port, 8006);
    both.file.insert("PROXMOX_TOKEN_COMMAND".into(), "touch /tmp/never".into());
    let error = connection(&Options::default(), &both).err().unwrap().to_string();
    assert!(error.contains("PROXMOX_TOKEN_COMMAND stands in a .env file"), "{error}");
}

#[test]
fn a_token_comes_from_a_command() {
    let got = connect(&[("PROXMOX_HOST", "pve"), ("PROXMOX_TOKEN_COMMAND", "echo 1a353845-0000")]).unwrap();
    assert!(got.endpoint.authorization.to_str().unwrap().ends_with("=1a353845-0000"));
    let error =
        connect(&[("PROXMOX_HOST", "pve"), ("PROXMOX_TOKEN_COMMAND", "echo no >&2; exit 3")]).err().unwrap();
    assert!(error.contains("no") && error.contains('3'), "{error}");
}
