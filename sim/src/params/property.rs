//! Property strings (`virtio,bridge=vmbr0`): the parameters whose insides are checked here.

/// The network card models, in the order of the real server's text.
const MODELS: &[&str] = &[
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "virtio",
    "vmxnet3",
];

/// Checks the property string of a parameter.
pub(super) fn check(name: &str, text: &str) -> Result<(), String> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let found = match stem {
        // Containers have a network card too, with a name in place of a model.
        "net" if !text.starts_with("name=") && !text.contains(",name=") => model(name, text),
        "memory" => whole(name, "current", text),
        "agent" => flag(name, "enabled", text),
        _ => Ok(()),
    };
    found.map_err(|why| format!("format error\n{why}"))
}

fn model(name: &str, text: &str) -> Result<(), String> {
    let first = text.split(',').next().unwrap_or_default();
    let model = match first.split_once('=') {
        Some(("model", value)) => value,
        Some((model, _mac)) => model,
        None => first,
    };
    match MODELS.contains(&model) {
        true => Ok(()),
        false => Err(format!("{name}.model: {}", super::not_in(model, MODELS))),
    }
}

fn whole(name: &str, key: &str, text: &str) -> Result<(), String> {
    let value = default_key(key, text);
    match value.parse::<u64>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{name}.{key}: type check ('integer') failed - got '{value}'")),
    }
}

fn flag(name: &str, key: &str, text: &str) -> Result<(), String> {
    let value = default_key(key, text);
    match value {
        "0" | "1" => Ok(()),
        _ => Err(format!("{name}.{key}: type check ('boolean') failed - got '{value}'")),
    }
}

/// The value of the key that may go without its name.
fn default_key<'a>(key: &str, text: &'a str) -> &'a str {
    let first = text.split(',').next().unwrap_or_default();
    first.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')).unwrap_or(first)
}
