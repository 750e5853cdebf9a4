import { crc32 } from 'node:zlib';
import type { Check } from '../base/crc32.ts';

export const checkOf = (bytes: Uint8Array): Check => ({ crc: crc32(bytes), bytes: bytes.byteLength });
