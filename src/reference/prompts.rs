//! `docs/prompts.md`: the prompts, and what can be read by URI.

use std::fmt::Write as _;

use super::{cell, compare};
use crate::prompts::{self, Prompt};
use crate::resources;

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from the declarations in src/prompts and src/resources. Do not edit. -->

# Prompts and resources

Both are calls of [tools](tools.md) that only read, and what holds for the call holds for them: grants, allow-lists, the
operator's choice of tools, the audit log.

## Prompts

What a person picks in the client to begin with. It arrives with the answers of its tools in it; where one is refused,
with the refusal in its place.
";

#[test]
fn the_reference_of_prompts_and_resources_is_true() {
    compare("prompts.md", &page());
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    prompts::ALL.iter().for_each(|prompt| page += &section(prompt));
    page += "\n## Resources\n\n| URI | holds | tool |\n|---|---|---|\n";
    for resource in resources::all() {
        page += &row(resource.uri, resource.title, resource.description, resource.tool);
    }
    for template in resources::templates() {
        page += &row(template.uri_template, template.title, template.description, template.tool);
    }
    page
}

fn section(prompt: &Prompt) -> String {
    let mut text = format!("\n### `{}`: {}\n\n{}\n", prompt.name, prompt.title, prompt.description);
    if !prompt.arguments.is_empty() {
        text += "\n| argument | meaning |\n|---|---|\n";
        for argument in prompt.arguments {
            let needed = if argument.required { " (**required**)" } else { "" };
            writeln!(text, "| `{}`{needed} | {} |", argument.name, cell(argument.description)).unwrap();
        }
    }
    let tools: Vec<String> = prompt.tools.iter().map(|name| format!("`{name}`")).collect();
    text + &format!("\nCalls {}.\n", tools.join(", "))
}

fn row(uri: &str, title: &str, description: &str, tool: &str) -> String {
    let tool = if tool.is_empty() { "the one in the URI".to_owned() } else { format!("`{tool}`") };
    format!("| `{uri}` | {}: {} | {tool} |\n", cell(title), cell(description))
}

#[test]
fn a_prompt_and_a_template_are_told_whole() {
    let page = page();
    for expected in [
        "### `upgrade_node`: Plan a node's upgrade",
        "| `node` (**required**) | name of the node |",
        "| `proxmox://guests/{vmid}` |",
        "the one in the URI",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
}
