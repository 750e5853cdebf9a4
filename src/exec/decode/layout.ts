import type { Chunk } from '../../base/connector.ts';
import { HIDDEN } from '../../base/schema.ts';
import { ident, raw, sql, type Sql } from '../../base/sql.ts';
import { STRETCH_ROWS, type Placed, type Segment } from './plan.ts';

/** Where the chunks' records land in the table, less the dropped ones (ordinals within a chunk, ascending). */
export function segmentsOf(chunks: readonly Chunk[], dropped: readonly (readonly number[])[]): readonly Segment[] {
  const segments: Segment[] = [];
  let row = 0;
  const add = (partition: number, firstOffset: number, rows: number): void => {
    if (rows === 0) return;
    const last = segments.at(-1);
    if (last?.partition === partition && last.firstOffset + last.rows === firstOffset)
      segments[segments.length - 1] = { ...last, rows: last.rows + rows };
    else segments.push({ partition, firstRow: row, rows, firstOffset });
    row += rows;
  };
  chunks.forEach((chunk, c) => {
    const gaps = dropped[c] ?? [];
    let gap = 0;
    let ordinal = 0;
    for (const run of chunk.runs) {
      let from = ordinal;
      const end = ordinal + run.count;
      for (; gap < gaps.length && (gaps[gap] ?? end) < end; gap++) {
        const at = gaps[gap] ?? end;
        add(chunk.partition, run.first + from - ordinal, at - from);
        from = at + 1;
      }
      add(chunk.partition, run.first + from - ordinal, end - from);
      ordinal = end;
    }
  });
  return segments;
}

/** The offset of a chunk's record by its ordinal. */
export function offsetOf(chunk: Chunk, ordinal: number): number {
  let before = 0;
  for (const run of chunk.runs) {
    if (ordinal < before + run.count) return run.first + ordinal - before;
    before += run.count;
  }
  return ordinal;
}

/** Rows of one partition that stand together. */
export interface Block {
  readonly partition: number;
  readonly firstRow: number;
  readonly rows: number;
  /** The number of its first stretch, counted through all blocks. */
  readonly firstStretch: number;
}

export function blocksOf(segments: readonly Segment[]): readonly Block[] {
  const blocks: Block[] = [];
  for (const { partition, firstRow, rows } of segments) {
    const last = blocks.at(-1);
    if (last?.partition === partition) blocks[blocks.length - 1] = { ...last, rows: last.rows + rows };
    else
      blocks.push({
        partition,
        firstRow,
        rows,
        firstStretch: last === undefined ? 0 : last.firstStretch + Math.ceil(last.rows / STRETCH_ROWS),
      });
  }
  return blocks;
}

/** The number of a row's stretch, from its rowid. */
export const stretchOf = (blocks: readonly Block[]): Sql =>
  byRow(blocks, (block) => sql`(rowid - ${block.firstRow}) // ${STRETCH_ROWS} + ${block.firstStretch}`);

/** An expression over `rowid` which differs by stretches of rows: a search tree of CASEs, so thousands of them are cheap. */
export function byRow<T extends { readonly firstRow: number }>(parts: readonly T[], of: (part: T) => Sql): Sql {
  const [only] = parts;
  if (only === undefined) return raw('NULL');
  if (parts.length === 1) return of(only);
  const middle = parts.length >> 1;
  const [left, right] = [byRow(parts.slice(0, middle), of), byRow(parts.slice(middle), of)];
  return sql`CASE WHEN rowid < ${parts[middle]?.firstRow ?? 0} THEN ${left} ELSE ${right} END`;
}

const offsetByRow = (segments: readonly Segment[]): Sql =>
  byRow(segments, (segment) => sql`rowid + ${segment.firstOffset - segment.firstRow}`);

/** `$p` and `$o` of the rows of a table of which these are the segments. */
export const identityByRow = (segments: readonly Segment[]): readonly Sql[] => [
  sql`CAST(${byRow(blocksOf(segments), (block) => sql`${block.partition}`)} AS INTEGER) AS ${ident(HIDDEN.partition)}`,
  sql`CAST(${offsetByRow(segments)} AS BIGINT) AS ${ident(HIDDEN.offset)}`,
];

/** The columns placed, likewise. */
export function placedByRow(placed: readonly Placed[], segments: readonly Segment[]): readonly Sql[] {
  const blocks = blocksOf(segments);
  return placed.map(({ name, type, value }) => {
    const found = value === 'offset' ? offsetByRow(segments) : byPartition(blocks, value);
    return sql`CAST(${found} AS ${raw(type)}) AS ${ident(name)}`;
  });
}

/** A constant where it is the same in all partitions: a topic. */
function byPartition(blocks: readonly Block[], value: (partition: number) => string | number): Sql {
  const values = new Map(blocks.map(({ partition }) => [partition, value(partition)]));
  const [only, ...others] = new Set(values.values());
  if (only !== undefined && others.length === 0) return sql`${only}`;
  return byRow(blocks, ({ partition }) => sql`${values.get(partition) ?? null}`);
}
