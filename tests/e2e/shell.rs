//! What shells and `man` get: completions and manual pages.

use std::process::{Command, Stdio};

use crate::harness::{binary, run};

fn printed(arguments: &[&str]) -> String {
    let output = run(binary().args(arguments));
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_shell_gets_completions_without_any_setting() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        for word in ["call", "grants", "explain", "read-only", "allow-elevated"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let wrong = run(binary().args(["completions", "tcsh"]));
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("bash"), "{wrong:?}");
}

/// What bash itself offers after these words, the last of them unfinished.
#[cfg(unix)]
fn offered(words: &[&str]) -> String {
    let script = printed(&["completions", "bash"]);
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    // Bash calls the function that the script registered, with the command, the word and the one before.
    let ask = format!(
        "{script}\nCOMP_WORDS=({}); COMP_CWORD={last}\nf=$(complete -p proxmox-mcp); f=${{f##*-F }}; f=${{f%% *}}\n\
         $f proxmox-mcp '{}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words[last],
        words[last - 1],
    );
    let output = Command::new("bash").args(["--norc", "-c", &ask]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg(unix)]
fn bash_completes_commands_and_flags() {
    assert!(offered(&["proxmox-mcp", "gr"]).lines().any(|word| word == "grants"));
    let flags = offered(&["proxmox-mcp", "call", "--exclude"]);
    assert_eq!(flags.trim(), "--exclude-tools");
    assert!(offered(&["proxmox-mcp", "completions", "f"]).lines().any(|word| word == "fish"));
}

#[test]
fn the_manual_has_every_flag_and_variable() {
    let page = printed(&["man"]);
    let help = printed(&["--help"]);
    // In roff a hyphen of the text is `\-`.
    let plain = page.replace("\\-", "-");
    let mut words = 0;
    for word in help.split_whitespace().filter(|word| word.starts_with("PROXMOX_") || word.starts_with("--"))
    {
        let word = word.trim_end_matches([',', '.', ':', ';', '.', ')']);
        let name = word.split(['=', '`']).next().unwrap();
        assert!(plain.contains(name), "{name}");
        words += 1;
    }
    assert!(words > 40, "only {words} flags and variables in the help");
    for section in [".SH NAME", ".SH SYNOPSIS", ".SH ENVIRONMENT", ".SH \"EXIT STATUS\""] {
        assert!(page.contains(section), "{section}\n{page}");
    }
}

#[test]
fn each_command_has_a_page_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    assert!(printed(&["man", "--folder", pages.to_str().unwrap()]).is_empty());
    for (page, part) in [
        ("proxmox-mcp.1", "ENVIRONMENT"),
        ("proxmox-mcp-call.1", "KEY=VALUE"),
        ("proxmox-mcp-grants-explain.1", "proxmox_start_vm"),
        ("proxmox-mcp-audit-verify.1", "expect"),
    ] {
        let text =
            std::fs::read_to_string(pages.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(part), "{page}: {part}");
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let wrong = run(binary().args(["man", "--folder", file.join("in").to_str().unwrap()]));
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("cannot write manual pages into"), "{wrong:?}");
}
