import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Permit } from "../../src/policy/permit.ts";
import type { Deployment, Surface } from "../../src/region/catalogue.ts";
import { ServedPlace, type SaidOfPlace } from "../../src/upstream/served-place.ts";
import { deployment, model, region } from "../support/catalogue.ts";
import { permitFor } from "../support/permits.ts";

const japan = { ...region("japaneast", "JP"), displayName: "Japan East", reportedAs: ["Tokyo front end"] };
const asked = deployment("provisioned", { region: japan, upstreamName: "gpt-provisioned" });
const standard = deployment("standard", { region: japan, upstreamName: "gpt-standard" });
const elsewhere = deployment("global", { region: region("eastus2", "US"), upstreamName: "gpt-global" });
const pinned = deployment("claude", { region: region("claude-us", "US", "anthropic"), evidence: "attested", inferenceGeo: "us" });

const placeOf = (
  tried: Deployment = asked,
  others: readonly Deployment[] = [],
  surface: Surface = "chat.completions",
): ServedPlace =>
  new ServedPlace(tried, surface, {
    standing: () => permitFor([tried, ...others], tried.region.wire === "anthropic" ? "messages" : "chat.completions"),
    permitOf: () => undefined,
    serving: () => undefined,
  });
const silent: SaidOfPlace = { servedModel: undefined, inferenceGeo: undefined };

describe("what an answer's head says of its place", () => {
  it("agrees where it names the declared region by any of its names, however they are written", () => {
    for (const name of ["Japan East", "japaneast", "JAPAN EAST", "Tokyo front end"])
      expect(placeOf().readHead(["x-ms-region", name])).toBeUndefined();
    expect(placeOf().readHead([])).toBeUndefined();
  });

  it("is a mismatch where it names another region, whatever follows", () => {
    const place = placeOf();
    expect(place.readHead(["x-ms-region", "East Asia"])).toMatch(/East Asia.*Japan East/);
    expect(place.readWhole({ servedModel: model.id, inferenceGeo: undefined })).toContain("East Asia");
  });

  it("is of the deployment that it names, where that is of the region and in the permit", () => {
    const place = placeOf(asked, [standard]);
    const head = ["x-ms-spillover-from-deployment", "gpt-provisioned", "x-ms-deployment-name", "GPT-Standard"];
    expect(place.readHead(head)).toBeUndefined();
    expect(place.served).toBe(standard);
  });

  it.each([
    ["a deployment that is outside of the permit", [], "gpt-standard"],
    ["a deployment that nobody declared", [standard], "gpt-unheard"],
    ["a deployment of another region", [elsewhere], "gpt-global"],
  ])("is a mismatch where it names %s", (_what, others, name) => {
    const place = placeOf(asked, others);
    expect(place.readHead(["x-ms-deployment-name", name])).toContain(name);
    expect(place.served).toBe(asked);
  });

  it("is a mismatch where it spilled over to nobody knows where", () => {
    expect(placeOf(asked, [standard]).readHead(["x-ms-spillover-from-deployment", "gpt-provisioned"])).toContain("spilled over");
    const toItself = ["x-ms-spillover-from-deployment", "x", "x-ms-deployment-name", "gpt-provisioned"];
    expect(placeOf(asked, [standard]).readHead(toItself)).toContain("spilled over");
  });
});

describe("the model that an answer names", () => {
  const other = { ...model, id: "gpt-mini" };
  const routed = deployment("routed", { region: japan, model: other, upstreamName: "gpt-mini" });
  const routing = (permits: Readonly<Record<string, Permit>>, tried = asked): ServedPlace =>
    new ServedPlace(tried, "chat.completions", {
      standing: () => permitFor([tried]),
      permitOf: (name) => permits[name],
      serving: () => undefined,
    });
  const said = (servedModel: string): SaidOfPlace => ({ ...silent, servedModel });

  it.each([
    "gpt-test",
    "GPT-Test",
    "gpt-test-2024-08-06",
    "gpt-test-20251101",
    "gpt-provisioned",
    "gpt-served-v2",
    "gpt-test-0613",
  ])("is the declared one as %s", (name) => expect(placeOf().readBody(said(name))).toBeUndefined());

  it.each(["gpt-test-mini", "gpt-tes", "gpt-test-2024-08-06-mini", "mini-gpt-test"])("is another one as %s", (name) => {
    expect(placeOf().readBody(said(name))).toContain(name);
    expect(placeOf().readHead(["x-ms-served-model", name])).toContain(name);
  });

  it("is another deployment's, where the tenant may be served that one there under the same SKU", () => {
    const place = routing({ "gpt-mini": permitFor([routed]) });
    expect(place.readBody(said("gpt-mini-2025-08-07"))).toBeUndefined();
    expect(place.served).toBe(routed);
  });

  it("is a mismatch where the policy refuses it, or it stands there under another SKU, in another region, or as a lesser one", () => {
    const global = deployment("routed", { region: japan, model: other, sku: "GlobalStandard" });
    const away = deployment("routed", { region: elsewhere.region, model: other });
    for (const permits of [
      {},
      { "gpt-mini": permitFor([global]) },
      { "gpt-mini": permitFor([away]) },
      { "gpt-max": permitFor([routed]) },
    ])
      for (const name of ["gpt-mini", "gpt-max"]) {
        if (name === "gpt-mini" && "gpt-max" in permits) continue;
        expect(routing(permits).readBody(said(name))).toContain(name);
      }
  });
});

describe("inference_geo", () => {
  const geo = (inferenceGeo: string): SaidOfPlace => ({ ...silent, inferenceGeo });

  it("must be what is declared, as soon as it is said", () => {
    expect(placeOf(pinned).readBody(geo("us"))).toBeUndefined();
    for (const other of ["global", "not_available"])
      expect(placeOf(pinned).readBody(geo(other))).toMatch(new RegExp(`${other}.*us`));
    expect(placeOf(asked).readWhole(geo("global"))).toBeUndefined();
  });

  it("must have been said by the end where the grade is attested, and of answers that a model made", () => {
    const place = placeOf(pinned, [], "messages");
    expect(place.readBody(silent)).toBeUndefined();
    expect(place.readWhole(silent)).toContain("is not said");
    expect(placeOf(pinned, [], "count_tokens").readWhole(silent)).toBeUndefined();
    expect(placeOf(asked).readWhole(silent)).toBeUndefined();
  });
});

it("never takes a deployment outside of the permits as the one that served, and never forgets a mismatch", () => {
  const names = fc.constantFrom("gpt-provisioned", "gpt-standard", "gpt-global", "gpt-unheard", undefined);
  const steps = fc.record({
    region: fc.constantFrom("Japan East", "East Asia", undefined),
    name: names,
    spilled: fc.option(fc.constant("gpt-provisioned"), { nil: undefined }),
    model: fc.constantFrom("gpt-test", "gpt-mini", undefined),
    permitted: fc.subarray([standard, elsewhere]),
  });
  fc.assert(
    fc.property(steps, (step) => {
      const place = placeOf(asked, step.permitted);
      const head = Object.entries({
        "x-ms-region": step.region,
        "x-ms-deployment-name": step.name,
        "x-ms-spillover-from-deployment": step.spilled,
      }).flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
      const first = place.readHead(head);
      const last = place.readWhole({ servedModel: step.model, inferenceGeo: undefined });
      expect([asked, ...step.permitted]).toContain(place.served);
      if (first !== undefined) expect(last).toBe(first);
      if (step.region === "East Asia" || step.name === "gpt-unheard" || step.model === "gpt-mini") expect(last).toBeDefined();
    }),
  );
});
