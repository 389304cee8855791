//! The one-click links of the README, made from the settings that it shows for the same clients.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

const MARK: &str = "<!-- links -->\n";
const NAME: &str = "proxmox";
/// What stands in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// Writes the links anew.
pub(crate) fn write() -> Result<()> {
    let readme = std::fs::read_to_string(README).context("cannot read README.md")?;
    Ok(std::fs::write(README, with_links(&readme)?)?)
}

/// The README with its links as they should be.
fn with_links(readme: &str) -> Result<String> {
    let mut parts: Vec<&str> = readme.split(MARK).collect();
    anyhow::ensure!(parts.len() == 3, "README.md has its links between two lines `{}`", MARK.trim());
    let links = format!("[VS Code]({}) · [Cursor]({})\n", vs_code(readme)?, cursor(readme)?);
    if let Some(between) = parts.get_mut(1) {
        *between = &links;
    }
    Ok(parts.join(MARK))
}

fn vs_code(readme: &str) -> Result<String> {
    let settings = shown(readme, "servers")?;
    let part = |pointer: &str| settings.pointer(pointer).with_context(|| format!("no {pointer} for VS Code"));
    Ok(format!(
        "https://insiders.vscode.dev/redirect/mcp/install?name={NAME}&inputs={}&config={}",
        encoded(&part("/inputs")?.to_string()),
        encoded(&part(&format!("/servers/{NAME}"))?.to_string())
    ))
}

fn cursor(readme: &str) -> Result<String> {
    let settings = shown(readme, "mcpServers")?;
    let server = settings.pointer(&format!("/mcpServers/{NAME}")).context("no server for Cursor")?;
    let config = encoded(&STANDARD.encode(server.to_string()));
    Ok(format!("https://cursor.com/en/install-mcp?name={NAME}&config={config}"))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The block of JSON in the README that has this key.
fn shown(readme: &str, key: &str) -> Result<Value> {
    let blocks = readme.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut values = blocks.filter_map(|block| serde_json::from_str::<Value>(block).ok());
    values
        .find(|value| value.get(key).is_some())
        .with_context(|| format!("README.md shows no JSON with `{key}`"))
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;

    use super::*;

    /// What a query has under a name.
    fn value(link: &str, name: &str) -> String {
        let query = link.split_once('?').unwrap().1;
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
        percent_decode_str(pair).decode_utf8().unwrap().into_owned()
    }

    #[test]
    fn a_link_installs_what_the_readme_shows() {
        let readme = std::fs::read_to_string(README).unwrap();
        let between = readme.split(MARK).nth(1).unwrap();
        let links: Vec<&str> =
            between.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        let [vs_code, cursor] = links.as_slice() else { panic!("{links:?}") };
        assert!(vs_code.starts_with("https://insiders.vscode.dev/redirect/mcp/install?"), "{vs_code}");
        assert!(cursor.starts_with("https://cursor.com/en/install-mcp?"), "{cursor}");
        assert_eq!((value(vs_code, "name"), value(cursor, "name")), (NAME.to_owned(), NAME.to_owned()));

        let settings = shown(&readme, "servers").unwrap();
        let config: Value = serde_json::from_str(&value(vs_code, "config")).unwrap();
        let inputs: Value = serde_json::from_str(&value(vs_code, "inputs")).unwrap();
        assert_eq!((&config, &inputs), (&settings["servers"][NAME], &settings["inputs"]));
        let config: Value =
            serde_json::from_slice(&STANDARD.decode(value(cursor, "config")).unwrap()).unwrap();
        assert_eq!(config, shown(&readme, "mcpServers").unwrap()["mcpServers"][NAME]);
        assert_eq!(with_links(&readme).unwrap(), readme, "run `cargo xtask links`");
    }

    #[test]
    fn no_link_carries_a_secret() {
        let readme = std::fs::read_to_string(README).unwrap();
        for link in [vs_code(&readme).unwrap(), cursor(&readme).unwrap()] {
            let config = format!("{}{}", percent_decode_str(&link).decode_utf8_lossy(), link);
            assert!(!config.contains("1a2b3c4d"), "{config}");
        }
        assert!(vs_code(&readme).unwrap().contains("%24%7Binput%3Atoken%7D"));
    }

    #[test]
    fn a_readme_without_the_settings_is_an_error() {
        assert!(with_links("no links").is_err());
        assert!(with_links(&format!("{MARK}{MARK}")).unwrap_err().to_string().contains("servers"));
    }
}
