import { StreamsqlError } from '../base/errors.ts';
import type { Option } from '../base/options.ts';

const JSON_ONLY = ['key.format', 'value.format'];

/** Flink's `connector = 'upsert-kafka'` is the kafka connector with `format = 'upsert'`; its keys and values are JSON. */
export function withoutFlinkNames(options: readonly Option[]): readonly Option[] {
  const named = (name: string): Option | undefined => options.find((option) => option.name.toLowerCase() === name);
  const connector = named('connector');
  if (connector?.value.toLowerCase() !== 'upsert-kafka') return options;
  for (const name of [...JSON_ONLY, 'format']) {
    const option = named(name);
    if (option === undefined || ['json', 'upsert', 'upsert-json'].includes(option.value.toLowerCase())) continue;
    throw new StreamsqlError('OPTION', `${option.name} of upsert-kafka takes json, not '${option.value}'`, {
      span: option.valueSpan,
    });
  }
  const rest = options.filter(
    (option) => option !== connector && ![...JSON_ONLY, 'format'].includes(option.name.toLowerCase()),
  );
  const format = { ...connector, name: 'format', value: 'upsert' };
  return [{ ...connector, value: 'kafka' }, format, ...rest];
}
