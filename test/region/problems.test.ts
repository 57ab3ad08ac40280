import { describe, expect, it } from "vitest";
import { deploymentText, files, modelsText, policyText, problemsOf, regionText } from "./regions-fixture.ts";

const tokyo = (head: readonly string[], deployments?: string): string[] =>
  problemsOf(files({ tokyo: regionText("tokyo", head, deployments) }));
const deployed = (...lines: readonly string[]): string[] => tokyo([], deploymentText(...lines));
const standard = ['model = "gpt-a"', 'sku = "Standard"', 'countries = ["JP"]'];

function literally(text: string): string {
  return text.replaceAll(/[^\w ]/g, String.raw`\$&`);
}

/** Exactly this problem, its message given by a part of it. */
function only(place: string, part: string): unknown[] {
  return [expect.stringMatching(new RegExp(`regions/${literally(place)}: .*${literally(part)}`))];
}

describe("a region's file", () => {
  it.each([
    ["a country that ISO 3166-1 has not", ['country = "XX"'], 7, "not an assigned country"],
    ["a country that is only reserved", ['country = "UK"'], 7, "not an assigned country"],
    ["an endpoint without TLS", ['endpoint = "http://tokyo.example.com"'], 4, "https"],
    ["an endpoint with a password", ['endpoint = "https://me:secret@tokyo.example.com"'], 4, "password"],
    ["an endpoint with a slash at its end", ['endpoint = "https://tokyo.example.com/"'], 4, "slash"],
    ["an endpoint with a query", ['endpoint = "https://tokyo.example.com?a=1"'], 4, "query"],
    ["a credential in clear", ['credential = "sk-1234"'], 5, "never the value itself"],
    ["a credential that is no name of a variable", ['credential = { env = "sk-1234" }'], 5, "never the value itself"],
    ["a network with bits behind its prefix", ['networks = ["20.1.0.0/8"]'], 8, "networks[1]: expected a network"],
    ["a network that is an address", ['networks = ["20.1.0.1"]'], 8, "expected a network"],
    ["a local region's address in a table", ["local = true", "address_in_country = true"], 11, "in no table"],
    ["a pin that is no digest", ['key_pins = ["sha256/x"]'], 10, "SHA-256"],
    ["an unknown wire", ['wire = "grpc"'], 3, "wire"],
    ["an id that is not the file's name", ['id = "osaka"'], 1, "osaka.toml"],
    ["a key that is unknown", ["colour = 1"], 10, 'Unknown key "colour"'],
    ["a geography without its own country", ['geography = { name = "East", countries = ["KR"] }'], 10, "leaves out JP"],
    ["a place that is not on earth", ["coordinates = { latitude = 91, longitude = 0 }"], 9, "coordinates.latitude"],
    ["domestic where the policy is not at home", ["domestic = true"], 10, "not a home country"],
    ["an api_version that is no date", ['api_version = "latest"'], 10, "api_version"],
  ])("is told %s with its line", (_, head, line, part) => {
    const deployments = deploymentText(...standard.slice(0, 2), 'countries = ["JP", "KR"]');
    expect(tokyo(head, deployments)).toEqual(only(`tokyo.toml:${line}`, part));
  });

  it("is never repeated in a problem where it holds a secret", () => {
    const problems = tokyo(['credential = { env = "sk-1234" }', 'endpoint = "https://me:sk-1234@x"']);
    expect(problems).toHaveLength(2);
    expect(problems.join("\n")).not.toContain("sk-1234");
  });

  it("may use plain http on loopback", () => {
    for (const host of ["127.0.0.1:8080", "localhost", "[::1]:1"]) expect(tokyo([`endpoint = "http://${host}"`])).toEqual([]);
  });

  it("must say where its address lies, unless it is written as a loopback address", () => {
    const bare = (...head: readonly string[]): string[] =>
      problemsOf(files({ tokyo: regionText("tokyo", head).replace(/^networks.*\n/m, "") }));
    expect(bare()).toEqual(only("tokyo.toml:4", "Say where its address must lie"));
    expect(bare("local = false")).toEqual(only("tokyo.toml:4", "Say where its address must lie"));
    for (const declared of ["local = true", "address_in_country = true"]) expect(bare(declared)).toEqual([]);
    expect(bare('endpoint = "http://127.0.0.1:1"')).toEqual([]);
    expect(bare('endpoint = "http://127.0.0.1:1"', "local = false")).toEqual(only("tokyo.toml:4", "Say where"));
    const pinned = `key_pins = ["${"A".repeat(43)}="]`;
    expect(bare('endpoint = "http://127.0.0.1:1"', pinned)).toEqual(only("tokyo.toml:9", "without TLS"));
  });

  it("is told which key is missing, with the line of the table that lacks it", () => {
    expect(problemsOf(files({ tokyo: regionText("tokyo").replace(/^provider.*\n/m, "") }))).toEqual(
      only("tokyo.toml:1", 'Missing key "provider"'),
    );
    expect(deployed('model = "gpt-a"', 'countries = ["JP"]')).toEqual(
      only("tokyo.toml:10", 'Missing key "sku" in deployments[1]'),
    );
  });

  it("is told that a region at home must say so", () => {
    const text = regionText(
      "tokyo",
      ['country = "HK"'],
      deploymentText('model = "gpt-a"', 'sku = "Standard"', 'countries = ["HK"]'),
    );
    expect(problemsOf(files({ tokyo: text }))).toEqual(only("tokyo.toml:7", "domestic = true"));
  });

  it("is told where TOML itself breaks", () => {
    expect(tokyo(["zone = "])).toEqual(only("tokyo.toml:10", "Not valid TOML"));
    expect(tokyo(["wire2 = 1", "wire2 = 2"])).toEqual(only("tokyo.toml:11", "redefine"));
  });
});

