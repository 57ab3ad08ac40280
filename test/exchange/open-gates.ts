import { afterEach } from "vitest";
import { Gate, type GateOptions } from "./gate.ts";

/** Opens gates for the tests of one file, each closed after the test that opened it. */
export function gateOpener(usual: GateOptions = {}): (options?: GateOptions) => Promise<Gate> {
  let gates: Gate[] = [];
  afterEach(() => {
    for (const gate of gates) gate.close();
    gates = [];
  });
  return async (options = {}) => {
    const gate = await Gate.open({ ...usual, ...options });
    gates.push(gate);
    return gate;
  };
}
