import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { kafkaTitle, skipKafka } from './support/kafka.ts';

const folders: string[] = [];

function kafka(...args: string[]): { code: number | null; out: string; err: string } {
  const run = spawnSync(process.execPath, ['scripts/kafka.ts', ...args], { encoding: 'utf8' });
  return { code: run.status, out: run.stdout.trim(), err: run.stderr };
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'streamsql-kafka-script-'));
  folders.push(made);
  return made;
}

function listens(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: Number(port) });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

afterEach(() => {
  for (const dir of folders.splice(0)) {
    kafka('stop', '--dir', dir);
    rmSync(dir, { recursive: true, force: true });
  }
});

describe('the kafka script', () => {
  it('explains itself', () => {
    expect(kafka()).toMatchObject({ code: 2, out: '', err: expect.stringContaining('usage: npm run -s kafka') });
    expect(kafka('start', '--port', '70000')).toMatchObject({ code: 2, err: expect.stringContaining('--port takes') });
    expect(kafka('start', '--prot', '1')).toMatchObject({ code: 2, err: expect.stringContaining("'--prot'") });
  });

  it('knows that nothing runs', () => {
    const dir = folder();
    expect(kafka('status', '--dir', dir)).toMatchObject({ code: 3, out: 'stopped' });
    expect(kafka('stop', '--dir', dir)).toMatchObject({ code: 0, err: expect.stringContaining('no broker') });
  });
});

describe.skipIf(skipKafka !== undefined)(kafkaTitle('the kafka script and a broker'), () => {
  it('starts several, once each, and stops only its own', async () => {
    const [one, two] = [folder(), folder()];
    const first = kafka('start', '--port', '0', '--dir', one);
    const second = kafka('start', '--port', '0', '--dir', two);
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(first.out).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(first.out).not.toBe(second.out);
    expect(kafka('start', '--dir', one)).toMatchObject({
      code: 0,
      out: first.out,
      err: expect.stringContaining('runs already'),
    });
    expect(kafka('start', '--dir', one, '--port', '1').code).toBe(1);
    expect(kafka('status', '--dir', one)).toMatchObject({ code: 0, out: `running ${first.out}` });
    const taken = kafka('start', '--dir', folder(), '--port', first.out.split(':')[1] ?? '');
    expect(taken).toMatchObject({ code: 1, err: expect.stringContaining('is taken') });

    expect(kafka('stop', '--dir', one).code).toBe(0);
    expect(kafka('status', '--dir', one)).toMatchObject({ code: 3, out: 'stopped' });
    expect(await listens(first.out)).toBe(false);
    expect(await listens(second.out)).toBe(true);
    expect(kafka('start', '--dir', one, '--port', first.out.split(':')[1] ?? '').out).toBe(first.out);
  });
});
