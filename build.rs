//! Lists `src/tools` and `src/prompts`: one file there is one tool or prompt, its name is the file's name.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let tools = files("tools")?;
    let prompts = files("prompts")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("tools.rs"), catalogue(&tools)?)?;
    Ok(fs::write(out.join("prompts.rs"), prompt_list(&prompts)?)?)
}

/// The files of a folder, by their names and in that order.
fn files(folder: &str) -> Result<Vec<(String, PathBuf)>, Box<dyn Error>> {
    // The native build of the same sources has its manifest deeper down.
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let folders = manifest.ancestors().map(|above| above.join("src").join(folder));
    let folder =
        folders.into_iter().find(|folder| folder.is_dir()).ok_or("there is no such folder of sources")?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a file's name is not text")?;
            found.push((name.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

/// One module for each file.
fn modules(files: &[(String, PathBuf)]) -> Result<String, std::fmt::Error> {
    let mut code = String::new();
    for (name, path) in files {
        writeln!(code, "#[path = {path:?}]\npub mod {name};")?;
    }
    Ok(code)
}

/// One module for each tool, and the table of them all.
fn catalogue(tools: &[(String, PathBuf)]) -> Result<String, std::fmt::Error> {
    let mut code = modules(tools)?;
    writeln!(code, "/// Every tool beside its file's name, in alphabetical order.")?;
    writeln!(code, "pub static ALL: &[(&str, &crate::tool::Tool)] = &[")?;
    for (name, _) in tools {
        writeln!(code, "    ({name:?}, &{name}::TOOL),")?;
    }
    writeln!(code, "];")?;
    Ok(code)
}

/// One module for each prompt, and the list of them all.
fn prompt_list(prompts: &[(String, PathBuf)]) -> Result<String, std::fmt::Error> {
    let mut code = modules(prompts)?;
    writeln!(code, "/// Every prompt, in alphabetical order.")?;
    writeln!(code, "pub static ALL: &[&crate::prompts::Prompt] = &[")?;
    for (name, _) in prompts {
        writeln!(code, "    &{name}::PROMPT,")?;
    }
    writeln!(code, "];")?;
    Ok(code)
}
