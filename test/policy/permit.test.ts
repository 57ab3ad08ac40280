import { describe, expect, it } from "vitest";
import { assertPermitted, authorise, isPermit, narrow } from "../../src/policy/authorise.ts";
import { decide } from "../../src/policy/decide.ts";
import { inputsOf, type AuthoriseRequest, type BoundTo, type DecisionInputs } from "../../src/policy/decision-inputs.ts";
import { findingsOn } from "../../src/policy/deployment-rules.ts";
import type { Permit } from "../../src/policy/permit.ts";
import { permittedModels } from "../../src/policy/permitted-models.ts";
import type { Deployment } from "../../src/region/catalogue.ts";
import { catalogueWith, modelOf, policyWith, ruleOf, tenantIn } from "./policy-fixture.ts";

const policy = policyWith(
  ruleOf("own_jurisdiction", {}),
  ruleOf("evidence", { least: "contractual-zone" }),
  ruleOf("ownership", { ownersIn: new Set(["RU"]) }, { makers: new Set(["anthropic"]) }),
);
const catalogue = catalogueWith(
  [
    modelOf("gpt", { weightsNotIn: new Set(["CN"]) }),
    [
      { countries: ["JP"] },
      { countries: ["SG", "HK"] },
      { countries: ["US"] },
      { countries: ["KR"], evidence: "none" },
      { countries: ["DE"], surfaces: ["embeddings"] },
    ],
  ],
  [modelOf("claude", { maker: "anthropic" }), [{ countries: ["US"], surfaces: ["messages"] }]],
);
const tenant = tenantIn("CN");

function permitted(): Permit {
  const decision = authorise({ tenant, modelName: "gpt", surface: "chat.completions" }, policy, catalogue, 0);
  if (!decision.ok) throw new Error(decision.refusal.kind);
  return decision.value;
}

function deploymentOf(id: string): Deployment {
  const deployment = catalogue.deployments.get(id);
  if (deployment === undefined) throw new Error(id);
  return deployment;
}

describe("a permit", () => {
  it("names the tenant, the deployments, the refused candidates with rule and reason, and the rules that let it pass", () => {
    expect(permitted()).toEqual({
      tenantId: "tenant_a",
      model: catalogue.models.get("gpt"),
      deployments: [deploymentOf("gpt/1"), deploymentOf("gpt/3")],
      refused: [
        { deployment: "gpt/2", kind: "own_jurisdiction", rule: "own_jurisdiction", reason: "may process in HK" },
        { deployment: "gpt/4", kind: "evidence", rule: "evidence", reason: 'evidence "none" is less than "contractual-zone"' },
        { deployment: "gpt/5", kind: "surface", rule: "catalogue:surfaces", reason: "does not speak chat.completions" },
      ],
      rules: ["tenant:tiers", "own_jurisdiction", "evidence", "hosting:gpt"],
      degradations: [],
      cutOff: [],
      inputs: inputsOf({ tenant, modelName: "gpt", surface: "chat.completions" }, 0),
      policyVersion: "1",
      policyDigest: "policy-digest",
      catalogueDigest: "digest",
    });
  });

  it("is genuine only as the object that authorise made", () => {
    const permit = permitted();
    expect(isPermit(permit)).toBe(true);
    for (const forged of [
      { ...permit },
      Object.create(permit),
      structuredClone({ ...permit, model: undefined }),
      new Proxy(permit, {}),
      null,
      undefined,
      "permit",
    ]) {
      expect(isPermit(forged)).toBe(false);
    }
  });

  it("cannot be widened", () => {
    const permit = permitted();
    expect(() => Object.assign(permit, { deployments: [deploymentOf("gpt/2")] })).toThrow(TypeError);
    expect(() => (permit.deployments as unknown[]).push(deploymentOf("gpt/2"))).toThrow(TypeError);
  });

  it("lets through only the deployments that it names, and those as the catalogue's objects", () => {
    const permit = permitted();
    expect(() => assertPermitted(permit, deploymentOf("gpt/1"))).not.toThrow();
    expect(() => assertPermitted(permit, deploymentOf("gpt/2"))).toThrow(/does not name the deployment gpt\/2/);
    expect(() => assertPermitted(permit, { ...deploymentOf("gpt/1"), countries: { kind: "anywhere" } })).toThrow(/does not name/);
    expect(() => assertPermitted({ ...permit }, deploymentOf("gpt/1"))).toThrow(/Not a permit/);
  });
});

