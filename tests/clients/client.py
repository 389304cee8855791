"""The official Python client, in each of its modes, against the demo cluster: over stdio, then over HTTP with a token."""

import asyncio
import sys

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

SERVER = StdioServerParameters(command=sys.argv[1], args=["--demo", "--no-env-file", "--allow-elevated"])


async def converse(mode: str, name: str, transport) -> None:
    progress: list[str] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append(message or "")

    async with Client(transport, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"proxmox_get_nodes", "proxmox_power"} <= set(tools), sorted(tools)
        assert tools["proxmox_get_nodes"].annotations.read_only_hint is True

        nodes = await client.call_tool("proxmox_get_nodes", {})
        assert not nodes.is_error and "pve1" in nodes.content[0].text, nodes
        assert nodes.structured_content["nodes"][0]["node"] == "pve1", nodes.structured_content

        # A name of older servers, which no list has.
        assert "proxmox_start_vm" not in tools
        refused = await client.call_tool("proxmox_start_vm", {"vmid": "0101"})
        assert refused.is_error and "vmid" in refused.content[0].text, refused

        # The client itself checks the data against the output schema.
        shutdown = {"vmid": 101, "action": "shutdown"}
        down = await client.call_tool("proxmox_power", shutdown, progress_callback=on_progress)
        assert not down.is_error and down.structured_content["status"] == "stopped", down
        assert progress, "no progress was told"

        both = await asyncio.gather(*(client.call_tool("proxmox_get_vms", {}) for _ in range(8)))
        assert all("101" in answer.content[0].text for answer in both)
        # What was shut down is started again, for the next one.
        up = await client.call_tool("proxmox_power", {"vmid": 101, "action": "start"})
        assert not up.is_error, up
    print(f"ok python {name} {mode}")


async def over_http(mode: str, url: str, token: str) -> None:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        await converse(mode, "http", streamable_http_client(url, http_client=http))


for mode in ("legacy", "auto", "2026-07-28"):
    asyncio.run(converse(mode, "stdio", stdio_client(SERVER)))
    asyncio.run(over_http(mode, sys.argv[2], sys.argv[3]))
