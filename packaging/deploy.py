"""Whether the files of deploy/ parse, name settings and secrets that exist, and hold no secret themselves."""

import re
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
README = (DEPLOY / "README.md").read_text()
SETTINGS = set(re.findall(r"`(PROXMOX_[A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))
# What the component reads when it runs without the host, from its source.
COMPONENT = set(
    name
    for path in (ROOT / "src").rglob("*.rs")
    for name in re.findall(r'"((?:PROXMOX|MCP_HTTP)_[A-Z_]+)"', path.read_text())
)
SECRETS = {"PROXMOX_TOKEN_VALUE", "MCP_HTTP_TOKEN"}
problems = []


def expect(condition, message):
    if not condition:
        problems.append(message)


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def check_names(where, names, known):
    for name in names:
        expect(name in known, f"{where}: {name} is no setting")


def check_kubernetes(path, document):
    expect(document.get("apiVersion") and document.get("kind"), f"{path}: an object without apiVersion or kind")
    expect(document.get("metadata", {}).get("name"), f"{path}: an object without a name")
    image = re.findall(r"image: \S+:(\S+)", path.read_text())
    expect(image and set(image) == {VERSION}, f"{path}: the image is not version {VERSION}")


def check_wasmcloud():
    path = DEPLOY / "wasmcloud/proxmox-mcp.yaml"
    for document in documents(path):
        check_kubernetes(path, document)
        for component in document["spec"]["template"]["spec"]["components"]:
            resources = component["localResources"]
            settings = resources["environment"]["config"]
            check_names(path, settings, COMPONENT)
            expect(not SECRETS & set(settings), f"{path}: a secret stands in the file")
            host = settings["PROXMOX_HOST"]
            expect(resources["allowedHosts"] == [f"https://{host}:8006"], f"{path}: it may reach more than {host}")
            for secret in resources["environment"]["secretFrom"]:
                check_secret(path, secret["name"], SECRETS)


def check_secret(path, name, keys):
    """The README makes the secret, with these keys."""
    made = re.search(rf"create secret generic {re.escape(name)} (.*?)\n```", README, re.S)
    for key in keys:
        expect(made and f"--from-literal={key}=" in made[1], f"{path}: the README makes no secret {name} with {key}")


def check_spin():
    path = DEPLOY / "spin/spin.toml"
    manifest = tomllib.loads(path.read_text())
    expect(manifest["application"]["version"] == VERSION, f"{path}: not version {VERSION}")
    (component,) = manifest["component"].values()
    given = component["variables"]
    check_names(path, [name.upper() for name in given], COMPONENT)
    expect(given == {name: f"{{{{ {name} }}}}" for name in manifest["variables"]}, f"{path}: not every variable is handed on")
    for name, variable in manifest["variables"].items():
        expect(variable.get("secret", False) == (name.upper() in SECRETS), f"{path}: {name} is no secret, or is one")
    expect(component["allowed_outbound_hosts"] == ["https://{{ proxmox_host }}:8006"], f"{path}: it may reach more")
    for trigger in manifest["trigger"]["http"]:
        expect(trigger["component"] in manifest["component"], f"{path}: {trigger['component']} is no component")

    path = DEPLOY / "spin/spinapp.yaml"
    for document in documents(path):
        check_kubernetes(path, document)
        set_here = {variable["name"]: variable for variable in document["spec"]["variables"]}
        check_names(path, set_here, manifest["variables"])
        needed = {name for name, variable in manifest["variables"].items() if variable.get("required")}
        expect(needed <= set(set_here), f"{path}: {needed - set(set_here)} is not set")
        for name, variable in set_here.items():
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            expect(bool(reference) == (name.upper() in SECRETS), f"{path}: {name} stands in the file, or should")
            if reference:
                expect(reference["key"] == name.upper(), f"{path}: {name} is read from {reference['key']}")
                check_secret(path, reference["name"], [reference["key"]])


def check_unit():
    path = DEPLOY / "systemd/proxmox-mcp.service"
    text = path.read_text()
    named = re.findall(r"^Environment=([A-Z_]+)=", text, re.M)
    check_names(path, named, SETTINGS)
    expect(not SECRETS & set(named), f"{path}: a secret stands in the unit")
    for credential in re.findall(r"%d/(\w+)", text):
        expect(f"LoadCredential={credential}:" in text, f"{path}: {credential} is not loaded")
    example = path.with_name("settings.example")
    names = [line.split("=")[0] for line in example.read_text().splitlines() if line and not line.startswith("#")]
    check_names(example, names, SETTINGS)
    expect(not SECRETS & set(names), f"{example}: a secret stands in the file")
    for file in re.findall(r"/etc/proxmox-mcp/(\w[\w.]*)", text):
        expect(file in README, f"{path}: the README does not say what {file} is")


def check_container():
    path = DEPLOY / "container/Containerfile"
    text = path.read_text()
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    expect(f"rust:{toolchain.removesuffix('.0')}-bookworm" in text, f"{path}: not built with Rust {toolchain}")
    # The C library of bookworm is Debian 12's: what is built on one runs on the other.
    expect("cc-debian12:nonroot" in text, f"{path}: another C library than it was built with")
    users = re.findall(r"^USER (\d+):(\d+)$", text, re.M)
    expect(users and users[-1] != ("0", "0"), f"{path}: it runs as root, or as a user that has no number")
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    expect("**/.env" in ignored and ".git" in ignored, ".dockerignore: secrets could get into the image")


for check in [check_wasmcloud, check_spin, check_unit, check_container]:
    check()
for found in problems:
    print(found, file=sys.stderr)
print(f"{'failed' if problems else 'ok'} deploy: {len(problems)} problems")
sys.exit(bool(problems))
