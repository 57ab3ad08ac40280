import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { control, operatorKey } from "../control/control-fixture.ts";
import type { Fixture } from "../control/control-fixture.ts";

export interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** An empty folder: the command must not find this machine's own `.strait`. */
export const emptyFolder: string = mkdtempSync(join(tmpdir(), "strait-cli-"));

const program = join(import.meta.dirname, "../../src/runtime/node/strait.ts");

/** Runs the command as a shell would, with nothing of this process's environment but what a process needs. */
export function strait(words: readonly string[], environment: Record<string, string> = {}, input = ""): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...words], {
      cwd: emptyFolder,
      env: { PATH: process.env["PATH"], ...environment },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => void (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

export interface Served extends Fixture {
  url: string;
  environment: Record<string, string>;
  run: (words: readonly string[], input?: string) => Promise<Run>;
  stop: () => Promise<void>;
}

/** The operators' API over a real socket, with tenants in memory. */
export async function served(overrides: Parameters<typeof control>[0] = {}): Promise<Served> {
  const fixture = control(overrides);
  const listener = getRequestListener(fixture.app.fetch);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const environment = { STRAIT_URL: url, STRAIT_OPERATOR_KEY: operatorKey };
  const run: Served["run"] = (words, input) => strait(words, environment, input);
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { ...fixture, url, environment, run, stop };
}
