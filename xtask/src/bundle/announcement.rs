//! `server.json`, which announces a release in the MCP registry.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
/// What does not follow from the release.
const TEMPLATE: &str = include_str!("../../../packaging/server.json");

/// A release on a forge.
pub(super) struct Release {
    /// Reverse-DNS name in the registry: `io.github.owner/name`.
    name: String,
    url: String,
    source: &'static str,
    /// Folder of the release's files.
    files: String,
    version: String,
}

impl Release {
    /// The release of this version in the repository at this address.
    pub(super) fn new(repository: &str, version: &str) -> Result<Release> {
        let url = repository.trim_end_matches('/').trim_end_matches(".git");
        let at = |host: &str| url.strip_prefix(host).and_then(|path| path.split_once('/'));
        let (space, source, files, (owner, name)) =
            match (at("https://github.com/"), at("https://gitlab.com/")) {
                (Some(path), _) => {
                    ("io.github", "github", format!("{url}/releases/download/v{version}"), path)
                }
                (_, Some(path)) => {
                    ("io.gitlab", "gitlab", format!("{url}/-/releases/v{version}/downloads"), path)
                }
                _ => bail!("{repository} is no address such as https://github.com/OWNER/NAME"),
            };
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        ensure!(plain(owner) && plain(name), "{repository} has no owner, or no name");
        // The registry asks for it, so that a bundle is told from any other file.
        ensure!(files.to_lowercase().contains("mcp"), "the registry wants `mcp` in the address {url}");
        let name = format!("{space}.{owner}/{name}");
        Ok(Release { name, url: url.to_owned(), source, files, version: version.to_owned() })
    }

    /// The announcement of a bundle.
    pub(super) fn announce(&self, file: &str, bundle: &[u8]) -> Result<Value> {
        let mut server: Map<String, Value> =
            serde_json::from_str(TEMPLATE).context("packaging/server.json")?;
        let variables =
            server.remove("environmentVariables").context("packaging/server.json has no variables")?;
        let hash: String = Sha256::digest(bundle).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut whole = Map::new();
        whole.insert("$schema".to_owned(), SCHEMA.into());
        whole.insert("name".to_owned(), self.name.clone().into());
        whole.extend(server);
        whole.insert("version".to_owned(), self.version.clone().into());
        whole.insert("repository".to_owned(), json!({"url": self.url, "source": self.source}));
        whole.insert(
            "packages".to_owned(),
            json!([{
                "registryType": "mcpb",
                "identifier": format!("{}/{file}", self.files),
                "version": self.version,
                "fileSha256": hash,
                "transport": {"type": "stdio"},
                "environmentVariables": variables,
            }]),
        );
        Ok(whole.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of the registry's schema that an announcement of one bundle can break.
    fn rules() -> Value {
        let short = |most: u32| json!({"type": "string", "minLength": 1, "maxLength": most});
        let variable = json!({
            "type": "object",
            "required": ["name", "description"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "pattern": "^PROXMOX_[A-Z_]+$"},
                "description": {"type": "string"},
                "isRequired": {"type": "boolean"},
                "isSecret": {"type": "boolean"},
                "format": {"enum": ["string", "number", "boolean", "filepath"]},
                "default": {"type": "string"},
                "placeholder": {"type": "string"},
            },
        });
        json!({
            "type": "object",
            "required": ["$schema", "name", "description", "version", "packages"],
            "additionalProperties": false,
            "properties": {
                "$schema": {"const": SCHEMA},
                "name": {"type": "string", "maxLength": 200, "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
                "title": short(100),
                "description": short(100),
                "version": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"},
                "repository": {"type": "object", "required": ["url", "source"], "additionalProperties": {"type": "string"}},
                "packages": {"type": "array", "minItems": 1, "items": {
                    "type": "object",
                    "required": ["registryType", "identifier", "fileSha256", "transport"],
                    "additionalProperties": false,
                    "properties": {
                        "registryType": {"const": "mcpb"},
                        "identifier": {"type": "string", "pattern": "^https://.*mcp.*\\.mcpb$"},
                        "version": {"type": "string", "minLength": 1},
                        "fileSha256": {"type": "string", "pattern": "^[a-f0-9]{64}$"},
                        "transport": {"const": {"type": "stdio"}},
                        "environmentVariables": {"type": "array", "items": variable},
                    },
                }},
            },
        })
    }

    fn announced() -> Value {
        let release = Release::new("https://github.com/someone/proxmox-mcp.git", "1.2.3").unwrap();
        release.announce("proxmox-mcp-1.2.3-linux-x86_64.mcpb", b"abc").unwrap()
    }

    #[test]
    fn an_announcement_keeps_the_rules_of_the_registry() {
        let rules = jsonschema::validator_for(&rules()).unwrap();
        let good = announced();
        let errors: Vec<String> = rules.iter_errors(&good).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        for (pointer, bad) in [
            ("/name", json!("no slash")),
            ("/description", json!("x".repeat(101))),
            ("/packages/0/fileSha256", json!("")),
            ("/packages/0/environmentVariables/0/name", json!("HOME")),
        ] {
            let mut spoilt = good.clone();
            *spoilt.pointer_mut(pointer).unwrap() = bad;
            assert!(!rules.is_valid(&spoilt), "{pointer}");
        }
    }

    #[test]
    fn it_names_the_file_and_its_hash() {
        let server = announced();
        assert_eq!(server["name"], "io.github.someone/proxmox-mcp");
        let package = &server["packages"][0];
        assert_eq!(
            package["identifier"],
            "https://github.com/someone/proxmox-mcp/releases/download/v1.2.3/proxmox-mcp-1.2.3-linux-x86_64.mcpb"
        );
        assert_eq!(package["fileSha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn its_variables_are_settings_and_the_secret_is_marked() {
        let reference =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md")).unwrap();
        for variable in announced()["packages"][0]["environmentVariables"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            assert!(reference.contains(&format!("| `{name}` |")), "{name} is no setting");
            assert_eq!(variable["isSecret"] == true, name == "PROXMOX_TOKEN_VALUE", "{name}");
        }
    }

    #[test]
    fn an_address_that_is_no_repository_is_refused() {
        for bad in
            ["", "proxmox-mcp", "http://github.com/a/mcp", "https://github.com/mcp", "https://github.com/a/b"]
        {
            assert!(Release::new(bad, "1.0.0").is_err(), "{bad}");
        }
        let gitlab = Release::new("https://gitlab.com/a/mcp/", "1.0.0").unwrap();
        assert_eq!(gitlab.name, "io.gitlab.a/mcp");
    }
}
