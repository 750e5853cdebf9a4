import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '../src/base/sql.ts';
import type { Manifest, TableState } from '../src/exec/checkpoint/manifest.ts';
import {
  damageText,
  listCheckpoints,
  manifestPath,
  readManifest,
  verifyFiles,
} from '../src/exec/checkpoint/read-manifest.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { StateFolder } from './support/state-folder.ts';

let folder: string;
let duck: Duck;
let connection: DuckConnection;
let state: StateFolder;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-manifest-'));
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
  state = new StateFolder(folder, connection);
});
afterEach(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  writeFileSync(path, bytes);
};

async function table(): Promise<TableState> {
  const file = await state.data('1', sql`SELECT range AS i FROM range(10)`);
  const gone = await state.data('2', sql`SELECT 3 AS i`);
  return {
    name: 'rows',
    columns: [{ name: 'i', type: 'BIGINT' }],
    rows: 9,
    segments: [
      { epoch: 1, kind: 'whole', rows: 10, file },
      { epoch: 2, kind: 'added', rows: 0, gone },
    ],
  };
}

describe('the manifests of a state folder', () => {
  it('are listed by epoch, the newest first; what is no manifest is not', () => {
    for (const epoch of [9, -1, 812, 10]) state.checkpoint(epoch, []);
    for (const name of ['x.json', '5.json.tmp', '07.json', '4.txt'])
      writeFileSync(join(folder, 'checkpoints', name), '');
    expect(listCheckpoints(folder)).toEqual([812, 10, 9, -1]);
    expect(listCheckpoints(join(folder, 'nowhere'))).toEqual([]);
  });

  it('come back as they were written', async () => {
    const written = state.checkpoint(7, [await table()], { job: 'Übung 🦆\n"' });
    expect(readManifest(folder, 7)).toEqual({ manifest: written });
    expect(verifyFiles(written, folder)).toEqual({ manifest: written });
  });
});

describe('a damaged manifest', () => {
  const path = (): string => join(folder, manifestPath(7));
  const kind = (): string | undefined => readManifest(folder, 7).damage?.kind;

  it('is noticed wherever it is cut off', async () => {
    state.checkpoint(7, [await table()]);
    const whole = readFileSync(path());
    for (const length of [whole.length - 1, whole.length - 5, whole.length - 9, whole.length - 10, 100, 1, 0]) {
      truncateSync(path(), length);
      expect(kind()).toBe('truncated');
    }
  });

  it('is noticed whichever bit is turned', async () => {
    state.checkpoint(7, [await table()]);
    const { size } = { size: readFileSync(path()).length };
    for (let at = 0; at < size; at++) {
      flip(path(), at);
      expect(kind(), `byte ${at}`).toBeDefined();
      flip(path(), at);
    }
    expect(kind()).toBeUndefined();
  });

  it('is noticed where more was appended, or all is zeros', () => {
    state.checkpoint(7, []);
    appendFileSync(path(), 'x');
    expect(kind()).toBe('checksum');
    writeFileSync(path(), Buffer.alloc(500));
    expect(kind()).toBe('truncated');
    writeFileSync(path(), '\n00000000\n');
    expect(kind()).toBe('invalid');
  });

  it('is told from one that another version wrote', () => {
    state.checkpoint(7, [], { format: 2, streamsql: '9.9.9' });
    const { damage } = readManifest(folder, 7);
    expect(damage?.kind).toBe('format');
    expect(damage && damageText(damage)).toBe(
      'checkpoints/7.json has the format 2 of streamsql 9.9.9, this one reads 1',
    );
  });

  it('is not taken for that of another epoch', () => {
    state.checkpoint(8, []);
    writeFileSync(path(), readFileSync(join(folder, manifestPath(8))));
    expect(readManifest(folder, 7).damage).toMatchObject({ kind: 'invalid', what: 'is that of the epoch 8' });
  });

  it('may be missing or a folder', () => {
    expect(readManifest(folder, 7).damage).toEqual({ kind: 'missing', path: 'checkpoints/7.json', what: 'is missing' });
    state.checkpoint(7, []);
    rmSync(path());
    expect(kind()).toBe('missing');
  });
});

describe('a damaged file of a checkpoint', () => {
  let manifest: Manifest;
  const full = (name: string): string => join(folder, 'data', `${name}.parquet`);
  beforeEach(async () => {
    manifest = state.checkpoint(7, [await table()]);
  });

  it.each(['1', '2'])('is noticed where it is missing, cut off or changed: data/%s', (name) => {
    const whole = readFileSync(full(name));
    const path = `data/${name}.parquet`;
    truncateSync(full(name), whole.length - 1);
    expect(verifyFiles(manifest, folder).damage).toEqual({
      kind: 'size',
      path,
      what: `has ${whole.length - 1} bytes, not ${whole.length}`,
    });
    writeFileSync(full(name), whole);
    for (let at = 0; at < whole.length; at++) {
      flip(full(name), at);
      expect(verifyFiles(manifest, folder).damage).toMatchObject({ kind: 'checksum', path });
      flip(full(name), at);
    }
    expect(verifyFiles(manifest, folder).damage).toBeUndefined();
    rmSync(full(name));
    expect(verifyFiles(manifest, folder).damage).toEqual({ kind: 'missing', path, what: 'is missing' });
  });

  it('is looked at once for several checkpoints', () => {
    const verified = new Map();
    expect(verifyFiles(manifest, folder, verified).manifest).toBe(manifest);
    rmSync(full('1'));
    expect(verifyFiles(manifest, folder, verified).manifest).toBe(manifest);
    expect(verifyFiles(manifest, folder).damage).toBeDefined();
  });

  it.each(['/etc/passwd', 'data/../../x', '../x'])('may not lie outside the folder: %s', (path) => {
    const [operator] = manifest.operators;
    const segments = [{ epoch: 1, kind: 'whole' as const, rows: 1, file: { path, bytes: 1, crc32: 1 } }];
    const tables = [{ name: 'rows', columns: [], rows: 1, segments }];
    const changed = { ...manifest, operators: [{ key: 'a/1', title: '', memo: null, ...operator, tables }] };
    expect(verifyFiles(changed, folder).damage?.kind).toBe('invalid');
  });
});
