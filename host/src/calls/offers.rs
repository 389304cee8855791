//! What the component offers beside its tools: resources, prompts and completion. It says which calls each of them
//! stands for, without a request of its own; that they only read is checked here, and each call is made like any other.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use proxmox_gate::Scope;
use serde_json::{Map, Value};

use super::{Tools, word};
use crate::boundary::Boundary;
use crate::catalogue::Catalogue;
use crate::engine::{Engine, Failure, Fault, Piece, Prompt, Reference, Resource, ToolCall};

/// How every URI begins.
const SCHEME: &str = "proxmox://";
/// Resources, or prompts, at most.
const MAX_OFFERS: usize = 100;
/// Pieces of a prompt at most.
const MAX_PIECES: usize = 40;

/// What the component offers beside its tools.
#[derive(Default)]
pub struct Offers {
    /// What can be read by URI, templates included.
    pub resources: Vec<Resource>,
    /// What a person can begin with.
    pub prompts: Vec<Prompt>,
}

/// A call that only reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// A tool of the catalogue, by any of its names.
    pub tool: String,
    /// The arguments.
    pub arguments: Map<String, Value>,
}

/// A part of a prompt.
#[derive(Debug)]
pub enum Part {
    /// Markdown.
    Text(String),
    /// The answer of a call.
    Answer(Reading),
}

/// Why the component does not say what something stands for.
#[derive(Debug)]
pub struct Unsaid {
    /// A stable word, as in [`super::Answer::Failed`].
    pub kind: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl Offers {
    /// Asks the component of an engine.
    ///
    /// # Errors
    /// Where it does not answer, or offers what makes no sense.
    pub(super) async fn of(
        engine: &Engine,
        boundary: impl Fn() -> Boundary,
        catalogue: &Catalogue,
    ) -> Result<Self> {
        let resources =
            engine.list_resources(boundary()).await.context("the component did not list its resources")?;
        let prompts =
            engine.list_prompts(boundary()).await.context("the component did not list its prompts")?;
        let offers = Self { resources, prompts };
        offers.check(catalogue)?;
        Ok(offers)
    }

    fn check(&self, catalogue: &Catalogue) -> Result<()> {
        let (mut uris, mut names) = (HashSet::new(), HashSet::new());
        ensure!(
            self.resources.len() <= MAX_OFFERS && self.prompts.len() <= MAX_OFFERS,
            "the component offers too much"
        );
        let reads = |tool: &str| {
            let entry = catalogue.find(tool).with_context(|| format!("there is no tool {tool:.64?}"))?;
            ensure!(entry.tool.annotations.read_only, "{} does not only read", entry.tool.name);
            Ok(())
        };
        for resource in &self.resources {
            let uri = &resource.uri;
            ensure!(
                uri.starts_with(SCHEME) && uri.len() <= 200,
                "a resource's URI begins with {SCHEME}; one does not"
            );
            ensure!(uris.insert(uri), "two resources have the URI {uri}");
            if !resource.tool.is_empty() {
                reads(&resource.tool).with_context(|| format!("the resource {uri} makes no sense"))?;
            }
        }
        for prompt in &self.prompts {
            let name = &prompt.name;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            ensure!((1..=64).contains(&name.len()) && name.bytes().all(plain), "a prompt's name is odd");
            ensure!(names.insert(name), "two prompts have the name {name}");
            prompt
                .tools
                .iter()
                .try_for_each(|tool| reads(tool))
                .with_context(|| format!("the prompt {name} makes no sense"))?;
        }
        Ok(())
    }
}

impl Tools {
    /// What the component offers beside its tools.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// The call that gives the resource of this URI.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read that way.
    pub async fn locate(&self, uri: &str) -> Result<Reading, Unsaid> {
        let _permit = self.engine.turn().await;
        let found =
            self.engine.locate_resource(self.powerless(), uri).await.map_err(broken)?.map_err(unsaid)?;
        self.reading(found)
    }

    /// The parts of a prompt with these arguments.
    ///
    /// # Errors
    /// Where there is no such prompt, or it takes other arguments.
    pub async fn write_prompt(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Vec<Part>, Unsaid> {
        let _permit = self.engine.turn().await;
        let arguments = Value::Object(arguments.clone()).to_string();
        let written = self.engine.write_prompt(self.powerless(), name, &arguments).await;
        let pieces = written.map_err(broken)?.map_err(unsaid)?;
        if pieces.len() > MAX_PIECES {
            return Err(defect("it has too many pieces"));
        }
        let part = |piece| match piece {
            Piece::Text(text) => Ok(Part::Text(text)),
            Piece::Call(call) => self.reading(call).map(Part::Answer),
        };
        pieces.into_iter().map(part).collect()
    }

    /// The call whose data hold the values that an argument can have, if one does.
    ///
    /// # Errors
    /// Where there is no such prompt or template, or it has no such argument.
    pub async fn completion_source(
        &self,
        of: &Reference,
        argument: &str,
        context: &Map<String, Value>,
    ) -> Result<Option<Reading>, Unsaid> {
        let _permit = self.engine.turn().await;
        let context = Value::Object(context.clone()).to_string();
        let source = self.engine.completion_source(self.powerless(), of, argument, &context).await;
        source.map_err(broken)?.map_err(unsaid)?.map(|call| self.reading(call)).transpose()
    }

    /// The values in the data of that call, or in no data, that fit what was typed, best first.
    ///
    /// # Errors
    /// Where the component fails.
    pub async fn choose(&self, argument: &str, typed: &str, data: &Value) -> Result<Vec<String>, Unsaid> {
        let _permit = self.engine.turn().await;
        self.engine.complete(self.powerless(), argument, typed, &data.to_string()).await.map_err(broken)
    }

    /// A boundary that lets nothing out: with no tool there is no method that may be called.
    fn powerless(&self) -> Boundary {
        self.boundary(&Arc::new(Scope::default()), &Arc::default())
    }

    /// A call that the component named, if it only reads. Nobody chose it, so it may change nothing.
    fn reading(&self, call: ToolCall) -> Result<Reading, Unsaid> {
        let entry = self.find(&call.tool).ok_or_else(|| defect("it names no tool"))?;
        if !entry.tool.annotations.read_only {
            return Err(defect("it names a tool that changes something"));
        }
        match serde_json::from_str(&call.arguments) {
            Ok(Value::Object(arguments)) => Ok(Reading { tool: call.tool, arguments }),
            _ => Err(defect("its arguments are no JSON object")),
        }
    }
}

fn unsaid(failure: Failure) -> Unsaid {
    Unsaid { kind: word(failure.kind), message: failure.message }
}

fn broken(fault: Fault) -> Unsaid {
    defect(&fault.to_string())
}

fn defect(why: &str) -> Unsaid {
    tracing::error!(why, "the component failed");
    Unsaid {
        kind: word(crate::engine::FailureKind::Defect),
        message: format!("The server's own component failed: {why}."),
    }
}