describe("narrowing a permit", () => {
  const keptBy = (deployment: string): BoundTo => ({ deployment, responseId: "resp_1" });

  it("gives a genuine permit for one of its deployments alone", () => {
    const narrowed = narrow(permitted(), keptBy("gpt/3"));
    if (!narrowed.ok) throw new Error(narrowed.refusal.kind);
    expect(isPermit(narrowed.value)).toBe(true);
    const inputs = { ...permitted().inputs, boundTo: keptBy("gpt/3") };
    expect(narrowed.value).toEqual({ ...permitted(), deployments: [deploymentOf("gpt/3")], inputs });
    expect(() => assertPermitted(narrowed.value, deploymentOf("gpt/1"))).toThrow(/does not name/);
  });

  it("refuses by the rule that refused the deployment, and never widens", () => {
    expect(narrow(permitted(), keptBy("gpt/2"))).toMatchObject({
      ok: false,
      refusal: { kind: "policy_denied", rule: "own_jurisdiction", reasons: ["own_jurisdiction"] },
    });
    for (const gone of ["gpt/5", "gone/1"])
      expect(narrow(permitted(), keptBy(gone))).toMatchObject({
        ok: false,
        refusal: { kind: "response_not_found", id: "resp_1" },
      });
    const once = narrow(permitted(), keptBy("gpt/3"));
    expect(once.ok && narrow(once.value, keptBy("gpt/1")).ok).toBe(false);
  });

  it("is decided again by its inputs alone, whether it refuses or not", () => {
    for (const id of ["gpt/1", "gpt/2", "gpt/3", "gpt/5", "gone/1"]) {
      const bound = narrow(permitted(), keptBy(id));
      const inputs = bound.ok ? bound.value.inputs : bound.inputs;
      const { outcome } = decide(JSON.parse(JSON.stringify(inputs)) as DecisionInputs, policy, catalogue);
      if (bound.ok) expect(outcome.ok && outcome.grant.deployments).toEqual(bound.value.deployments);
      else expect(outcome).toEqual({ ok: false, refusal: bound.refusal, refused: bound.refused });
    }
  });

  it("takes no forged permit", () => {
    expect(() => narrow({ ...permitted() }, keptBy("gpt/1"))).toThrow(/Not a permit/);
  });
});

describe("deciding", () => {
  const shown = (asked: AuthoriseRequest): readonly (readonly [string, readonly string[]])[] | undefined =>
    decide(inputsOf(asked, 0), policy, catalogue)
      .evaluations[0]?.placement.candidates()
      .map(({ deployment, objections }) => [deployment.id, objections.map(({ rule }) => rule)]);

  it("shows every candidate with all that speaks against it", () => {
    expect(shown({ tenant: tenantIn("KR"), modelName: "gpt", surface: "embeddings" })).toEqual([
      ["gpt/1", ["catalogue:surfaces"]],
      ["gpt/2", ["catalogue:surfaces"]],
      ["gpt/3", ["catalogue:surfaces"]],
      ["gpt/4", ["own_jurisdiction", "evidence", "catalogue:surfaces"]],
      ["gpt/5", []],
    ]);
  });

  it("shows what refuses the tenant everywhere, apart from what a candidate meets with itself", () => {
    const asked = { tenant: tenantIn("RU", { tiers: [] }), modelName: "claude", surface: "messages" } as const;
    const [evaluation] = decide(inputsOf(asked, 0), policy, catalogue).evaluations;
    expect(evaluation?.subject.objections.map(({ rule }) => rule)).toEqual(["tenant:tiers", "ownership"]);
    expect(shown(asked)).toEqual([["claude/1", []]]);
  });

  it("shows what every rule found, also where it found nothing", () => {
    const [evaluation] = decide(
      inputsOf({ tenant, modelName: "gpt", surface: "chat.completions" }, 0),
      policy,
      catalogue,
    ).evaluations;
    expect(evaluation?.findings().map(({ rule, outcome, decision }) => [rule, outcome, decision])).toEqual([
      ["tenant:tiers", "no_match", "allow"],
      ["own_jurisdiction", "no_match", "allow"],
      ["evidence", "no_match", "allow"],
    ]);
    const [first] = evaluation?.placement.candidates() ?? [];
    if (evaluation === undefined || first === undefined) throw new Error("nothing was evaluated");
    expect(findingsOn(first.objections, evaluation.placement.checks).map(({ rule, outcome }) => [rule, outcome])).toEqual([
      ["hosting:gpt", "no_match"],
      ["own_jurisdiction", "no_match"],
      ["evidence", "no_match"],
    ]);
  });

  it("tells of a refusal what spoke against every candidate, and nothing of a model that is to look like none", () => {
    const refused = (asked: AuthoriseRequest): readonly string[] | undefined => {
      const decision = authorise(asked, policy, catalogue, 0);
      return decision.ok ? undefined : decision.refused.map(({ deployment, rule }) => `${deployment} ${rule}`);
    };
    const asked = { modelName: "claude", surface: "messages" } as const;
    expect(refused({ ...asked, tenant: tenantIn("RU") })).toEqual(["claude/1 ownership"]);
    expect(refused({ ...asked, tenant: tenantIn("RU", { tiers: [] }) })).toEqual([]);
    // What is unknown refuses each place for itself.
    expect(refused({ tenant: tenantIn(undefined), modelName: "gpt", surface: "chat.completions" })).toHaveLength(5);
  });

  it("needs nothing but JSON", () => {
    const decision = authorise({ tenant, modelName: "gpt", surface: "chat.completions" }, policy, catalogue, 0);
    if (!decision.ok) throw new Error(decision.refusal.kind);
    const again = decide(JSON.parse(JSON.stringify(decision.value.inputs)) as DecisionInputs, policy, catalogue);
    expect(again.outcome.ok && again.outcome.grant.deployments).toEqual(decision.value.deployments);
  });
});

describe("the models that a tenant may use", () => {
  it("are those of which a surface is permitted", () => {
    expect(permittedModels(tenantIn("CN"), policy, catalogue, 0).map(({ id }) => id)).toEqual(["gpt", "claude"]);
    expect(permittedModels(tenantIn("RU"), policy, catalogue, 0).map(({ id }) => id)).toEqual(["gpt"]);
    expect(permittedModels(tenantIn("US"), policy, catalogue, 0).map(({ id }) => id)).toEqual(["gpt"]);
    expect(permittedModels(tenantIn(undefined), policy, catalogue, 0)).toEqual([]);
  });
});
