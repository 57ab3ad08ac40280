import type { PriceDocument, RatesDocument } from "../../../control/price-documents.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";
import { showMicroUsd } from "./values.ts";

export const priceCommand: Command = {
  path: ["prices", "list"],
  summary: "show what each deployment costs, in US dollars for a million tokens",
  arguments: [],
  options: [
    { name: "model", value: "MODEL", help: "only this model's" },
    { name: "at", value: "TIME", help: "the prices in force then, RFC 3339; now without" },
  ],
  notes: "Prices are written in regions/models.toml, and a deployment's own in its region's file. --json shows every rate.",
  async run(input, session) {
    const query = new URLSearchParams();
    for (const name of ["model", "at"]) {
      const value = input.option(name);
      if (value !== undefined) query.set(name, value);
    }
    const { document } = await session
      .client()
      .send<{ prices: PriceDocument[] }>({ method: "GET", path: `/prices?${query.toString()}` });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    session.print(
      table(["DEPLOYMENT", "RATES", "INPUT", "CACHED", "CACHE WRITE", "OUTPUT", "FROM", "UNTIL"], document.prices.flatMap(rows)),
    );
  },
};

/** The plain rates first, then those that a tier of service or a long prompt brings. */
function rows(price: PriceDocument): (string | null)[][] {
  const tiers: readonly (readonly [string | null, RatesDocument & { longContext: PriceDocument["longContext"] }])[] = [
    [null, price],
    ...Object.entries(price.serviceTiers),
  ];
  return tiers.flatMap(([tier, of]) => {
    const { longContext } = of;
    const long =
      longContext === null
        ? []
        : [row(price, [...(tier === null ? [] : [tier]), `over ${longContext.aboveInputTokens}`].join(", "), longContext)];
    return [row(price, tier, of), ...long];
  });
}

function row(price: PriceDocument, tier: string | null, rates: RatesDocument): (string | null)[] {
  const { input, cachedInput, cacheWrite, output } = rates;
  return [
    price.deployment,
    tier,
    ...[input, cachedInput, cacheWrite, output].map(showMicroUsd),
    price.effectiveFrom,
    price.effectiveTo,
  ];
}
