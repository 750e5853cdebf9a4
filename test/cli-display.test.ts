import { describe, expect, it } from 'vitest';
import type { Progress, RunEvent } from '../src/base/run.ts';
import { commandLine, SUMMARY, type CommandOutcome } from './support/command-line.ts';

const START: RunEvent = {
  event: 'start', db: ':memory:', state: undefined, bounded: false, sources: [], views: ['v'],
}; // prettier-ignore
const RESUMED: RunEvent = { event: 'resumed', checkpoint: 812, epoch: 815, seconds: 0.4 };
const CHECKPOINT: RunEvent = {
  event: 'checkpoint',
  epoch: 1815,
  ms: 12.34567,
  pausedMs: 3.21,
  rows: 1200,
  bytes: 34_512,
};
const DONE: RunEvent = { event: 'done', ...SUMMARY };
const progress = (notice?: string): Progress => ({
  epoch: 7, seconds: 1, rowsIn: 100, rowsPerSecond: 100, sources: [], sinks: [{ name: 'alerts', notice }],
}); // prettier-ignore

const shown = (events: readonly RunEvent[], options: readonly string[] = [], columns?: number): Promise<CommandOutcome> =>
  commandLine(['run', '-', ...options], {
    ...(columns !== undefined && { columns }),
    during: (emit, { at }) => events.forEach((event, i) => (at(i * 12_000), emit(event))),
  }); // prettier-ignore

describe('resumed', () => {
  const line = 'resumed from the checkpoint of epoch 812 (+3 epochs done again) in 0.40 s\n';

  it('is one line for people', async () => {
    expect((await shown([START, RESUMED])).stderr).toContain(line);
    expect((await shown([START, RESUMED], ['--verbose'])).stderr).toContain(line);
    expect((await shown([START, RESUMED], [], 80)).stderr).toContain(line);
    expect((await shown([START, RESUMED], ['--quiet'])).stderr).toBe('');
  });

  it.each([
    [{ checkpoint: 812, epoch: 812 }, 'resumed from the checkpoint of epoch 812 in'],
    [{ checkpoint: 812, epoch: 813 }, 'epoch 812 (+1 epoch done again) in'],
    [{ checkpoint: -1, epoch: 1 }, 'resumed from the start (+2 epochs done again) in'],
  ])('tells %j', async (event, says) => {
    expect((await shown([{ ...RESUMED, ...event } as RunEvent])).stderr).toContain(says);
  });

  it('is a line of JSON', async () => {
    const { stdout, stderr } = await shown([RESUMED], ['--json']);
    expect(JSON.parse(stdout)).toEqual({ event: 'resumed', checkpoint: 812, epoch: 815, seconds: 0.4 });
    expect(stderr).toBe('');
  });
});

describe('a checkpoint', () => {
  it('is told with --verbose only', async () => {
    const line = 'checkpoint of epoch 1,815: 1,200 rows, 34.5 kB in 12 ms, paused 3 ms\n';
    expect((await shown([START, CHECKPOINT], ['--verbose'])).stderr).toContain(line);
    expect((await shown([START, CHECKPOINT])).stderr).not.toContain('checkpoint');
  });

  it('is a line of JSON', async () => {
    expect(JSON.parse((await shown([CHECKPOINT], ['--json'])).stdout)).toEqual({
      event: 'checkpoint', epoch: 1815, ms: 12.346, paused_ms: 3.21, rows: 1200, bytes: 34_512,
    }); // prettier-ignore
  });

  it('has its age in the status line, where there is room for it', async () => {
    const events: RunEvent[] = [START, CHECKPOINT, { event: 'progress', ...progress() }];
    expect((await shown(events, [], 80)).stderr).toContain(
      'epoch 7 | 100 rows | 100 rows/s | checkpoint 12 s ago\x1b[K',
    );
    expect((await shown(events, [], 45)).stderr).toContain('epoch 7 | 100 rows | 100 rows/s\x1b[K');
    expect((await shown([START, { event: 'progress', ...progress() }], [], 80)).stderr).not.toContain('checkpoint');
  });
});

describe('what a sink waits for', () => {
  const notice = 'alerts: waiting for broker localhost:9092';

  it('stands in the status line and in the log', async () => {
    const events: RunEvent[] = [START, { event: 'progress', ...progress(notice) }];
    expect((await shown(events, [], 120)).stderr).toContain(`\r${notice} | epoch 7`);
    expect((await shown(events)).stderr).toContain(`\n${notice} | epoch 7`);
  });

  it('is news in the log at once, and so is its end', async () => {
    const { stderr } = await commandLine(['run', '-'], {
      during: (emit) => {
        emit(START);
        for (const said of [undefined, notice, notice, undefined, undefined])
          emit({ event: 'progress', ...progress(said) });
      },
    });
    const lines = stderr.split('\n').filter((text) => text.includes('epoch 7'));
    expect(lines.map((text) => text.startsWith(notice))).toEqual([false, true, false]);
  });

  it('is in the JSON', async () => {
    const { stdout } = await shown(
      [
        { event: 'epoch', ...progress(notice) },
        { event: 'epoch', ...progress() },
      ],
      ['--json'],
    );
    expect(stdout.trimEnd().split('\n').map((text) => (JSON.parse(text) as { sinks: unknown }).sinks)).toEqual([
      [{ name: 'alerts', notice }],
      [{ name: 'alerts', notice: null }],
    ]); // prettier-ignore
  });
});

it('a warning is printed, and a line of JSON', async () => {
  const message = 'checkpoints/815.json is cut off: going on from the one before';
  const event: RunEvent = { event: 'warning', message };
  expect((await shown([START, event, DONE])).stderr).toContain(`warning: ${message}\n`);
  expect(JSON.parse((await shown([event], ['--json'])).stdout)).toEqual({ event: 'warning', message });
});
