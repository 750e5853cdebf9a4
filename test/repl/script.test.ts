import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const SCRIPT = resolve(import.meta.dirname, '../../scripts/streamsql.ts');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-script-'));
  writeFileSync(join(folder, 'in.ndjson'), '{"k":1,"v":2}\n{"k":2,"v":5}\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** streamsql with a script on its standard input. */
function streamsql(args: readonly string[], input: string): { code: number | null; stdout: string; stderr: string } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], {
    cwd: folder, input, encoding: 'utf8', env: { ...env, INIT_CWD: folder },
  }); // prettier-ignore
  return { code: status, stdout, stderr };
}

const FIRST = `
CREATE TABLE names (k INTEGER, name VARCHAR);
INSERT INTO names VALUES (1, 'one'), (2, 'two');
CREATE SOURCE s (k INTEGER, v INTEGER) WITH (connector = 'file', path = 'in.ndjson', format = 'json');
CREATE MATERIALIZED VIEW j AS SELECT name, sum(v) AS total FROM s JOIN names n ON s.k = n.k GROUP BY name;
.mode csv
SELECT * FROM j ORDER BY 1; -- a comment; with a semicolon
INSERT INTO names VALUES (2, 'zw;ei');
SELECT * FROM j ORDER BY 1;
DROP VIEW j;
CREATE MATERIALIZED VIEW j AS SELECT name, max(v) AS top FROM s JOIN names n ON s.k = n.k GROUP BY name;
.save saved.sql
SELECT * FROM j ORDER BY 1`;

it('a script on standard input runs as if it were typed, and the database keeps the session', () => {
  expect(streamsql(['p.duckdb'], FIRST)).toEqual({
    code: 0,
    stderr: '',
    stdout: 'name,total\none,2\ntwo,5\nname,total\none,2\ntwo,5\nzw;ei,5\nname,top\none,2\ntwo,5\nzw;ei,5\n',
  });
  // What it has declared is a file, which runs.
  expect(readFileSync(join(folder, 'saved.sql'), 'utf8')).toBe(readFileSync(join(folder, 'p.session.sql'), 'utf8'));
  const run = streamsql(['run', 'saved.sql', '--quiet', '--db', 'again.duckdb'], '');
  expect(run).toEqual({ code: 0, stderr: '', stdout: '' });
  const ask = (db: string): string => streamsql(['query', db, 'FROM j ORDER BY ALL', '--format', 'csv'], '').stdout;
  expect(ask('again.duckdb')).toBe(ask('p.duckdb'));

  // Another process goes on with it.
  const more = streamsql(['p.duckdb', '-c', 'DELETE FROM names WHERE k = 1; SELECT count(*) AS n FROM j', '-c', '.mode csv', '-c', 'FROM names ORDER BY ALL'], ''); // prettier-ignore
  expect(more).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining('k,name\n2,two\n2,zw;ei\n') as string,
  });
  expect(ask('p.duckdb')).toBe('name,top\ntwo,5\nzw;ei,5\n');

  // The results of a run of a file stay that run's.
  const foreign = streamsql(['again.duckdb', '-c', 'SELECT count(*) AS n FROM j', '-c', 'CREATE TABLE x (a INTEGER)'], ''); // prettier-ignore
  expect(foreign).toMatchObject({ code: 1, stdout: expect.stringContaining('3') as string, stderr: expect.stringContaining('holds the results of a run of a file') as string }); // prettier-ignore
}, 60_000);

it.each([
  ['SELECT 1 AS one;\nSELECT nope;\nSELECT 2 AS two', 1, 'one', 'error[BIND]'],
  ['.nope', 2, '', 'there is no command .nope'],
  ["CREATE SOURCE s (a INTEGER) WITH (connector = 'file', path = 'missing.ndjson');\nCREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM s;\nSELECT * FROM v", 1, '', 'missing.ndjson'],
  ["CREATE SOURCE g (i AS n) WITH (connector = 'generator', rows = 3);\nSELECT i FROM g;\n.mode json\nSELECT count(*) AS n FROM g", 0, '[{"n":3}]', ''],
])('%j', (script, code, out, err) => {
  const { stdout, stderr, ...rest } = streamsql([], script);
  expect({ ...rest, stdout, stderr }).toMatchObject({ code });
  expect(stdout).toContain(out);
  expect(stderr).toContain(err);
  expect(stdout).not.toContain('two');
}, 60_000); // prettier-ignore
