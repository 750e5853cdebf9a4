import { existsSync, readdirSync } from 'node:fs';
import { extname, join as joinPath } from 'node:path';
import { ident, join, literal, raw, sql, type Sql } from '../../src/base/sql.ts';
import { Duck, type DuckConnection } from '../../src/exec/duck.ts';
import { listCheckpoints, readManifest } from '../../src/exec/checkpoint/read-manifest.ts';
import { RESULTS } from './run.ts';

/** A relation of the undisturbed run and the same of the other. */
interface Pair {
  readonly name: string;
  readonly want: Sql;
  readonly got: Sql;
}

/**
 * What differs between the results of two runs, in their folders, over the same input: views, tables, late rows, dead letters and
 * the folders of file sinks (in `out`) and retained records as multisets of rows; and whether what the second says it read is whole, with nothing twice.
 */
export async function differences(want: string, got: string): Promise<readonly string[]> {
  const duck = await Duck.open(':memory:', { threads: '1' });
  const asked = await duck.connect();
  try {
    for (const [name, folder] of Object.entries({ want, got }))
      await asked.run(sql`ATTACH ${joinPath(folder, RESULTS)} AS ${ident(name)} (READ_ONLY)`);
    const found: string[] = [...(await recordProblems(asked))];
    for (const pair of [
      ...(await tablePairs(asked)),
      ...RECORD,
      ...sinkPairs(want, got, found),
      ...retainedPairs(want, got),
    ])
      found.push(...(await compared(asked, pair)));
    return found;
  } finally {
    asked.close();
    duck.close();
  }
}

/** The epochs in which a row was late or dead depend on where they were cut. */
const RECORD: readonly Pair[] = ['late', 'dead_letters'].map((name) => ({
  name: `_streamsql.${name}`,
  want: sql`SELECT * EXCLUDE (epoch) FROM ${ident('want', '_streamsql', name)}`,
  got: sql`SELECT * EXCLUDE (epoch) FROM ${ident('got', '_streamsql', name)}`,
}));

async function tablePairs(asked: DuckConnection): Promise<readonly Pair[]> {
  const names = async (database: string): Promise<readonly string[]> => {
    const rows =
      await asked.rows(sql`SELECT table_name AS name FROM duckdb_tables() WHERE database_name = ${database} AND schema_name = 'main'
      UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = ${database} AND schema_name = 'main' AND NOT internal ORDER BY 1`);
    return rows.map((row) => String(row['name']));
  };
  const all = new Set([...(await names('want')), ...(await names('got'))]);
  return [...all].map((name) => ({
    name,
    want: sql`SELECT * FROM ${ident('want', 'main', name)}`,
    got: sql`SELECT * FROM ${ident('got', 'main', name)}`,
  }));
}

const FORMATS = ['.json', '.csv', '.parquet'];

function sinkPairs(want: string, got: string, problems: string[]): readonly Pair[] {
  const sinks = (folder: string): readonly string[] =>
    existsSync(joinPath(folder, 'out')) ? readdirSync(joinPath(folder, 'out')) : [];
  return [...new Set([...sinks(want), ...sinks(got)])].flatMap((name) => {
    const [wanted, given] = [partsOf(joinPath(want, 'out', name)), partsOf(joinPath(got, 'out', name))];
    for (const part of given) if (part.endsWith('.tmp')) problems.push(`out/${name}: ${part} is left over`);
    const format = FORMATS.find((known) => wanted.some((part) => extname(part) === known));
    if (format === undefined || !given.some((part) => extname(part) === format)) {
      problems.push(`out/${name}: ${wanted.length} files wanted, there are ${given.length}`);
      return [];
    }
    const rows = (folder: string): Sql => partRows(joinPath(folder, 'out', name, `**/*${format}`), format);
    return [{ name: `out/${name}`, want: rows(want), got: rows(got) }];
  });
}

/** The raw records that sources with `retain` keep, as the newest manifest names them, where the run stopped and did not end. */
function retainedPairs(want: string, got: string): readonly Pair[] {
  const [wanted, given] = [retainedFiles(want), retainedFiles(got)];
  if (wanted.length === 0) return [];
  const rows = (files: readonly string[]): Sql =>
    sql`SELECT partition, "offset", payload FROM read_parquet([${join(files.map(literal))}])`;
  return [{ name: 'retained records', want: rows(wanted), got: rows(given) }];
}

function retainedFiles(run: string): readonly string[] {
  const state = joinPath(run, 'state');
  const newest = listCheckpoints(state).at(0);
  const read = newest === undefined ? undefined : readManifest(state, newest);
  return (read?.manifest?.retained ?? []).flatMap(({ files }) => files.map(({ path }) => joinPath(state, path)));
}

