import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Linux reports CPU time in hundredths of a second to programs, whatever its own clock. */
const tickMs = 10;

/** CPU time that all threads of a process have used, in ms; user and system together. */
export function cpuMs(pid: number): number {
  if (process.platform !== "linux") return psCpuMs(pid);
  // The second field, the command, may hold spaces and parentheses: count from the last one.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  if (process.platform !== "linux") return Number(ps(pid, "rss")) * 1024;
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

/** `[[days-]hours:]minutes:seconds[.hundredths]` */
function psCpuMs(pid: number): number {
  const [days, clock] = ps(pid, "time").includes("-") ? ps(pid, "time").split("-") : ["0", ps(pid, "time")];
  const seconds = (clock ?? "").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return (Number(days) * 86_400 + seconds) * 1000;
}

function ps(pid: number, column: string): string {
  return execFileSync("ps", ["-o", `${column}=`, "-p", String(pid)], { encoding: "utf8" }).trim();
}
