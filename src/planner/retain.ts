import type { SourcePlan } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { Plan } from './plan.ts';
import type { Option, OptionSpecs, OptionValues } from '../base/options.ts';

export const RETAIN_OPTION = {
  retain: {
    type: 'duration',
    tuning: true,
    doc: 'how long the raw records are kept, as Parquet in the state folder, so that a view which is added later can start from them',
  },
} as const satisfies OptionSpecs;

/** How long a source's raw records are kept, ms; undefined where they are not. Throws OPTION where that has no meaning. */
export function retention(
  { retain }: OptionValues,
  options: readonly Option[],
  plan: Pick<SourcePlan, 'nothingToRetain'>,
): number | undefined {
  if (typeof retain !== 'number') return undefined;
  const option = options.find(({ name }) => name.toLowerCase() === 'retain');
  if (plan.nothingToRetain !== undefined) {
    throw new StreamsqlError('OPTION', `there is nothing to retain: ${plan.nothingToRetain}`, {
      span: option?.nameSpan,
      hint: 'leave it out: a view that is added reads the source once more from its start',
    });
  }
  if (retain > 0) return retain;
  throw new StreamsqlError('OPTION', "retain takes more than no time, such as '1 hour'", {
    span: option?.valueSpan,
    hint: 'without the option nothing is kept',
  });
}

/** Of sources whose records nobody keeps though the file says so. `kept`: the run writes checkpoints. */
export const retainWarnings = ({ sources }: Pick<Plan, 'sources'>, kept: boolean): readonly string[] =>
  sources
    .filter(({ retainMs }) => retainMs !== undefined && !kept)
    .map(({ name }) => `source ${name}: retain keeps nothing in a run without checkpoints in a state folder`);
