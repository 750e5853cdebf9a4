import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { raw } from '../../src/base/sql.ts';
import { open } from '../../src/engine.ts';
import { Duck, type DuckConnection } from '../../src/exec/duck.ts';
import type { Io } from '../../src/cli/io.ts';
import { Session } from '../../src/repl/session.ts';
import { takenOf } from '../../src/repl/session-script.ts';
import { Random } from '../fuzz/random.ts';

/**
 * The first law, for someone who makes up her mind as she goes: whatever is declared, dropped, changed, held and left for another
 * day, in whatever order, each view then holds what DuckDB says of its SELECT.
 */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-session-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SELECTS: readonly string[] = [
  'SELECT k, count(*) AS n, sum(v) AS s FROM a GROUP BY k',
  'SELECT a.k, a.v, b.v AS w FROM a JOIN b ON a.k = b.k',
  'SELECT DISTINCT k FROM a EXCEPT SELECT k FROM b',
  'SELECT count(*) AS n FROM b WHERE v > 3',
  'SELECT k, max(v) AS top FROM a GROUP BY k HAVING count(*) > 1',
];

const io: Io = {
  stdout: { write: () => undefined, isTTY: false, columns: 80 },
  stderr: { write: () => undefined, isTTY: false, columns: 80 },
  env: {},
  cwd: '/',
  command: 'streamsql',
  readStdin: () => Promise.resolve(''),
  onStop: () => () => undefined,
  exit: () => undefined,
  now: () => performance.now(),
};

it.each([1, 2, 3, 4].map((seed) => ({ seed })))(
  'a session of seed $seed',
  async ({ seed }) => {
    const random = new Random(seed);
    const failures: unknown[] = [];
    const start = (): Promise<Session> =>
    Session.open({
      open: (options) => open(options), db: join(folder, `${seed}.duckdb`), io, variables: {},
      listener: { rows: () => undefined, warning: () => undefined, finished: () => undefined, failed: (error) => failures.push(error) },
    }); // prettier-ignore
    let session = await start();
    const oracle = await (await Duck.open(':memory:', { threads: '1' })).connect();
    const declare = async (text: string): Promise<void> => {
      for (const statement of takenOf(text)) await session.declare(statement);
      await session.apply();
    };
    for (const name of ['a', 'b']) {
      await declare(`CREATE TABLE ${name} (k INTEGER, v INTEGER)`);
      await oracle.run(raw(`CREATE TABLE ${name} (k INTEGER, v INTEGER)`));
    }
    const views = new Map<string, string>();
    const log: string[] = [];
    for (let i = 0; i < 14; i++) {
      const table = random.pick(['a', 'b']);
      const view = `v${random.int(0, 3)}`;
      const act = random.int(0, 10);
      if (act < 5) {
        const [k, v] = [random.int(0, 4), random.int(0, 9)];
        const text = random.pick([
          `INSERT INTO ${table} VALUES (${k}, ${v}), (${k + 1}, ${v})`,
          `UPDATE ${table} SET v = v + 1 WHERE k = ${k}`,
          `DELETE FROM ${table} WHERE k = ${k} AND v > ${v}`,
        ]);
        log.push(text);
        for (const statement of takenOf(text)) await session.change(statement);
        await oracle.run(raw(text));
      } else if (act < 8 && !views.has(view)) {
        const select = random.pick(SELECTS);
        log.push(`CREATE ${view}: ${select}`);
        await declare(`CREATE MATERIALIZED VIEW ${view} AS ${select}`);
        views.set(view, select);
      } else if (act === 8 && views.has(view)) {
        log.push(`DROP ${view}`);
        views.delete(view);
        await declare(`DROP VIEW ${view}`);
      } else if (act === 9) {
        log.push('another day');
        await session.close();
        session = await start();
      }
      for (const [name, select] of views)
        expect(await answer(session, name), `${log.join('\n')}\n${select}`).toEqual(await expected(oracle, select));
    }
    await session.close();
    expect(failures).toEqual([]);
  },
  120_000,
);

async function answer(session: Session, view: string): Promise<unknown> {
  return (await session.query(`SELECT * FROM ${view} ORDER BY ALL`, Infinity)).rows;
}

async function expected(oracle: DuckConnection, select: string): Promise<unknown> {
  return (await oracle.table(raw(`SELECT * FROM (${select}) ORDER BY ALL`))).rows;
}