const partsOf = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
        /\.(json|csv|parquet|tmp)$/.test(name),
      )
    : [];

/** Values as text, so that no format's guess of a type matters. */
function partRows(glob: string, format: string): Sql {
  if (format === '.json')
    return sql`SELECT * FROM read_json(${glob}, format = 'newline_delimited', maximum_depth = 1, sample_size = -1, union_by_name = true)`;
  if (format === '.csv') return sql`SELECT * FROM read_csv(${glob}, all_varchar = true, union_by_name = true)`;
  return sql`SELECT * FROM read_parquet(${glob}, union_by_name = true)`;
}

const SHOWN = 4;

async function compared(asked: DuckConnection, { name, want, got }: Pair): Promise<readonly string[]> {
  const [wanted, given] = [await counted(asked, want), await counted(asked, got)];
  if (typeof wanted === 'string' || typeof given === 'string')
    return [`${name}: undisturbed ${JSON.stringify(wanted)}, disturbed ${JSON.stringify(given)}`];
  if (wanted.shape !== given.shape) return [`${name}: columns ${given.shape} where ${wanted.shape} are wanted`];
  const missing = sql`(${wanted.rows}) EXCEPT ALL (${given.rows})`;
  const extra = sql`(${given.rows}) EXCEPT ALL (${wanted.rows})`;
  const [counts] = await asked.rows(
    sql`SELECT (SELECT count(*) FROM (${missing})) AS missing, (SELECT count(*) FROM (${extra})) AS extra`,
  );
  if (counts?.['missing'] === 0n && counts['extra'] === 0n) return [];
  const examples = async (rows: Sql): Promise<string> =>
    (await asked.table(sql`SELECT * FROM (${rows}) ORDER BY ALL LIMIT ${SHOWN}`)).rows.map((row) => `\n    ${JSON.stringify(row)}`).join(''); // prettier-ignore
  return [
    `${name}: ${String(counts?.['missing'])} rows missing${await examples(missing)}\n  ${String(counts?.['extra'])} rows too many${await examples(extra)}`,
  ];
}

/** The relation with its rows counted as they are; of a sink of changes, the rows that they come to. An error's text where it cannot be read. */
async function counted(asked: DuckConnection, rows: Sql): Promise<{ shape: string; rows: Sql } | string> {
  try {
    const described = (await asked.table(sql`DESCRIBE ${rows}`)).rows;
    const columns = described.map((row) => row.slice(0, 2).map((cell) => (typeof cell === 'string' ? cell : '')));
    const shape = columns.map(([name, type]) => `${name} ${type}`).join(', ');
    if (columns[0]?.[0] !== 'op') return { shape, rows };
    const others = join(columns.slice(1).map(([name]) => ident(name ?? '')));
    const weight = sql`sum(CASE WHEN CAST(op AS VARCHAR) LIKE '%+%' THEN 1 ELSE -1 END)`;
    return {
      shape,
      rows: sql`SELECT ${others}, ${weight} AS n FROM (${rows}) GROUP BY ${others} HAVING ${weight} <> 0`,
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What was read: epochs one after another, each range where the one before it ended, and as many rows as undisturbed. */
const RECORD_LAWS: readonly (readonly [law: string, broken: Sql])[] = [
  [
    'epochs that do not follow one another',
    raw(`SELECT epoch, previous FROM (SELECT epoch, coalesce(lag(epoch) OVER (ORDER BY epoch), -1) AS previous FROM got._streamsql.epochs)
      WHERE epoch <> previous + 1`),
  ],
  [
    'ranges that do not adjoin',
    raw(`SELECT * FROM (
        SELECT epoch, r.source, r.partition, r.from, lag(r.to) OVER (PARTITION BY r.source, r.partition ORDER BY epoch, r.from) AS previous
        FROM (SELECT epoch, unnest(ranges) AS r FROM got._streamsql.epochs))
      WHERE "from" <> previous`),
  ],
  [
    'rows read',
    raw(`SELECT (SELECT sum(rows) FROM got._streamsql.epochs) AS got, (SELECT sum(rows) FROM want._streamsql.epochs) AS want
      WHERE got IS DISTINCT FROM want`),
  ],
];

async function recordProblems(asked: DuckConnection): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [law, broken] of RECORD_LAWS) {
    const { rows } = await asked.table(sql`SELECT * FROM (${broken}) LIMIT ${literal(SHOWN)}`);
    if (rows.length > 0) problems.push(`_streamsql.epochs: ${law}: ${JSON.stringify(rows)}`);
  }
  return problems;
}
