//! `proxmox_read_api`: reads anything that the API has.

use proxmox_api::Verb;
use serde_json::{Map, Value};

use crate::cx::Cx;
use crate::data::Data;
use crate::error::Error;
use crate::listing::{Cursor, Pattern};
use crate::rest::Target;
use crate::rest::show::View;
use crate::shape::{Shape, always, known};
use crate::tool::{Args, Outcome, Texts, Tool, Toolset, Whole};

crate::params! {
    /// Path, such as /nodes/pve1/apt/update.
    path: String,
    /// Its parameters.
    params: Option<Map<String, Value>>,
    /// Fields to show.
    fields: Option<Texts>,
    /// Text that a row has.
    filter: Option<Pattern>,
    /// Rows to show.
    limit: Whole<1, 500> = 50,
    /// Where to go on.
    cursor: Option<Cursor>,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_read_api",
    title: "Read API",
    description: "Reads any GET method of the API.",
    toolset: Toolset::Api,
    params: PARAMS,
    output: Shape::Object(&[
        always("request", Shape::Text),
        always("rows", Shape::List(&Shape::Open)),
        always("total", Shape::Count),
        known("next_cursor", Shape::Text),
    ]),
    names_its_call: true,
    run,
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let call = Target::find(Verb::Get, &params.path)?.call(&params.params.unwrap_or_default())?;
    let request = call.to_string();
    let fields = params.fields.map(|Texts(fields)| fields).unwrap_or_default();
    let view = View {
        fields: &fields,
        filter: params.filter.as_ref(),
        limit: params.limit.0,
        cursor: params.cursor,
        whole: true,
    };
    let shown = view.show(cx.call(call)?)?;
    let text = match shown.rows.is_empty() {
        true => format!("📄 `{request}`\n\nNothing.\n"),
        false => format!("📄 `{request}`\n\n{}", shown.text),
    };
    let data = Data::new()
        .always("request", request)
        .always("rows", shown.rows)
        .always("total", shown.total)
        .known("next_cursor", shown.next);
    Ok(Outcome::done(text, data.into()))
}

#[cfg(test)]
#[path = "tests/proxmox_read_api.rs"]
mod tests;