describe("a deployment", () => {
  it.each([
    ["a model that models.toml has not", ['model = "gpt-z"', ...standard.slice(1)], 11, 'no model "gpt-z"'],
    ["a model's alias instead of its id", ['model = "gpt-a-2025"', ...standard.slice(1)], 11, 'no model "gpt-a-2025"'],
    ["a SKU that nobody knows", ['model = "gpt-a"', 'sku = "Sparkling"', 'countries = ["JP"]'], 12, "sku"],
    ["a SKU of another wire", ['model = "gpt-a"', 'sku = "DataResidency"', 'countries = ["JP"]'], 12, "azure wire has no SKU"],
    [
      "a Global SKU with a list of countries",
      ['model = "gpt-a"', 'sku = "GlobalStandard"', 'countries = ["JP"]'],
      13,
      'countries = "anywhere"',
    ],
    [
      "a Global SKU whose countries are unknown",
      ['model = "gpt-a"', 'sku = "GlobalBatch"', 'countries = "unknown"'],
      13,
      'countries = "anywhere"',
    ],
    [
      "a Standard SKU that may be anywhere",
      ['model = "gpt-a"', 'sku = "Standard"', 'countries = "anywhere"'],
      13,
      "list them all",
    ],
    [
      "a DataZone SKU that may be anywhere",
      ['model = "gpt-a"', 'sku = "DataZoneStandard"', 'countries = "anywhere"'],
      13,
      "list them all",
    ],
    ["countries that are left out", ['model = "gpt-a"', 'sku = "DataZoneStandard"'], 10, "List the countries"],
    ["an empty list of countries", ['model = "gpt-a"', 'sku = "Standard"', "countries = []"], 13, "countries"],
    [
      "a country that is none",
      ['model = "gpt-a"', 'sku = "Standard"', 'countries = [\n"JP",\n"ZZ"]'],
      15,
      "not an assigned country",
    ],
    [
      "a group that the policy has not",
      ['model = "gpt-a"', 'sku = "Standard"', 'countries = [\n"JP",\n"group:moon"]'],
      15,
      'no group "moon"',
    ],
    [
      "a Global SKU with evidence",
      ['model = "gpt-a"', 'sku = "GlobalStandard"', 'evidence = "contractual-zone"'],
      13,
      '"none", not "contractual-zone"',
    ],
    [
      "a DataZone SKU with too good an evidence",
      [...standard.slice(0, 1), 'sku = "DataZoneBatch"', 'countries = ["JP"]', 'evidence = "contractual-geography"'],
      14,
      '"contractual-zone", not',
    ],
    [
      "a Standard SKU that claims to be attested",
      [...standard, 'evidence = "attested"'],
      14,
      '"contractual-geography", not "attested"',
    ],
    ["inference_geo where nothing pins it", [...standard, 'inference_geo = "us"'], 14, "not pinned"],
    [
      "a surface that the wire cannot carry",
      [...standard, 'surfaces = ["chat.completions",\n"messages"]'],
      15,
      "azure wire cannot carry messages",
    ],
    ["a surface that the model has not", [...standard, 'surfaces = ["embeddings"]'], 14, "gpt-a has no embeddings"],
    [
      "a model of which the wire carries nothing",
      ['model = "claude-a"', ...standard.slice(1)],
      11,
      "can carry nothing of claude-a",
    ],
    ["a weight of nothing", [...standard, "weight = 0"], 14, "weight"],
    ["a capacity that is no integer", [...standard, "tokens_per_minute = 1.5"], 14, "tokens_per_minute"],
    ["a key that is unknown", [...standard, 'fallback = "global"'], 14, 'Unknown key "fallback" in deployments[1]'],
  ])("is told %s with its line", (_, lines, line, part) => {
    expect(deployed(...lines)).toEqual(only(`tokyo.toml:${line}`, part));
  });

  it("is told of its geography's countries that it leaves out", () => {
    const geography = 'geography = { name = "Asia Pacific", countries = ["JP", "HK"] }';
    expect(tokyo([geography])).toEqual(only("tokyo.toml:14", "HK is left out"));
  });

  it("is told of a name, and of a name at the upstream, that another one has", () => {
    const second = (...lines: readonly string[]): string[] =>
      tokyo([], deploymentText(...standard) + deploymentText(...standard, ...lines));
    expect(second()).toHaveLength(2);
    expect(second('upstream_name = "b"')).toEqual(only("tokyo.toml:15", "already called"));
    expect(second('name = "b"')).toEqual(only("tokyo.toml:15", "at the upstream"));
    expect(second('name = "b"', 'upstream_name = "b"')).toEqual([]);
  });

  it("is told that inference_geo goes with its SKU, its wire and its country", () => {
    const claude = (...lines: readonly string[]): string[] =>
      problemsOf(
        files({
          tokyo: regionText("tokyo", ['wire = "anthropic"', 'country = "US"'], deploymentText('model = "claude-a"', ...lines)),
        }),
      );
    expect(claude('sku = "InferenceGeo"', 'countries = ["US"]', 'inference_geo = "us"')).toEqual([]);
    expect(claude('sku = "InferenceGeo"', 'countries = ["US"]')).toEqual(only("tokyo.toml:12", "needs inference_geo"));
    expect(claude('sku = "InferenceGeo"', 'countries = ["US", "SG"]', 'inference_geo = "us"')).toEqual(
      only("tokyo.toml:13", 'means ["US"]'),
    );
  });
});

