import { describe, expect, it } from "vitest";
import { describeAddress, readValkeyAddress } from "../../src/runtime/node/valkey-address.ts";

const plain = { cluster: false, username: undefined, password: undefined, database: 0, tls: false };
const local = { host: "localhost", port: 6379 };

describe("the address of Valkey", () => {
  it.each([
    ["redis://localhost", { ...plain, nodes: [local] }],
    ["valkey://localhost:7000/3", { ...plain, nodes: [{ host: "localhost", port: 7_000 }], database: 3 }],
    ["rediss://:p%40ss@localhost", { ...plain, nodes: [local], password: "p@ss", tls: true }],
    [
      "valkeys://strait:secret@[::1]:6380",
      { ...plain, nodes: [{ host: "::1", port: 6_380 }], username: "strait", password: "secret", tls: true },
    ],
    ["redis://localhost?cluster", { ...plain, nodes: [local], cluster: true }],
    [
      "redis://:secret@a:1, b:2,redis://c:3",
      {
        ...plain,
        nodes: [
          { host: "a", port: 1 },
          { host: "b", port: 2 },
          { host: "c", port: 3 },
        ],
        password: "secret",
        cluster: true,
      },
    ],
  ])("is read: %s", (text, address) => {
    expect(readValkeyAddress(text)).toEqual(address);
  });

  it.each([
    "http://:secret@localhost",
    "localhost:6379",
    "",
    "redis://:secret@",
    "redis://:secret@a/x",
    "redis://:secret@a,rediss://b",
    "redis://:secret@a/1,b",
  ])("that cannot be read is refused without what may be a password: %s", (text) => {
    expect(() => readValkeyAddress(text)).toThrow(Error);
    expect(() => readValkeyAddress(text)).not.toThrow(/secret/);
  });

  it("is told without the password", () => {
    expect(describeAddress(readValkeyAddress("redis://strait:secret@a:1,[::1]:2"))).toBe("a:1, [::1]:2");
  });
});
