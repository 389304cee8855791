// What Spin makes of deploy/spin/spin.toml, made under Node: the tools' component with its environment from the adapter,
// and variables in place of Spin's. It has to serve MCP with the token that only a variable has.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { transpile } from "@bytecodealliance/jco-transpile";
import { componentWit } from "@bytecodealliance/jco-transpile/wasm-tools";
import { HTTPServer } from "@bytecodealliance/preview2-shim/http";

const [adapter, tools, manifest] = process.argv.slice(2).map((path) => resolve(path));
const out = resolve("spin");
const fail = (why) => {
    console.error(why);
    process.exit(1);
};

// What the one gives, the other takes, and spin.toml names.
const wit = async (path) => componentWit(readFileSync(path));
const given = /export (wasi:cli\/environment@[\d.]+);/.exec(await wit(adapter))?.[1];
if (!given || !(await wit(tools)).includes(`import ${given};`)) fail(`the tools do not import ${given}`);
if (!readFileSync(manifest, "utf8").includes(`"${given}" = `)) fail(`${manifest} does not name ${given}`);

const write = (path, bytes) => {
    const file = resolve(out, path);
    mkdirSync(resolve(file, ".."), { recursive: true });
    writeFileSync(file, bytes);
};
const module = async (name, component, map) => {
    const { files } = await transpile(component, { name, outDir: out, map });
    Object.entries(files).forEach(([path, bytes]) => write(path, bytes));
};
const token = "a token that only a variable has".replaceAll(" ", "-");
const variables = Object.entries({
    proxmox_host: "pve.example.com",
    proxmox_token_value: "1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f",
    proxmox_grants: "",
    mcp_http_token: token,
});
write("variables.js", `export const store = { get: () => undefined, getAll: () => ${JSON.stringify(variables)} };\n`);
await module("adapter", adapter, { "wasi:config/store": "./variables.js#store" });
await module("tools", tools, { "wasi:cli/environment": "./adapter.js#environment" });

const { incomingHandler } = await import(pathToFileURL(`${out}/tools.js`));
const port = await new Promise((found) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
        const { port } = probe.address();
        probe.close(() => found(port));
    });
});
new HTTPServer(incomingHandler).listen(port, "127.0.0.1");
const post = (authorization) =>
    fetch(`http://127.0.0.1:${port}/mcp`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream", authorization },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }),
    });
const refused = await post("Bearer another-token-of-some-length");
if (refused.status !== 401) fail(`another token is answered with ${refused.status}: ${await refused.text()}`);
const served = await post(`Bearer ${token}`);
const text = await served.text();
if (served.status !== 200 || !text.includes("proxmox_get_vms")) fail(`the token is answered with ${served.status}: ${text}`);
console.log(`ok component for Spin, with ${given} from its variables`);
process.exit(0);
