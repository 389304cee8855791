//! The component's exports. Only this file knows wit-bindgen.

use std::time::{SystemTime, UNIX_EPOCH};

use waki::bindings::wasi::clocks::monotonic_clock;
use waki::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};

use crate::catalogue::Step;
use crate::cx::Transport;
use crate::door::{Caller, Failure as Failed, incoming, settings, stdio};
use crate::error::{Error, Kind};
use crate::http::Http;
use crate::server::Clock;
use crate::tool::Args;
use crate::{completion, prompts, resources, tools};

#[expect(unsafe_code, reason = "generated from wit/world.wit")]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "server",
        generate_all,
        with: {
            "wasi:http/outgoing-handler@0.2.2": waki::bindings::wasi::http::outgoing_handler,
            "wasi:http/types@0.2.2": waki::bindings::wasi::http::types,
            "wasi:io/poll@0.2.2": waki::bindings::wasi::io::poll,
            "wasi:io/error@0.2.2": waki::bindings::wasi::io::error,
            "wasi:io/streams@0.2.2": waki::bindings::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.2": waki::bindings::wasi::clocks::monotonic_clock,
        },
    });

    pub(super) use self::exports::wasi::cli::run::Guest as Run;
    pub(super) use self::exports::wasi::http::incoming_handler::Guest as IncomingHandler;
    pub(crate) use self::wasi::cli::stdin::get_stdin;

    export!(Component with_types_in self);

    use super::Component;
}

pub(crate) use self::bindings::get_stdin;
use self::bindings::{
    Annotations, ApiMethod, Failure, FailureKind, Guest, IncomingHandler, Outcome, Output, Pending, Piece,
    Prompt, PromptArgument, Reference, Resource, Run, Tool, ToolCall,
};

struct Component;

impl Guest for Component {
    fn list_tools() -> Vec<Tool> {
        let all = || tools::ALL.iter().map(|(_, tool)| *tool);
        let shown = |caller: Caller<'_>| all().filter(|tool| caller.shows(tool)).map(listed).collect();
        // What is wrong with a setting is said by each call.
        with_caller(&Http::INTERNAL, shown).unwrap_or_else(|_| all().map(listed).collect())
    }

    fn call_tool(name: String, arguments: String) -> Result<Outcome, Failure> {
        answered(|caller| caller.call(SystemClock.now_ms(), &name, &arguments))
    }

    fn resume(continuation: String) -> Result<Outcome, Failure> {
        answered(|caller| caller.resume(SystemClock.now_ms(), &continuation))
    }

    fn list_resources() -> Vec<Resource> {
        resources::all().iter().map(one).chain(resources::templates().iter().map(each)).collect()
    }

    fn locate_resource(uri: String) -> Result<ToolCall, Failure> {
        resources::locate(&uri).map(call).map_err(failure)
    }

    fn list_prompts() -> Vec<Prompt> {
        prompts::ALL.iter().map(|prompt| described(prompt)).collect()
    }

    fn write_prompt(name: String, arguments: String) -> Result<Vec<Piece>, Failure> {
        let arguments = Args::parse(&arguments).map_err(failure)?.into_map();
        let pieces = prompts::write(&name, &arguments).map_err(failure)?;
        let piece = |piece| match piece {
            prompts::Piece::Text(text) => Piece::Text(text),
            prompts::Piece::Call(of) => Piece::Call(call(of)),
        };
        Ok(pieces.into_iter().map(piece).collect())
    }

    fn completion_source(
        of: Reference,
        argument: String,
        context: String,
    ) -> Result<Option<ToolCall>, Failure> {
        let of = match of {
            Reference::Prompt(name) => completion::Reference::Prompt(name),
            Reference::Resource(uri) => completion::Reference::Resource(uri),
        };
        let context = Args::parse(&context).map_err(failure)?.into_map();
        let source = completion::source(&of, &argument, &context).map_err(failure)?;
        Ok(source.map(call))
    }

    fn complete(argument: String, typed: String, data: String) -> Vec<String> {
        completion::choose(&argument, &typed, &serde_json::from_str(&data).unwrap_or_default())
    }
}

impl Run for Component {
    fn run() -> Result<(), ()> {
        stdio::serve()
    }
}

impl IncomingHandler for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        incoming::handle(request, out);
    }
}

