import type { SourcePlan } from '../base/connector.ts';
import { StreamsqlError, type Span } from '../base/errors.ts';
import type { Option, OptionSpecs, OptionValues } from '../base/options.ts';

const IDLE_MS = 10_000;
const MAX_FUTURE_MS = 3_600_000;

/** What every source with a watermark takes, beside what its connector does. */
export const TIME_OPTIONS = {
  idle_timeout: {
    type: 'duration',
    tuning: true,
    doc: 'how long a partition of an unbounded source must have been at its end with nothing new before it holds no watermark back; 10 seconds where absent, 0 for never',
  },
  on_quiet: {
    type: 'choice',
    values: ['advance', 'hold'],
    default: 'advance',
    tuning: true,
    doc: 'when all partitions are idle the watermark goes on at the pace of the clock, so that the last windows close (advance), or stands still (hold)',
  },
  max_future: {
    type: 'duration',
    tuning: true,
    doc: 'an event time that is further beyond the clock makes its record a dead letter; 1 hour where absent, 0 for no limit; a bounded source has none unless it is set',
  },
} as const satisfies OptionSpecs;

/** How a source's watermark goes by the engine's clock. */
export interface SourceTiming {
  /** ms; undefined: no partition is ever idle. */
  readonly idleMs: number | undefined;
  readonly onQuiet: 'advance' | 'hold';
  /** ms; undefined: no limit. */
  readonly maxFutureMs: number | undefined;
}

/** Throws OPTION where there is no watermark that the options could be about. */
export function timing(
  values: OptionValues,
  options: readonly Option[],
  plan: Pick<SourcePlan, 'bounded' | 'times'>,
  watermark: Span | undefined,
): SourceTiming {
  const given = options.find(({ name }) => Object.hasOwn(TIME_OPTIONS, name.toLowerCase()));
  if (given !== undefined && watermark === undefined) {
    throw new StreamsqlError('OPTION', `${given.name} is about a watermark, and the source has none`, {
      span: given.nameSpan,
      hint: "declare one: WATERMARK FOR column AS column - INTERVAL '5 seconds'",
    });
  }
  const idle =
    typeof values['idle_timeout'] === 'number' ? values['idle_timeout'] : plan.times === 'made up' ? 0 : IDLE_MS;
  const future =
    typeof values['max_future'] === 'number'
      ? values['max_future']
      : plan.bounded || plan.times !== undefined
        ? 0
        : MAX_FUTURE_MS;
  return {
    idleMs: plan.bounded || idle === 0 ? undefined : idle,
    onQuiet: values['on_quiet'] === 'hold' ? 'hold' : 'advance',
    maxFutureMs: future === 0 ? undefined : future,
  };
}
