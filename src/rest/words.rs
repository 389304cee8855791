//! The vendor's own words for a method, out of the description that the user's server serves
//! (`/pve-docs/api-viewer/apidoc.js`). They are read from there and kept nowhere.

use std::borrow::Cow;
use std::collections::HashMap;

use proxmox_api::{API_DOC, Method};
use serde::Deserialize;

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::foreign;

/// What stands before the tree of methods in the file.
const BEFORE: &[u8] = b"apiSchema =";

/// What the vendor says of a method.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// Of the method.
    pub method: String,
    /// Of its parameters, by their names.
    pub params: HashMap<String, String>,
}

/// Asks the server for its words on a method.
///
/// # Errors
/// Where the server does not serve its description, or it is written in another way.
pub fn fetch(cx: &Cx<'_>, method: &Method) -> Result<Words, Error> {
    let reply = cx.reply(Call::of(&API_DOC))?;
    let odd = || Error::Unreachable("the server's description of its API cannot be read".to_owned());
    let body = reply.body();
    let start =
        body.windows(BEFORE.len()).position(|window| window == BEFORE).ok_or_else(odd)? + BEFORE.len();
    let mut trees = serde_json::Deserializer::from_slice(body.get(start..).unwrap_or_default())
        .into_iter::<Vec<Node<'_>>>();
    let roots = trees.next().and_then(Result::ok).ok_or_else(odd)?;
    let node = roots.iter().find_map(|node| node.find(method.path)).ok_or_else(odd)?;
    let info = node.info.get(method.verb.as_str()).ok_or_else(odd)?;
    let said = |text: &Option<Cow<'_, str>>| {
        text.as_deref().map(|text| foreign::line(text, 600)).unwrap_or_default()
    };
    let params = info.parameters.iter().flat_map(|all| &all.properties);
    Ok(Words {
        method: said(&info.description),
        params: params.map(|(name, param)| ((*name).to_owned(), said(&param.description))).collect(),
    })
}

/// A path of the tree.
#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow, default)]
    info: HashMap<&'a str, Info<'a>>,
    #[serde(borrow, default)]
    children: Vec<Node<'a>>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parameters: Option<Parameters<'a>>,
}

#[derive(Deserialize)]
struct Parameters<'a> {
    #[serde(borrow, default)]
    properties: HashMap<&'a str, Parameter<'a>>,
}

#[derive(Deserialize)]
struct Parameter<'a> {
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
}

impl<'a> Node<'a> {
    fn find(&self, path: &str) -> Option<&Node<'a>> {
        if self.path == path {
            return Some(self);
        }
        path.starts_with(&*self.path)
            .then(|| self.children.iter().find_map(|child| child.find(path)))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use proxmox_api::methods::GET_NODES_NODE_STATUS;

    use super::*;
    use crate::testing::{NOW_MS, Script};
    use crate::tools::proxmox_describe_api::TOOL;

    const FILE: &str = "/pve-docs/api-viewer/apidoc.js";

    fn words(file: &str) -> Result<Words, Error> {
        let script = Script::new().body(&format!("GET {FILE}"), 200, file);
        fetch(&Cx::new(&TOOL, &script, NOW_MS), &GET_NODES_NODE_STATUS)
    }

    #[test]
    fn the_words_of_a_method_are_found_in_the_tree() {
        let file = r#"const apiSchema = [{"path": "/nodes", "text": "nodes", "info": {"GET": {"description": "No."}},
            "children": [{"path": "/nodes/{node}", "children": [{"path": "/nodes/{node}/status", "info": {"GET":
            {"description": "Reads\u0020it.", "parameters": {"additionalProperties": 0, "properties":
            {"node": {"description": "Its\nname.", "type": "string"}}}}}}]}]}]
            ;
            let more = {};"#;
        let words = words(file).unwrap();
        assert_eq!(words.method, "Reads it.");
        assert_eq!(words.params["node"], "Its name.");
    }

    #[test]
    fn another_file_is_no_description() {
        for file in ["", "<html>", "const apiSchema = nothing", "const apiSchema = []"] {
            assert!(words(file).unwrap_err().to_string().contains("cannot be read"), "{file}");
        }
    }
}
