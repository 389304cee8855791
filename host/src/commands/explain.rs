//! `proxmox-mcp grants explain`: each request that a call would make, what decides it, and what would
//! open it. The tool is run for real, but nothing that changes something is sent.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Result, bail};
use proxmox_gate::{Denied, Need};
use serde_json::{Value, json};

use super::call;
use crate::boundary::Rehearsed;
use crate::calls::{Answer, Tools};
use crate::permissions::Permissions;

/// Longest path that is shown, in characters.
const MAX_PATH: usize = 300;

/// Prints the requests of a call and what decides each. Exit code 1 where the call would not succeed.
///
/// # Errors
/// Where there is no such tool, or the arguments are no `key=value` pairs.
pub async fn run(
    tools: &Tools,
    permissions: &Permissions,
    name: &str,
    pairs: &[String],
    as_json: bool,
) -> Result<ExitCode> {
    let Some(entry) = tools.find(name) else {
        bail!("{} `proxmox-mcp tools` lists them.", tools.unknown(name));
    };
    let arguments = call::arguments(entry, pairs)?;
    let (requests, answer) = tools.rehearse(name, &arguments).await;
    let conclusion = Conclusion::of(&requests, answer);
    let text = match as_json {
        true => serde_json::to_string_pretty(&data(&requests, permissions, &conclusion))?,
        false => page(&requests, permissions, &conclusion),
    };
    // A reader that has seen enough (`| head`) is no failure.
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
    Ok(if conclusion.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What comes of the call.
#[derive(Debug, PartialEq, Eq)]
enum Conclusion {
    /// It answers, and changes nothing.
    Reads,
    /// It answers without what is refused; with what would open that.
    ReadsInPart(BTreeSet<String>),
    /// It would change something.
    Changes,
    /// It goes on once a person has agreed.
    Asks,
    /// It is refused; with what would open it.
    Refused(BTreeSet<String>),
    /// It is allowed and fails for another reason.
    Fails(String),
}

impl Conclusion {
    fn of(requests: &[Rehearsed], answer: Option<Answer>) -> Self {
        let refused: Vec<&Denied> = requests
            .iter()
            .filter(|r| !r.is_asked_for)
            .filter_map(|r| r.verdict.outcome.as_ref().err())
            .collect();
        let remedies = || refused.iter().filter_map(|denied| denied.remedy()).collect();
        let is_kept_back = requests.iter().any(|request| request.kept_back);
        match answer {
            _ if refused.is_empty() && requests.iter().any(|request| request.is_asked_for) => {
                Conclusion::Asks
            }
            _ if is_kept_back && refused.is_empty() => Conclusion::Changes,
            Some(Answer::Done { .. }) if refused.is_empty() => Conclusion::Reads,
            Some(Answer::Done { .. }) => Conclusion::ReadsInPart(remedies()),
            _ if !refused.is_empty() => Conclusion::Refused(remedies()),
            Some(Answer::Failed { message, .. }) => Conclusion::Fails(message),
            // It waits, although nothing was changed.
            None => Conclusion::Reads,
        }
    }

    fn is_allowed(&self) -> bool {
        matches!(
            self,
            Conclusion::Reads | Conclusion::ReadsInPart(_) | Conclusion::Changes | Conclusion::Asks
        )
    }

    fn word(&self) -> &'static str {
        match self {
            Conclusion::Reads | Conclusion::Changes => "allowed",
            Conclusion::ReadsInPart(_) => "allowed in part",
            Conclusion::Asks => "asked for",
            Conclusion::Refused(_) => "refused",
            Conclusion::Fails(_) => "fails",
        }
    }

    fn remedies(&self) -> Vec<&str> {
        match self {
            Conclusion::ReadsInPart(lines) | Conclusion::Refused(lines) => {
                lines.iter().map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    }

    fn sentence(&self) -> String {
        let to_open = match self.remedies().as_slice() {
            [] => "Nothing that could be set here opens it.".to_owned(),
            lines => format!("To open it: {}", lines.join(" ")),
        };
        match self {
            Conclusion::Reads => "The call is allowed. It changes nothing.".to_owned(),
            Conclusion::ReadsInPart(_) => {
                format!("The call answers without what is refused. It changes nothing. {to_open}")
            }
            Conclusion::Changes => {
                "The call is allowed. What would have changed something was not sent, so what the \
                                    tool asks for after it does not show here."
                    .to_owned()
            }
            Conclusion::Asks => {
                "The call goes on once a person has agreed. What the tool asks for after that does not \
                                 show here."
                    .to_owned()
            }
            Conclusion::Refused(_) => format!("The call is refused. {to_open}"),
            Conclusion::Fails(message) => format!("Nothing is refused, but the call fails: {message}"),
        }
    }
}

fn page(requests: &[Rehearsed], permissions: &Permissions, conclusion: &Conclusion) -> String {
    let mut text = String::new();
    for request in requests {
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "{} {}  {}", plain(&request.verb), path(request), decision(request, permissions));
    }
    if requests.is_empty() {
        text.push_str("The tool makes no request.\n");
    }
    let _ = writeln!(text, "\n{}", conclusion.sentence());
    text
}

fn word(request: &Rehearsed) -> &'static str {
    match &request.verdict.outcome {
        Ok(()) => "allowed",
        Err(_) if request.is_asked_for => "asked for",
        Err(_) => "refused",
    }
}

/// `allowed by VM.Audit@/ (basic)`, or `refused: needs VM.PowerMgmt on /vms/101; --grant VM.PowerMgmt@/vms/101`.
fn decision(request: &Rehearsed, permissions: &Permissions) -> String {
    let verdict = &request.verdict;
    let denied = match &verdict.outcome {
        Ok(()) => {
            let note = if request.kept_back { "; not sent, since it changes something" } else { "" };
            return format!("{}{note}", allowed_by(&verdict.needs, verdict.rule, permissions));
        }
        Err(denied) => denied,
    };
    let why = match denied {
        Denied::Missing { missing, .. } => {
            let needs: Vec<String> =
                missing.iter().map(|m| format!("{} on {}", m.privilege, m.path)).collect();
            format!("needs {}", needs.join(" and "))
        }
        _ => denied.to_string(),
    };
    if request.is_asked_for {
        return format!("a person is asked: {why}");
    }
    match denied.remedy() {
        Some(remedy) => format!("refused: {why}; {remedy}"),
        None => format!("refused: {why}"),
    }
}

fn allowed_by(needs: &[Need], rule: &str, permissions: &Permissions) -> String {
    let grants: BTreeSet<&str> = needs.iter().filter_map(|need| need.covered_by.as_deref()).collect();
    if grants.is_empty() {
        return format!("allowed: {rule}");
    }
    let named = |grant: &&str| match permissions.origin_of(grant) {
        Some(origin) => format!("{grant} ({origin})"),
        None => (*grant).to_owned(),
    };
    format!("allowed by {}", grants.iter().map(named).collect::<Vec<_>>().join(" and "))
}

fn path(request: &Rehearsed) -> String {
    let path = plain(&request.path);
    path.strip_prefix("/api2/json").map_or(path.clone(), str::to_owned)
}

/// The component wrote it, so it is not to be trusted with a terminal.
fn plain(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(MAX_PATH).map(safe).collect()
}

fn data(requests: &[Rehearsed], permissions: &Permissions, conclusion: &Conclusion) -> Value {
    let need = |need: &Need| {
        let origin = need.covered_by.as_deref().and_then(|grant| permissions.origin_of(grant));
        json!({
            "privilege": need.privilege,
            "path": need.path,
            "granted_by": need.covered_by,
            "origin": origin.map(ToString::to_string),
        })
    };
    let request = |request: &Rehearsed| {
        let denied = request.verdict.outcome.as_ref().err();
        json!({
            "verb": plain(&request.verb),
            "path": path(request),
            "decision": word(request),
            "sent": denied.is_none() && !request.kept_back,
            "rule": request.verdict.rule,
            "needs": request.verdict.needs.iter().map(need).collect::<Vec<_>>(),
            "reason": denied.map(ToString::to_string),
            "remedy": denied.and_then(Denied::remedy),
        })
    };
    json!({
        "result": conclusion.word(),
        "message": conclusion.sentence(),
        "remedies": conclusion.remedies(),
        "requests": requests.iter().map(request).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use proxmox_gate::{Gate, Grants, NoPools, RawRequest, Scope, Walls};

    use super::*;

    fn rehearsed(verb: &str, path: &str, grants: &str) -> Rehearsed {
        let mut all = Grants::basic();
        all.add(grants).unwrap();
        let gate = Gate::new(all, Walls::default(), "root@pam!mcp");
        let raw = RawRequest { verb, path_and_query: path, content_type: None, body: &[] };
        let verdict = gate.explain(&Scope::new(proxmox_api::methods::ALL.iter().copied()), raw, &NoPools);
        let kept_back = verdict.outcome.is_ok() && verb != "GET";
        Rehearsed { verb: verb.to_owned(), path: path.to_owned(), verdict, is_asked_for: false, kept_back }
    }

    fn failed() -> Option<Answer> {
        Some(Answer::Failed { kind: "failed", message: "No such guest.".to_owned() })
    }

    fn done() -> Option<Answer> {
        Some(Answer::Done { text: String::new(), data: serde_json::Map::new() })
    }

    const START: &str = "/api2/json/nodes/pve1/qemu/101/status/start";
    const LOOK: &str = "/api2/json/nodes/pve1/qemu/101/status/current";
    const STATUS: &str = "/api2/json/nodes/pve1/status";

    #[test]
    fn each_end_of_a_call_has_its_conclusion() {
        let read = || rehearsed("GET", LOOK, "");
        let refused_read = || rehearsed("GET", STATUS, "");
        let change = |grants| rehearsed("POST", START, grants);
        let of = |requests: Vec<Rehearsed>, answer| Conclusion::of(&requests, answer);
        let line = |text: &str| BTreeSet::from([text.to_owned()]);
        assert_eq!(of(vec![read()], done()), Conclusion::Reads);
        let audit = line("--grant Sys.Audit@/nodes/pve1");
        assert_eq!(of(vec![read(), refused_read()], done()), Conclusion::ReadsInPart(audit.clone()));
        assert_eq!(of(vec![refused_read()], failed()), Conclusion::Refused(audit.clone()));
        assert_eq!(of(vec![read(), change("VM.PowerMgmt@/")], failed()), Conclusion::Changes);
        let power = line("--grant VM.PowerMgmt@/vms/101");
        assert_eq!(of(vec![read(), change("")], failed()), Conclusion::Refused(power));
        assert_eq!(
            of(vec![refused_read(), change("VM.PowerMgmt@/")], failed()),
            Conclusion::Refused(audit.clone())
        );
        let asked = || Rehearsed { is_asked_for: true, ..change("") };
        assert_eq!(of(vec![read(), asked()], failed()), Conclusion::Asks);
        assert_eq!(of(vec![refused_read(), asked()], failed()), Conclusion::Refused(audit.clone()));
        assert_eq!(of(vec![read()], failed()), Conclusion::Fails("No such guest.".to_owned()));
    }

    #[test]
    fn what_the_component_wrote_cannot_reach_the_terminal() {
        let request = rehearsed("GET", "/api2/json/nodes/\u{1b}[2J\u{202e}x", "");
        assert_eq!(path(&request), "/nodes/?[2J?x");
        assert!(decision(&request, &Permissions::default()).starts_with("refused: "));
    }
}
