//! Makes the `.mcpb` bundle for this machine's platform, with the official tool, and the `server.json` that
//! announces it in the MCP registry.

mod announcement;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use announcement::Release;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the command line says.
#[derive(Default)]
struct Wish {
    /// The program to pack; built where it is not given.
    binary: Option<PathBuf>,
    /// Where the release will be: `https://github.com/OWNER/NAME`.
    repository: Option<String>,
}

/// Makes the bundle in `target/bundle`; with `--repository URL`, the announcement, too.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let wish = Wish::read(words)?;
    let out = Path::new(ROOT).join("target/bundle");
    let stage = out.join("stage");
    if stage.exists() {
        std::fs::remove_dir_all(&stage)?;
    }
    stage_files(&stage, &wish.program()?)?;
    let tool = tool()?;
    let name = file_name();
    let bundle = out.join(&name);
    mcpb(&tool, &["validate".as_ref(), stage.join("manifest.json").as_ref()])?;
    mcpb(&tool, &["pack".as_ref(), stage.as_ref(), bundle.as_ref()])?;
    println!("made {}", bundle.display());
    if let Some(repository) = &wish.repository {
        let release = Release::new(repository, VERSION)?;
        let text = serde_json::to_string_pretty(&release.announce(&name, &std::fs::read(&bundle)?)?)?;
        let path = out.join("server.json");
        std::fs::write(&path, text + "\n")?;
        println!("made {}", path.display());
    }
    Ok(())
}

impl Wish {
    fn read(words: &[&str]) -> Result<Wish> {
        match words {
            [] => Ok(Wish::default()),
            ["--binary", path, rest @ ..] => {
                Ok(Wish { binary: Some(PathBuf::from(path)), ..Wish::read(rest)? })
            }
            ["--repository", url, rest @ ..] => {
                Ok(Wish { repository: Some((*url).to_owned()), ..Wish::read(rest)? })
            }
            _ => bail!(
                "usage: cargo xtask bundle [--binary FILE] [--repository https://github.com/OWNER/NAME]"
            ),
        }
    }

    /// The program to pack.
    fn program(&self) -> Result<PathBuf> {
        if let Some(path) = &self.binary {
            ensure!(path.is_file(), "there is no program {}", path.display());
            return Ok(path.clone());
        }
        let status = Command::new(env!("CARGO"))
            .current_dir(ROOT)
            .args(["build", "--locked", "--profile", "dist", "--package", "proxmox-mcp"])
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "the program did not build");
        Ok(Path::new(ROOT).join("target/dist").join(program_name()))
    }
}

fn program_name() -> String {
    format!("proxmox-mcp{}", std::env::consts::EXE_SUFFIX)
}

/// The bundle's file name: one for each platform.
fn file_name() -> String {
    format!("proxmox-mcp-{VERSION}-{}-{}.mcpb", std::env::consts::OS, std::env::consts::ARCH)
}

