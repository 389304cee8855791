//! The exports of the component that make no requests: what it offers, and what its URIs, prompts and completions
//! stand for.

use super::{Engine, Failure, Fault, Piece, Prompt, Reference, Resource, ToolCall};
use crate::boundary::Boundary;

impl Engine {
    /// What can be read by URI.
    ///
    /// # Errors
    /// [`Fault`] where the component fails; so do all of these.
    pub(crate) async fn list_resources(&self, boundary: Boundary) -> Result<Vec<Resource>, Fault> {
        self.step(boundary, async |server, store| server.call_list_resources(store).await).await
    }

    /// The call that gives the resource of a URI.
    pub(crate) async fn locate_resource(
        &self,
        boundary: Boundary,
        uri: &str,
    ) -> Result<Result<ToolCall, Failure>, Fault> {
        self.step(boundary, async |server, store| server.call_locate_resource(store, uri).await).await
    }

    /// The prompts.
    pub(crate) async fn list_prompts(&self, boundary: Boundary) -> Result<Vec<Prompt>, Fault> {
        self.step(boundary, async |server, store| server.call_list_prompts(store).await).await
    }

    /// The pieces of a prompt.
    pub(crate) async fn write_prompt(
        &self,
        boundary: Boundary,
        name: &str,
        arguments: &str,
    ) -> Result<Result<Vec<Piece>, Failure>, Fault> {
        self.step(boundary, async |server, store| server.call_write_prompt(store, name, arguments).await)
            .await
    }

    /// The call whose data hold the candidates for an argument.
    pub(crate) async fn completion_source(
        &self,
        boundary: Boundary,
        of: &Reference,
        argument: &str,
        context: &str,
    ) -> Result<Result<Option<ToolCall>, Failure>, Fault> {
        let source = async |server: &super::Contract, store: &mut _| {
            server.call_completion_source(store, of, argument, context).await
        };
        self.step(boundary, source).await
    }

    /// Those of the candidates that fit.
    pub(crate) async fn complete(
        &self,
        boundary: Boundary,
        argument: &str,
        typed: &str,
        data: &str,
    ) -> Result<Vec<String>, Fault> {
        self.step(boundary, async |server, store| server.call_complete(store, argument, typed, data).await)
            .await
    }
}
