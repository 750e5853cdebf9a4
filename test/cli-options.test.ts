import { describe, expect, it } from 'vitest';
import { commandLine } from './support/command-line.ts';

const run = (...options: readonly string[]): ReturnType<typeof commandLine> =>
  commandLine(['run', '-', '--state', 'here', ...options]);

describe('what a run is told about checkpoints and its end', () => {
  it('is handed to the engine', async () => {
    const { code, opened, ran } = await run(
      '--checkpoint-interval', '2000', '--keep', '5', '--on-gap', 'skip',
      '--rebuild', 'hot', '--rebuild', 'my view', '--stop-after-epochs', '7', '--stop-after-rows', '100', '--stop-after', '2m',
    ); // prettier-ignore
    expect(code).toBe(0);
    expect(opened).toEqual({
      db: ':memory:', cwd: '/nowhere', variables: {}, state: '/nowhere/here',
      checkpointIntervalMs: 2000, keepCheckpoints: 5, onGap: 'skip', rebuild: ['hot', 'my view'], stdinIsSql: true,
    }); // prettier-ignore
    expect(ran?.stopAfter).toEqual({ epochs: 7, rows: 100, ms: 120_000 });
  });

  it('is left to the engine where nothing is said', async () => {
    const { opened, ran } = await run();
    expect(opened).toEqual({
      db: ':memory:',
      cwd: '/nowhere',
      variables: {},
      state: '/nowhere/here',
      stdinIsSql: true,
    });
    expect(Object.keys(ran ?? {})).toEqual(['signal', 'onEvent']);
  });

  it('may be that there are to be none', async () => {
    expect((await run('--no-checkpoint')).opened).toMatchObject({ checkpoints: false });
    expect((await commandLine(['run', '-', '--no-checkpoint'])).opened).toMatchObject({ checkpoints: false });
  });

  it.each([
    ['500ms', 500],
    ['5s', 5000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['30 seconds', 30_000],
    ['1.5 hours', 5_400_000],
  ])('takes the duration %s', async (text, ms) => {
    expect((await run('--stop-after', text)).ran?.stopAfter).toEqual({ ms });
  });

  it.each([
    [['--stop-after', '30'], /--stop-after.*'30' is invalid: it takes a duration with its unit/],
    [['--stop-after', '0s'], /it takes a duration/],
    [['--stop-after', '5 parsecs'], /it takes a duration/],
    [['--stop-after', '-5s'], /it takes a duration/],
    [['--stop-after-epochs', '0'], /--stop-after-epochs.*whole number of at least 1/],
    [['--stop-after-rows', '1e3'], /--stop-after-rows.*whole number/],
    [['--checkpoint-interval', '1.5'], /--checkpoint-interval.*whole number/],
    [['--keep', '0'], /--keep.*at least 1/],
    [['--on-gap', 'ignore'], /--on-gap.*Allowed choices are stop, skip/],
    [['--rebuild', ''], /--rebuild.*it takes a name/],
    [['--no-checkpoint', '--keep', '2'], /--no-checkpoint.*cannot be used with.*--keep/],
    [['--checkpoint-interval', '5', '--no-checkpoint'], /--no-checkpoint.*cannot be used with.*--checkpoint-interval/],
    [['--stop-after'], /--stop-after.*argument missing/],
    [['--stop-afte', '5s'], /did you mean --stop-after/],
  ])('%j is an error of usage, before anything is opened', async (options, says) => {
    const { code, stderr, opened } = await run(...options);
    expect(stderr).toMatch(says);
    expect(code).toBe(2);
    expect(opened).toBeUndefined();
  });

  it.each([
    ['--checkpoint-interval', '5'],
    ['--keep', '5'],
    ['--rebuild', 'v'],
  ])('%s needs a state folder', async (...options) => {
    const { code, stderr, opened } = await commandLine(['run', '-', ...options]);
    expect({ code, opened }).toEqual({ code: 2, opened: undefined });
    expect(stderr).toContain(`${options[0]} needs a state folder`);
    expect(stderr).toContain('--state DIR');
  });

  it('is in the help', async () => {
    const { code, stdout } = await commandLine(['run', '--help']);
    expect(code).toBe(0);
    for (const option of ['--checkpoint-interval <MS>', '--keep <N>', '--no-checkpoint', '--on-gap <WHAT>', '--rebuild <VIEW>', '--stop-after <DURATION>'])
      expect(stdout).toContain(option); // prettier-ignore
  });
});

describe('signals', () => {
  const AT_ONCE = { SIGINT: 130, SIGTERM: 143 } as const;

  it.each(['SIGINT', 'SIGTERM'] as const)('%s ends the run in good order, a second one at once', async (why) => {
    const once = await commandLine(['run', '-'], { during: (_, { stop }) => stop(why) });
    expect(once).toMatchObject({ code: 0, exits: [] });
    expect(once.ran?.signal?.aborted).toBe(true);
    expect(once.stderr).toMatch(/stopping after this batch; .* stops at once/);
    for (const second of ['SIGINT', 'SIGTERM'] as const) {
      const twice = await commandLine(['run', '-'], {
        during: (_, { stop }) => {
          stop(why);
          stop(second);
        },
      });
      expect(twice.exits).toEqual([AT_ONCE[second]]);
    }
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s that npm hands on a second time is one', async (why) => {
    const { exits } = await commandLine(['run', '-'], {
      env: { npm_lifecycle_event: 'streamsql' },
      during: (_, { stop, at }) => {
        stop(why);
        at(249);
        stop(why);
      },
    });
    expect(exits).toEqual([]);
    const later = await commandLine(['run', '-'], {
      env: { npm_lifecycle_event: 'streamsql' },
      during: (_, { stop, at }) => {
        stop(why);
        at(250);
        stop(why);
      },
    });
    expect(later.exits).toEqual([AT_ONCE[why]]);
  });

  it('is no signal that standard output was closed, however often', async () => {
    const { exits, ran, stderr } = await commandLine(['run', '-'], {
      during: (_, { stop }) => {
        stop('output-closed');
        stop('output-closed');
        stop('SIGTERM');
      },
    });
    expect({ exits, stderr, aborted: ran?.signal?.aborted }).toEqual({ exits: [], stderr: '', aborted: true });
  });
});
