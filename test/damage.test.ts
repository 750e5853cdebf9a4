import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raw } from '../src/base/sql.ts';
import { StreamsqlError } from '../src/engine.ts';
import { Duck } from '../src/exec/duck.ts';
import { RunFolder, type Again } from './support/stopped-run.ts';

/**
 * Whatever is damaged of what a run left, the next one ends with the right results, and says which checkpoint it could not use, or
 * is refused with what to do about it. Never a wrong result, and never a run that silently begins anew.
 */
let right: string;
/** Stopped in good order after eight epochs; after four of them; killed in the ninth, with its log not yet in the database. */
let stopped: RunFolder;
let older: RunFolder;
let killed: RunFolder;

beforeAll(async () => {
  const whole = new RunFolder();
  whole.writeInput();
  right = (await whole.run()).rows ?? '';
  whole.remove();
  stopped = new RunFolder();
  stopped.writeInput();
  await stopped.run({ stopAfter: { epochs: 4 } });
  older = stopped.copy();
  await stopped.run({ stopAfter: { epochs: 3 } });
  killed = await killedFrom(older);
});
afterAll(() => {
  for (const folder of [stopped, older, killed]) folder.remove();
});

/** What is there of a run that goes on from `before` when it commits its fourth epoch. */
async function killedFrom(before: RunFolder): Promise<RunFolder> {
  const [live, left] = [before.copy(), new RunFolder()];
  let commits = 0;
  const fault = (point: string): void => {
    if (point === 'committed' && ++commits === 4) cpSync(live.path, left.path, { recursive: true });
    if (commits >= 4) throw new Error('killed');
  };
  await live.run({}, { fault });
  live.remove();
  return left;
}

/** The next run of a copy that `damage` has changed. Epochs are cut as they come: it does not matter. */
async function after(base: RunFolder, damage: (copy: RunFolder) => void | Promise<void>): Promise<Again> {
  const copy = base.copy();
  try {
    await damage(copy);
    return await copy.run({}, {}, undefined, { checkpointIntervalMs: 1e9, maxBatchRows: 1000 });
  } finally {
    copy.remove();
  }
}

/** What is wrong with how a run went on, if anything. */
function objection({ rows, error, warnings, resumedFrom }: Again, newest: number): string | undefined {
  if (rows !== undefined) {
    if (rows !== right) return `wrong: ${rows}`;
    if (resumedFrom === undefined) return 'it began anew and did not say so';
    const said = warnings.some((warning) => warning.includes(`the checkpoint of epoch ${newest}: `));
    return resumedFrom < newest && !said ? `it went on from ${resumedFrom} and did not say why` : undefined;
  }
  if (!(error instanceof StreamsqlError)) return `no error of ours: ${String(error)}`;
  if (error.code !== 'STATE') return `${error.code}: ${error.message}`;
  if (/exception_type|\n\s+at /.test(error.message)) return `raw: ${error.message}`;
  return /--fresh/.test(error.hint ?? '') ? undefined : `${error.message}: no way out: ${error.hint ?? ''}`;
}

type Damage = readonly [what: string, damaged: Buffer | undefined];

function damages(bytes: Buffer, before: Buffer | undefined, flips: number): readonly Damage[] {
  const flipped = Array.from({ length: flips }, (_, i): Damage => {
    const at = Math.min(bytes.length - 1, Math.floor((bytes.length * i) / (flips - 1)));
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 0x10;
    return [`the bit at ${at} flipped`, copy];
  });
  return [
    ['removed', undefined],
    ['emptied', Buffer.alloc(0)],
    ['cut in half', bytes.subarray(0, bytes.length >> 1)],
    ['cut by one', bytes.subarray(0, -1)],
    ['longer', Buffer.concat([bytes, bytes.subarray(0, 9)])],
    ['zeros', Buffer.alloc(bytes.length)],
    ...(before === undefined || before.equals(bytes) ? [] : [['an older copy', before] as const]),
    ...flipped,
  ];
}

/** What goes wrong with each of the damages to each of the files; `expected`: what tells of a checkpoint that is damaged. */
async function damageAll(base: RunFolder, paths: readonly string[], flips: number): Promise<readonly string[]> {
  const objections: string[] = [];
  const checkpoints = epochsOf(base);
  for (const path of paths) {
    const before = older.files().includes(path) ? readFileSync(older.at(path)) : undefined;
    for (const [what, bytes] of damages(readFileSync(base.at(path)), before, flips)) {
      const again = await after(base, (copy) => (bytes === undefined ? rmSync(copy.at(path)) : writeFileSync(copy.at(path), bytes)));
      // A checkpoint that is not there leaves no trace.
      const newest = checkpoints.find((epoch) => what !== 'removed' || path !== manifest(epoch)) ?? -1;
      const found = objection(again, newest);
      if (found !== undefined) objections.push(`${path} ${what}: ${found}`);
    }
  }
  return objections;
} // prettier-ignore

const manifest = (epoch: number): string => `state/checkpoints/${epoch}.json`;

/** Of the checkpoints that are there, the newest first. */
const epochsOf = (base: RunFolder): readonly number[] =>
  base.files().flatMap((path) => /checkpoints\/(\d+)\.json$/.exec(path)?.[1] ?? []).map(Number).sort((a, b) => b - a); // prettier-ignore

describe.each([
  ['stopped in good order', () => stopped],
  ['killed', () => killed],
])('a run that was %s', (_, base) => {
  it('goes on', async () => {
    const again = await after(base(), () => undefined);
    expect([again.rows === right, again.resumedFrom, again.warnings]).toEqual([true, epochsOf(base())[0], []]);
  });
  it('with damaged results', async () => {
    const paths = base().files().filter((path) => path.includes('results.duckdb')); // prettier-ignore
    expect(await damageAll(base(), paths, 10)).toEqual([]);
  });
});

