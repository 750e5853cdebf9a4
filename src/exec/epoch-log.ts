import { StreamsqlError } from '../base/errors.ts';
import { sql } from '../base/sql.ts';
import type { DuckConnection } from './duck.ts';
import { meta } from './results-schema.ts';
import type { EpochRange } from './results.ts';

/** An epoch as the results database has it: what is needed to do it again. */
export interface LoggedEpoch {
  readonly epoch: number;
  /** Microseconds. */
  readonly clock: bigint;
  readonly closing: boolean;
  readonly ranges: readonly EpochRange[];
  readonly announced: ReadonlyMap<string, bigint>;
}

/** The last epoch that the results hold; -1 where they hold none. */
export async function lastLogged(connection: DuckConnection): Promise<number> {
  const last = await connection.text(sql`SELECT CAST(max(epoch) AS VARCHAR) FROM ${meta('epochs')}`);
  return last === undefined ? -1 : Number(last);
}

/** The first epoch from which on the log has every one; undefined where it is empty. */
export async function logBegins(connection: DuckConnection): Promise<number | undefined> {
  const first = await connection.text(sql`SELECT CAST(min(epoch) AS VARCHAR) FROM ${meta('epochs')}`);
  return first === undefined ? undefined : Number(first);
}

/** The epochs after `after`, in order. Throws STATE where one is not there. */
export async function loggedAfter(connection: DuckConnection, after: number): Promise<readonly LoggedEpoch[]> {
  const rows = await connection.rows(sql`SELECT epoch, CAST(epoch_us(clock) AS VARCHAR) AS clock, closing,
      CAST(to_json(ranges) AS VARCHAR) AS ranges,
      CAST(to_json([{'source': w.source, 'announced': CAST(w.announced AS VARCHAR)} FOR w IN watermarks]) AS VARCHAR) AS watermarks
    FROM ${meta('epochs')} WHERE epoch > ${after} ORDER BY epoch`);
  return rows.map((row, i) => {
    const epoch = Number(row['epoch']);
    if (epoch !== after + 1 + i)
      throw new StreamsqlError('STATE', `the results have no record of the epoch ${after + 1 + i}`, {
        hint: 'put a good copy of the database back, or start again from the beginning with --fresh',
      });
    return {
      epoch,
      clock: BigInt(String(row['clock'])),
      closing: row['closing'] === true,
      ranges: rangesOf(String(row['ranges'])),
      announced: announcedOf(String(row['watermarks'])),
    };
  });
}

interface StoredRange {
  readonly source: string;
  readonly partition: string;
  readonly from: number;
  readonly to: number;
  readonly records: number;
  readonly crc32: number | null;
  readonly bytes: number | null;
}

const rangesOf = (text: string): readonly EpochRange[] =>
  (JSON.parse(text) as readonly StoredRange[]).map(({ crc32, bytes, ...range }) => ({
    ...range,
    check: crc32 === null || bytes === null ? undefined : { crc: crc32, bytes },
  }));

function announcedOf(text: string): ReadonlyMap<string, bigint> {
  const stored = JSON.parse(text) as readonly { readonly source: string; readonly announced: string | null }[];
  return new Map(
    stored.flatMap(({ source, announced }) => (announced === null ? [] : [[source, BigInt(announced)] as const])),
  );
}
