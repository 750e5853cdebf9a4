import { cells, type Row, type Step } from './data.ts';
import { renderQuery, statements } from './query.ts';
import { SOURCE_DDL, SOURCES, TABLES } from './sources.ts';
import { Oracle } from './oracle.ts';
import type { Group, Verdict } from './run.ts';
import { cellText, tableLines } from '../../src/testing/expected-table.ts';

type Failure = Extract<Verdict, { kind: 'failed' }>;

/** A failure as a `*.test.sql` file that shows it, with what DuckDB answers as the expectation. */
export async function testFile({ seed, data, queries }: Group, failure: Failure): Promise<string> {
  const [query] = queries;
  if (query === undefined) return failure.message;
  const lines = [`-- seed ${seed}: ${failure.message.replaceAll('\n', ' ')}`];
  const read = renderQuery(query, 'batch');
  const all = [read.query, ...read.views.map(({ sql }) => sql)].join(' ');
  for (const source of SOURCES) {
    lines.push(`CREATE SOURCE ${source} (${SOURCE_DDL},`, `  WATERMARK FOR ts AS ts - INTERVAL '${data.delay} seconds') WITH (connector = 'feed');`); // prettier-ignore
  }
  for (const [name, { ddl }] of Object.entries(TABLES))
    if (new RegExp(`\\b${name}\\b`).test(all) && data.tables) lines.push(`CREATE TABLE ${name} (${ddl});`); // prettier-ignore
  lines.push(
    ...data.before.map((sql) => `${sql};`),
    ...statements(query).map(({ sql }) => `${sql};`),
    '',
    `TEST 'seed ${seed}';`,
  );
  const last = failure.step ?? data.steps.length;
  for (const step of data.steps.slice(0, last + 1)) lines.push(...stepLines(step, data.partitions));
  if (last >= data.steps.length) lines.push('END;');
  const view = failure.view ?? query.name;
  lines.push(`EXPECT SELECT * FROM ${view};`, ...(await expectation({ seed, data, queries }, view, last)));
  return `${lines.join('\n')}\n`;
}

function stepLines(step: Step, partitions: Readonly<Record<string, number>>): readonly string[] {
  if (step.kind === 'change') return [`${step.sql};`];
  const feeds = Object.entries(step.rows).flatMap(([source, rows]) =>
    Array.from({ length: partitions[source] ?? 1 }, (_, partition) => {
      const own = rows.filter((row) => row.partition === partition);
      return own.length === 0 ? [] : [`FEED ${source} PARTITION ${partition} VALUES ${own.map(rowText).join(', ')};`];
    }).flat(),
  );
  return feeds.length === 0 ? [] : [...feeds, 'EPOCH;'];
}

const rowText = (row: Row): string =>
  `(${cells(row)}, '${new Date(row.time * 1000).toISOString().slice(0, 19).replace('T', ' ')}')`;

async function expectation({ data, queries }: Group, view: string, last: number): Promise<readonly string[]> {
  const oracle = await Oracle.open(data);
  try {
    for (const query of queries) await oracle.declare(query);
    for (const sql of data.before) await oracle.change(sql);
    for (const step of data.steps.slice(0, last + 1)) {
      if (step.kind === 'change') await oracle.change(step.sql);
      else for (const [source, rows] of Object.entries(step.rows)) await oracle.feed(source, rows);
    }
    if (last >= data.steps.length) await oracle.end();
    const { columns, rows } = await oracle.answer(view);
    const cellOf = (value: unknown): string => cellText(value === null ? null : typeof value === 'object' ? JSON.stringify(value) : String(value as string)); // prettier-ignore
    return tableLines({ header: columns.map(({ name }) => name), rows: rows.map((row) => row.map(cellOf)) }).map((line) => `-- ${line}`); // prettier-ignore
  } finally {
    oracle.close();
  }
}
