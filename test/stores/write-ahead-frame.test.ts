import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameOf, readFrames } from "../../src/runtime/node/write-ahead-frame.ts";

const payloads = ["first", "", "third, with umlauts: äöü and \u{1f600}", "x".repeat(300), "last"];
const frames = payloads.map(frameOf);
const file = Buffer.concat(frames);
const ends = frames.map((_, place) => frames.slice(0, place + 1).reduce((sum, frame) => sum + frame.length, 0));

describe("frames of the write-ahead file", () => {
  it("are read as they were written", () => {
    expect(readFrames(file)).toEqual({ payloads, tornBytes: 0, damagedBytes: 0 });
    expect(readFrames(Buffer.alloc(0))).toEqual({ payloads: [], tornBytes: 0, damagedBytes: 0 });
  });

  it("survive a file that was torn at any byte, up to the last whole one", () => {
    for (let length = 0; length <= file.length; length++) {
      const whole = ends.filter((end) => end <= length).length;
      const tornBytes = length - (ends[whole - 1] ?? 0);
      expect(readFrames(file.subarray(0, length))).toEqual({ payloads: payloads.slice(0, whole), tornBytes, damagedBytes: 0 });
    }
  });

  it("survive an end that the machine left as zeros, from any byte on", () => {
    const whole = (length: number): number => ends.filter((end) => end <= length).length;
    for (let length = 0; length < file.length; length++) {
      const zeroed = Buffer.concat([file.subarray(0, length), Buffer.alloc(file.length - length)]);
      expect(readFrames(zeroed).payloads).toEqual(payloads.slice(0, whole(length)));
    }
  });

  it("are told apart from damage at any byte, which costs the frame that it hit and no other", () => {
    for (let place = 0; place < file.length; place++) {
      const damaged = Buffer.from(file);
      damaged.writeUInt8(damaged.readUInt8(place) ^ 0x10, place);
      const hit = ends.findIndex((end) => place < end);
      const read = readFrames(damaged);
      expect(read.payloads).toEqual(payloads.filter((_, index) => index !== hit));
      const bytes = frames[hit]?.length ?? 0;
      const isLast = hit === frames.length - 1;
      expect(read).toMatchObject({ damagedBytes: isLast ? 0 : bytes, tornBytes: isLast ? bytes : 0 });
    }
  });

  it("never yield what was not written, whatever the file holds", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.string().map(frameOf))), (parts) => {
        const { payloads: read, tornBytes, damagedBytes } = readFrames(Buffer.concat(parts));
        const bytes = read.reduce((sum, payload) => sum + frameOf(payload).length, 0);
        expect(bytes + tornBytes + damagedBytes).toBe(parts.reduce((sum, part) => sum + part.length, 0));
      }),
    );
  });

  it("are not found inside a payload that looks like one", () => {
    const hostile = frameOf("forged").toString("latin1");
    const outer = frameOf(hostile);
    expect(readFrames(outer).payloads).toEqual([hostile]);
    outer.writeUInt8(0, 8);
    outer.writeUInt8(0, 9);
    expect(readFrames(outer).payloads).toEqual([]);
  });
});
