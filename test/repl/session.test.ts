import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { open } from '../../src/engine.ts';
import { LiveTable } from '../../src/repl/live-table.ts';
import { Session } from '../../src/repl/session.ts';
import { Shell } from '../../src/repl/shell.ts';

let folder: string;
const sessions = new Set<Session>();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-session-'));
  writeFileSync(join(folder, 'one.ndjson'), '{"a":1}\n');
  writeFileSync(join(folder, 'two.ndjson'), '{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n');
});
afterEach(async () => {
  for (const session of sessions) await session.close();
  sessions.clear();
  rmSync(folder, { recursive: true, force: true });
});

/** A session on `s.duckdb`, and what it writes as CSV. */
class Person {
  readonly session: Session;
  readonly shell: Shell;
  private text = '';

  private constructor(session: Session, io: Io) {
    this.session = session;
    const out = { write: (text: string) => void (this.text += text), isTTY: false, columns: 80 };
    this.shell = new Shell(session, { io, out, interactive: false });
    this.shell.settings.mode = 'csv';
  }

  static async comes(variables: Record<string, string> = {}): Promise<Person> {
    const silent = { write: () => undefined, isTTY: false, columns: 80 };
    const io: Io = {
      stdout: silent, stderr: silent, env: {}, cwd: folder, command: 'streamsql', readStdin: () => Promise.resolve(''),
      onStop: () => () => undefined, exit: () => undefined, now: () => performance.now(),
    }; // prettier-ignore
    const session = await Session.open({
      open: (options) => open(options), db: join(folder, 's.duckdb'), io, variables,
      listener: { rows: () => undefined, warning: () => undefined, finished: () => undefined, failed: () => undefined },
    }); // prettier-ignore
    sessions.add(session);
    return new Person(session, io);
  }

  async says(script: string): Promise<string> {
    this.text = '';
    await this.shell.script(script);
    await this.shell.settled();
    return this.text;
  }

  async leaves(): Promise<void> {
    sessions.delete(this.session);
    await this.session.close();
  }
}

const kept = (): string => readFileSync(join(folder, 's.session.sql'), 'utf8');
const FILE = `WITH (connector = 'file', format = 'json', path = `;

it('what is dropped and declared otherwise is another, also beside a stream that goes on', async () => {
  const person = await Person.comes();
  const script = `CREATE SOURCE u (i AS n) WITH (connector = 'generator', rate = 100);
    CREATE MATERIALIZED VIEW goes AS SELECT count(*) AS n FROM u;
    CREATE SOURCE s (a INTEGER) ${FILE}'one.ndjson');
    CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM s;
    CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); SELECT * FROM v;
    DROP VIEW v; DROP SOURCE s; CREATE SOURCE s (a INTEGER, b VARCHAR) ${FILE}'two.ndjson');
    CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, max(b) AS b FROM s; SELECT * FROM v;
    DROP TABLE t; CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); INSERT INTO t VALUES (7); FROM t ORDER BY a;`;
  expect(await person.says(script)).toBe('n\n1\nn,b\n2,y\na\n1\n7\n');
  // What a sink takes is read, too.
  await person.says(`CREATE SINK o (a INTEGER) WITH (connector = 'print'); INSERT INTO o SELECT a FROM s`);
  await expect(person.says('DROP VIEW v; DROP SOURCE s')).rejects.toMatchObject({ error: { code: 'CATALOG' } });
}, 60_000);

it('one session at a time changes what is kept; the other asks', async () => {
  const first = await Person.comes();
  const second = await Person.comes();
  await first.says(`CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)`);
  await expect(second.says('CREATE TABLE u (a INTEGER)')).rejects.toMatchObject({ error: { code: 'LOCKED' } });
  await first.leaves();
  // It knows nothing of t, and would write it away.
  await expect(second.says('CREATE TABLE u (a INTEGER)')).rejects.toMatchObject({ error: { code: 'LOCKED' } });
  const third = await Person.comes();
  expect(await third.says('SELECT a FROM t')).toBe('a\n1\n');
  await third.says('DROP TABLE t');
  expect(kept()).toBe('');
  await third.leaves();
  // It is a session's database still.
  const fourth = await Person.comes();
  expect(await fourth.says('CREATE TABLE t (a INTEGER); SELECT count(*) AS n FROM t')).toBe('n\n0\n');
}, 60_000);

