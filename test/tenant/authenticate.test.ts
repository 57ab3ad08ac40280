import { describe, expect, test } from "vitest";
import type { Decision } from "../../src/decision.ts";
import { refuse, allow } from "../../src/decision.ts";
import { authenticate, checkScope, credentialsOf, type Caller } from "../../src/tenant/authenticate.ts";
import type { VerificationState } from "../../src/tenant/tenant.ts";
import { entryOf, keyOf, mint, nowMs, ports, tenant, type TestPorts } from "./fixtures.ts";

const minted = mint();

function inbound(headers: Readonly<Record<string, string>>): { header(name: string): string | undefined } {
  return { header: (name) => headers[name] };
}

function ask(key: string, at: TestPorts): Decision<Caller> {
  const caller = authenticate(allow(key), at);
  if (caller instanceof Promise) throw new Error("answered later");
  return caller;
}

function kindOf(decision: Decision<unknown>): string {
  return decision.ok ? "allowed" : decision.refusal.kind;
}

describe("credentials", () => {
  test.each([
    ["Bearer", { authorization: "Bearer k1" }],
    ["bearer in any case, with any blanks", { authorization: "bEARER   k1 " }],
    ["Azure's header", { "api-key": "k1" }],
    ["Anthropic's header", { "x-api-key": " k1 " }],
    ["the same key twice", { authorization: "Bearer k1", "api-key": "k1", "x-api-key": "k1" }],
    ["a key beside another scheme", { authorization: "Basic abc", "x-api-key": "k1" }],
    ["a key beside an empty header", { authorization: "Bearer ", "api-key": "", "x-api-key": "k1" }],
  ])("are taken from %s", (_what, headers) => {
    expect(credentialsOf(inbound(headers))).toEqual(allow("k1"));
  });

  test.each([
    {},
    { authorization: "" },
    { authorization: "Bearer" },
    { authorization: "Bearer  " },
    { authorization: "Basic abc" },
    { authorization: "k1" },
    { "api-key": " " },
  ])("are missing in %j", (headers) => {
    expect(credentialsOf(inbound(headers))).toEqual(refuse({ kind: "missing_key" }));
  });

  test("are refused where two keys differ, whichever is right", () => {
    for (const headers of [
      { authorization: "Bearer k1", "x-api-key": "k2" },
      { "api-key": "k1", "x-api-key": "k2" },
      { authorization: "Bearer k1", "api-key": "k2" },
    ]) {
      expect(credentialsOf(inbound(headers))).toEqual(refuse({ kind: "invalid_key" }));
    }
  });

  test("that were refused are passed on as they were", () => {
    expect(authenticate(refuse({ kind: "missing_key" }), ports([]))).toEqual(refuse({ kind: "missing_key" }));
  });
});

