import { describe, expect, it } from "vitest";
import { files, policyText, problemsOf } from "./regions-fixture.ts";

const list = (more = ""): string =>
  `[lists.listed]\nkind = "parties"\nsource = "x"\nas_of = 2026-01-01T00:00:00Z\ngreatest_age_days = 30\nparties = [{ name = "A" }]\n${more}\n`;
const rule = (...lines: readonly string[]): string => `[[rules]]\nid = "more"\nbecause = "Because."\n${lines.join("\n")}\n`;

function problems(...parts: readonly string[]): string[] {
  return problemsOf(files(undefined, `${policyText}${parts.join("")}`));
}

describe("a rule that cannot be meant as it is written", () => {
  it.each<[string, readonly string[], RegExp]>([
    [
      "a list that is not there",
      ['kind = "ownership"', 'owners_on = ["gone"]', "share_at_least_percent = 50"],
      /no list of parties "gone"/,
    ],
    [
      "lifting what holds for everybody",
      ['kind = "exemption"', 'parties_on = ["listed"]', 'lifts = ["own"]'],
      /cannot be lifted/,
    ],
    ["lifting no rule", ['kind = "exemption"', 'parties_on = ["listed"]', 'lifts = ["gone"]'], /There is no rule "gone"/],
    ["owners on a list without a share", ['kind = "ownership"', 'owners_on = ["listed"]'], /from which share on/],
    ["degrading to nothing", ['kind = "end_use"', 'denied = ["x"]', 'decision = "degrade"'], /either to_model or without/],
    [
      "a lesser model without degrading",
      ['kind = "end_use"', 'denied = ["x"]', 'to_model = "gpt-a"'],
      /need decision = "degrade"/,
    ],
    [
      "an unknown lesser model",
      ['kind = "end_use"', 'denied = ["x"]', 'decision = "degrade"', 'to_model = "gone"'],
      /no model "gone"/,
    ],
    [
      "hosted tools that run all the same",
      ['kind = "hosted_tools"', "tools = []", 'decision = "degrade"', 'without = "log_probabilities"'],
      /run all the same/,
    ],
    [
      "a suspension that ends before it begins",
      ['kind = "end_use"', 'denied = ["x"]', "suspended = [{ from = 2026-02-01T00:00:00Z, to = 2026-01-01T00:00:00Z }]"],
      /never hold/,
    ],
    [
      "a list of countries that is one of parties",
      ['kind = "weights_location"', 'never_in = ["list:listed"]'],
      /no list of countries "listed"/,
    ],
  ])("such as %s, is told", (_, lines, message) => {
    expect(problems(list(), rule(...lines))).toEqual([expect.stringMatching(message)]);
  });

  it("and one that is meant is not", () => {
    expect(problems(list(), rule('kind = "ownership"', 'owners_on = ["listed"]', "share_at_least_percent = 50"))).toEqual([]);
  });
});

describe("a list", () => {
  it("whose entries were changed does not match its digest any more", () => {
    expect(problems(list(`digest = "${"0".repeat(64)}"`))).toEqual([expect.stringMatching(/not those that were taken/)]);
  });
});