describe("several regions", () => {
  it("must agree on what a geography is", () => {
    const deployments = deploymentText('model = "gpt-a"', 'sku = "Standard"');
    const first = regionText("osaka", ['geography = { name = "Asia Pacific", countries = ["JP", "HK"] }'], deployments);
    const second = regionText("tokyo", ['geography = { name = "Asia Pacific", countries = ["JP"] }'], deployments);
    expect(problemsOf(files({ osaka: first, tokyo: second }))).toEqual(only("tokyo.toml:10", "regions/osaka.toml says"));
  });

  it("must have files of different names", () => {
    expect(problemsOf([...files(), { path: "regions/more/tokyo.toml", text: regionText("tokyo") }])).toEqual(
      only("more/tokyo.toml:1", "two files"),
    );
  });
});

describe("the model catalogue", () => {
  const changed = (from: string, to: string): string[] => problemsOf(files(undefined, undefined, modelsText.replace(from, to)));
  it.each([
    ["an id that another model has", 'id = "claude-a"', 'id = "gpt-a"', 17, "already called"],
    ["an alias that is another model's id", '"gpt-a-2025"', '"claude-a"', 3, 'already stands for "claude-a"'],
    ["an alias that stands there twice", '["gpt-a-2025"]', '["b",\n"b"]', 4, 'already stands for "gpt-a"'],
    ["a group that the policy has not", '"group:CN"', '"group:XY"', 11, 'no group "XY"'],
    [
      "a price that is no integer",
      "input_micro_usd_per_million = 1_000_001",
      "input_micro_usd_per_million = 2.5",
      13,
      "input_micro_usd_per_million",
    ],
    [
      "a price below nothing",
      "output_micro_usd_per_million = 3",
      "output_micro_usd_per_million = -3",
      14,
      "output_micro_usd_per_million",
    ],
    ["more output than context", "max_output_tokens = 100", "max_output_tokens = 1001", 9, "above context_tokens"],
    ["a local date", "2025-01-01T00:00:00Z", "2025-01-01", 7, "offset"],
    ["a surface that nobody knows", '["chat.completions", "responses"]', '["chat.completions", "telepathy"]', 10, "surfaces"],
  ])("is told %s with its line", (_, from, to, line, part) => {
    const problems = changed(from, to);
    expect(problems.filter((problem) => problem.includes("models.toml:"))).toHaveLength(1);
    expect(problems.some((problem) => problem.startsWith(`regions/models.toml:${line}: `) && problem.includes(part))).toBe(true);
  });
});

