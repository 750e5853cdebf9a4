import { expect, it } from 'vitest';
import { open } from '../src/engine.ts';
import { whatHolds, type PartitionStanding } from '../src/exec/source-standing.ts';

const at = (second: number): bigint => BigInt(Date.UTC(2026, 0, 1, 12, 0, second)) * 1000n;
const NOW = Date.UTC(2026, 0, 1, 12, 1, 0);

const partition = (more: Partial<PartitionStanding> = {}): PartitionStanding => ({
  name: 'bids-3', position: 10, end: 10, done: false, idle: false, latest: at(11), first: undefined, activeAt: NOW - 38_000, holds: true,
  ...more,
}); // prettier-ignore

const why = (partitions: readonly PartitionStanding[], notice?: string): string => {
  const { heldBy, why } = whatHolds({ eventTime: true, delay: 4_000_000n, notice, partitions }, NOW);
  return `${heldBy ?? 'none'}: ${why}`;
};

it('says what holds a watermark', () => {
  const delay = 'its latest record is of 2026-01-01T12:00:11Z, less the delay of 4 s';
  expect(why([partition({ holds: false }), partition({ name: 'bids-1' })])).toBe(`bids-1: ${delay}, and came 38 s ago`);
  expect(why([partition({ end: 15 })])).toBe(`bids-3: ${delay}; it is read up to 10 of 15`);
  expect(why([partition()], 'waiting for broker x')).toBe(`bids-3: ${delay}, and came 38 s ago; waiting for broker x`);
  expect(why([partition({ latest: undefined })])).toBe('bids-3: it has no record with an event time yet');
  expect(why([partition({ latest: undefined, end: 15 })])).toBe('bids-3: no record of it with an event time has been read yet'); // prettier-ignore
  expect(why([partition({ latest: undefined, first: at(20), end: 15 })])).toBe('bids-3: it has not begun; its first record is of 2026-01-01T12:00:20Z, less the delay of 4 s'); // prettier-ignore
  expect(why([partition({ holds: false, idle: true })])).toMatch(/^none: all its partitions are idle/);
  expect(why([partition({ holds: false, done: true })])).toBe('none: it has ended');
  expect(why([], 'waiting for topic y')).toBe('none: waiting for topic y');
  expect(
    whatHolds({ eventTime: false, delay: 0n, notice: undefined, partitions: [partition()] }, NOW).heldBy,
  ).toBeNull();
});

it('says of each kind of window which is open, and what closes it', async () => {
  const engine = await open();
  const shape = 'GROUP BY window_start, window_end EMIT ON WINDOW CLOSE';
  await engine.sql(`
    CREATE SOURCE g (i AS n, ts AS TIMESTAMP '2026-01-01 12:00:01' + INTERVAL (n) MICROSECOND, WATERMARK FOR ts AS ts - INTERVAL '1 second')
      WITH (connector = 'generator', rate = 100);
    CREATE MATERIALIZED VIEW tumble AS SELECT window_start, count(*) AS c FROM TUMBLE(g, ts, INTERVAL '5 seconds') ${shape};
    CREATE MATERIALIZED VIEW hop AS SELECT window_start, count(*) AS c FROM HOP(g, ts, INTERVAL '2 seconds', INTERVAL '6 seconds') ${shape};
    CREATE MATERIALIZED VIEW cumulate AS SELECT window_start, count(*) AS c FROM CUMULATE(g, ts, INTERVAL '2 seconds', INTERVAL '6 seconds') ${shape};
    CREATE MATERIALIZED VIEW rows AS SELECT window_start, median(i) AS c FROM TUMBLE(g, ts, INTERVAL '5 seconds') ${shape};
    CREATE MATERIALIZED VIEW late AS SELECT window_start, count(*) AS c FROM TUMBLE(g, ts, INTERVAL '5 seconds') ${shape} ALLOWED LATENESS INTERVAL '1 hour';
    CREATE MATERIALIZED VIEW top AS SELECT window_start, window_end, i FROM TUMBLE(g, ts, INTERVAL '5 seconds')
      QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY i) <= 1 EMIT ON WINDOW CLOSE;
    CREATE MATERIALIZED VIEW over_tumble AS SELECT window_start, count(*) AS c FROM TUMBLE(g, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end;
    CREATE MATERIALIZED VIEW plain AS SELECT count(*) AS c FROM g;
  `); // prettier-ignore
  expect(await engine.status()).toMatchObject({ phase: 'idle', epoch: -1, sources: [], views: [] });
  const stop = new AbortController();
  const run = engine.run({ signal: stop.signal, onEvent: (event) => { if (event.event === 'epoch' && event.rowsIn > 0) stopped(); } }); // prettier-ignore
  let stopped = (): void => undefined;
  await new Promise<void>((resolve) => (stopped = resolve));
  const { phase, views, sources } = await engine.status();
  expect(phase).toBe('running');
  expect(sources[0]).toMatchObject({ name: 'g', heldBy: 'g', late: 0 });
  const second = (micros: string | null): number | null => (micros === null ? null : Number((BigInt(micros) - at(0)) / 1_000_000n)); // prettier-ignore
  const open_ = Object.fromEntries(views.map(({ name, window }) => [name, window && [second(window.start), second(window.end), second(window.closesAt), window.source]])); // prettier-ignore
  expect(open_).toEqual({
    tumble: [0, 5, 5, 'g'], hop: [-4, 2, 2, 'g'], cumulate: [null, 2, 2, 'g'], rows: [0, 5, 5, 'g'], late: [null, 5, 5, 'g'],
    top: [null, 5, 5, 'g'], over_tumble: [0, 5, 5, 'g'], plain: null,
  }); // prettier-ignore
  stop.abort();
  await run;
  expect((await engine.status()).phase).toBe('idle');
  await engine.close();
});
