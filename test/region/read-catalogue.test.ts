import { describe, expect, it } from "vitest";
import { showCountries } from "../../src/region/country.ts";
import { readCatalogue, type CatalogueFile } from "../../src/region/read-catalogue.ts";
import { catalogueOf, deploymentText, files, policyText, problemsOf, regionText, sha256 } from "./regions-fixture.ts";

describe("reading the files of a regions folder", () => {
  it("gives regions, models, deployments and policy, linked and with the defaults filled in", () => {
    const { catalogue, policy } = catalogueOf(files());
    const deployment = catalogue.deployments.get("tokyo/gpt-a");
    expect(deployment).toMatchObject({
      upstreamName: "gpt-a",
      sku: "Standard",
      evidence: "contractual-geography",
      weight: 1,
      tokensPerMinute: undefined,
    });
    expect(deployment?.region).toBe(catalogue.regions.get("tokyo"));
    expect(deployment?.model).toBe(catalogue.models.get("gpt-a"));
    expect([...(deployment?.surfaces ?? [])]).toEqual(["chat.completions", "responses"]);
    expect(catalogue.deploymentsByModel.get("gpt-a")).toEqual([deployment]);
    expect(catalogue.deploymentsByModel.get("claude-a")).toEqual([]);
    expect(catalogue.modelNames.get("gpt-a-2025")).toBe("gpt-a");
    expect([...(catalogue.models.get("gpt-a")?.weightsNotIn ?? [])]).toEqual(["CN", "HK", "MO"]);
    expect(catalogue.models.get("gpt-a")?.createdAt).toBe(Date.UTC(2025, 0, 1) / 1000);
    expect(policy.version).toBe("1");
    expect([...(policy.jurisdictions.get("HK") ?? [])]).toEqual(["CN", "HK", "MO"]);
  });

  it("charges cached input and cache writes as input where no price of their own is given", () => {
    const { catalogue } = catalogueOf(files());
    expect(catalogue.models.get("gpt-a")?.price).toEqual({
      inputMicroUsdPerMillion: 1_000_001,
      cachedInputMicroUsdPerMillion: 1_000_001,
      cacheWriteMicroUsdPerMillion: 1_000_001,
      outputMicroUsdPerMillion: 3,
    });
    expect(catalogue.models.get("claude-a")?.price).toMatchObject({
      cachedInputMicroUsdPerMillion: 1,
      cacheWriteMicroUsdPerMillion: 4,
    });
  });

  it("adds a deployment's premium to its price and rounds up", () => {
    const text = regionText(
      "tokyo",
      [],
      deploymentText('model = "gpt-a"', 'sku = "Standard"', 'countries = ["JP"]', "price_premium_percent = 10"),
    );
    const price = catalogueOf(files({ tokyo: text })).catalogue.deployments.get("tokyo/gpt-a")?.price;
    expect(price).toMatchObject({ inputMicroUsdPerMillion: 1_100_002, outputMicroUsdPerMillion: 4 });
  });

  it.each([
    ["Standard", 'countries = ["JP", "group:zone"]', "DE,FR,JP,SE", "contractual-geography"],
    ["Standard", "", "JP,KR", "contractual-geography"],
    ["Standard", 'countries = "unknown"', "?", "contractual-geography"],
    ["DataZoneStandard", 'countries = ["group:zone"]', "DE,FR,SE", "contractual-zone"],
    ["GlobalStandard", 'countries = "anywhere"', "*", "none"],
    ["GlobalBatch", "", "*", "none"],
  ])("takes a %s deployment with %j as %s with evidence %s", (sku, countries, shown, evidence) => {
    const geography = countries === "" ? ['geography = { name = "East", countries = ["JP", "KR"] }'] : [];
    const text = regionText("tokyo", geography, deploymentText('model = "gpt-a"', `sku = "${sku}"`, countries));
    const deployment = catalogueOf(files({ tokyo: text })).catalogue.deployments.get("tokyo/gpt-a");
    expect(deployment && showCountries(deployment.countries)).toBe(shown);
    expect(deployment?.evidence).toBe(evidence);
  });

  it("takes what is pinned by inference_geo as attested", () => {
    const claude = deploymentText('model = "claude-a"', 'sku = "InferenceGeo"', 'countries = ["US"]', 'inference_geo = "us"');
    const deployment = catalogueOf(
      files({ claude: regionText("claude", ['wire = "anthropic"', 'country = "US"'], claude) }),
    ).catalogue.deployments.get("claude/claude-a");
    expect(deployment).toMatchObject({ evidence: "attested", inferenceGeo: "us" });
    expect([...(deployment?.surfaces ?? [])]).toEqual(["messages", "count_tokens"]);
  });

  it("has one digest for the same files, in any order and folder, and another for any change", () => {
    const all = files();
    const digests = digestsOf(all);
    for (const digest of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(digestsOf(all.toReversed().map(({ path, text }) => ({ path: `/srv/${path}`, text })))).toEqual(digests);
    for (const changed of all) {
      const [catalogue, policy] = digestsOf(
        all.map((file) => (file === changed ? { ...file, text: `${file.text}\n# a note` } : file)),
      );
      const isPolicy = changed.path.endsWith("policy.toml");
      expect([catalogue === digests[0], policy === digests[1]]).toEqual([isPolicy, !isPolicy]);
    }
  });

  it("changes the catalogue's digest with a group of the policy, which its files name, and the policy's with a date", () => {
    const wider = files({ tokyo: regionText("tokyo") }, policyText.replace('"SE"', '"SE", "FI"'));
    expect(digestsOf(wider)[0]).not.toBe(digestsOf(files())[0]);
    const dated = readCatalogue(files(), sha256, { effectiveFromMs: 0 });
    expect(dated.ok && dated.policy).toMatchObject({ effectiveFromMs: 0, boundariesMs: [0] });
    expect(dated.ok && dated.policy.digest).not.toBe(digestsOf(files())[1]);
  });

  it("leaves files aside that are not TOML", () => {
    expect(problemsOf([...files(), { path: "regions/README.md", text: "= not TOML" }])).toEqual([]);
  });

  it("freezes all that it gives, sets and maps too", () => {
    const { catalogue, policy } = catalogueOf(files());
    const deployment = catalogue.deployments.get("tokyo/gpt-a");
    if (deployment?.countries.kind !== "countries") throw new Error("no set of countries");
    const { countries } = deployment.countries;
    expect(() => (countries as Set<string>).add("CN")).toThrow(/frozen/);
    expect(() => (deployment.surfaces as Set<string>).clear()).toThrow(/frozen/);
    expect(() => (catalogue.models as Map<string, unknown>).delete("gpt-a")).toThrow(/frozen/);
    expect(() => (policy.groups as Map<string, unknown>).set("CN", new Set())).toThrow(/frozen/);
    for (const value of [
      catalogue,
      policy,
      deployment,
      deployment.countries,
      deployment.region,
      deployment.region.credential,
      deployment.model,
      deployment.price,
      policy.rules,
      policy.rules[0],
    ]) {
      expect(Object.isFrozen(value)).toBe(true);
    }
  });

  it("gives the instants at which rules begin and end, once each and in order", () => {
    const rule = (id: string, dates: string): string =>
      `[[rules]]\nid = "${id}"\nkind = "evidence"\nleast = "none"\nbecause = "x"\n${dates}\n`;
    const dated =
      rule("a", "effective_from = 2026-02-01T00:00:00Z\neffective_to = 2026-03-01T00:00:00+01:00") +
      rule("b", "effective_from = 2026-01-01T00:00:00Z") +
      rule("c", "effective_from = 2026-02-01T00:00:00Z");
    const { policy } = catalogueOf(files(undefined, policyText + dated));
    expect(policy.boundariesMs).toEqual([Date.UTC(2026, 0, 1), Date.UTC(2026, 1, 1), Date.UTC(2026, 1, 28, 23)]);
  });

  it("does not throw on any text", () => {
    for (const text of [
      "",
      "\u0000",
      "[[deployments]]\n[[rules]]\n[[models]]\n",
      "deployments = 1\nmodels = 2\nrules = 3\ngroups = 4\n",
      "__proto__ = 1\n",
      "deployments = [1, [], {}]\n",
    ]) {
      for (const path of ["regions/models.toml", "regions/policy.toml", "regions/tokyo.toml"]) {
        const all = files().map((file) => (file.path === path ? { path, text } : file));
        expect(readCatalogue(all, sha256).ok).toBe(false);
      }
    }
    expect(readCatalogue([], sha256).ok).toBe(false);
  });
});

function digestsOf(list: readonly CatalogueFile[]): readonly [catalogue: string, policy: string] {
  const { catalogue, policy } = catalogueOf(list);
  return [catalogue.digest, policy.digest];
}
