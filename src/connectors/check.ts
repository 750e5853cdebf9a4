import { crc32 } from 'node:zlib';
import type { Check } from '../base/crc32.ts';

export const checkOf = (bytes: Uint8Array): Check => ({ crc: crc32(bytes), bytes: bytes.byteLength });

/** The check of what `check` is of with `bytes` after it. */
export const extendCheck = (check: Check, bytes: Uint8Array): Check =>
  bytes.byteLength === 0 ? check : { crc: crc32(bytes, check.crc), bytes: check.bytes + bytes.byteLength };
