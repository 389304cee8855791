// The component as a library in Node: its functions, without MCP.
//
// contract.mjs FOLDER    what `jco transpile` made of the component

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const tools = await import(pathToFileURL(`${process.argv[2]}/component.js`));
const listed = tools.listTools();
assert(listed.some((tool) => tool.name === "proxmox_get_nodes"));
assert(!listed.some((tool) => tool.name === "proxmox_delete"), "it is not granted");
const outcome = tools.callTool("proxmox_get_nodes", "{}");
assert.equal(outcome.tag, "done");
assert.equal(JSON.parse(outcome.val.data).nodes.length, 3);
// In basic mode the component itself says no.
assert.throws(
    () => tools.callTool("proxmox_stop", '{"vmid":101}'),
    (error) => error.payload.kind === "denied" && error.payload.message.includes("VM.PowerMgmt@/vms/101"),
);
console.log("ok contract");
process.exit(0);
