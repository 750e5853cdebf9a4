import type { ResultTable } from '../base/run.ts';
import type { Manifest } from '../exec/checkpoint/manifest.ts';
import { damageText, filesOf } from '../exec/checkpoint/read-manifest.ts';
import { formatTable, type Format } from './format.ts';
import type { Io } from './io.ts';
import { StateFolder, type FoundCheckpoint } from './state-folder.ts';
import { duration } from './units.ts';

/** `streamsql state ls DIR`: the checkpoints of a state folder, and whether each is whole. */
export function stateLsCommand(dir: string, flags: { readonly format: Format }, io: Io): number {
  const rows = new StateFolder(dir, io).checkpoints().map((found) => row(found, Date.now()));
  io.stdout.write(formatTable({ columns: COLUMNS, rows }, flags.format, io.stdout));
  return 0;
}

const COLUMNS: ResultTable['columns'] = [
  { name: 'epoch', type: 'BIGINT' },
  { name: 'taken_at', type: 'VARCHAR' },
  { name: 'age', type: 'VARCHAR' },
  { name: 'rows', type: 'BIGINT' },
  { name: 'files', type: 'BIGINT' },
  { name: 'bytes', type: 'BIGINT' },
  { name: 'state', type: 'VARCHAR' },
];

function row({ epoch, manifest, damage }: FoundCheckpoint, now: number): readonly unknown[] {
  const state = damage === undefined ? 'valid' : `damaged: ${damageText(damage)}`;
  if (manifest === undefined) return [epoch, null, null, null, null, null, state];
  const { takenAt } = manifest;
  const { rows, files, bytes } = extent(manifest);
  return [epoch, takenAt, duration(Math.max(0, now - Date.parse(takenAt)) / 1000), rows, files, bytes, state];
}

/** How much state a checkpoint has, and in how much of the disk. */
export function extent(manifest: Manifest): { readonly rows: number; readonly files: number; readonly bytes: number } {
  const tables = manifest.operators.flatMap((operator) => operator.tables);
  const files = filesOf(manifest);
  return {
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}
