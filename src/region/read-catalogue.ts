import type { Sha256 } from "../clock.ts";
import { buildCatalogue } from "./build-catalogue.ts";
import { buildPolicy } from "./build-policy.ts";
import type { Catalogue } from "./catalogue.ts";
import { checkModels } from "./check-models.ts";
import { checkInvariants, checkLists, checkPolicyHead, checkRetention, checkRules } from "./check-policy.ts";
import { checkAcrossRegions, checkRegion } from "./check-region.ts";
import { checkShape, readDocument, type Document } from "./document.ts";
import { modelsFile } from "./models-file.ts";
import { bundleDigest, hexDigest, makeBundle, type BundleFile, type EffectiveDates } from "./policy-bundle.ts";
import { policyFile } from "./policy-file.ts";
import type { Policy } from "./policy.ts";
import { inOrder, type Problem } from "./problem.ts";
import { regionFile } from "./region-file.ts";

export interface CatalogueFile {
  /** As problems shall name it: `regions/japaneast.toml`. */
  readonly path: string;
  readonly text: string;
}

export type CatalogueRead =
  | { readonly ok: true; readonly catalogue: Catalogue; readonly policy: Policy }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads the files of a regions folder: `models.toml`, `policy.toml`, and every other `*.toml` as a region. Either all of
 * them hold, or everything that is wrong with any of them is told at once. Files that are not TOML are left aside.
 * `dates` say when the policy holds, where it comes from a bundle.
 */
export function readCatalogue(files: readonly CatalogueFile[], sha256: Sha256, dates: EffectiveDates = {}): CatalogueRead {
  const problems: Problem[] = [];
  const sorted = files.filter((file) => file.path.endsWith(".toml")).sort((a, b) => (baseName(a) < baseName(b) ? -1 : 1));
  const folder = sorted[0]?.path.replace(/[^/]*$/, "") ?? "regions/";
  const documents = sorted.map((file) => readDocument(file.path, file.text, problems));
  checkNames(documents, problems);
  const policy = required("policy.toml", documents, folder, problems);
  const models = required("models.toml", documents, folder, problems);
  const regions = documents.filter((document) => document !== policy && document !== models);
  if (regions.length === 0)
    problems.push({ file: folder, line: 1, message: "There is no region: add a file for each, such as japaneast.toml." });

  checkShape(policy, policyFile);
  checkShape(models, modelsFile);
  for (const document of regions) checkShape(document, regionFile);
  const knownPolicy = checkPolicyHead(policy);
  const { groups, home } = knownPolicy;
  checkLists(policy, sha256);
  const known = models.parsed ? checkModels(models, groups) : undefined;
  checkRules(policy, knownPolicy, known);
  checkInvariants(policy, knownPolicy, known);
  checkRetention(policy, known);
  const heads = regions.map((document) => ({ document, region: checkRegion(document, groups, known) }));
  checkAcrossRegions(heads, home);
  if (problems.length > 0) return { ok: false, problems: inOrder(problems) };

  const entry = policyFile.parse(policy.content);
  const bundle = makeBundle(entry.version, bundleFiles(sorted), dates);
  const built = buildPolicy(entry, bundleDigest(bundle, sha256), dates, sha256);
  const entries = regions.map((document) => regionFile.parse(document.content));
  const digest = catalogueDigest(sorted, entry.groups ?? {}, sha256);
  return { ok: true, catalogue: buildCatalogue(modelsFile.parse(models.content), entries, built.groups, digest), policy: built };
}

/** Those of a regions folder's files that are the policy; the others are the catalogue. */
export function bundleFiles(files: readonly CatalogueFile[]): BundleFile[] {
  return files.filter(isPolicyFile).map((file) => ({ name: baseName(file), text: file.text }));
}

export function isPolicyFile(file: CatalogueFile): boolean {
  return baseName(file) === "policy.toml";
}

function baseName(file: { readonly path: string }): string {
  return file.path.slice(file.path.lastIndexOf("/") + 1);
}

/** Two files of one name, from two folders, would be one region twice. */
function checkNames(documents: readonly Document[], problems: Problem[]): void {
  const seen = new Set<string>();
  for (const { file } of documents) {
    const name = baseName({ path: file });
    if (seen.has(name)) problems.push({ file, line: 1, message: `There are two files called ${name}.` });
    seen.add(name);
  }
}

/** A file that must be there; where it is not, one problem says so and no other follows from it. */
function required(name: string, documents: readonly Document[], folder: string, problems: Problem[]): Document {
  const document = documents.find(({ file }) => baseName({ path: file }) === name);
  if (document !== undefined) return document;
  problems.push({ file: `${folder}${name}`, line: 1, message: "This file is missing." });
  return { file: `${folder}${name}`, content: {}, parsed: false, report: () => undefined };
}

/**
 * Over names and contents, framed as JSON so that moving text from one file to the next changes it, and over the policy's
 * groups, which the files of the catalogue name. The policy has a digest of its own.
 */
function catalogueDigest(sorted: readonly CatalogueFile[], groups: object, sha256: Sha256): string {
  const files = sorted.filter((file) => !isPolicyFile(file)).map((file) => [baseName(file), file.text]);
  return hexDigest(JSON.stringify([files, groups]), sha256);
}
