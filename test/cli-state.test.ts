import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { raw, sql } from '../src/base/sql.ts';
import type { TableState } from '../src/exec/checkpoint/manifest.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { commandLine, type CommandOutcome } from './support/command-line.ts';
import { StateFolder } from './support/state-folder.ts';

let cwd: string;
let duck: Duck;
let connection: DuckConnection;
let state: StateFolder;
let table: TableState;
beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'streamsql-cli-state-'));
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
  const folder = join(cwd, 'a [b]*.state');
  mkdirSync(folder);
  state = new StateFolder(folder, connection);
  const file = await state.data('groups-1', sql`SELECT range AS k, (range * 10)::VARCHAR AS s FROM range(300)`);
  const added = await state.data('groups-2', raw(`SELECT 1::BIGINT AS k, 'new' AS s`));
  table = {
    name: ' groups',
    columns: [
      { name: 'k', type: 'BIGINT' },
      { name: 's', type: 'VARCHAR' },
    ],
    rows: 299,
    segments: [
      { epoch: 1, kind: 'whole', rows: 300, file },
      { epoch: 2, kind: 'added', rows: 1, file: added, key: ['k'], conditions: ['k < 1'] },
    ],
  };
  state.checkpoint(1, [{ ...table, rows: 300, segments: table.segments.slice(0, 1) }]);
  state.checkpoint(2, [table], {
    operators: [
      { key: 'hot/1', title: 'groupBy-reduce', memo: { watermark: '5' }, tables: [table] },
      { key: 'bids/0', title: 'source', memo: null, tables: [] },
    ],
  });
});
afterEach(() => {
  duck.close();
  rmSync(cwd, { recursive: true, force: true });
});

const run = (...args: readonly string[]): Promise<CommandOutcome> => commandLine(['state', ...args], { cwd });
const DIR = 'a [b]*.state';
const damage = (name: string): void => truncateSync(join(state.path, name), 10);
const bytes = (name: string): number => statSync(join(state.path, 'data', `${name}.parquet`)).size;

describe('state ls', () => {
  it('lists the checkpoints, the newest first', async () => {
    const { code, stdout, stderr } = await run('ls', DIR);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [header, , ...lines] = stdout.trimEnd().split('\n');
    expect(header?.split('|').map((name) => name.trim())).toEqual(
      ['epoch', 'taken_at', 'age', 'rows', 'files', 'bytes', 'state'],
    ); // prettier-ignore
    const sum = bytes('groups-1') + bytes('groups-2');
    const cells = lines.map((line) => line.split('|').map((cell) => cell.trim()));
    expect(cells).toEqual([
      ['2', '2024-01-01T00:00:02.000Z', expect.stringMatching(/ h /), '299', '2', String(sum), 'valid'],
      ['1', '2024-01-01T00:00:01.000Z', expect.stringMatching(/ h /), '300', '1', String(bytes('groups-1')), 'valid'],
      ['(2 rows)'],
    ]);
  });

  it('says what is damaged', async () => {
    state.checkpoint(3, []);
    state.checkpoint(4, [], { format: 2, streamsql: '9' });
    damage('checkpoints/3.json');
    damage('data/groups-2.parquet');
    const { stdout } = await run('ls', DIR, '--format', 'json');
    const list = JSON.parse(stdout) as { epoch: number; state: string; rows: number | null }[];
    expect(list.map(({ epoch, state: said, rows }) => [epoch, rows, said])).toEqual([
      [4, null, 'damaged: checkpoints/4.json has the format 2 of streamsql 9, this one reads 1'],
      [3, null, 'damaged: checkpoints/3.json is cut off'],
      [2, 299, expect.stringMatching(/^damaged: data\/groups-2\.parquet has 10 bytes, not \d+$/)],
      [1, 300, 'valid'],
    ]);
  });

  it('has an empty list of a run that has no checkpoint yet', async () => {
    rmSync(join(state.path, 'checkpoints'), { recursive: true });
    expect(await run('ls', DIR, '--format', 'json')).toMatchObject({ code: 0, stdout: '[]\n' });
  });
});

