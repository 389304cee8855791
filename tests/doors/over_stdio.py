"""A client of the component on standard input and output.

over_stdio.py [--restless] COMMAND...    PROXMOX_* as the component is to have them, without grants

--restless: the runtime itself keeps looking at its standard input, whatever the component does.
"""

import json
import os
import subprocess
import sys
import time

VERSION = "io.modelcontextprotocol/protocolVersion"
MODERN = {VERSION: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


class Client:
    """One process of the component."""

    def __init__(self, command, **environment):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        self.last = 0
        self.told = []

    def send(self, message):
        self.process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self.process.stdin.flush()

    def begin(self, method, **params):
        self.last += 1
        self.send({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        return self.last

    def receive(self):
        line = self.process.stdout.readline()
        assert line, "the component ended"
        return json.loads(line)

    def wait(self, wanted):
        """The response to the request of this id; notifications are kept."""
        while True:
            message = self.receive()
            if "method" in message:
                self.told.append(message)
            else:
                assert message["id"] == wanted, f"{message} instead of the answer to {wanted}"
                return message

    def ask(self, method, **params):
        return self.wait(self.begin(method, **params))

    def call(self, name, arguments, **meta):
        result = self.ask("tools/call", name=name, arguments=arguments, **meta)["result"]
        return result["content"][0]["text"], result.get("structuredContent"), result["isError"]

    def handshake(self, version="2025-11-25"):
        info = {"name": "test", "version": "1"}
        result = self.ask("initialize", protocolVersion=version, capabilities={}, clientInfo=info)["result"]
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return result

    def close(self):
        """The end of input ends the process, well."""
        self.process.stdin.close()
        assert self.process.wait(60) == 0, f"it ended with {self.process.returncode}"

    def computed(self):
        """Seconds that the process and those that it started have computed."""
        parents, spent = {}, {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                    fields = stat.read().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            parents[int(pid)] = int(fields[1])
            spent[int(pid)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        family = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return sum(spent[pid] for pid in family)


def both_eras(command):
    client = Client(command)
    # A client that probes, and falls back to the handshake.
    found = client.ask("server/discover", _meta=MODERN)["result"]
    assert "2026-07-28" in found["supportedVersions"] and found["resultType"] == "complete", found
    assert client.handshake()["protocolVersion"] == "2025-11-25"
    older, newer = client.ask("tools/list")["result"], client.ask("tools/list", _meta=MODERN)["result"]
    assert older["tools"] == newer["tools"] and "resultType" not in older and newer["ttlMs"] > 0
    names = [tool["name"] for tool in older["tools"]]
    assert "proxmox_get_vms" in names and "proxmox_delete" not in names, names
    assert client.ask("tools/list", _meta={**MODERN, VERSION: "2030-01-01"})["error"]["code"] == -32022
    assert client.ask("ping", _meta=MODERN)["error"]["code"] == -32601
    assert client.ask("ping")["result"] == {}
    client.send("no JSON")
    assert client.receive()["error"]["code"] == -32700
    for meta in ({}, {"_meta": MODERN}):
        listed = client.ask("resources/list", **meta)["result"]["resources"]
        assert "proxmox://nodes" in [resource["uri"] for resource in listed], listed
        read = client.ask("resources/read", uri="proxmox://nodes", **meta)["result"]["contents"][0]
        assert len(json.loads(read["text"])["nodes"]) == 3, read
        code = client.ask("resources/read", uri="proxmox://nowhere", **meta)["error"]["code"]
        assert code == (-32602 if meta else -32002), code
        assert client.ask("resources/templates/list", **meta)["result"]["resourceTemplates"]
        prompts = client.ask("prompts/list", **meta)["result"]["prompts"]
        assert "health_check" in [prompt["name"] for prompt in prompts], prompts
        prompt = client.ask("prompts/get", name="health_check", **meta)["result"]["messages"][0]
        assert "Health of the cluster" in prompt["content"]["text"], prompt
    client.close()
    # A client may start it for the probe alone.
    client = Client(command)
    client.ask("server/discover", _meta=MODERN)
    client.close()
    Client(command).close()


def basic_and_elevated(command):
    shutdown = {"vmid": 101, "action": "shutdown"}
    client = Client(command)
    client.handshake()
    text, data, failed = client.call("proxmox_get_vms", {})
    assert not failed and "prod-web-01" in text and data["guests"], text
    text, _, failed = client.call("proxmox_power", shutdown)
    assert failed and "VM.PowerMgmt@/vms/101" in text and "PROXMOX_GRANTS" in text, text
    text, _, failed = client.call("proxmox_change_api", {"method": "DELETE", "path": "/nodes/pve1/qemu/101"})
    assert failed and "VM.Allocate" in text, text
    client.close()

    client = Client(command, PROXMOX_ALLOW_ELEVATED="true")
    client.handshake()
    token = {"_meta": {"progressToken": "p"}}
    waiting = client.begin("tools/call", name="proxmox_power", arguments=shutdown, **token)
    # It waits for Proxmox, and others are served meanwhile.
    client.last += 1
    client.send({"jsonrpc": "2.0", "id": client.last, "method": "ping"})
    assert client.wait(client.last)["result"] == {}
    result = client.wait(waiting)["result"]
    assert result["structuredContent"]["finished"] is True, result
    steps = [message["params"]["progress"] for message in client.told]
    assert steps and steps == sorted(set(steps)), steps
    # A call that is given up is not answered.
    given_up = client.begin("tools/call", name="proxmox_power", arguments={"vmid": 101, "action": "start"})
    client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": given_up}})
    time.sleep(3)
    client.ask("ping")
    client.close()

    # Input that ends while a call waits: it is answered first.
    client = Client(command, PROXMOX_GRANTS="VM.PowerMgmt@/vms/101")
    client.handshake()
    waiting = client.begin("tools/call", name="proxmox_power", arguments={"vmid": 101, "action": "reboot"})
    client.process.stdin.close()
    assert client.wait(waiting)["result"]["isError"] is False
    assert client.process.wait(60) == 0


def idle(command):
    """Whoever waits for input, or for a task, leaves the processor to others."""
    client = Client(command)
    client.handshake()
    client.call("proxmox_get_nodes", {})
    time.sleep(1)
    before = client.computed()
    time.sleep(4)
    spent = client.computed() - before
    assert spent < 1, f"{spent} s of computing in 4 s without a request"
    client.close()


def wrong_settings(command):
    for variable in ("PROXMOX_FINGERPRINT", "PROXMOX_AUDIT_LOG", "PROXMOX_ASK"):
        process = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, variable: "x"}
        )
        assert process.returncode != 0 and variable in process.stderr, process.stderr
        assert process.stdout == "", process.stdout
        assert os.environ["PROXMOX_TOKEN_VALUE"] not in process.stderr
    client = Client(command, PROXMOX_HOST="")
    client.handshake()
    text, _, failed = client.call("proxmox_get_vms", {})
    assert failed and "PROXMOX_HOST is not set" in text, text
    client.close()


if __name__ == "__main__":
    command = sys.argv[1:]
    restless = command[0] == "--restless"
    checks = (both_eras, basic_and_elevated, wrong_settings)
    for check in checks if restless else (*checks, idle):
        check(command[restless:])
        print(f"ok {check.__name__}")