describe("a key", () => {
  test("that is right says who asks, at once, and its use is remembered", () => {
    const key = keyOf(minted, { name: "ci", models: ["m"], surfaces: ["embeddings"] });
    const entry = entryOf(tenant(), keyOf(mint()), key);
    const at = ports([entry]);
    expect(ask(minted.key, at)).toEqual(
      allow({
        entry,
        tenant: entry.tenant,
        keyId: minted.id,
        keyName: "ci",
        scopes: { models: ["m"], surfaces: ["embeddings"] },
      }),
    );
    expect(at.touched).toEqual([`acme ${minted.id} ${nowMs}`]);
  });

  test("is read in the same way where the directory answers later", async () => {
    const at = ports([entryOf(tenant(), keyOf(minted))], true);
    const answer = authenticate(allow(minted.key), at);
    expect(answer).toBeInstanceOf(Promise);
    expect((await answer).ok).toBe(true);
    expect(await authenticate(allow(mint("nobody").key), at)).toEqual(refuse({ kind: "invalid_key" }));
  });

  test("of an unknown tenant, an unknown id and a wrong secret are refused alike, after the same work", () => {
    const other = mint();
    const wrongSecret = `${minted.key.slice(0, -43)}${other.key.slice(-43)}`;
    const answers = [mint("nobody").key, other.key, wrongSecret].map((key) => {
      const at = ports([entryOf(tenant(), keyOf(minted))]);
      const answer = ask(key, at);
      return { answer, digested: at.digested.length, found: at.found.length, touched: at.touched };
    });
    for (const each of answers)
      expect(each).toEqual({ answer: refuse({ kind: "invalid_key" }), digested: 1, found: 1, touched: [] });
  });

  test("whose secret differs in any one letter is refused", () => {
    const at = ports([entryOf(tenant(), keyOf(minted))]);
    for (let index = minted.key.length - 43; index < minted.key.length; index++) {
      const letter = minted.key[index] === "A" ? "B" : "A";
      expect(kindOf(ask(minted.key.slice(0, index) + letter + minted.key.slice(index + 1), at))).toBe("invalid_key");
    }
  });

  test("of another tenant does not open this one, even where a directory answers with the wrong entry", () => {
    const foreign = mint("other_tenant");
    const at = ports([]);
    const confused = { ...at, directory: { ...at.directory, find: () => entryOf(tenant(), keyOf(foreign)) } };
    expect(kindOf(ask(foreign.key, confused))).toBe("invalid_key");
  });

  test("that is nothing like one is refused without a look-up", () => {
    const at = ports([]);
    for (const text of ["x", "sk-proj-1234", "a.b", `${minted.key}x`, "k, k"]) expect(kindOf(ask(text, at))).toBe("invalid_key");
    expect([at.found, at.digested]).toEqual([[], []]);
  });

  test("that was revoked is refused from then on, even if the date lies ahead", () => {
    for (const revokedAt of ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "rubbish"]) {
      const at = ports([entryOf(tenant(), keyOf(minted, { revokedAt, expiresAt: "2026-01-01T00:00:00Z" }))]);
      expect(kindOf(ask(minted.key, at))).toBe("revoked_key");
      expect(at.touched).toEqual([]);
    }
  });

  test.each([
    ["2026-11-20T09:59:59.999Z", "expired_key"],
    ["2026-11-20T10:00:00Z", "expired_key"],
    ["2026-11-20T10:00:00.001Z", "allowed"],
    ["2026-11-20T11:00:00+02:00", "expired_key"],
    ["rubbish", "expired_key"],
    ["", "expired_key"],
  ])("that expires at %j is %s", (expiresAt, outcome) => {
    expect(kindOf(ask(minted.key, ports([entryOf(tenant(), keyOf(minted, { expiresAt }))])))).toBe(outcome);
  });

  test("tells nothing of its state or its tenant's to somebody without the secret", () => {
    const suspended = tenant({ verification: { state: "suspended", since: "2026-01-01T00:00:00Z", evidence: undefined } });
    const at = ports([entryOf(suspended, keyOf(minted, { revokedAt: "2026-01-01T00:00:00Z" }))]);
    const guess = `${minted.key.slice(0, -43)}${"A".repeat(43)}`;
    expect(kindOf(ask(guess, at))).toBe("invalid_key");
  });

  test("is of use only to a tenant that is verified", () => {
    const states: Record<VerificationState, string> = {
      applied: "tenant_not_verified",
      under_review: "tenant_not_verified",
      verified: "allowed",
      suspended: "tenant_not_verified",
      closed: "tenant_not_verified",
    };
    for (const [state, outcome] of Object.entries(states)) {
      const at = ports([
        entryOf(
          tenant({ verification: { state: state as VerificationState, since: "2026-01-01T00:00:00Z", evidence: undefined } }),
          keyOf(minted),
        ),
      ]);
      expect(kindOf(ask(minted.key, at))).toBe(outcome);
      expect(at.touched).toHaveLength(outcome === "allowed" ? 1 : 0);
    }
  });

  test("lets nobody in where the directory fails", () => {
    const at = ports([]);
    const broken = {
      ...at,
      directory: {
        ...at.directory,
        find: () => {
          throw new Error("unreachable");
        },
      },
    };
    expect(() => authenticate(allow(minted.key), broken)).toThrow("unreachable");
  });
});

describe("scopes", () => {
  const caller = (scopes: Caller["scopes"]): Caller => {
    const entry = entryOf(tenant());
    return { entry, tenant: entry.tenant, keyId: "k", keyName: "k", scopes };
  };

  test("that are not set allow everything, and an empty one nothing", () => {
    expect(checkScope(caller({ models: undefined, surfaces: undefined }), "m", "embeddings").ok).toBe(true);
    expect(kindOf(checkScope(caller({ models: [], surfaces: undefined }), "m", "embeddings"))).toBe("key_scope");
    expect(kindOf(checkScope(caller({ models: undefined, surfaces: [] }), "m", "embeddings"))).toBe("key_scope");
  });

  test("allow what they name and no more", () => {
    const scoped = caller({ models: ["m"], surfaces: ["messages"] });
    expect(checkScope(scoped, "m", "messages").ok).toBe(true);
    expect(kindOf(checkScope(scoped, "m2", "messages"))).toBe("key_scope");
    expect(kindOf(checkScope(scoped, "m", "count_tokens"))).toBe("key_scope");
  });
});
