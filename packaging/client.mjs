// Starts the program of an unpacked bundle as a client does: the bundle tool makes command and environment from the
// manifest and from what a person filled in, which is no more than the required fields.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";

const folder = resolve(process.argv[2]);
const manifest = JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8"));
const filledIn = { host: "192.0.2.1", token_value: "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f" };

const config = (userConfig) =>
    getMcpConfigForManifest({ manifest, extensionPath: folder, systemDirs: {}, userConfig, pathSeparator: "/" });
const fail = (why) => {
    console.error(why);
    process.exit(1);
};

if ((await config({ host: "192.0.2.1" })) !== undefined) fail("the bundle starts without the token");
const { command, args, env } = await config(filledIn);
for (const [name, value] of Object.entries(env)) {
    if (value.includes("${")) fail(`${name} was not filled in: ${value}`);
}

const child = spawn(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ["pipe", "pipe", "inherit"] });
child.on("exit", (code) => code && fail(`${command} ended with ${code}`));
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
const ask = async (id, method, params) => {
    child.stdin.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
    const { result, error } = JSON.parse((await lines.next()).value);
    return result ?? fail(`${method}: ${JSON.stringify(error)}`);
};
const client = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "check", version: "1" } };
const { serverInfo } = await ask(1, "initialize", client);
if (serverInfo.version !== manifest.version) fail(`the bundle is ${manifest.version}, its program ${serverInfo.version}`);
child.stdin.write(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }) + "\n");
const { tools } = await ask(2, "tools/list", {});
if (!tools.some((tool) => tool.name === "proxmox_get_vms")) fail("the bundle's program lists no tools");
child.stdin.end();
console.log(`ok bundle ${manifest.name} ${manifest.version}: ${tools.length} tools`);
