import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Packs the package, installs it in an empty folder, and uses it there as a stranger would: the command, the library,
 * its types. Prints what it checked; ends with 1 at the first thing that does not work.
 */
const root = resolve(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'streamsql-package-'));

try {
  run(root, 'npm', ['pack', '--silent', '--pack-destination', folder]);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  const listing = run(folder, 'tar', ['-tzf', tarball]).split('\n').filter(Boolean);
  check(
    'only what is needed is packed',
    listing.every((name) =>
      /^package\/(bin|dist|queries)\/|^package\/(package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(name),
    ),
  );

  writeFileSync(join(folder, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }\n');
  run(folder, 'npm', ['install', '--silent', '--no-audit', '--no-fund', `./${tarball}`]);
  const command = join(folder, 'node_modules', '.bin', 'streamsql');
  check('--version', /^\d+\.\d+\.\d+/.test(run(folder, command, ['--version'])));

  writeFileSync(
    join(folder, 'count.sql'),
    `CREATE SOURCE g (i AS n) WITH (connector = 'generator', rows = 1000);
CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(i) AS s FROM g;
SELECT * FROM total;\n`,
  );
  check('run prints the answer', run(folder, command, ['run', 'count.sql', '--quiet']).includes('499500'));
  check(
    'query reads the database',
    run(folder, command, ['query', 'count.duckdb', 'FROM total', '--format', 'csv']).includes('1000,499500'),
  );

  writeFileSync(
    join(folder, 'library.ts'),
    `import { open, StreamsqlError, type RunSummary } from 'streamsql';
const engine = await open();
await engine.sql(\`CREATE SOURCE g (i AS n) WITH (connector = 'generator', rows = 10);
  CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM g;\`);
const summary: RunSummary = await engine.run();
const table = await engine.query('SELECT n FROM total');
await engine.close();
if (table.rows[0]?.[0] !== '10' || summary.rowsIn !== 10) throw new StreamsqlError('INTERNAL', 'a wrong answer');
\n`,
  );
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  run(folder, tsc, [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--types',
    '',
    '--skipLibCheck',
    'false',
    'library.ts',
  ]);
  check('the library is typed', true);
  run(folder, process.execPath, ['library.ts']);
  check('the library runs', true);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function run(cwd: string, command: string, args: readonly string[]): string {
  return execFileSync(command, [...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, INIT_CWD: cwd },
  });
}

function check(what: string, holds: boolean): void {
  process.stdout.write(`${holds ? 'ok    ' : 'FAILED'} ${what}\n`);
  if (!holds) process.exitCode = 1;
}
