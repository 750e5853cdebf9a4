// Writes the benchmark's bids, once each: node bench/bids.ts EVENTS FILE… (the extension says the format).
// A bid is a function of its number, in integer arithmetic, so that every machine and version makes the same bytes:
// about 177 of them a line of JSON, 10,000 bids a second of event time, up to 2 seconds out of order.
import { existsSync, renameSync } from 'node:fs';
import { ident, literal, raw, sql, type Sql } from '../src/base/sql.ts';
import { Duck } from '../src/exec/duck.ts';

/** The bids before it would lie before 2026. */
const FIRST = 2000;

const FORMATS: Readonly<Record<string, Sql>> = {
  ndjson: sql`SELECT * REPLACE (strftime(date_time, '%Y-%m-%d %H:%M:%S.%g') AS date_time)`,
  csv: sql`SELECT * REPLACE (strftime(date_time, '%Y-%m-%d %H:%M:%S.%g') AS date_time)`,
  parquet: sql`SELECT *`,
};
const OPTIONS: Readonly<Record<string, Sql>> = {
  ndjson: raw('FORMAT json'),
  csv: raw('FORMAT csv, HEADER'),
  parquet: raw('FORMAT parquet'),
};

const [eventsText, ...files] = process.argv.slice(2);
const events = Number(eventsText);
if (!Number.isSafeInteger(events) || events < 1 || files.length === 0) {
  console.error('usage: node bench/bids.ts EVENTS FILE.ndjson|csv|parquet…');
  process.exit(2);
}

const duck = await Duck.open(':memory:');
const connection = await duck.connect();
// 32 bits in, 32 bits out; no product exceeds 63 bits.
await connection.run(sql`CREATE MACRO scramble(x) AS (xor(x, x >> 15) * 739982445) % 4294967296`);
await connection.run(sql`CREATE MACRO draw(i, salt) AS
  scramble(scramble(scramble((i * 2654435761 + salt * 40503) % 4294967296)))`);
await connection.run(sql`CREATE VIEW bids AS SELECT
    1000 + draw(i, 1) % 1000 AS auction,
    1000 + draw(i, 2) % 10000 AS bidder,
    100 + draw(i, 3) % 10000000 AS price,
    'channel-' || (draw(i, 4) % 20) AS channel,
    'https://www.nexmark.com/item.htm?query=1&channel_id=' || (draw(i, 5) % 1000000000) AS url,
    TIMESTAMP '2026-01-01' + to_milliseconds(i // 10 - draw(i, 6) % 2000) AS date_time
  FROM range(${FIRST}, ${FIRST + events}) AS numbers(i)`);
for (const file of files) {
  const format = file.slice(file.lastIndexOf('.') + 1);
  const [select, options] = [FORMATS[format], OPTIONS[format]];
  if (select === undefined || options === undefined) throw new Error(`no format is called ${format}`);
  if (existsSync(file)) continue;
  const unfinished = `${file}.unfinished`;
  await connection.run(sql`COPY (${select} FROM ${ident('bids')}) TO ${literal(unfinished)} (${options})`);
  renameSync(unfinished, file);
}
duck.close();