describe('a damaged state', () => {
  it('its mark', async () => {
    expect(await damageAll(stopped, ['state/streamsql.json'], 4)).toEqual([]);
  });
  it('its newest manifest, and the oldest', async () => {
    const [newest = -1, ...others] = epochsOf(stopped);
    expect(await damageAll(stopped, [newest, ...others.slice(-1)].map(manifest), 3)).toEqual([]);
  });
  it('data that only the newest checkpoint has, and data that all have', async () => {
    const [newest] = epochsOf(stopped);
    const data = stopped.files().filter((path) => path.includes('/data/totals')); // prettier-ignore
    expect(data.length).toBeGreaterThan(2);
    const latest = data.filter((path) => path.includes(`-${newest}-`));
    expect(await damageAll(stopped, [data[0] ?? '', ...latest], 3)).toEqual([]);
  });
});

const refused = async (base: RunFolder, damage: (copy: RunFolder) => void | Promise<void>): Promise<string> => {
  const { error } = await after(base, damage);
  if (!(error instanceof StreamsqlError)) throw error ?? new Error('it was not refused');
  return `${error.code}: ${error.message}\n${error.hint ?? ''}`;
};

async function change(folder: RunFolder, ...statements: readonly string[]): Promise<void> {
  const duck = await Duck.open(folder.at('results.duckdb'));
  const connection = await duck.connect();
  for (const statement of statements) await connection.run(raw(statement));
  duck.close();
}

describe('results and state that do not belong together', () => {
  it('the results of another run', async () => {
    const other = new RunFolder();
    other.writeInput();
    await other.run({ stopAfter: { epochs: 8 } });
    const found = await refused(stopped, (copy) => cpSync(other.at('results.duckdb'), copy.at('results.duckdb')));
    expect(found).toMatch(/^STATE: the results in .*results.duckdb and the state in .*state are of two runs\n.*--fresh/);
    const state = await refused(stopped, (copy) => {
      rmSync(copy.at('state'), { recursive: true });
      cpSync(other.at('state'), copy.at('state'), { recursive: true });
    });
    expect(state).toMatch(/^STATE: .* are of two runs\n.*--fresh/);
    other.remove();
  });

  it('no state, but results', async () => {
    const found = await refused(stopped, (copy) => rmSync(copy.at('state'), { recursive: true }));
    expect(found).toMatch(/^STATE: the run whose results are in .* did not finish, and the state .* is not there\n.*--fresh/);
  });

  it('results that are older than some checkpoints are brought up from the one before', async () => {
    const again = await after(older, () => undefined);
    expect(again.rows).toBe(right);
    const copy = older.copy();
    await copy.run({ stopAfter: { epochs: 1 } });
    cpSync(older.at('results.duckdb'), copy.at('results.duckdb'));
    const { rows, warnings, resumedFrom } = await copy.run();
    copy.remove();
    expect([rows === right, resumedFrom]).toEqual([true, 3]);
    expect(warnings[0]).toMatch(/^the checkpoint of epoch 4: the results in .* are older, they end at epoch 3; going on from that of epoch 3$/);
  });

  it('a log whose start, or middle, is gone', async () => {
    const newer = epochsOf(stopped).slice(0, -1);
    const oldest = epochsOf(stopped).at(-1) ?? -1;
    const start = await refused(stopped, async (copy) => {
      for (const epoch of newer) rmSync(copy.at(manifest(epoch)));
      await change(copy, `DELETE FROM _streamsql.epochs WHERE epoch < ${oldest + 2}`);
    });
    expect(start).toMatch(new RegExp(`^STATE: no checkpoint .*\n  the checkpoint of epoch ${oldest}: the results have the log from epoch ${oldest + 2} on only\n.*--fresh`));
    const middle = await refused(stopped, async (copy) => {
      for (const epoch of newer) rmSync(copy.at(manifest(epoch)));
      await change(copy, `DELETE FROM _streamsql.epochs WHERE epoch = ${oldest + 1}`);
    });
    expect(middle).toMatch(new RegExp(`^STATE: the results have no record of the epoch ${oldest + 1}\n.*--fresh`));
  });
}); // prettier-ignore

describe('input that is not what it was', () => {
  const edited = (copy: RunFolder, edit: (lines: string[]) => void): void => {
    const lines = readFileSync(copy.at('clicks.jsonl'), 'utf8').split('\n');
    edit(lines);
    writeFileSync(copy.at('clicks.jsonl'), lines.join('\n'));
  };
  /** The line of which the killed run has the results and no checkpoint. */
  const replayed = 6 * 20 + 5;

  it('other bytes in what is to be read again', async () => {
    const found = await refused(killed, (copy) =>
      edited(copy, (lines) => (lines[replayed] = (lines[replayed] ?? '').replace('"v":', '"v":1').slice(0, -1) + '}')),
    );
    expect(found).toMatch(/^GAP: source clicks: clicks.jsonl, \d+ to \d+, is not what was read before: their bytes are others\n.*--fresh/);
  });

  it('a file that is shorter than it was, or not there', async () => {
    expect(await refused(killed, (copy) => edited(copy, (lines) => lines.splice(20)))).toMatch(/^GAP: /);
    expect(await refused(killed, (copy) => rmSync(copy.at('clicks.jsonl')))).toMatch(/^(GAP|FILE_MISSING): .*clicks/);
  });

  it('more of it is no change', async () => {
    const again = await after(killed, (copy) => edited(copy, (lines) => lines.splice(-1, 0, '{"id": 999, "k": "k1", "ts": "2023-11-14 22:20:00"}')));
    expect(again.rows).toContain('"named","999","one"');
  });
}); // prettier-ignore
