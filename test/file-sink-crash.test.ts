import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SinkContext } from '../src/base/connector.ts';
import type { Column } from '../src/base/schema.ts';
import { fileSinkIn } from '../src/connectors/sinks/file-sink.ts';
import { openSinkBench, planSink, visibleRows, type SinkBench } from './support/sink-bench.ts';
import { PowerCut, TornDisk } from './support/torn-disk.ts';

/**
 * Law 3 for the file sink: the power goes at any operation, any number of times, and takes what was not synced with it; a reader
 * looks after every change of names. It never sees a row twice, half a row, or one whose epoch is not committed; in the end it
 * sees all of them once.
 */
const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'INTEGER' },
  { name: 'key', type: 'VARCHAR' },
];
const KEYS = ['a', 'b/c d', '', null, 'ü%='];

let bench: SinkBench;
let cwd: string;
beforeAll(async () => {
  bench = await openSinkBench();
  cwd = mkdtempSync(join(tmpdir(), 'file-sink-'));
});
afterAll(() => {
  bench.close();
  rmSync(cwd, { recursive: true });
});

interface Story {
  /** Of each epoch, the keys of its rows. */
  readonly epochs: readonly (readonly number[])[];
  /** Operations from one start to the next outage, which may be of the process alone. */
  readonly outages: readonly { readonly after: number; readonly power: boolean }[];
  readonly seed: number;
  readonly keyed: boolean;
  /** How each start would gather epochs: not, by size, by time. */
  readonly rolls: readonly ('none' | 'size' | 'time')[];
}

const story: fc.Arbitrary<Story> = fc.record({
  epochs: fc.array(fc.array(fc.nat(KEYS.length - 1), { maxLength: 4 }), { minLength: 1, maxLength: 8 }),
  outages: fc.array(
    fc.record({
      after: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 90 })),
      power: fc.boolean(),
    }),
    { maxLength: 6 },
  ),
  seed: fc.nat(),
  keyed: fc.boolean(),
  rolls: fc.array(fc.constantFrom('none', 'size', 'time'), { minLength: 1, maxLength: 3 }),
});

const ROLL = { none: {}, size: { roll_size: '150 B' }, time: { roll_interval: '3 s' } } as const;

const RUNS = Number(process.env['FILE_SINK_RUNS'] ?? 100);
let told = 0;

/** Whether the outages were all before its end. */
async function tell({ epochs, outages, seed, keyed, rolls }: Story): Promise<boolean> {
  const home = join(cwd, String(told++));
  const folder = join(home, 'out');
  mkdirSync(folder, { recursive: true });
  const disk = new TornDisk(folder, join(home, 'trash'), randomOf(seed));
  let id = 0;
  const rows = epochs.map((keys) => keys.map((key) => ({ id: id++, key: KEYS[key] ?? null })));
  let clock = Date.now();
  let committed = -1;
  const look = (): void => {
    const seen = visibleRows(folder).map((row) => Number(row['id']));
    expect(new Set(seen).size, 'a row is seen twice').toBe(seen.length);
    const known = new Set(rows.slice(0, committed + 1).flatMap((epoch) => epoch.map((row) => row.id)));
    expect(seen.filter((one) => !known.has(one)), 'a row is seen before its epoch').toEqual([]); // prettier-ignore
  };
  disk.onChange = look;

  const attempt = async (roll: Story['rolls'][number]): Promise<void> => {
    const connector = fileSinkIn({ disk, pauses: [], now: () => clock });
    const options = { path: folder, ...ROLL[roll], ...(keyed ? { partition_by: 'key' } : {}) };
    const context: Partial<SinkContext> = {
      run: (statement) => {
        const path = /\) TO '((?:[^']|'')*)' \(/.exec(statement.text)?.[1] ?? '';
        return disk.written(path, async () => {
          await bench.connection.run(statement);
        });
      },
      ...(committed < 0 ? {} : { resume: { epoch: committed } }),
    };
    const writer = planSink(connector, options, { columns: COLUMNS }).open(bench.context(context));
    await writer.open();
    const stage = async (epoch: number): Promise<void> => {
      const values = (rows[epoch] ?? []).map((row) => `(${row.id}, ${row.key === null ? 'NULL' : `'${row.key}'`})`);
      const delta = await bench.delta(COLUMNS, values.join(', '));
      await writer.stage(epoch, delta, values.length);
    };
    if (committed >= 0 && !(await writer.isPublished(committed))) {
      await stage(committed);
      await writer.publish(committed);
    }
    for (let epoch = committed + 1; epoch < rows.length; epoch++) {
      await stage(epoch);
      committed = epoch;
      await writer.publish(epoch);
      clock += 1000;
      await writer.tick?.();
    }
    await writer.finish?.();
    await writer.close();
  };

  let start = 0;
  for (; ; start++) {
    disk.cutAfter(outages[start]?.after ?? Infinity);
    try {
      await attempt(rolls[start % rolls.length] ?? 'none');
      break;
    } catch (error) {
      if (!hasCause(error, PowerCut)) throw error;
      if (outages[start]?.power === true) disk.tear();
      else disk.restart();
      if (existsSync(folder)) look();
    }
  }
  const byId = visibleRows(folder).toSorted((a, b) => Number(a['id']) - Number(b['id']));
  expect(byId).toEqual(rows.flat());
  const hidden = readdirSync(folder).filter((name) => name.startsWith('.') && name !== '.pending');
  expect(hidden, 'nothing is left behind').toEqual(['.streamsql-sink']);
  rmSync(home, { recursive: true });
  return start === outages.length;
}

function hasCause(error: unknown, type: typeof PowerCut): boolean {
  if (error instanceof type) return true;
  return error instanceof Error && error.cause !== undefined && hasCause(error.cause, type);
}

function randomOf(seed: number): (below: number) => number {
  let state = (seed % 2 ** 31) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

test('a row is seen once, whenever the power goes', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (one) => {
      await tell(one);
    }),
    { numRuns: RUNS },
  );
}, 600_000);

/** Each operation of a short run is its last one; several times where the environment asks for more runs. */
const LAYOUTS: Readonly<Record<string, Pick<Story, 'keyed' | 'rolls'>>> = {
  'a part an epoch': { keyed: false, rolls: ['none'] },
  'a part an epoch in each folder': { keyed: true, rolls: ['none'] },
  'epochs gathered, in folders': { keyed: true, rolls: ['size'] },
};

for (const [name, how] of Object.entries(LAYOUTS)) {
  test(`${name}: whichever operation is the last`, async () => {
    const epochs = [[0, 1], [], [0, 1], [1, 0]];
    for (let seed = 0; seed < Math.max(1, RUNS / 100); seed++) {
      for (let after = 1, cut = true; cut; after++)
        cut = await tell({ ...how, epochs, seed: seed * 1000 + after, outages: [{ after, power: true }] });
    }
  }, 600_000);
}
