//! The description of the API that each server serves to everybody, as the file of its API viewer: a tree
//! of paths in a line of JavaScript. The words are the simulator's own.

use std::sync::LazyLock;

use proxmox_api::{Kind, Method, Param, methods};
use serde_json::{Map, Value, json};

/// Where it is served.
pub(crate) const PATH: &str = "/pve-docs/api-viewer/apidoc.js";

/// The file.
pub(crate) static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut root = json!({"path": "", "children": []});
    for method in methods::ALL {
        insert(&mut root, method);
    }
    let tree = root.get("children").map(Value::to_string).unwrap_or_default();
    format!("const apiSchema = {tree}\n;\nlet method2cmd = {{}};\n").into_bytes()
});

/// Puts a method into the tree, with the paths above it.
fn insert(root: &mut Value, method: &Method) {
    let mut node = root;
    let mut path = String::new();
    for segment in method.path.split('/').skip(1) {
        path = format!("{path}/{segment}");
        let Some(children) = node.get_mut("children").and_then(Value::as_array_mut) else { return };
        let at = children
            .iter()
            .position(|child| child.get("path").and_then(Value::as_str) == Some(&path))
            .unwrap_or_else(|| {
                children.push(json!({"path": path, "text": segment, "info": {}, "children": []}));
                children.len() - 1
            });
        let Some(child) = children.get_mut(at) else { return };
        node = child;
    }
    if let Some(own) = node.get_mut("info").and_then(Value::as_object_mut) {
        own.insert(method.verb.as_str().to_owned(), info(method));
    }
}

fn info(method: &Method) -> Value {
    let params: Map<String, Value> =
        method.params.iter().map(|param| (param.name.to_owned(), parameter(param))).collect();
    json!({
        "method": method.verb.as_str(),
        "description": format!("What {method} does, in the words of this server."),
        "parameters": {"additionalProperties": 0, "properties": params},
    })
}

fn parameter(param: &Param) -> Value {
    let kind = match param.kind {
        Kind::Boolean => "boolean",
        Kind::Integer { .. } => "integer",
        Kind::Number { .. } => "number",
        Kind::Array(_) => "array",
        Kind::Enum(_) | Kind::String { .. } => "string",
    };
    json!({"type": kind, "description": format!("What {} is for.", param.name)})
}
