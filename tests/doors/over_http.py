"""A client of the component over HTTP.

over_http.py PORT TOKEN    the server has everything granted
"""

import http.client
import json
import sys

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
PORT, TOKEN = int(sys.argv[1]), sys.argv[2]


def request(method="POST", path="/mcp", body=None, token=TOKEN, **headers):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    sent = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    sent |= {"authorization": f"Bearer {token}"} if token else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    text = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
    connection.request(method, path, text, sent)
    answer = connection.getresponse()
    read = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, read


def ask(method, params=None, **headers):
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    status, _, body = request(body=message, **headers)
    return status, json.loads(body)


def modern(method, params, **headers):
    mirrored = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
    name = params.get("name") or params.get("uri")
    mirrored |= {"mcp_name": name} if name else {}
    return ask(method, {**params, "_meta": {**MODERN, **params.get("_meta", {})}}, **{**mirrored, **headers})


def who_is_let_in():
    assert request("GET", "/healthz", token=None)[::2] == (200, "ok")
    status, headers, _ = request(token=None, body={})
    assert status == 401 and headers["www-authenticate"] == "Bearer"
    assert request(token=TOKEN[:-1] + "x", body={})[0] == 401
    assert request(origin="https://evil.example", body={})[0] == 403
    for method in ("GET", "DELETE"):
        status, headers, _ = request(method)
        assert status == 405 and headers["allow"] == "POST"
    assert request(path="/elsewhere", body={})[0] == 404
    assert request(content_type="text/plain", body="{}")[0] == 415
    assert request(body=b"[" + b"0," * (3 << 20) + b"0]")[0] == 413


def both_eras():
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    status, body = ask("initialize", hello)
    assert status == 200 and body["result"]["protocolVersion"] == "2025-06-18", body
    assert request(body={"jsonrpc": "2.0", "method": "notifications/initialized"})[::2] == (202, "")
    version = {"mcp_protocol_version": "2025-06-18"}
    tools = ask("tools/list", **version)[1]["result"]["tools"]
    assert "proxmox_delete" in [tool["name"] for tool in tools]
    assert ask("nope", **version)[0] == 200 and modern("nope", {})[0] == 404
    assert ask("ping", mcp_protocol_version="1999-01-01")[1]["error"]["code"] == -32022
    assert modern("server/discover", {})[1]["result"]["resultType"] == "complete"
    status, body = modern("tools/call", {"name": "proxmox_get_nodes", "arguments": {}})
    assert status == 200 and len(body["result"]["structuredContent"]["nodes"]) == 3, body
    assert modern("tools/call", {"name": "proxmox_get_nodes"}, mcp_name="proxmox_get_vms")[1]["error"]["code"] == -32020
    assert modern("resources/read", {"uri": "proxmox://nodes"})[1]["result"]["contents"]
    ping = {"jsonrpc": "2.0", "id": 5, "method": "ping"}
    assert [answer["id"] for answer in json.loads(request(body=[ping])[2])] == [5]


def a_call_that_waits():
    call = {"name": "proxmox_power", "arguments": {"vmid": 101, "action": "reboot"}, "_meta": {"progressToken": "p"}}
    message = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": call}
    status, headers, body = request(body=message, mcp_protocol_version="2025-11-25")
    assert status == 200 and headers["content-type"] == "text/event-stream", (status, headers, body)
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    messages = [json.loads(line) for line in lines]
    assert messages[0]["params"]["progressToken"] == "p", messages
    assert messages[-1]["id"] == 9 and messages[-1]["result"]["isError"] is False, messages
    status, headers, body = request(body=message, accept="application/json", mcp_protocol_version="2025-11-25")
    assert headers["content-type"] == "application/json" and json.loads(body)["id"] == 9, body


if __name__ == "__main__":
    for check in (who_is_let_in, both_eras, a_call_that_waits):
        check()
        print(f"ok {check.__name__}")
