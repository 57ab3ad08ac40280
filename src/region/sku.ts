import type { EvidenceGrade, Wire } from "./catalogue.ts";

/**
 * How far a SKU lets the provider move the work:
 * `geography`, the region's geography, which may hold several countries; `zone`, a zone to which the provider may add
 * regions unasked; `anywhere`, any region on earth; `pinned`, a place that the answer itself attests.
 */
export type SkuReach = "geography" | "zone" | "anywhere" | "pinned";

export interface Sku {
  readonly reach: SkuReach;
  readonly wires: readonly Wire[];
}

export type SkuName =
  | "Standard"
  | "ProvisionedManaged"
  | "DataZoneStandard"
  | "DataZoneProvisionedManaged"
  | "DataZoneBatch"
  | "GlobalStandard"
  | "GlobalProvisionedManaged"
  | "GlobalBatch"
  | "DeveloperTier"
  | "DataResidency"
  | "InferenceGeo"
  | "Global"
  | "Dedicated";

/** A SKU that stands not here is refused when the files are read: its reach would be a guess. */
export const skus: Readonly<Record<SkuName, Sku>> = {
  Standard: { reach: "geography", wires: ["azure"] },
  ProvisionedManaged: { reach: "geography", wires: ["azure"] },
  DataZoneStandard: { reach: "zone", wires: ["azure"] },
  DataZoneProvisionedManaged: { reach: "zone", wires: ["azure"] },
  DataZoneBatch: { reach: "zone", wires: ["azure"] },
  GlobalStandard: { reach: "anywhere", wires: ["azure"] },
  GlobalProvisionedManaged: { reach: "anywhere", wires: ["azure"] },
  GlobalBatch: { reach: "anywhere", wires: ["azure"] },
  DeveloperTier: { reach: "anywhere", wires: ["azure"] },
  /** A maker's own API under a residency contract, such as OpenAI's EU host. */
  DataResidency: { reach: "zone", wires: ["openai"] },
  /** Anthropic's API, with the workspace pinned by `inference_geo`. */
  InferenceGeo: { reach: "pinned", wires: ["anthropic"] },
  /** A maker's own API without any promise of place. */
  Global: { reach: "anywhere", wires: ["openai", "anthropic"] },
  /** Machines that the operator rents or owns, in the countries that it declares. */
  Dedicated: { reach: "geography", wires: ["azure", "openai", "anthropic"] },
};

export const skuNames: readonly SkuName[] = Object.keys(skus) as SkuName[];

/** The grade that follows from how far the SKU reaches. A file may repeat it, never claim another. */
export const evidenceOfReach: Readonly<Record<SkuReach, EvidenceGrade>> = {
  pinned: "attested",
  geography: "contractual-geography",
  zone: "contractual-zone",
  anywhere: "none",
};
