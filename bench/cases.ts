import type { Comparison } from './compare.ts';
import { filter, hop, join, running, tumble, tumbleChanges, type Query } from './queries.ts';
import type { FileFormat } from './source.ts';

/** A case by name, before there is data: which query, over what, and what the project wants of it. */
export interface Case {
  readonly name: string;
  readonly query: Query;
  readonly input: FileFormat | 'kafka';
  readonly wanted: Comparison['wanted'];
}

const over = (query: Query, input: Case['input'], wanted: Case['wanted'] = {}): Case => ({
  name: `${query.name}-${input}`,
  query,
  input,
  wanted,
});

export const CASES: readonly Case[] = [
  over(tumble, 'ndjson', { ofPrototype: 0.8, ofDuckdb: 0.36 }),
  over(tumble, 'csv'),
  over(tumble, 'parquet', { ofDuckdb: 0.3 }),
  over(tumbleChanges, 'ndjson'),
  over(hop, 'ndjson'),
  over(filter, 'ndjson'),
  over(running, 'ndjson'),
  over(join, 'ndjson', { ofPrototype: 0.8 }),
  over(tumble, 'kafka', { ofPrototype: 0.8 }),
  over(filter, 'kafka', { ofPrototype: 0.8 }),
];

export const MEMORY = 'memory';
export const LATENCY = 'latency';
