import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { accounts, orders, readings, writeFiles, type Files } from './input.ts';

/** A .sql file of workloads/ and its input. */
export interface Workload {
  readonly name: string;
  readonly file: string;
  /** What `streamsql run` is given beside the file, its database and its state. */
  readonly flags: readonly string[];
  /** Writes the input into a run's folder. */
  prepare(folder: string, seed: number): void;
}

const SQL = join(import.meta.dirname, 'workloads');

/** Small epochs, and a checkpoint every few of them. */
export const flags = (maxBatchRows: number, checkpointMs: number): readonly string[] => [
  '--max-batch-rows',
  String(maxBatchRows),
  '--batch-interval',
  '1',
  ...checkpointFlags(checkpointMs),
];

const checkpointFlags = (ms: number): readonly string[] => ['--checkpoint-interval', String(ms)];

function overFiles(name: string, maxBatchRows: number, checkpointMs: number, files: (seed: number) => Files): Workload {
  return {
    name,
    file: `${name}.sql`,
    flags: flags(maxBatchRows, checkpointMs),
    prepare: (folder, seed) => {
      writeFiles(join(folder, 'in'), files(seed));
      copySql(name, folder);
    },
  };
}

export const copySql = (name: string, folder: string): void =>
  copyFileSync(join(SQL, `${name}.sql`), join(folder, `${name}.sql`));

/** Each is cut into some hundred epochs of a few milliseconds. */
export const FILE_WORKLOADS: readonly Workload[] = [
  overFiles('windows', 150, 300, (seed) => readings(seed, 9_000)),
  overFiles('joins', 150, 200, (seed) => orders(seed, 3_000)),
  overFiles('sessions', 120, 200, (seed) => orders(seed, 4_000)),
  overFiles('changes', 90, 200, (seed) => accounts(seed, 3_000)),
  {
    name: 'tables',
    file: 'tables.sql',
    flags: [...flags(200, 120), '-v', 'ROWS=20000'],
    prepare: (folder) => copySql('tables', folder),
  },
];
