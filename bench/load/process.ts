import type { Target } from "../proxy.ts";
import { Caller } from "./caller.ts";
import { closedLoop } from "./closed.ts";
import type { Answered, Command, Load, Sent } from "./commands.ts";
import { holdStreams } from "./hold.ts";
import { openLoop } from "./open.ts";
import { firstBytes, readStreams } from "./streams.ts";

/** The load generator: a process of its own, so that its work is never counted as a proxy's. Ends with its parent. */
const targets = new Map<string, Target>();
/** Kept from round to round, so that connections and code are warm. */
const callers = new Map<string, Caller>();
const held = new Map<string, Caller>();
const mostConnections = 256;

async function perform(command: Command): Promise<unknown> {
  switch (command.kind) {
    case "target":
      await release(command.name);
      targets.set(command.name, command.target);
      return undefined;
    case "release":
      return await release(command.target);
    case "closed":
      return await closedLoop(keptCaller(command.target), command);
    case "open":
      return await openLoop(keptCaller(command.target), command);
    case "hold": {
      const caller = new Caller(known(command.target), command.streams, { events: 1, intervalMs: 0, idle: true });
      held.set(command.target, caller);
      return await holdStreams(caller, command);
    }
    case "streams":
    case "firstBytes":
      return await streamed(command);
  }
}

async function streamed(command: Extract<Load, { kind: "streams" | "firstBytes" }>): Promise<unknown> {
  const caller = new Caller(known(command.target), command.streams, command.order);
  try {
    return command.kind === "streams" ? await readStreams(caller, command) : await firstBytes(caller, command);
  } finally {
    await caller.close();
  }
}

function known(name: string): Target {
  const target = targets.get(name);
  if (target === undefined) throw new Error(`no target ${name}`);
  return target;
}

function keptCaller(name: string): Caller {
  let caller = callers.get(name);
  if (caller === undefined) {
    caller = new Caller(known(name), mostConnections, undefined);
    callers.set(name, caller);
  }
  return caller;
}

async function release(name: string): Promise<undefined> {
  for (const open of [callers, held]) {
    await open.get(name)?.close();
    open.delete(name);
  }
}

process.on("message", ({ id, command }: Sent) => {
  const answer = (answered: Answered): unknown => process.send?.(answered);
  perform(command).then(
    (result) => answer({ id, result }),
    (error: unknown) => answer({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});
process.once("disconnect", () => process.exit(0));
