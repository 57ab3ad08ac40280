/** Countries in which no tenant and no deployment of the bench lies. */
const far = ["KP", "IR", "SY", "CU", "BY", "VE", "ZW", "SD", "SS", "SO", "LY", "YE", "AF", "MM", "NI", "ER", "CF", "CD", "HT"];

/** `text`, a policy, with rules to the number of `count` that look at every request and refuse none of the bench's, of the kinds that cost most. */
export function withManyRules(text: string, count: number): string {
  const shipped = text.match(/^\[\[rules\]\]$/gm)?.length ?? 0;
  const more = Array.from(
    { length: count - shipped },
    (_, index) => `\n[[rules]]\nid = "bench-${index}"\n${ruleNumber(index)}\nbecause = "Because."\n`,
  );
  return `${text}${listedParties}${more.join("")}`;
}

const listedParties = `
[lists.bench]
kind = "parties"
source = "the bench"
as_of = 2026-11-01T00:00:00Z
greatest_age_days = 365
parties = [${Array.from({ length: 200 }, (_, index) => `{ name = "Listed Party ${index}" }`).join(", ")}]
`;

function ruleNumber(index: number): string {
  const countries = JSON.stringify([far[index % far.length], far[(index * 7 + 3) % far.length]]);
  const share = [`share_at_least_percent = 50`, `share_more_than_percent = 50`, `share_at_least_percent = 25`][index % 3] ?? "";
  switch (index % 6) {
    case 0:
      return `kind = "ownership"\nowners_in = ${countries}\n${share}\nfacts_no_older_than_days = 365`;
    case 1:
      return `kind = "weights_location"\nnever_in = ${countries}`;
    case 2:
      return `kind = "end_use"\ndenied = ["torture ${index}", "mass surveillance ${index}"]`;
    case 3:
      return `kind = "tenant_countries"\ndeny = ${countries}`;
    case 4:
      return `kind = "tier"\ntiers = ["frontier", "standard"]\ntenants_in = ${countries}`;
    default:
      return `kind = "ownership"\nowners_in = ${countries}\nowners_on = ["bench"]\n${share}`;
  }
}
