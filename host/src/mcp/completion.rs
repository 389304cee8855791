//! Completion of the arguments of prompts and of the variables of templates. The candidates come from a call like any
//! other; where that is refused or fails there are none, and that is no error.

use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, JsonObject, Reference};
use serde_json::Value;

use super::Server;
use super::resources::{self, Call, pages};
use crate::approvals::Nobody;
use crate::calls::offers::Unsaid;
use crate::engine;

/// The longest value that is offered, in bytes.
const MAX_VALUE: usize = 1_000;

impl Server {
    /// The values that fit what was typed, at most a hundred of them.
    ///
    /// # Errors
    /// Where there is no such prompt or template, or it has no such argument.
    pub(super) async fn completed(
        &self,
        request: CompleteRequestParams,
    ) -> Result<CompleteResult, ErrorData> {
        let of = match request.r#ref {
            Reference::Prompt(prompt) => engine::Reference::Prompt(prompt.name),
            Reference::Resource(resource) => engine::Reference::Resource(resource.uri),
            _ => return Err(ErrorData::invalid_params("`ref` is of an unknown type.", None)),
        };
        let filled_in = request.context.and_then(|context| context.arguments).unwrap_or_default();
        let context: JsonObject = filled_in.into_iter().map(|(name, value)| (name, value.into())).collect();
        let (argument, typed) = (request.argument.name, request.argument.value);
        let values = match self.values(&of, &argument, &typed, &context).await {
            Ok(values) => values,
            Err(error) if error.kind == "bad-arguments" => return Err(resources::unsaid(error)),
            Err(Unsaid { kind, message }) => {
                tracing::info!(kind, message, argument, "nothing to complete with");
                Vec::new()
            }
        };
        Ok(CompleteResult::new(page(values)))
    }

    async fn values(
        &self,
        of: &engine::Reference,
        argument: &str,
        typed: &str,
        context: &JsonObject,
    ) -> Result<Vec<String>, Unsaid> {
        let data = match self.tools.completion_source(of, argument, context).await? {
            None => Value::Null,
            Some(reading) => {
                let nobody = Nobody("completion asks nobody");
                let call = Call { tools: &self.tools, tool: &reading.tool, nobody };
                match pages::all(&call, &reading.arguments).await {
                    Ok(data) => Value::Object(data),
                    // What was filled in so far may be wrong, too: that is said when it is used.
                    Err(unread) => {
                        tracing::info!(
                            kind = unread.kind,
                            message = unread.message,
                            argument,
                            "nothing to complete with"
                        );
                        return Ok(Vec::new());
                    }
                }
            }
        };
        self.tools.choose(argument, typed, &data).await
    }
}

/// As many values as an answer may have, with how many there are.
fn page(mut values: Vec<String>) -> CompletionInfo {
    values.retain(|value| value.len() <= MAX_VALUE);
    let total = values.len();
    values.truncate(CompletionInfo::MAX_VALUES);
    let mut page = CompletionInfo::default();
    page.has_more = Some(total > values.len());
    page.total = u32::try_from(total).ok();
    page.values = values;
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_hundred_values_at_most() {
        let values = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        for (count, shown, more) in [(0, 0, false), (100, 100, false), (101, 100, true), (2_000, 100, true)] {
            let page = page(values(count));
            assert_eq!((page.values.len(), page.has_more), (shown, Some(more)));
            assert_eq!(page.total, u32::try_from(count).ok());
        }
        assert_eq!(page(vec!["x".repeat(MAX_VALUE + 1), "y".to_owned()]).values, ["y"]);
    }
}
