//! `proxmox-mcp call`: one tool from a shell.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::approvals::{Asker, Consent, LIFETIME, Nobody, Question, Reply, Request};
use crate::calls::{Answer, Tools};
use crate::catalogue::Entry;
use crate::engine::Pending;
use crate::watch::{Caller, called_by};

/// Calls a tool and prints its answer: text, or with `json` the data. Exit code 1 where it fails.
///
/// # Errors
/// Where there is no such tool, or the arguments are no `key=value` pairs.
pub async fn run(tools: &Tools, name: &str, pairs: &[String], json: bool) -> Result<ExitCode> {
    let Some(entry) = tools.find(name) else {
        bail!("{} `proxmox-mcp tools` lists them.", tools.unknown(name));
    };
    let arguments = arguments(entry, pairs)?;
    let show_progress = std::io::stderr().is_terminal();
    let watch = |pending: &Pending| {
        if show_progress {
            eprintln!("… {}", pending.message);
        }
    };
    let call = async {
        match std::io::stdin().is_terminal() && show_progress {
            true => tools.call_asking(name, &arguments, watch, &Terminal).await,
            false => {
                let nobody = Nobody("there is no terminal to ask at");
                tools.call_asking(name, &arguments, watch, &nobody).await
            }
        }
    };
    let answer = called_by(Caller { client: "proxmox-mcp call".to_owned(), ..Caller::default() }, call).await;
    let (text, code) = match answer {
        Answer::Done { data, .. } if json => (serde_json::to_string_pretty(&data)?, ExitCode::SUCCESS),
        Answer::Done { text, .. } => (text, ExitCode::SUCCESS),
        Answer::Failed { kind, message } if json => {
            let error = serde_json::json!({"error": {"kind": kind, "message": message}});
            (serde_json::to_string_pretty(&error)?, ExitCode::FAILURE)
        }
        Answer::Failed { message, .. } => {
            eprintln!("{message}");
            return Ok(ExitCode::FAILURE);
        }
    };
    // A reader that has seen enough (`| head`) is no failure.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
    Ok(code)
}

/// Whoever sits at the terminal.
struct Terminal;

impl Asker for Terminal {
    fn consent(&self) -> Consent {
        Consent::open()
    }

    async fn ask(&self, request: &Request) -> Reply {
        let question = request.question.clone();
        // A line from a terminal cannot be waited for without a thread.
        let asked = tokio::task::spawn_blocking(move || {
            let (mut input, mut output) = (std::io::stdin().lock(), std::io::stderr().lock());
            ask(&question, &mut input, &mut output)
        });
        match tokio::time::timeout(LIFETIME, asked).await {
            Ok(Ok(Ok(reply))) => reply,
            Ok(_) => Reply::Failed,
            Err(_) => Reply::Late,
        }
    }
}

/// Puts a question and reads one line as its answer.
fn ask(question: &Question, input: &mut impl BufRead, output: &mut impl Write) -> std::io::Result<Reply> {
    writeln!(output, "\n{}\n", question.text)?;
    match &question.typed {
        Some(typed) => write!(output, "Type {typed} to confirm: ")?,
        None => write!(output, "Type yes to approve: ")?,
    }
    output.flush()?;
    let mut line = String::new();
    if input.by_ref().take(1 << 10).read_line(&mut line)? == 0 {
        return Ok(Reply::Cancelled);
    }
    Ok(match (line.trim_end_matches(['\r', '\n']), &question.typed) {
        ("", _) => Reply::No,
        (said, Some(typed)) if said == typed => Reply::Yes,
        (_, Some(_)) => Reply::OtherName,
        ("yes", None) => Reply::Yes,
        (_, None) => Reply::No,
    })
}

/// `key=value` pairs as the JSON object that the tool's input schema asks for.
pub(super) fn arguments(entry: &Entry, pairs: &[String]) -> Result<Map<String, Value>> {
    let schema: Value = serde_json::from_str(&entry.tool.input_schema)?;
    let mut arguments = Map::new();
    for pair in pairs {
        let Some((key, text)) = pair.split_once('=') else {
            bail!("`{pair}` is not an argument; write key=value, such as vmid=101");
        };
        let value = value(schema.get("properties").and_then(|p| p.get(key)), text);
        if arguments.insert(key.to_owned(), value).is_some() {
            bail!("`{key}` is given twice");
        }
    }
    Ok(arguments)
}

/// JSON where the parameter takes more than text, and text where it does not or where it is no JSON.
fn value(schema: Option<&Value>, text: &str) -> Value {
    let kind = schema.and_then(|s| s.get("type")).and_then(Value::as_str);
    let plain = || Value::String(text.to_owned());
    match (kind, serde_json::from_str::<Value>(text)) {
        (Some("string"), _) | (_, Err(_)) => plain(),
        (Some(_), Ok(value)) => value,
        // Of a parameter that takes several kinds, text is one: only lists and objects are meant as JSON.
        (None, Ok(value)) if schema.is_some() && !value.is_array() && !value.is_object() => plain(),
        (None, Ok(value)) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ask, value};
    use crate::approvals::{Question, Reply};

    #[test]
    fn at_a_terminal_only_the_whole_word_is_a_yes() {
        let put = |typed: Option<&str>, said: &str| {
            let question = Question { text: "Start VM 101?".to_owned(), typed: typed.map(str::to_owned) };
            let mut shown = Vec::new();
            let reply = ask(&question, &mut said.as_bytes(), &mut shown).unwrap();
            (reply, String::from_utf8(shown).unwrap())
        };
        let (reply, shown) = put(None, "yes\n");
        assert_eq!(reply, Reply::Yes);
        assert!(shown.contains("Start VM 101?") && shown.ends_with("Type yes to approve: "), "{shown}");
        for (said, reply) in
            [("y\n", Reply::No), ("\n", Reply::No), ("yes please", Reply::No), ("", Reply::Cancelled)]
        {
            assert_eq!(put(None, said).0, reply, "{said:?}");
        }
        let named = |said| put(Some("web-01"), said).0;
        assert!(put(Some("web-01"), "").1.ends_with("Type web-01 to confirm: "));
        assert_eq!([named("web-01\r\n"), named("web-01")], [Reply::Yes, Reply::Yes]);
        assert_eq!([named("yes\n"), named("Web-01\n"), named("web-01 \n")], [Reply::OtherName; 3]);
        assert_eq!(named("\n"), Reply::No);
    }

    #[test]
    fn text_stays_text_and_numbers_become_numbers() {
        let string = json!({"type": "string"});
        let integer = json!({"type": "integer"});
        let either = json!({"anyOf": [{"type": "string"}, {"type": "array"}]});
        assert_eq!(value(Some(&string), "101"), json!("101"));
        assert_eq!(value(Some(&integer), "101"), json!(101));
        assert_eq!(value(Some(&integer), "abc"), json!("abc"));
        assert_eq!(value(Some(&either), "true"), json!("true"));
        assert_eq!(value(Some(&either), r#"["ls","-l"]"#), json!(["ls", "-l"]));
        assert_eq!(value(None, "uptime; ls"), json!("uptime; ls"));
    }
}
