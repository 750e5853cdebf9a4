import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Which file imports what, and whether the rules of .oxlintrc.json let it. */
const IMPORTS: readonly (readonly [file: string, from: string, allowed: boolean])[] = [
  ['base/a.ts', './errors.ts', true],
  ['base/b.ts', '../parser/tokens.ts', false],
  ['base/c.ts', 'commander', false],
  ['base/d.ts', 'node:fs', false],
  ['parser/a.ts', '../base/sql.ts', true],
  ['parser/b.ts', '../planner/planner.ts', false],
  ['parser/deep/c.ts', '../../exec/duck.ts', false],
  ['parser/deep/d.ts', '../tokens.ts', true],
  ['planner/a.ts', '../parser/statements.ts', true],
  ['planner/b.ts', '../exec/duck.ts', false],
  ['planner/c.ts', '../connectors/registry.ts', false],
  ['exec/a.ts', '../planner/plan.ts', true],
  ['exec/b.ts', '../connectors/registry.ts', false],
  ['exec/operators/c.ts', '../../engine.ts', false],
  ['exec/operators/d.ts', '@duckdb/node-api', false],
  ['exec/duck.ts', '@duckdb/node-api', true],
  ['connectors/file/a.ts', '../../base/csv.ts', true],
  ['connectors/file/b.ts', '../../exec/duck.ts', false],
  ['connectors/c.ts', '../parser/tokens.ts', false],
  ['connectors/kafka/d.ts', '@duckdb/node-api', false],
  ['cli/a.ts', '../exec/duck.ts', true],
  ['cli/b.ts', '@duckdb/node-api', false],
  ['server/a.ts', '../base/run.ts', true],
  ['server/b.ts', '../cli/io.ts', false],
  ['server/c.ts', '@duckdb/node-api', false],
  ['testing/a.ts', '../engine.ts', true],
  ['testing/b.ts', '../cli/main.ts', false],
  ['engine.ts', './testing/run-tests.ts', false],
];

let folder: string;
let refused: ReadonlySet<string>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-imports-'));
  copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const [file, from] of IMPORTS) {
    mkdirSync(dirname(join(folder, 'src', file)), { recursive: true });
    writeFileSync(join(folder, 'src', file), `import { x } from '${from}';\nexport const y = x;\n`);
  }
  refused = new Set(
    lint()
      .filter(({ code }) => code.includes('no-restricted-imports'))
      .map(({ filename }) => filename.replaceAll('\\', '/').replace(/^.*?src\//, '')),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function lint(): readonly { code: string; filename: string }[] {
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  try {
    execFileSync(process.execPath, [oxlint, '-f', 'json', 'src'], { cwd: folder, stdio: 'pipe' });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout: Buffer };
    return (JSON.parse(String(stdout)) as { diagnostics: { code: string; filename: string }[] }).diagnostics;
  }
}

it.each(IMPORTS)('src/%s importing %s: allowed is %s', (file, _from, allowed) => {
  expect(refused.has(file)).toBe(!allowed);
});