describe('state show', () => {
  it('shows sources, partitions, targets and operators of the newest checkpoint', async () => {
    const { code, stdout, stderr } = await run('show', DIR, '--format', 'json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      checkpoint: [
        {
          epoch: 2, taken_at: '2024-01-01T00:00:02.000Z', clock: '2024-01-01T00:00:00Z', job: 'a-job', streamsql: '0.1.0',
          duckdb: 'v1.5.5', rows: 299, files: 2, bytes: bytes('groups-1') + bytes('groups-2'),
        },
      ],
      sources: [
        { source: 'bids', watermark: '2023-12-31T23:59:55.5Z', rows: 20, late: 1, dead_letters: 2, fingerprint: 'beef' },
      ],
      partitions: [
        { source: 'bids', partition: '0', position: 12, ordinal: null, greatest: '2023-12-31T23:59:59.5Z', initial: 0 },
        { source: 'bids', partition: '1', position: 8, ordinal: null, greatest: null, initial: 0 },
      ],
      targets: [{ kind: 'view', name: 'hot', fingerprint: 'f00d' }],
      operators: [
        { key: 'hot/1', operator: 'groupBy-reduce', table: 'groups', rows: 299, segments: 2, bytes: bytes('groups-1') + bytes('groups-2') },
        { key: 'bids/0', operator: 'source', table: null, rows: null, segments: null, bytes: null },
      ],
    }); // prettier-ignore
  });

  it('puts a table together from its segments', async () => {
    const { stdout } = await run('show', DIR, '--view', 'HOT', '--limit', '1000', '--format', 'json');
    const shown = JSON.parse(stdout) as Record<string, Record<string, unknown>[]>;
    expect(Object.keys(shown)).toEqual(['operators', 'hot/1 groups']);
    expect(shown['operators']).toMatchObject([{ key: 'hot/1', memo: '{"watermark":"5"}' }]);
    const rows = shown['hot/1 groups'] ?? [];
    expect(rows).toHaveLength(299);
    expect(rows.find(({ k }) => k === 1)).toEqual({ k: 1, s: 'new' });
    expect(rows.find(({ k }) => k === 0)).toBeUndefined();
  });

  it('shows so many rows of a table, and says how many there are', async () => {
    const { stdout } = await run('show', DIR, '--view', 'hot');
    expect(stdout).toContain('hot/1 groups: 299 rows, the first 100\n');
    expect(stdout).toContain('(100 rows)');
    expect((await run('show', DIR, '--view', 'hot', '--limit', '299')).stdout).toContain('hot/1 groups: 299 rows\n');
  });

  it.each([
    ['csv', '# hot/1 groups: 299 rows, the first 1\nk,s\n2,20\n'],
    ['markdown', '### hot/1 groups: 299 rows, the first 1\n\n| k | s |\n'],
    ['line', 'hot/1 groups: 299 rows, the first 1\nk = 2\ns = 20\n'],
  ])('prints as %s', async (format, text) => {
    expect((await run('show', DIR, '--view', 'hot', '--limit', '1', '--format', format)).stdout).toContain(text);
  });

  it('knows a name whose operators keep nothing', async () => {
    const { code, stdout } = await run('show', DIR, '--view', 'bids', '--format', 'json');
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['operators']);
  });

  it('shows an earlier checkpoint', async () => {
    const { stdout } = await run('show', DIR, '--view', 'hot', '--checkpoint', '1', '--limit', '1', '--format', 'csv');
    expect(stdout).toContain('# hot/1 groups: 300 rows, the first 1\nk,s\n0,0\n');
  });

  it('passes over a damaged checkpoint, and says so', async () => {
    damage('data/groups-2.parquet');
    const { code, stdout, stderr } = await run('show', DIR, '--view', 'hot', '--format', 'csv');
    expect(code).toBe(0);
    expect(stdout).toContain('300 rows');
    expect(stderr).toMatch(/^warning: the checkpoint of epoch 2 is passed over: data\/groups-2\.parquet has 10 bytes/);
  });

  it('shows of a damaged checkpoint that is asked for what can be known', async () => {
    damage('data/groups-2.parquet');
    const { code, stdout, stderr } = await run('show', DIR, '--checkpoint', '2');
    expect(code).toBe(0);
    expect(stdout).toContain('groupBy-reduce');
    expect(stderr).toContain('warning: the checkpoint of epoch 2 is damaged: data/groups-2.parquet');
    const content = await run('show', DIR, '--checkpoint', '2', '--view', 'hot');
    expect(content.code).toBe(1);
    expect(content.stderr).toContain('error[STATE]: the checkpoint of epoch 2 is damaged: data/groups-2.parquet');
  });

  it('runs no SQL of a manifest beyond the folder', async () => {
    const secret = join(cwd, 'secret.csv');
    writeFileSync(secret, 'k\n1\n');
    for (const condition of [`k IN (SELECT k FROM read_csv('${secret}'))`, `false); COPY (SELECT 1) TO '${secret}'; SELECT (1`]) {
      state.checkpoint(3, [{ ...table, segments: [...table.segments, { epoch: 3, kind: 'added', rows: 0, conditions: [condition] }] }]);
      expect((await run('show', DIR, '--view', 'hot')).code).toBe(3);
    }
    expect(readFileSync(secret, 'utf8')).toBe('k\n1\n');
  }); // prettier-ignore

  it('changes nothing in the folder, and leaves nothing beside it', async () => {
    const before = readdirSync(cwd, { recursive: true });
    await run('show', DIR, '--view', 'hot');
    await run('ls', DIR);
    expect(readdirSync(cwd, { recursive: true })).toEqual(before);
  });
});