/// All that goes into the bundle.
fn stage_files(stage: &Path, program: &Path) -> Result<()> {
    let root = Path::new(ROOT);
    std::fs::create_dir_all(stage.join("server"))?;
    let copies = [
        (program.to_owned(), Path::new("server").join(program_name())),
        (root.join("packaging/mcpb/icon.png"), "icon.png".into()),
        (root.join("LICENSE"), "LICENSE".into()),
    ];
    for (from, to) in copies {
        std::fs::copy(&from, stage.join(to)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let text = std::fs::read_to_string(root.join("packaging/mcpb/manifest.json"))?;
    let manifest = for_platform(serde_json::from_str(&text)?, std::env::consts::OS)?;
    Ok(std::fs::write(stage.join("manifest.json"), serde_json::to_string_pretty(&manifest)?)?)
}

/// The manifest of the bundle for one platform.
fn for_platform(mut manifest: Value, os: &str) -> Result<Value> {
    let (platform, suffix) = match os {
        "linux" => ("linux", ""),
        "macos" => ("darwin", ""),
        "windows" => ("win32", ".exe"),
        other => bail!("there are no bundles for {other}"),
    };
    let program = format!("server/proxmox-mcp{suffix}");
    let mut set = |pointer: &str, value: Value| -> Result<()> {
        *manifest.pointer_mut(pointer).with_context(|| format!("the manifest has no {pointer}"))? = value;
        Ok(())
    };
    set("/server/mcp_config/command", format!("${{__dirname}}/{program}").into())?;
    set("/server/entry_point", program.into())?;
    set("/compatibility/platforms", json!([platform]))?;
    set("/version", VERSION.into())?;
    Ok(manifest)
}

/// The official tool, installed where it is not yet.
fn tool() -> Result<PathBuf> {
    let folder = Path::new(ROOT).join("target/packaging/node");
    let wanted = std::fs::read(Path::new(ROOT).join("packaging/package.json"))?;
    let marker = folder.join("package.json");
    if std::fs::read(&marker).ok().as_ref() != Some(&wanted) {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(&marker, &wanted)?;
        let installed = Command::new("npm")
            .current_dir(&folder)
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .status();
        if !installed.context("cannot run npm")?.success() {
            std::fs::remove_file(&marker)?;
            bail!("npm could not install the bundle tool");
        }
    }
    Ok(folder.join("node_modules/.bin/mcpb"))
}

fn mcpb(tool: &Path, arguments: &[&std::ffi::OsStr]) -> Result<()> {
    let status = Command::new(tool).args(arguments).status().context("cannot run the bundle tool")?;
    ensure!(status.success(), "the bundle tool failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn committed(path: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap()).unwrap()
    }

    #[test]
    fn the_bundle_sets_variables_that_exist_from_fields_that_exist() {
        let manifest = committed("packaging/mcpb/manifest.json");
        let reference = std::fs::read_to_string(Path::new(ROOT).join("docs/settings.md")).unwrap();
        let fields: BTreeSet<&String> = manifest["user_config"].as_object().unwrap().keys().collect();
        let mut used = BTreeSet::new();
        for (variable, value) in manifest["server"]["mcp_config"]["env"].as_object().unwrap() {
            assert!(reference.contains(&format!("| `{variable}` |")), "{variable} is no setting");
            let value = value.as_str().unwrap();
            let field = value.strip_prefix("${user_config.").and_then(|rest| rest.strip_suffix('}')).unwrap();
            assert!(fields.iter().any(|known| *known == field), "{field}");
            used.insert(field.to_owned());
        }
        assert_eq!(used.len(), fields.len(), "a field that nothing uses");
    }

    /// A field without a value would reach the program as the text `${user_config.x}`.
    #[test]
    fn a_field_is_required_or_has_a_default_and_the_secret_is_kept() {
        for (name, field) in committed("packaging/mcpb/manifest.json")["user_config"].as_object().unwrap() {
            assert!(field["required"] == true || field.get("default").is_some(), "{name}");
            assert_eq!(field["sensitive"] == true, name.contains("value"), "{name}");
        }
    }

    #[test]
    fn a_bundle_is_for_one_platform() {
        let manifest = committed("packaging/mcpb/manifest.json");
        let windows = for_platform(manifest.clone(), "windows").unwrap();
        assert_eq!(windows["server"]["entry_point"], "server/proxmox-mcp.exe");
        assert_eq!(windows["server"]["mcp_config"]["command"], "${__dirname}/server/proxmox-mcp.exe");
        assert_eq!(windows["compatibility"]["platforms"], json!(["win32"]));
        assert_eq!(windows["version"], VERSION);
        assert!(for_platform(manifest, "plan9").is_err());
    }

    #[test]
    fn a_word_that_means_nothing_is_an_error() {
        assert!(Wish::read(&["--binary"]).is_err());
        assert!(Wish::read(&["--repo", "x"]).is_err());
        let wish = Wish::read(&["--repository", "u", "--binary", "b"]).unwrap();
        assert_eq!((wish.repository.as_deref(), wish.binary), (Some("u"), Some(PathBuf::from("b"))));
    }
}