describe("the policy", () => {
  const added = (text: string): string[] => problemsOf(files(undefined, policyText + text));
  const rule = (...lines: readonly string[]): string => `[[rules]]\nid = "more"\nbecause = "x"\n${lines.join("\n")}\n`;
  it.each([
    ["a kind of rule that nobody knows", ['kind = "horoscope"'], 15, "kind"],
    [
      "a key of another kind of rule",
      ['kind = "evidence"', 'least = "none"', 'owners_in = ["CN"]'],
      17,
      'Unknown key "owners_in"',
    ],
    [
      "a maker that no model has",
      ['kind = "ownership"', 'owners_in = ["RU"]', 'makers = ["openai",\n"antropic"]'],
      18,
      'no maker "antropic"',
    ],
    ["a tier that no model has", ['kind = "tier"', 'tenants_in = ["RU"]', 'tiers = ["gold"]'], 17, 'no tier "gold"'],
    ["a model that is not there", ['kind = "evidence"', 'least = "none"', 'models = ["gpt-z"]'], 17, 'no model "gpt-z"'],
    ["a group that is not there", ['kind = "ownership"', 'owners_in = ["group:moon"]'], 16, 'no group "moon"'],
    [
      "a rule that is never in force",
      ['kind = "evidence"', 'least = "none"', "effective_from = 2026-01-01T00:00:00Z", "effective_to = 2026-01-01T00:00:00Z"],
      18,
      "never be in force",
    ],
    ["a date without an offset", ['kind = "evidence"', 'least = "none"', "effective_from = 2026-01-01T00:00:00"], 17, "offset"],
    ["a list of countries that asks for nothing", ['kind = "tenant_countries"'], 12, "asks for nothing"],
    ["an end use that asks for nothing", ['kind = "end_use"'], 12, "asks for nothing"],
  ])("is told %s with its line", (_, lines, line, part) => {
    expect(added(rule(...lines))).toEqual(only(`policy.toml:${line}`, part));
  });

  it("is told of two rules of one name", () => {
    expect(added('[[rules]]\nid = "own"\nkind = "own_jurisdiction"\nbecause = "x"\n')).toEqual(
      only("policy.toml:13", "already called"),
    );
  });

  it("is told of a country in two jurisdictions", () => {
    expect(added('[groups.more]\ncountries = ["TW",\n"HK"]\njurisdiction = true\n')).toEqual(
      only("policy.toml:14", "HK stands in two groups"),
    );
  });

  it("must keep every tenant from being served from its own jurisdiction, always", () => {
    for (const change of ["effective_to = 2027-01-01T00:00:00Z", 'models = ["gpt-a"]']) {
      const problems = problemsOf(files(undefined, policyText.replace('id = "own"', `id = "own"\n${change}`)));
      expect(problems).toEqual(only("policy.toml:8", "own_jurisdiction"));
    }
  });
});

describe("all problems", () => {
  it("come at once, over all files, in order of file and line", () => {
    const problems = problemsOf([
      { path: "regions/models.toml", text: modelsText.replace("max_output_tokens = 100", "max_output_tokens = -1") },
      {
        path: "regions/policy.toml",
        text:
          policyText.replace('"HK"', '"XX"') +
          '[[rules]]\nid = "x"\nkind = "evidence"\nleast = "some"\nowner = 1\nmakers = ["nobody"]\nbecause = " "\n',
      },
      { path: "regions/broken.toml", text: "a = \n" },
      {
        path: "regions/tokyo.toml",
        text: regionText(
          "tokyo",
          ['endpoint = "ftp://x"', 'country = "XX"'],
          deploymentText('model = "gpt-z"', 'sku = "Sparkling"', 'countries = ["group:moon"]', "weight = -1"),
        ),
      },
    ]);
    expect(problems.map((problem) => problem.split(": ")[0])).toEqual([
      "regions/broken.toml:1",
      "regions/models.toml:9",
      "regions/policy.toml:4",
      "regions/policy.toml:15",
      "regions/policy.toml:16",
      "regions/policy.toml:17",
      "regions/policy.toml:18",
      "regions/tokyo.toml:4",
      "regions/tokyo.toml:7",
      "regions/tokyo.toml:11",
      "regions/tokyo.toml:12",
      "regions/tokyo.toml:13",
      "regions/tokyo.toml:14",
    ]);
  });

  it("are only one where a file is missing or not TOML, however many others refer to it", () => {
    expect(problemsOf(files().filter(({ path }) => !path.endsWith("models.toml")))).toEqual(only("models.toml:1", "missing"));
    expect(problemsOf(files().filter(({ path }) => !path.endsWith("policy.toml")))).toEqual(only("policy.toml:1", "missing"));
    expect(problemsOf(files(undefined, policyText, `${modelsText}\n=`))).toEqual(only("models.toml:28", "Not valid TOML"));
    expect(problemsOf(files(undefined, `${policyText}\n=`))).toEqual(only("policy.toml:13", "Not valid TOML"));
    expect(problemsOf(files({}))).toEqual(only(":1", "no region"));
  });
});