it('no statement makes the results of a file a session', async () => {
  const engine = await open({ db: join(folder, 's.duckdb'), state: join(folder, 's.state') });
  await engine.sql(`CREATE TABLE f (a INTEGER)`);
  await engine.run();
  await engine.close();
  const person = await Person.comes();
  for (const text of [`SET batch_interval = '1 s'`, 'CREATE TABLE x (a INTEGER)'])
    await expect(person.says(text)).rejects.toMatchObject({ error: { code: 'STATE' } });
  expect(existsSync(join(folder, 's.session.sql'))).toBe(false);
}, 30_000);

it('a change that its table does not take leaves nothing, also where the input has ended', async () => {
  const person = await Person.comes();
  await person.says(`CREATE SOURCE s (a INTEGER) ${FILE}'one.ndjson'); CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM s;
    CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);`);
  await expect(person.says('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ error: { code: 'CONSTRAINT' } });
  expect(kept().match(/INSERT/g)).toHaveLength(1);
  expect(await person.says('INSERT INTO t VALUES (2); FROM t ORDER BY a; FROM v')).toBe('a\n1\n2\nn\n1\n');
}, 30_000);

it('who resumes one of all that stand still resumes that one', async () => {
  const person = await Person.comes({ N: '20' });
  await person.says(`CREATE SOURCE a (i AS n) WITH (connector = 'generator', rate = \${N}); CREATE SOURCE b (i AS n) WITH (connector = 'generator', rate = \${N});
    CREATE MATERIALIZED VIEW va AS SELECT count(*) AS n FROM a; CREATE MATERIALIZED VIEW vb AS SELECT count(*) AS n FROM b;`);
  await person.says('PAUSE; RESUME va');
  expect(['a', 'b'].map((name) => person.session.isPaused(name))).toEqual([false, true]);
  // What is paused is not waited for.
  expect(await person.says('SELECT 1 AS one FROM vb')).toBe('one\n1\n');
}, 30_000);

it('times are those of the zone that was set before the first view', async () => {
  const person = await Person.comes();
  const script = `SET timezone = 'Asia/Tokyo'; CREATE TABLE t (x TIMESTAMPTZ); INSERT INTO t VALUES ('2026-01-01 00:00:00+00');
    SELECT x::VARCHAR AS x FROM t`;
  expect(await person.says(script)).toBe('x\n2026-01-01 09:00:00+09\n');
  await expect(person.says(`SET timezone = 'UTC'`)).rejects.toMatchObject({ error: { code: 'UNSUPPORTED' } });
  await person.leaves();
  expect(await (await Person.comes()).says('SELECT x::VARCHAR AS x FROM t')).toBe('x\n2026-01-01 09:00:00+09\n');
}, 30_000);

it('a SELECT over a source that changes is in its order; what is wrong is said with its place in the script', async () => {
  const person = await Person.comes();
  await person.says(`CREATE SOURCE query (i AS n, k AS n % 3) WITH (connector = 'generator', rows = 10)`);
  const script = 'SELECT k, i FROM query ORDER BY k DESC, i LIMIT 3;\nSELECT k, i FROM query ORDER BY 2 DESC LIMIT 2';
  expect(await person.says(script)).toBe('k,i\n2,2\n2,5\n2,8\nk,i\n0,9\n2,8\n');
  person.shell.settings.mode = 'changelog';
  const wrong = 'SELECT 1 AS one;\n  SELECT nope FROM query GROUP BY k';
  const error = { error: { code: 'BIND', span: { start: wrong.indexOf('nope') } } };
  await expect(person.says(wrong)).rejects.toMatchObject(error);
  await expect(person.says(`SELECT 'it never ends`)).rejects.toMatchObject({ error: { code: 'SYNTAX' } });
}, 30_000);

it('a query over a plain view has all that has changed its tables since', async () => {
  const person = await Person.comes();
  const script = `CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1); CREATE MATERIALIZED VIEW v AS SELECT sum(a) AS s FROM t;
    CREATE VIEW p AS SELECT s + 1 AS p FROM v; INSERT INTO t SELECT a + 10 FROM t; UPDATE t SET a = a + 1 WHERE a > 5; FROM p`;
  expect(await person.says(script)).toBe('p\n14\n');
}, 30_000);

it('a picture is no wider and no taller than the terminal', () => {
  const written: string[] = [];
  let now = 0;
  const output = { write: (text: string) => void written.push(text), isTTY: true, columns: 6, rows: 4 };
  const table = new LiveTable(output, {}, () => (now += 1000));
  table.draw('a wide line\nb\nc\nd\n');
  expect(written.at(-1)).toBe('\ra wid…\x1b[K\nb\x1b[K\n… 2 m…\x1b[K\n\x1b[J');
  table.draw('a\n');
  expect(written.at(-1)).toBe('\x1b[3A\ra\x1b[K\n\x1b[J');
});
