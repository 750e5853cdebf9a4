import { readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import type { Column } from '../src/base/schema.ts';
import { ident, join, literal, raw, sql } from '../src/base/sql.ts';
import { auctionTable } from '../src/connectors/nexmark/auction.ts';
import { bidTable } from '../src/connectors/nexmark/bid.ts';
import type { EventClock } from '../src/connectors/nexmark/event-time.ts';
import { EVENT_KINDS, ordinalFrom, type EventKind } from '../src/connectors/nexmark/events.ts';
import { personTable } from '../src/connectors/nexmark/person.ts';
import type { NexmarkTable } from '../src/connectors/nexmark/table.ts';
import { parseScript } from '../src/parser/parse.ts';
import type { CreateSource, Statement } from '../src/parser/statements.ts';

/** As in the files: 1,000 events a second of event time, in order. */
const CLOCK: EventClock = { eventsPerSecond: 1000, disorderMs: 0 };

export const NEXMARK_TABLES: Readonly<Record<EventKind, NexmarkTable>> = {
  person: personTable(CLOCK),
  auction: auctionTable(CLOCK),
  bid: bidTable(CLOCK),
};

export const nexmarkFile = (folder: string, events: number, kind: EventKind): string =>
  joinPath(folder, `nexmark-${kind}-${events}.ndjson`);

/** The text of queries/nexmark/NAME.sql. */
export const nexmarkText = (name: string): string =>
  readFileSync(new URL(`../queries/nexmark/${name}.sql`, import.meta.url), 'utf8');

/** A query file over files in the place of the generator. */
export interface NexmarkOverFiles {
  readonly text: string;
  /** Each table that it reads as plain DuckDB reads it: name and SELECT, over the same files and columns. */
  readonly relations: readonly (readonly [name: string, select: string])[];
  /** The events that are read. */
  readonly events: number;
}

/** Puts files of JSON lines in the place of the sources; each declares the columns that the query names. */
export function overFiles(text: string, folder: string, events: number): NexmarkOverFiles {
  const { statements } = parseScript(text, 'nexmark');
  const sources = statements.filter(isSource);
  const words = new Set((withoutComments(text).match(/\w+/g) ?? []).map((word) => word.toLowerCase()));
  const kinds = sources.map(kindOf);
  const columnsOf = (kind: EventKind): readonly Column[] =>
    NEXMARK_TABLES[kind].columns.filter((column) => words.has(column.name));
  const pathOf = (kind: EventKind): string => nexmarkFile(folder, events, kind);
  let replaced = text;
  for (const source of sources.toReversed()) {
    const kind = kindOf(source);
    const declaration = declare(text, source, columnsOf(kind), pathOf(kind));
    replaced = replaced.slice(0, source.span.start) + declaration + replaced.slice(source.span.end);
  }
  return {
    text: replaced,
    relations: kinds.map((kind) => [kind, readFile(columnsOf(kind), pathOf(kind))]),
    events: kinds.reduce((sum, kind) => sum + ordinalFrom(kind, events), 0),
  };
}

const isSource = (statement: Statement): statement is CreateSource => statement.kind === 'create-source';

const withoutComments = (text: string): string => text.replaceAll(/--.*$/gm, '');

function kindOf({ name }: CreateSource): EventKind {
  const kind = EVENT_KINDS.find((known) => `${known}s` === name.text);
  if (kind === undefined) throw new Error(`the source ${name.text} is named after no table of Nexmark`);
  return kind;
}

function declare(text: string, source: CreateSource, columns: readonly Column[], path: string): string {
  const made = source.columns.map((column) => {
    if (column.kind !== 'proctime') throw new Error(`${source.name.text} declares ${column.name.text}`);
    return `${column.name.text} AS PROCTIME()`;
  });
  const mark =
    source.watermark === undefined ? [] : [text.slice(source.watermark.span.start, source.watermark.span.end)];
  const declared = [...columns.map((column) => `${column.name} ${column.type}`), ...made, ...mark];
  const options = sql`connector = 'file', path = ${path}, format = 'json'`;
  return `CREATE SOURCE ${source.name.text} (${declared.join(', ')})\nWITH (${options.text})`;
}

function readFile(columns: readonly Column[], path: string): string {
  const types = join(columns.map((column) => sql`${ident(column.name)}: ${column.type}`));
  return sql`SELECT * FROM read_json(${literal(path)}, format = 'newline_delimited', columns = {${raw(types.text)}})`
    .text;
}
