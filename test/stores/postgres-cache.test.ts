import { beforeEach, describe, expect, it } from "vitest";
import { PostgresDirectory } from "../../src/runtime/node/postgres-directory.ts";
import type { Found } from "../../src/runtime/node/postgres-lookups.ts";
import type { DirectoryEntry } from "../../src/tenant/tenant.ts";
import { directoryEntry } from "./samples.ts";

interface Question {
  readonly known: string | undefined;
  /** The question leaves; what is committed from here on may be missing from its answer. */
  send(): void;
  answer(version: number | undefined): Promise<void>;
}

function stored(version: number): Found {
  return { version: `v${version}`, entry: directoryEntry("acme", version) };
}

/** What is remembered of tenants, with every message and answer in an order that a real server would rarely choose. */
describe("tenants of PostgreSQL in memory", () => {
  let questions: Question[];
  let listener: { epoch: number; heard: boolean };
  let directory: PostgresDirectory;
  beforeEach(() => {
    questions = [];
    listener = { epoch: 1, heard: true };
    const none = (): Promise<never> => Promise.reject(new Error("not asked for here"));
    directory = new PostgresDirectory(
      {
        pool: { repeatable: none, once: none },
        lookups: {
          ask: (_tenantId, known, sent) =>
            new Promise((resolve) => {
              const answer = async (version: number | undefined): Promise<void> => {
                resolve(version === undefined ? undefined : known?.version === `v${version}` ? known : stored(version));
                await new Promise((settled) => setImmediate(settled));
              };
              questions.push({ known: known?.version, send: sent, answer });
            }),
        },
        listener: {
          get epoch() {
            return listener.epoch;
          },
          trusted: () => listener.heard,
        },
        keyUse: { touch: () => undefined, lastUsed: none },
      },
      10,
    );
  });

  const question = (place: number): Question => {
    const asked = questions[place];
    if (asked === undefined) throw new Error(`question ${place} was not asked`);
    return asked;
  };
  const find = (): Promise<DirectoryEntry | undefined> => Promise.resolve(directory.find("acme"));
  const answerNow = async (version: number): Promise<void> => {
    const place = questions.length;
    void find();
    question(place).send();
    await question(place).answer(version);
  };

  it("asks once for all that ask while the question is on its way", async () => {
    const found = [find(), find()];
    question(0).send();
    found.push(find());
    await question(0).answer(1);
    const [one, two, three] = await Promise.all(found);
    expect(questions).toHaveLength(1);
    expect([two, three]).toEqual([one, one]);
    expect(directory.find("acme")).toBe(one);
  });

  it("does not keep an answer that a message overtook", async () => {
    const found = find();
    question(0).send();
    directory.hear("v2 acme");
    await question(0).answer(1);
    expect((await found)?.revision).toBe(1);
    const again = find();
    expect(question(1).known).toBe("v1");
    question(1).send();
    await question(1).answer(2);
    expect((await again)?.revision).toBe(2);
  });

  it("keeps an answer that has what the message was about", async () => {
    const found = find();
    question(0).send();
    directory.hear("v2 acme");
    await question(0).answer(2);
    expect(directory.find("acme")).toBe(await found);
  });

  it("does not let who asks after a message join a question from before it", async () => {
    void find();
    question(0).send();
    directory.hear("v2 acme");
    const later = find();
    question(1).send();
    await question(0).answer(1);
    await question(1).answer(2);
    expect((await later)?.revision).toBe(2);
    expect((await find())?.revision).toBe(2);
  });

  it("lets an earlier question that is answered later change nothing", async () => {
    void find();
    question(0).send();
    directory.hear("v2 acme");
    const later = find();
    question(1).send();
    await question(1).answer(2);
    await question(0).answer(1);
    expect(directory.find("acme")).toBe(await later);
  });

  it("trusts no answer of an earlier question while the latest is out, for messages go to that one", async () => {
    void find();
    question(0).send();
    directory.hear("v2 acme");
    void find();
    question(1).send();
    directory.hear("v3 acme");
    await question(0).answer(2);
    expect(directory.find("acme")).toBeInstanceOf(Promise);
  });

  it("asks every time, and for each who asks, while nothing is heard", async () => {
    await answerNow(1);
    const [first] = [await find()];
    listener.heard = false;
    void find();
    question(1).send();
    void find();
    expect(questions).toHaveLength(3);
    expect(question(2).known).toBe("v1");
    question(2).send();
    await question(2).answer(1);
    await question(1).answer(1);
    listener.heard = true;
    expect(directory.find("acme")).toBe(first);
  });

  it("asks again after each new connection, about what was read before it", async () => {
    await answerNow(1);
    const first = await find();
    listener.epoch++;
    const again = find();
    question(1).send();
    listener.epoch++;
    await question(1).answer(1);
    expect(await again).toBe(first);
    expect(directory.find("acme")).toBeInstanceOf(Promise);
  });

  it("forgets a tenant that is gone", async () => {
    await answerNow(1);
    directory.hear("v2 acme");
    const gone = find();
    question(1).send();
    await question(1).answer(undefined);
    expect(await gone).toBeUndefined();
    void find();
    expect(question(2).known).toBeUndefined();
  });

  it("hears of other tenants without forgetting this one", async () => {
    await answerNow(1);
    directory.hear("v2 other");
    directory.hear("v1 acme");
    directory.hear("");
    expect(directory.find("acme")).not.toBeInstanceOf(Promise);
  });
});
