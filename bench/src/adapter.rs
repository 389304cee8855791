//! How to start an MCP server and what to ask of it: a TOML file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::plan::QUESTIONS;

/// This project's own server.
const OWN: &str = include_str!("../adapters/proxmox-mcp.toml");

/// A server that can be measured.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adapter {
    /// What results call it.
    pub(crate) name: String,
    /// The program and its arguments.
    command: Vec<String>,
    /// Its environment, beside what this process has but for `PROXMOX_*`.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Files that it reads: names and contents. `{files}` is their folder.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// What answers each question; one that is missing is not asked.
    pub(crate) questions: BTreeMap<String, Asked>,
}

/// A tool, and what it is called with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) tool: String,
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
}

impl Adapter {
    /// That of this project's server.
    pub(crate) fn own(server: &Path) -> Result<Adapter> {
        let server = server.to_str().context("the path of the server is not text")?;
        let mut adapter = Adapter::parse(OWN)?;
        adapter.replace(&[("{server}", server.to_owned())]);
        Ok(adapter)
    }

    /// That of a file.
    pub(crate) fn load(file: &Path) -> Result<Adapter> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Adapter::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Adapter> {
        let adapter: Adapter = toml::from_str(text)?;
        ensure!(!adapter.command.is_empty(), "`command` is empty; it names the program and its arguments");
        for name in adapter.questions.keys() {
            let known = || QUESTIONS.iter().map(|question| question.name).collect::<Vec<_>>().join(", ");
            if !QUESTIONS.iter().any(|question| question.name == name) {
                bail!("`questions` has {name:?}; there are: {}", known());
            }
        }
        Ok(adapter)
    }

    fn replace(&mut self, words: &[(&str, String)]) {
        let filled = |text: &mut String| {
            for (word, meant) in words {
                *text = text.replace(word, meant);
            }
        };
        let texts =
            self.command.iter_mut().chain(self.environment.values_mut()).chain(self.files.values_mut());
        texts.for_each(filled);
        for asked in self.questions.values_mut() {
            for value in asked.arguments.values_mut() {
                if let Value::String(text) = value {
                    filled(text);
                }
            }
        }
    }

    /// The same for one cluster, with the words for it filled in, and its files written.
    pub(crate) fn filled(&self, mut words: Vec<(&'static str, String)>) -> Result<Ready> {
        let folder = TempDir::new()?;
        words.push((
            "{files}",
            folder.path().to_str().context("odd name of the temporary folder")?.to_owned(),
        ));
        let (command, environment) = (self.command.clone(), self.environment.clone());
        let (files, questions) = (self.files.clone(), self.questions.clone());
        let mut adapter = Adapter { name: self.name.clone(), command, environment, files, questions };
        adapter.replace(&words);
        for (name, text) in &adapter.files {
            let plain = Path::new(name).file_name().is_some_and(|file| file == name.as_str());
            ensure!(plain, "`files` has {name:?}, which is not a plain file name");
            std::fs::write(folder.path().join(name), text)?;
        }
        Ok(Ready { adapter, _folder: folder })
    }
}

/// An adapter for one cluster.
pub(crate) struct Ready {
    pub(crate) adapter: Adapter,
    _folder: TempDir,
}

impl Ready {
    /// The command that starts the server.
    pub(crate) fn command(&self) -> Result<Command> {
        let (program, arguments) = self.adapter.command.split_first().context("no command")?;
        let mut command = Command::new(program);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PROXMOX_"))
        {
            command.env_remove(name);
        }
        command.args(arguments).envs(&self.adapter.environment);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_adapter_that_comes_along_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Adapter::load(&entry.unwrap().path()).unwrap();
            count += 1;
        }
        assert_eq!(count, 3);
        let own = Adapter::own(Path::new("/opt/proxmox-mcp")).unwrap();
        assert_eq!(own.command.first().unwrap(), "/opt/proxmox-mcp");
        assert_eq!(own.questions.len(), QUESTIONS.len());
    }

    #[test]
    fn words_are_filled_in_everywhere() {
        let text = r#"
            name = "x"
            command = ["run", "{files}/a.json"]
            environment = { HOST = "{host}:{port}" }
            files = { "a.json" = "{token}" }
            [questions.nodes]
            tool = "list"
            arguments = { node = "{node}", deep = true }
        "#;
        let words = vec![
            ("{host}", "::1".to_owned()),
            ("{port}", "8006".to_owned()),
            ("{token}", "t".to_owned()),
            ("{node}", "n".to_owned()),
        ];
        let ready = Adapter::parse(text).unwrap().filled(words).unwrap();
        let file = ready.adapter.command.last().unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "t");
        assert_eq!(ready.adapter.environment["HOST"], "::1:8006");
        assert_eq!(ready.adapter.questions["nodes"].arguments["node"], "n");
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| format!("{:#}", Adapter::parse(text).unwrap_err());
        assert!(error("name = 'x'\ncommand = []\nquestions = {}").contains("`command` is empty"));
        let unknown = "name = 'x'\ncommand = ['a']\n[questions.vms]\ntool = 'a'";
        assert!(error(unknown).contains("there are: nodes, guests, storage, cluster status, exec"));
        assert!(
            error("name = 'x'\ncommand = ['a']\nenv = {}\nquestions = {}").contains("unknown field `env`")
        );
        let outside = "name = 'x'\ncommand = ['a']\nfiles = { '../b' = '' }\nquestions = {}";
        assert!(Adapter::parse(outside).unwrap().filled(Vec::new()).is_err());
    }
}
