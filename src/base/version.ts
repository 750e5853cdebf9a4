import { readFileSync } from 'node:fs';

/** The version in package.json, which lies as far from src/base/ as from dist/base/. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
