import { StreamsqlError, type Span } from './errors.ts';

/** One `name = value` of a WITH clause, with where it stands. */
export interface Option {
  readonly name: string;
  readonly value: string;
  readonly nameSpan: Span;
  readonly valueSpan: Span;
}

/** What an option takes. Durations come out in ms, sizes in bytes. `doc` is one sentence for docs and errors. */
export type OptionSpec = {
  readonly doc: string;
  readonly required?: boolean;
  /** It changes how, and how much at a time, but nothing of the rows: a run may go on with another value. */
  readonly tuning?: boolean;
} & (
  | { readonly type: 'string'; readonly default?: string }
  | { readonly type: 'boolean'; readonly default?: boolean }
  | { readonly type: 'integer'; readonly default?: number; readonly min?: number; readonly max?: number }
  | { readonly type: 'duration'; readonly default?: number }
  | { readonly type: 'size'; readonly default?: number }
  | { readonly type: 'choice'; readonly values: readonly string[]; readonly default?: string }
);
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;
export type OptionValue = string | number | boolean;
export type OptionValues = Readonly<Record<string, OptionValue | undefined>>;

/**
 * Checks a WITH clause against what the connector takes: unknown names (with the near miss), bad values, missing
 * required ones. Returns typed values with the defaults filled in; an option that is absent and has none is undefined.
 */
export function checkOptions(options: readonly Option[], specs: OptionSpecs, what: string, at: Span): OptionValues {
  const values: Record<string, OptionValue | undefined> = {};
  const seen = new Map<string, Option>();
  for (const option of options) {
    const name = option.name.toLowerCase();
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) {
      const near = nearest(name, Object.keys(specs));
      throw new StreamsqlError('OPTION', `${what} has no option ${option.name}`, {
        span: option.nameSpan,
        hint: near === undefined ? `it takes ${Object.keys(specs).sort().join(', ')}` : `did you mean ${near}?`,
      });
    }
    if (seen.has(name))
      throw new StreamsqlError('OPTION', `option ${option.name} is given twice`, { span: option.nameSpan });
    seen.set(name, option);
    values[name] = parseOption(option, spec);
  }
  for (const [name, spec] of Object.entries(specs)) {
    if (seen.has(name)) continue;
    if (spec.required === true) {
      throw new StreamsqlError('OPTION', `${what} needs the option ${name}`, {
        span: at,
        hint: `${name}: ${spec.doc}`,
      });
    }
    values[name] = spec.default;
  }
  return values;
}

/** The options that say which rows there are, as text. */
export const identityOf = (values: OptionValues, specs: OptionSpecs): string =>
  JSON.stringify(Object.entries(values).filter(([name]) => specs[name]?.tuning !== true).sort(([a], [b]) => (a < b ? -1 : 1))); // prettier-ignore

function parseOption(option: Option, spec: OptionSpec): OptionValue {
  const text = option.value.trim();
  const bad = (expected: string): StreamsqlError =>
    new StreamsqlError('OPTION', `${option.name} takes ${expected}, not '${option.value}'`, {
      span: option.valueSpan,
      hint: spec.doc,
    });
  switch (spec.type) {
    case 'string':
      return option.value;
    case 'boolean':
      if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
      throw bad('true or false');
    case 'integer': {
      const value = Number(text);
      if (!/^-?\d[\d_]*$/.test(text) || !Number.isSafeInteger(Number(text.replaceAll('_', ''))))
        throw bad('a whole number');
      const number = Number.isNaN(value) ? Number(text.replaceAll('_', '')) : value;
      if (spec.min !== undefined && number < spec.min) throw bad(`a whole number of at least ${spec.min}`);
      if (spec.max !== undefined && number > spec.max) throw bad(`a whole number of at most ${spec.max}`);
      return number;
    }
    case 'duration': {
      const ms = parseDuration(text);
      if (ms === undefined) throw bad("a duration such as '500 ms', '10 seconds' or '1 hour'");
      return ms;
    }
    case 'size': {
      const bytes = parseSize(text);
      if (bytes === undefined) throw bad("a size such as '64 MB' or '1 GiB'");
      return bytes;
    }
    case 'choice': {
      const found = spec.values.find((value) => value.toLowerCase() === text.toLowerCase());
      if (found !== undefined) return found;
      const near = nearest(text.toLowerCase(), spec.values);
      throw bad(`one of ${spec.values.join(', ')}${near === undefined ? '' : ` (did you mean ${near}?)`}`);
    }
  }
}

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1, millisecond: 1, milliseconds: 1, s: 1000, sec: 1000, second: 1000, seconds: 1000,
  m: 60_000, min: 60_000, minute: 60_000, minutes: 60_000, h: 3_600_000, hour: 3_600_000, hours: 3_600_000,
  d: 86_400_000, day: 86_400_000, days: 86_400_000,
}; // prettier-ignore

/** Milliseconds of `'10 seconds'`, `'5s'`, `'250'` (ms); undefined where it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = DURATION_MS[match?.[2] === '' ? 'ms' : (match?.[2] ?? '').toLowerCase()];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

const SIZE_BYTES: Readonly<Record<string, number>> = {
  b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40,
}; // prettier-ignore

/** Bytes of `'64MB'`, `'1 GiB'`, `'4096'`; undefined where it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = SIZE_BYTES[match?.[2] === '' ? 'b' : (match?.[2] ?? '').toLowerCase()];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/** The candidate that a misspelt word most likely meant, if any is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
