import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ORACLES } from '../bench/nexmark-oracle.ts';
import { ident, raw, sql } from '../src/base/sql.ts';
import { nexmarkSource } from '../src/connectors/nexmark/nexmark-source.ts';
import { open } from '../src/engine.ts';
import { parseScript } from '../src/parser/parse.ts';
import { openSequenceBench, planSource, type SequenceBench } from './support/sequence-bench.ts';

const EVENTS = 20_000;

const fileOf = (name: string): string =>
  readFileSync(new URL(`../queries/nexmark/${name}.sql`, import.meta.url), 'utf8');

let bench: SequenceBench;
beforeAll(async () => {
  bench = await openSequenceBench();
  for (const table of ['person', 'auction', 'bid']) {
    const plan = planSource(nexmarkSource, { table, events: String(EVENTS), events_per_second: '1000' });
    await bench.keep(table, await bench.readAll(plan, [EVENTS]));
  }
});
afterAll(() => bench.close());

/** Runs queries/nexmark/NAME.sql and gives what `select` finds at its end. */
const answer = async (name: string, maxBatchRows: number, select: string): Promise<readonly (readonly unknown[])[]> => {
  const engine = await open({ variables: { EVENTS: String(EVENTS) }, maxBatchRows });
  try {
    await engine.sql(fileOf(name), `${name}.sql`);
    const summary = await engine.run();
    expect([summary.late, summary.deadLetters]).toEqual([0, 0]);
    return (await engine.query(select)).rows;
  } finally {
    await engine.close();
  }
};

/** What of an answer counts, with the types of its columns and every value as text. */
const texts = (from: string, compared = 'FROM answer'): string =>
  `WITH answer AS (${from}), compared AS (${compared}) SELECT CAST(COLUMNS(*) AS VARCHAR), typeof(COLUMNS(*)) FROM compared ORDER BY ALL`;

const QUERIES = Object.entries(ORACLES);

describe('a Nexmark query over the stream is the same query over all of it', () => {
  test.each(QUERIES)('%s, however it is cut', async (name, oracle) => {
    const expected = (await bench.connection.table(raw(texts(oracle.sql, oracle.compared)))).rows;
    expect(expected.length).toBeGreaterThan(0);
    for (const maxBatchRows of [1_999, 200_000])
      expect(await answer(name, maxBatchRows, texts(`FROM ${name}`, oracle.compared))).toEqual(expected);
  });
});

/** Those whose views are plain DuckDB's SQL as they stand. */
const plain = QUERIES.filter(([name]) => !/\b(TUMBLE|HOP|SESSION)\(/.test(fileOf(name)));

test.each(plain)('%s in plain DuckDB, word for word', async (name, { sql: oracle, compared }) => {
  const { connection } = bench;
  for (const table of ['person', 'auction', 'bid'])
    await connection.run(sql`CREATE OR REPLACE VIEW ${ident(`${table}s`)} AS FROM ${ident(table)}`);
  for (const statement of parseScript(fileOf(name), name).statements)
    if (statement.kind === 'create-view')
      await connection.run(
        sql`CREATE OR REPLACE VIEW ${ident(statement.name.text)} AS ${raw(statement.query.sql.text)}`,
      );
  const expected = await connection.table(raw(texts(oracle, compared)));
  expect((await connection.table(raw(texts(`FROM ${name}`, compared)))).rows).toEqual(expected.rows);
});

test('there is a file for each of q0 to q22, and an oracle for each file', () => {
  const names = Array.from({ length: 23 }, (_, i) => `q${i}`);
  expect(QUERIES.map(([name]) => name)).toEqual(names);
  for (const name of names) expect(fileOf(name)).toMatch(new RegExp(`^-- Nexmark ${name}, `));
});
