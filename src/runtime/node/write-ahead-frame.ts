import { crc32 } from "node:zlib";

/**
 * A frame is a mark, the payload's length and a CRC-32 of length and payload (each 4 bytes, little-endian), then the
 * payload. The mark begins with a byte that no UTF-8 text has, so that none can be found inside a payload.
 */
const mark = Buffer.from([0xff, 0x53, 0x57, 0x31]);
const headerBytes = 12;

export function frameOf(payload: string): Buffer {
  const length = Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(headerBytes + length);
  mark.copy(frame);
  frame.writeUInt32LE(length, 4);
  frame.write(payload, headerBytes);
  frame.writeUInt32LE(checksum(frame, 0, length), 8);
  return frame;
}

export interface Frames {
  readonly payloads: readonly string[];
  /** Bytes after the last whole frame: what was being written when the process or the machine died. */
  readonly tornBytes: number;
  /** Bytes before a whole frame that are none: not a crash but damage, for what follows was written after them. */
  readonly damagedBytes: number;
}

/** All whole frames of a file, whatever happened to it. */
export function readFrames(file: Buffer): Frames {
  const payloads: string[] = [];
  let damagedBytes = 0;
  let whole = 0;
  for (let offset = 0; offset !== -1; offset = file.indexOf(mark, offset)) {
    const end = endOfFrame(file, offset);
    if (end === undefined) {
      offset++;
      continue;
    }
    payloads.push(file.toString("utf8", offset + headerBytes, end));
    damagedBytes += offset - whole;
    whole = offset = end;
  }
  return { payloads, tornBytes: file.length - whole, damagedBytes };
}

function endOfFrame(file: Buffer, offset: number): number | undefined {
  if (offset + headerBytes > file.length || file.compare(mark, 0, mark.length, offset, offset + mark.length) !== 0)
    return undefined;
  const length = file.readUInt32LE(offset + 4);
  const end = offset + headerBytes + length;
  if (end > file.length || file.readUInt32LE(offset + 8) !== checksum(file, offset, length)) return undefined;
  return end;
}

function checksum(file: Buffer, offset: number, length: number): number {
  const ofLength = crc32(file.subarray(offset + 4, offset + 8));
  return crc32(file.subarray(offset + headerBytes, offset + headerBytes + length), ofLength);
}