describe('refused', () => {
  it.each([
    [['ls', 'nowhere'], 1, /FILE_MISSING.*there is no folder nowhere/],
    [['show', 'nowhere'], 1, /there is no folder nowhere/],
    [['ls', 'file.txt'], 1, /file\.txt is no folder/],
    [['show', 'empty'], 1, /STATE.*empty was not made by streamsql/],
    [['show', DIR, '--checkpoint', '7'], 1, /no checkpoint of epoch 7[\s\S]*hint: there are those of the epochs 2, 1/],
    [['show', DIR, '--view', 'hto'], 1, /CATALOG.*knows nothing of the name hto[\s\S]*did you mean hot\?/],
    [['show', DIR, '--checkpoint', 'x'], 2, /--checkpoint.*whole number/],
    [['show', DIR, '--limit', '0'], 2, /--limit.*at least 1/],
    [['show', DIR, '--format', 'xml'], 2, /Allowed choices/],
    [['show'], 2, /DIR/],
    [[], 2, /state takes ls or show/],
    [['sow', DIR], 2, /did you mean show\?/],
    [[DIR], 2, /to look into a folder: streamsql state ls a \[b\]\*\.state/],
  ])('%j with exit code %i', async (args, code, says) => {
    writeFileSync(join(cwd, 'file.txt'), '');
    mkdirSync(join(cwd, 'empty'));
    const outcome = await run(...args);
    expect(outcome.stderr).toMatch(says);
    expect(outcome.code).toBe(code);
  });

  it('where no checkpoint is whole, with what each suffers from', async () => {
    damage('checkpoints/2.json');
    damage('data/groups-1.parquet');
    const { code, stderr } = await run('show', DIR);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error\[STATE\]: there is no whole checkpoint in/);
    expect(stderr).toMatch(/epoch 2 is passed over: checkpoints\/2\.json is cut off; .*epoch 1 .*data\/groups-1/);
  });

  it('has help for each', async () => {
    expect((await run('--help')).stdout).toMatch(/ls.*\n.*show/);
    expect((await run('show', '--help')).stdout).toContain('--limit <N>');
    expect((await run('ls', '--help')).code).toBe(0);
    expect((await commandLine(['help', 'state'])).stdout).toContain('state ls demo.state');
    expect((await commandLine(['--help'])).stdout).toContain('look into a state folder');
  });
});
