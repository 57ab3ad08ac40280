import { expect, test } from "vitest";
import { nearNames, suggest } from "../../src/control/near.ts";

const models = ["gpt-5", "gpt-5-mini", "gpt-4.1", "claude-opus-4", "claude-sonnet-4"];

test("the nearest name comes first, and a far one not at all", () => {
  expect(nearNames("gpt4.1", models)[0]).toBe("gpt-4.1");
  expect(nearNames("claude-sonet-4", models)).toEqual(["claude-sonnet-4"]);
  expect(nearNames("GPT-5-MINI", models)[0]).toBe("gpt-5-mini");
  expect(nearNames("gpt-5-min", models)).toEqual(["gpt-5-mini", "gpt-5"]);
  expect(nearNames("mistral-large", models)).toEqual([]);
});

test("at most three are shown", () => {
  expect(nearNames("a", ["a1", "a2", "a3", "a4"])).toEqual(["a1", "a2", "a3"]);
});

test("where none is near, all are shown if they are few, and none if they are many", () => {
  expect(suggest("mistral", models)).toBe("Known: claude-opus-4, claude-sonnet-4, gpt-4.1, gpt-5, gpt-5-mini.");
  expect(
    suggest(
      "mistral",
      Array.from({ length: 13 }, (_, index) => `model-${index}-of-many`),
    ),
  ).toBe("");
  expect(suggest("mistral", [])).toBe("None is known.");
});

test("an absurdly long name costs next to nothing and is near to nothing", () => {
  expect(nearNames("x".repeat(200_000), models)).toEqual([]);
});
