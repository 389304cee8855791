// The official TypeScript client, version 2 in each of its modes and version 1, against the demo cluster: over stdio,
// then over HTTP with a token.

import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const server = { command: process.argv[2], args: ["--demo", "--no-env-file", "--allow-elevated"] };
const url = new URL(process.argv[3]);
const options = { requestInit: { headers: { Authorization: `Bearer ${process.argv[4]}` } } };
const info = { name: "clients", version: "1" };

async function converse(name, client, transport) {
  await client.connect(transport);
  const { tools } = await client.listTools();
  assert(tools.some((tool) => tool.name === "proxmox_get_vms"));
  assert(tools.some((tool) => tool.name === "proxmox_power"));

  // The client itself checks the data against the output schema.
  for (const tool of ["proxmox_get_nodes", "proxmox_get_vms", "proxmox_get_storage", "proxmox_get_cluster_status"]) {
    const answer = await client.callTool({ name: tool, arguments: {} });
    assert(!answer.isError && answer.content[0].text.length > 50, tool);
    assert(answer.structuredContent, tool);
  }
  const run = await client.callTool({
    name: "proxmox_execute_vm_command",
    arguments: { vmid: 101, command: "echo hello | tr a-z A-Z" },
  });
  assert(run.content[0].text.includes("HELLO"), run.content[0].text);

  const plan = await client.callTool({
    name: "proxmox_power",
    arguments: { vmid: 101, action: "shutdown", dry_run: true },
  });
  assert(plan.structuredContent.dry_run && !plan.structuredContent.changed, plan.content[0].text);

  // A name of older servers, which no list has.
  const refused = await client.callTool({ name: "proxmox_start_vm", arguments: { vmid: 4711 } });
  assert(refused.isError && refused.content[0].text.includes("4711"), refused.content[0].text);
  await client.close();
  console.log(`ok typescript ${name}`);
}

for (const mode of ["legacy", "auto", { pin: "2026-07-28" }]) {
  const client = () => new Client(info, { capabilities: {}, versionNegotiation: { mode } });
  const name = `v2 ${JSON.stringify(mode)}`;
  await converse(`${name} stdio`, client(), new StdioClientTransport(server));
  await converse(`${name} http`, client(), new StreamableHTTPClientTransport(url, options));
}
await converse("v1 stdio", new ClientV1(info, { capabilities: {} }), new StdioV1(server));
await converse("v1 http", new ClientV1(info, { capabilities: {} }), new HttpV1(url, options));
