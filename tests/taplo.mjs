// The TOML language server of editors, Taplo's, over standard input and output: its
// package for Node.js is a library, which its extension for VS Code puts into such a
// process. One message a line, as JSON.
import { readFile } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

// It would ask for a catalog of schemas; no test depends on what is elsewhere.
globalThis.fetch = () => Promise.reject(new Error("there is no network here"));

const { TaploLsp } = createRequire(process.argv[2])("@taplo/lsp");

const lsp = await TaploLsp.initialize(
  {
    cwd: () => process.cwd(),
    envVar: (name) => process.env[name],
    envVars: () => Object.entries(process.env),
    findConfigFile: () => undefined,
    glob: () => [],
    isAbsolute,
    now: () => new Date(),
    readFile,
    writeFile: () => Promise.reject(new Error("nothing is written here")),
    stdErrAtty: () => false,
    stdin: process.stdin,
    stdout: process.stderr,
    stderr: process.stderr,
    urlToFilePath: (url) => fileURLToPath(url),
  },
  { onMessage: (message) => process.stdout.write(`${JSON.stringify(message)}\n`) },
);
for await (const line of createInterface({ input: process.stdin })) {
  lsp.send(JSON.parse(line));
}
