import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { Unavailable } from "./proxy.ts";
import type { Target } from "./proxy.ts";
import { requestBody } from "./wire.ts";

const startMs = 20_000;

/** Where a forked server listens, as its first message says. */
export function reportedOrigin(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("message", (message: { readonly port: number }) => resolve(`http://127.0.0.1:${message.port}`));
    child.once("exit", (code) => reject(new Error(`a server of the bench ended with ${code} before it listened`)));
    child.once("error", reject);
  });
}

/** A port that was free a moment ago, for programs that cannot be given port 0. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port"))));
    });
    probe.once("error", reject);
  });
}

/** Waits until a whole request is answered with 200: a port that accepts is not yet a proxy that works. */
export async function untilAnswering(name: string, child: ChildProcess, target: Target): Promise<void> {
  const tail = outputTail(child);
  const deadline = performance.now() + startMs;
  let last = "no answer";
  const gone: { why?: string } = {};
  child.once("error", (error) => (gone.why = error.message));
  child.once("exit", (code, signal) => (gone.why = `it ended with ${code ?? signal}`));
  while (performance.now() < deadline && gone.why === undefined) {
    try {
      const headers = [...target.headers, "content-type", "application/json", "authorization", `Bearer ${target.keys[0]}`];
      const answer = await request(target.origin + target.path, {
        method: "POST",
        headers,
        body: requestBody(target.model, undefined),
        headersTimeout: 2000,
      });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return;
      last = `${answer.statusCode} ${text.slice(0, 300)}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await delay(50);
  }
  throw new Unavailable(`${name} did not come up: ${gone.why ?? last} ${tail().slice(-600)}`.trim());
}

/** The last that a process said, for the message when it fails. Reading it also keeps a full pipe from stopping the process. */
export function outputTail(child: ChildProcess): () => string {
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4000)));
  }
  return () => said.trim();
}
