import { CompiledPolicy } from "../policy/compiled-policy.ts";
import { decideBy, type Judgement } from "../policy/decide.ts";
import type { DecisionInputs } from "../policy/decision-inputs.ts";
import type { World } from "../policy/world.ts";
import type { Country } from "../region/country.ts";
import type { PolicyList } from "../region/policy-list.ts";
import type { Policy, Rule } from "../region/policy.ts";
import { surfacesOf } from "./check-invariants.ts";
import { tenantClasses } from "./tenant-classes.ts";

export interface PolicyDifferences {
  /** Ids. */
  readonly rules: Changes;
  readonly invariants: Changes;
  /** Names: of groups of countries, and of retention classes. */
  readonly groups: Changes;
  readonly retention: Changes;
  /** Countries: those served from offshore, and those of which others count as one jurisdiction with them. */
  readonly home: Changes;
  readonly jurisdictions: Changes;
  /** By name; of those that changed, which entries. */
  readonly lists: Changes;
  readonly listEntries: readonly {
    readonly list: string;
    readonly added: readonly string[];
    readonly removed: readonly string[];
  }[];
  readonly decisions: readonly DecisionDifference[];
  /** How many were compared, and how many of them differ. */
  readonly compared: number;
  readonly different: number;
}

export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** For one kind of tenant and one model. */
export interface DecisionDifference {
  readonly inputs: DecisionInputs;
  /** The kind of refusal, or the model that answers. */
  readonly before: string;
  readonly after: string;
  readonly lost: readonly string[];
  readonly gained: readonly string[];
}

const mostListed = 200;

/** Two policies over one catalogue each, compared by what is written in them and by what they decide at an instant. */
export function diffPolicies(before: World, after: World, atMs: number): PolicyDifferences {
  const decisions: DecisionDifference[] = [];
  let compared = 0;
  let different = 0;
  const [old, young] = [before, after].map(({ policy, catalogue }) => new CompiledPolicy(undated(policy), catalogue, atMs));
  const both = new CompiledPolicy(merged(before.policy, after.policy), after.catalogue, atMs);
  if (old === undefined || young === undefined) throw new TypeError("two policies are compared");
  for (const model of after.catalogue.models.values()) {
    for (const { tenant, request } of tenantClasses(both, model)) {
      for (const surface of surfacesOf(model, after.catalogue)) {
        const inputs: DecisionInputs = { atMs, model: model.id, surface, request, tenant };
        compared += 1;
        const difference = compare(decideBy(inputs, old), decideBy(inputs, young));
        if (difference === undefined) continue;
        different += 1;
        if (decisions.length < mostListed) decisions.push(difference);
      }
    }
  }
  const byId = (items: readonly { readonly id: string }[]) => new Map(items.map((item) => [item.id, item] as const));
  const countries = (set: ReadonlySet<Country>) => new Map([...set].map((country) => [country, country] as const));
  const lists = changes(before.policy.lists, after.policy.lists);
  return {
    rules: changes(byId(before.policy.rules), byId(after.policy.rules)),
    invariants: changes(byId(before.policy.invariants), byId(after.policy.invariants)),
    groups: changes(before.policy.groups, after.policy.groups),
    retention: changes(before.policy.retention, after.policy.retention),
    home: changes(countries(before.policy.home), countries(after.policy.home)),
    jurisdictions: changes(before.policy.jurisdictions, after.policy.jurisdictions),
    lists,
    listEntries: lists.changed.map((list) => ({
      list,
      ...entryChanges(before.policy.lists.get(list), after.policy.lists.get(list)),
    })),
    decisions,
    compared,
    different,
  };
}

/** When they are to hold says nothing of what they decide. */
function undated(policy: Policy): Policy {
  return { ...policy, effectiveFromMs: undefined, effectiveToMs: undefined };
}

/** Decides nothing: tells apart whatever either of the two tells apart. */
function merged(before: Policy, after: Policy): Policy {
  const renamed = before.rules.map((rule): Rule => ({ ...rule, lists: rule.lists.map((list) => `before/${list}`) }));
  const lists = new Map([...after.lists, ...[...before.lists].map(([name, list]) => [`before/${name}`, list] as const)]);
  return { ...undated(after), rules: [...renamed, ...after.rules], lists };
}

function compare(before: Judgement, after: Judgement): DecisionDifference | undefined {
  const [was, is] = [summaryOf(before), summaryOf(after)];
  const lost = was.deployments.filter((id) => !is.deployments.includes(id));
  const gained = is.deployments.filter((id) => !was.deployments.includes(id));
  if (was.result === is.result && lost.length + gained.length === 0) return undefined;
  return { inputs: after.inputs, before: was.result, after: is.result, lost, gained };
}

function summaryOf({ outcome }: Judgement): { readonly result: string; readonly deployments: readonly string[] } {
  if (!outcome.ok) return { result: outcome.refusal.kind, deployments: [] };
  return { result: outcome.grant.model.id, deployments: outcome.grant.deployments.map(({ id }) => id) };
}

function changes(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): Changes {
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed: [...after.keys()].filter((name) => before.has(name) && written(before.get(name)) !== written(after.get(name))),
  };
}

function entryChanges(before: PolicyList | undefined, after: PolicyList | undefined): { added: string[]; removed: string[] } {
  const [was, is] = [new Set(entriesOf(before)), new Set(entriesOf(after))];
  return { added: [...is].filter((entry) => !was.has(entry)), removed: [...was].filter((entry) => !is.has(entry)) };
}

function entriesOf(list: PolicyList | undefined): readonly string[] {
  if (list === undefined) return [];
  if (list.kind === "countries") return [...list.countries];
  return list.parties.map(({ name, identifiers }) => [name, ...identifiers].join(" "));
}

/** Sets in an order of their own, so that two of the same elements are written the same. */
function written(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (part instanceof Set ? [...part].map(String).sort() : part));
}
