import { afterEach, describe, expect, it } from "vitest";
import type { Policy, Rule } from "../../src/region/policy.ts";
import { ruleOf } from "../policy/policy-fixture.ts";
import { catalogueOf, deployment, model, region } from "../support/catalogue.ts";
import { openPolicy } from "../support/permits.ts";
import { json } from "../support/scripted-transport.ts";
import { Gate, type GateOptions } from "./gate.ts";
import { document, plain } from "./one-exchange.ts";

let gate: Gate | undefined;
afterEach(() => gate?.close());

const lesser = { ...model, id: "gpt-lesser" };
const catalogue = catalogueOf([
  deployment("aaa", { region: region("sea", "SG") }),
  deployment("bbb", { region: region("swe", "SE"), model: lesser }),
]);

async function open(rules: readonly Rule[] = [], options: GateOptions = {}): Promise<Gate> {
  const policy: Policy = { ...openPolicy, rules };
  gate = await Gate.open({ catalogue, ports: { world: () => ({ catalogue, policy }) }, ...options });
  return gate;
}

const smaller = ruleOf(
  "tier",
  {},
  {
    id: "smaller",
    tiers: new Set(["standard"]),
    tenantsIn: new Set(["DE"]),
    ruling: { decision: "degrade", toModel: "gpt-lesser" },
  },
);

describe("a request that a rule lessens", () => {
  it("is answered by the lesser model, which the client and the receipt are told", async () => {
    const opened = await open([smaller]);
    const asked = await opened.reached({ body: plain });
    expect(opened.transport.last.request.origin).toContain("swe");
    opened.transport.last.answer(200, json, document);
    await opened.finished(asked);
    expect([asked.outbound.status, asked.outbound.header("x-strait-region")]).toEqual([200, "swe"]);
    expect(asked.outbound.header("x-strait-model")).toBe("gpt-lesser");
    expect(asked.outbound.header("x-strait-degraded-by")).toBe("smaller");
    expect(opened.closed[0]?.receipt).toMatchObject({
      modelAsked: "gpt-test",
      model: "gpt-lesser",
      deployment: "swe/bbb",
      degradations: [{ rule: "smaller", toModel: "gpt-lesser" }],
    });
  });

  it.each(["gpt-test", "gpt-lesser"])("is refused where its key is for %s alone, and not for both models", async (only) => {
    const opened = await open([smaller], { keyModels: [only] });
    const asked = await opened.finished(opened.ask({ body: plain }));
    expect([asked.outbound.status, asked.json.error?.code]).toEqual([403, "insufficient_scope"]);
    expect(opened.transport.calls).toEqual([]);
  });

  it("goes upstream without what asks for log probabilities", async () => {
    const opened = await open([
      ruleOf(
        "log_probabilities",
        { onlyWithLogitBias: false },
        { id: "bare", ruling: { decision: "degrade", without: "log_probabilities" } },
      ),
    ]);
    const asked = await opened.reached({ body: { ...plain, logprobs: true, top_logprobs: 3, logit_bias: { "1": 1 } } });
    const sent = JSON.parse(new TextDecoder().decode(opened.transport.last.request.body)) as Record<string, unknown>;
    expect(sent).toMatchObject({ logprobs: null, top_logprobs: null, logit_bias: { "1": 1 } });
    opened.transport.last.answer(200, json, document);
    await opened.finished(asked);
    expect(asked.outbound.header("x-strait-degraded-by")).toBe("bare");
    expect(opened.closed[0]?.receipt.degradations).toEqual([
      { rule: "bare", codes: expect.any(Array), without: "log_probabilities" },
    ]);
  });

  it("is told nothing of it where it is not lessened", async () => {
    const opened = await open();
    const asked = await opened.reached({ body: plain });
    opened.transport.last.answer(200, json, document);
    await opened.finished(asked);
    expect(asked.outbound.header("x-strait-model")).toBeUndefined();
    expect(asked.outbound.header("x-strait-degraded-by")).toBeUndefined();
    expect(opened.closed[0]?.receipt).not.toHaveProperty("degradations");
  });
});

describe("what a request asks for", () => {
  it("of the provider's own tools is refused before anything is sent", async () => {
    const opened = await open();
    const asked = opened.ask({ body: { ...plain, web_search_options: {} } });
    await opened.finished(asked);
    expect([asked.outbound.status, asked.json.error?.code]).toEqual([403, "unsupported_tool"]);
    expect(opened.transport.calls).toEqual([]);
  });

  it("for an end user is let through by the nationality claimed, where a rule asks", async () => {
    const opened = await open([ruleOf("nationality", { denied: new Set(["KP"]), allowed: undefined })]);
    for (const [claim, status] of [
      [undefined, 403],
      ["nowhere", 403],
      ["KP", 403],
    ] as const) {
      const refused = opened.ask({ body: plain, headers: claim === undefined ? {} : { "x-strait-end-user-nationality": claim } });
      await opened.finished(refused);
      expect(refused.outbound.status).toBe(status);
    }
    const asked = await opened.reached({ body: plain, headers: { "x-strait-end-user-nationality": "fr" } });
    opened.transport.last.answer(200, json, document);
    await opened.finished(asked);
    expect(asked.outbound.status).toBe(200);
    expect(opened.closed.at(-1)?.receipt.inputs?.request.endUserNationality).toBe("FR");
  });

  it("for an end user is not kept where no rule asks for the nationality", async () => {
    const opened = await open();
    const asked = await opened.reached({ body: plain, headers: { "x-strait-end-user-nationality": "FR" } });
    opened.transport.last.answer(200, json, document);
    await opened.finished(asked);
    expect(JSON.stringify(opened.closed)).not.toContain('"FR"');
  });
});
