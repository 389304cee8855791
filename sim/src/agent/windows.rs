//! The little that a simulated Windows guest can do.

use serde_json::{Value, json};

use super::{End, Facts, Outcome};

/// Runs a program; `None` where there is none of this name.
pub(super) fn run(facts: &Facts, command: &[String]) -> Option<Outcome> {
    let (name, arguments) = command.split_first()?;
    let name = name.rsplit(['\\', '/']).next().unwrap_or_default().to_lowercase();
    let (out, err, code) = match name.trim_end_matches(".exe") {
        "cmd" => match arguments {
            [flag, rest @ ..] if flag.eq_ignore_ascii_case("/c") => line(facts, &rest.join(" ")),
            _ => (format!("{VERSION}\r\n"), String::new(), 0),
        },
        "hostname" => (format!("{}\r\n", facts.hostname), String::new(), 0),
        "whoami" => ("nt authority\\system\r\n".into(), String::new(), 0),
        _ => return None,
    };
    Some(Outcome { end: End::Code(code), out: out.into_bytes(), err: err.into_bytes(), ..Outcome::default() })
}

const VERSION: &str = "Microsoft Windows [Version 10.0.20348.2762]";

fn line(facts: &Facts, line: &str) -> (String, String, i32) {
    let line = line.trim();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word.to_lowercase().as_str() {
        "ver" => (format!("\r\n{VERSION}\r\n"), String::new(), 0),
        "echo" => (format!("{rest}\r\n"), String::new(), 0),
        "hostname" => (format!("{}\r\n", facts.hostname), String::new(), 0),
        "whoami" => ("nt authority\\system\r\n".into(), String::new(), 0),
        "exit" => (String::new(), String::new(), rest.trim().parse().unwrap_or(0)),
        _ => {
            let text = format!(
                "'{word}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
            );
            (String::new(), text, 1)
        }
    }
}

/// What `get-osinfo` answers.
pub(super) fn os_info() -> Value {
    json!({
        "id": "mswindows", "name": "Microsoft Windows", "pretty-name": "Windows Server 2022 Standard",
        "version": "Microsoft Windows Server 2022", "version-id": "2022", "variant": "server",
        "variant-id": "server", "machine": "x86_64", "kernel-release": "20348", "kernel-version": "10.0",
    })
}
