import type { Bound, DrillReport } from "../drill.ts";
import type { EndedBundle } from "./ending-bundle.ts";
import type { FaultRow, Watched } from "./fault-row.ts";
import type { Scenario } from "./scenarios.ts";
import type { ForeignIds } from "./stored-ids.ts";

export interface Met extends FaultRow {
  readonly scenario: Scenario;
}

export interface Findings {
  readonly met: readonly Watched<Met>[];
  readonly jumps: Watched<FaultRow>;
  readonly foreign: Watched<ForeignIds>;
  readonly ended: Watched<EndedBundle>;
  readonly promptBytesOutside: number;
  readonly connectionsOutside: number;
  /** Those that must be among the mismatches that operators are shown, and are not. */
  readonly unalarmed: readonly Scenario[];
}

export function reportOf({
  met,
  jumps,
  foreign,
  ended,
  promptBytesOutside,
  connectionsOutside,
  unalarmed,
}: Findings): DrillReport {
  const bounds: readonly Bound[] = [
    { title: "bytes of a prompt that reached an address outside the permit", is: promptBytesOutside, atMost: 0 },
    { title: "connections to an address outside of what is declared", is: connectionsOutside, atMost: 0 },
    { title: "faults whose requests did not end as they must", is: met.filter(endedWrong).length, atMost: 0 },
    {
      title: "prompts sent to a deployment after it contradicted its place",
      is: met.reduce((sum, { scenario, reached }) => sum + (scenario.contradicts === true ? Math.max(0, reached - 1) : 0), 0),
      atMost: 0,
    },
    {
      title: "contradictions and refused connections that raised no alarm",
      is: unalarmed.length,
      atMost: 0,
    },
    { title: "requests with an id issued elsewhere that reached an upstream", is: foreign.reached, atMost: 0 },
    { title: "requests that reached an upstream after their policy had ended", is: ended.late, atMost: 0 },
    {
      title: "cases that had to be served and were not: one's own id, after a clock jumped back, before the end",
      is: [foreign.ownAnswered, ended.answeredBetween, ended.answeredBeforeEnd].filter((answered) => answered === 0).length,
      atMost: 0,
    },
  ];
  return {
    tables: [
      {
        title: "a hostile world",
        columns: ["", "sent", "answered", "at the declared upstream", "requests outside", "prompt bytes outside"],
        rows: [
          ...met.map((found) => row(found.scenario.title, found)),
          row("clock jumps, DNS rebinding", jumps),
          row("ids issued elsewhere", foreign),
          row("a bundle that ends", ended),
        ],
      },
    ],
    bounds,
    notes: ["addresses are loopback's: 127.0.1.0/24 is declared, 127.0.2.1 is not and has as good a certificate"],
  };
}

function endedWrong({ scenario: { outcome }, sent, answered }: Met): boolean {
  return outcome === "answered" ? answered < sent : outcome === "refused" && answered > 0;
}

function row(title: string, { sent, answered, reached, outside }: Watched<FaultRow>): readonly (string | number)[] {
  return [title, sent, answered, reached, outside.requests, outside.promptBytes];
}
