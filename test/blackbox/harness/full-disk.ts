import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe } from "vitest";

const program = "/usr/bin/prlimit";

/** A suite in which a process's disk is full for a while; skipped where the program is missing that does it. */
export function describeWithFullDisk(name: string, body: () => void): void {
  const missing = !existsSync(program);
  describe.skipIf(missing)(`${name}${missing ? " (skipped: prlimit is not installed)" : ""}`, () => {
    body();
  });
}

/** From now on every write of this process to a file fails, as on a full disk; its sockets and pipes go on. */
export function fillDisk(pid: number): void {
  limitFiles(pid, "0");
}

export function freeDisk(pid: number): void {
  limitFiles(pid, "unlimited");
}

/** The soft limit alone: a process may raise that again without being root. */
function limitFiles(pid: number, size: string): void {
  execFileSync(program, ["--pid", String(pid), `--fsize=${size}:unlimited`]);
}
