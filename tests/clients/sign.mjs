// Signs with GitHub's own JavaScript library: one task a line on stdin.
//
// `{"do": "sign", "secret", "body"}` is answered with one line, `{"do": "examples", "secret"}` with one for each of the
// published example payloads. The modules are looked for from the working directory.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.cwd(), "index.js"));
const module = join(process.cwd(), "node_modules/@octokit/webhooks-methods");
const entry = JSON.parse(readFileSync(join(module, "package.json"), "utf8")).exports["."];
const { sign } = await import(pathToFileURL(join(module, entry.node?.import ?? entry.import ?? entry.default)));

const lines = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
for (const task of lines.map((line) => JSON.parse(line))) {
  if (task.do === "sign") {
    console.log(JSON.stringify({ signature: await sign(task.secret, task.body) }));
  } else {
    for (const { name, examples } of require("@octokit/webhooks-examples")) {
      for (const example of examples) {
        const body = JSON.stringify(example);
        console.log(JSON.stringify({ name, body, signature: await sign(task.secret, body) }));
      }
    }
  }
}
