import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { endUserHash, endUserPattern } from "../../src/tenant/end-user.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";

const sha256 = (text: string): Uint8Array => createHash("sha256").update(text).digest();
const tenant = (id: string, endUserSecret?: string): Tenant =>
  ({ id, ...(endUserSecret === undefined ? {} : { endUserSecret }) }) as Tenant;
const hash = (of: Tenant, endUser: string): string => endUserHash(of, endUser, sha256);

it("an end user is one hash in one tenant, another in every other, and never its own name", () => {
  const acme = tenant("acme", "s1");
  expect(hash(acme, "anna@example.com")).toMatch(endUserPattern);
  expect(hash(acme, "anna@example.com")).toBe(hash(acme, "anna@example.com"));
  const all = [
    hash(acme, "anna@example.com"),
    hash(acme, "ben@example.com"),
    hash(tenant("other", "s1"), "anna@example.com"),
    hash(tenant("acme", "s2"), "anna@example.com"),
    hash(tenant("acme"), "anna@example.com"),
  ];
  expect(new Set(all).size).toBe(all.length);
});
