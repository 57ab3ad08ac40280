import type { GatewayUnderTest } from "./gateway-under-test.ts";

export interface TestTenant {
  readonly id: string;
  readonly key: string;
  readonly keyId: string;
}

export interface TenantOptions {
  /** Of registration, headquarters and parent. */
  readonly country?: string;
  readonly tiers?: readonly string[];
  readonly allowCountries?: readonly string[];
  readonly limits?: readonly LimitInput[];
}

export interface LimitInput {
  readonly name: string;
  readonly unit: "requests" | "tokens" | "micro_usd" | "concurrent";
  readonly window: "minute" | "day" | "month" | "open";
  readonly ceiling: number;
  readonly burst?: number;
  readonly slices?: boolean;
  readonly onOutage?: "allow-local";
}

interface IssuedKey {
  readonly id: string;
  readonly key: string;
}

export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly tenantId: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What an operator does, over the operators' API. */
export class Operator {
  readonly #url: string;
  readonly #key: string;
  #tenants = 0;

  constructor({ url, operatorKey }: Pick<GatewayUnderTest, "url" | "operatorKey">) {
    this.#url = `${url}/control/v1`;
    this.#key = operatorKey;
  }

  /** A verified tenant of which everything is known that a rule may ask for, with one key, and limits that get in nobody's way unless others are given. */
  async addTenant({
    country = "SG",
    tiers = ["frontier", "standard"],
    allowCountries,
    limits = [],
  }: TenantOptions = {}): Promise<TestTenant> {
    this.#tenants += 1;
    const id = `tenant_${Date.now().toString(36)}_${this.#tenants}`;
    const asOf = new Date().toISOString();
    const facts = {
      registeredCountry: country,
      headquartersCountry: country,
      ultimateParentCountry: country,
      endUse: "testing",
      audience: "internal",
    };
    await this.ask("POST", "/tenants", {
      id,
      name: `Test ${id}`,
      facts,
      tiers,
      limits,
      evidence: { reference: "test", asOf },
      ...(allowCountries === undefined ? {} : { allowCountries }),
    });
    await this.ask("PUT", `/tenants/${id}/ownership`, {
      ownership: {
        owners: [{ id: "founders", name: `Founders of ${id}`, kind: "person", country }],
        holdings: [{ owner: "founders", of: "tenant", basisPoints: 10_000, evidence: "test", asOf }],
      },
    });
    await this.verification(id, "verified");
    const { key, id: keyId } = await this.issueKey(id);
    return { id, key, keyId };
  }

  issueKey(tenantId: string, input: Readonly<Record<string, unknown>> = {}): Promise<IssuedKey> {
    return this.ask("POST", `/tenants/${tenantId}/keys`, { name: "test", ...input });
  }

  async revokeKey({ id, keyId }: Pick<TestTenant, "id" | "keyId">): Promise<void> {
    await this.ask("DELETE", `/tenants/${id}/keys/${keyId}`);
  }

  async verification(tenantId: string, state: string): Promise<void> {
    await this.ask("POST", `/tenants/${tenantId}/verification`, {
      state,
      evidence: "test",
      reason: "test",
      by: "test",
    });
  }

  async setLimits(tenantId: string, limits: readonly LimitInput[]): Promise<void> {
    await this.ask("PUT", `/tenants/${tenantId}/limits`, { limits });
  }

  async use(tenantId: string): Promise<readonly { readonly name: string; readonly remaining: number }[]> {
    return (await this.ask<{ use: { name: string; remaining: number }[] }>("GET", `/tenants/${tenantId}/limits/use`)).use;
  }

  async audit(tenantId: string): Promise<readonly AuditEntry[]> {
    return (await this.ask<{ audit: AuditEntry[] }>("GET", `/tenants/${tenantId}/audit`)).audit;
  }

  /** Throws where the answer is a refusal. */
  async ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    return JSON.parse(await this.text(method, path, body)) as Answer;
  }

  async text(method: string, path: string, body?: unknown): Promise<string> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
    return text;
  }
}
