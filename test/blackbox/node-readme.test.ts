import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Child, repository } from "./harness/child.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import { listening, testOperatorKey } from "./harness/start-node.ts";

const upstreams = sharedUpstreams();

/** The commands of a section of README, in their order, as a reader copies them. */
function commandsOf(heading: string): string {
  const readme = readFileSync(join(repository, "README.md"), "utf8");
  const [, section = ""] = readme.split(`\n## ${heading}\n`);
  const [chapter = ""] = section.split("\n## ");
  return [...chapter.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands).join("\n");
}

describe("README's section on receipts", () => {
  test("can be copied into a shell, line by line, and each of its commands does what is said of it", async () => {
    const gateway = demo(upstreams(), { STRAIT_DATA_DIR: temporaryFolder() });
    const url = await listening(gateway);
    const { id, key } = await operatorOf(url).addTenant();
    const commands = commandsOf("Receipts and their log");
    expect(commands.match(/^npx strait/gm)?.length).toBeGreaterThanOrEqual(5);
    // Without what npx would look for on the network, and of a tenant of the test's own.
    const npx = `npx() { shift; "${process.execPath}" "${join(repository, "src/runtime/node/strait.ts")}" "$@"; }`;
    const shell = new Child("sh", ["-euc", `${npx}\n${commands.replaceAll("demo_sg", id)}`], {
      cwd: temporaryFolder(),
      environment: { STRAIT: url, KEY: key, STRAIT_URL: url, STRAIT_OPERATOR_KEY: testOperatorKey },
    });
    const code = await shell.exited;
    const { output } = shell;
    expect([code, output]).toEqual([0, expect.stringContaining("Proved: req_")]);
    for (const said of ["Digested: the request", "Digested: the answer", "Consistent: ", "In order: ", "The new key is valid"])
      expect(output).toContain(said);
    expect(output).toMatch(/^who +Test tenant_\S+, tenant tenant_\S+, key \S+$/m);
    expect(output).toMatch(/^end +completed, status 200$/m);
  }, 60_000);
});
