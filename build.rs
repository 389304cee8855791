//! Lists `src/tools`: one file there is one tool, its name is the file's name.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src").join("tools");
    println!("cargo::rerun-if-changed={}", folder.display());

    let mut tools = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name =
                path.file_stem().and_then(|stem| stem.to_str()).ok_or("a tool's file name is not text")?;
            tools.push((name.to_owned(), path));
        }
    }
    tools.sort();

    let out = Path::new(&env::var("OUT_DIR")?).join("tools.rs");
    Ok(fs::write(out, catalogue(&tools)?)?)
}

/// One module for each tool, and the table of them all.
fn catalogue(tools: &[(String, PathBuf)]) -> Result<String, std::fmt::Error> {
    let mut code = String::new();
    for (name, path) in tools {
        writeln!(code, "#[path = {path:?}]\npub mod {name};")?;
    }
    writeln!(code, "/// Every tool beside its file's name, in alphabetical order.")?;
    writeln!(code, "pub static ALL: &[(&str, &crate::tool::Tool)] = &[")?;
    for (name, _) in tools {
        writeln!(code, "    ({name:?}, &{name}::TOOL),")?;
    }
    writeln!(code, "];")?;
    Ok(code)
}
