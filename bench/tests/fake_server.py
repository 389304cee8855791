"""An MCP server with two tools, for the test of adapters. It opens a connection for each request."""
import json
import os
import ssl
import sys
import urllib.request

HOST, PORT = os.environ["FAKE_HOST"], os.environ["FAKE_PORT"]
TOKEN = json.load(open(os.environ["FAKE_CONFIG"]))["token"]
CONTEXT = ssl.create_default_context(cafile=os.environ["FAKE_CA"])


def ask(path):
    request = urllib.request.Request(f"https://{HOST}:{PORT}/api2/json{path}", headers={"Authorization": TOKEN})
    return urllib.request.urlopen(request, context=CONTEXT).read()


def call(name, arguments):
    if name == "nodes":
        return f"{len(json.loads(ask('/nodes'))['data'])} nodes"
    return f"guest {arguments['id']}: " + json.loads(ask(f"/nodes/{arguments['on']}/qemu/{arguments['id']}/status/current"))["data"]["status"]


def result(message):
    if message["method"] == "initialize":
        info = {"name": "fake", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if message["method"] == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("nodes", "guest")]}
    params = message["params"]
    return {"content": [{"type": "text", "text": call(params["name"], params.get("arguments", {}))}]}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        # What nobody asked for must not confuse the client.
        print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}))
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result(message)}), flush=True)
