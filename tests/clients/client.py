"""The official Python client, in each of its modes, against the demo cluster."""

import asyncio
import sys

from mcp import Client, StdioServerParameters, stdio_client

SERVER = StdioServerParameters(command=sys.argv[1], args=["--demo", "--no-env-file", "--allow-elevated"])


async def converse(mode: str) -> None:
    progress: list[str] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append(message or "")

    async with Client(stdio_client(SERVER), mode=mode) as client:
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
    print(f"ok python {mode}")


for mode in ("legacy", "auto", "2026-07-28"):
    asyncio.run(converse(mode))