/// Hands over whoever makes calls with the rights that the environment gives; `unnamed`: the way out where it names
/// no server.
///
/// # Errors
/// Where a setting is wrong: a sentence for the operator.
pub(crate) fn with_caller<T>(unnamed: &dyn Transport, f: impl FnOnce(Caller<'_>) -> T) -> Result<T, String> {
    Ok(match settings::read(&variable)? {
        Some(settings) => f(Caller::new(&Http::to(&settings), Some(&settings.rights))),
        None => f(Caller::new(unnamed, None)),
    })
}

/// The value of an environment variable.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The time of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep_ms(&self, ms: u64) {
        monotonic_clock::subscribe_duration(ms.saturating_mul(1_000_000)).block();
    }
}

fn listed(tool: &crate::tool::Tool) -> Tool {
    let method = |method: &&proxmox_api::Method| ApiMethod {
        verb: method.verb.as_str().to_owned(),
        path: method.path.to_owned(),
    };
    Tool {
        name: tool.name.to_owned(),
        title: tool.title.to_owned(),
        description: tool.description.to_owned(),
        input_schema: tool.input_schema().to_string(),
        output_schema: tool.output.schema().to_string(),
        annotations: Annotations {
            read_only: tool.read_only(),
            destructive: tool.destructive,
            idempotent: tool.idempotent(),
            open_world: tool.open_world,
        },
        toolset: tool.toolset.word().to_owned(),
        by_default: tool.toolset.by_default(),
        aliases: tool.aliases.iter().map(|alias| alias.name.to_owned()).collect(),
        names_its_call: tool.names_its_call,
        calls: tool.calls.iter().map(method).collect(),
    }
}

fn one(resource: &resources::Resource) -> Resource {
    Resource {
        uri: resource.uri.to_owned(),
        name: resource.name.to_owned(),
        title: resource.title.to_owned(),
        description: resource.description.to_owned(),
        mime_type: resource.mime_type.to_owned(),
        tool: resource.tool.to_owned(),
    }
}

fn each(template: &resources::Template) -> Resource {
    Resource {
        uri: template.uri_template.to_owned(),
        name: template.name.to_owned(),
        title: template.title.to_owned(),
        description: template.description.to_owned(),
        mime_type: template.mime_type.to_owned(),
        tool: template.tool.to_owned(),
    }
}

fn described(prompt: &prompts::Prompt) -> Prompt {
    let argument = |argument: &prompts::Argument| PromptArgument {
        name: argument.name.to_owned(),
        description: argument.description.to_owned(),
        required: argument.required,
    };
    Prompt {
        name: prompt.name.to_owned(),
        title: prompt.title.to_owned(),
        description: prompt.description.to_owned(),
        arguments: prompt.arguments.iter().map(argument).collect(),
        tools: prompt.tools.iter().map(|tool| (*tool).to_owned()).collect(),
    }
}

fn call(call: crate::tool::ToolCall) -> ToolCall {
    ToolCall { tool: call.tool.to_owned(), arguments: serde_json::Value::Object(call.arguments).to_string() }
}

fn answered(step: impl FnOnce(Caller<'_>) -> Result<Step, Failed>) -> Result<Outcome, Failure> {
    let wrong = |message| Err(Failed { kind: Kind::Unreachable, message });
    match with_caller(&Http::INTERNAL, step).unwrap_or_else(wrong) {
        Ok(Step::Done(output)) => {
            Ok(Outcome::Done(Output { text: output.text, data: output.data.to_string() }))
        }
        Ok(Step::Pending(continuation, pending)) => Ok(Outcome::Pending(Pending {
            continuation,
            message: pending.message,
            progress: pending.progress,
            after_ms: pending.after_ms,
        })),
        Err(failed) => Err(Failure { kind: kind(failed.kind), message: failed.message }),
    }
}

fn failure(error: Error) -> Failure {
    Failure { kind: kind(error.kind()), message: error.to_string() }
}

fn kind(kind: Kind) -> FailureKind {
    match kind {
        Kind::UnknownTool => FailureKind::UnknownTool,
        Kind::Arguments => FailureKind::BadArguments,
        Kind::NotFound => FailureKind::NotFound,
        Kind::Denied => FailureKind::Denied,
        Kind::Unreachable => FailureKind::Unreachable,
        Kind::Failed => FailureKind::Failed,
        Kind::Defect => FailureKind::Defect,
    }
}
