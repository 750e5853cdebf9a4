import { InvalidArgumentError } from 'commander';
import { parseDuration, parseSize } from '../base/options.ts';

/** For commander: the value of an option, or InvalidArgumentError with what it takes. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError('it takes a whole number of at least 1.');
  }
  return value;
}

/** An epoch: -1 is before the first. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^(?:-1|\d+)$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('it takes a whole number.');
  return value;
}

/** A duration with its unit, in ms. */
export function durationMs(text: string): number {
  const ms = /[a-z]\s*$/i.test(text) ? parseDuration(text) : undefined;
  if (ms === undefined || ms <= 0) {
    throw new InvalidArgumentError("it takes a duration with its unit, such as 500ms, 5s, 2m, 1h or '30 seconds'.");
  }
  return ms;
}

/** A name, beside those that were given before. */
export const names = (text: string, before: readonly string[] = []): readonly string[] => {
  if (text.trim() === '') throw new InvalidArgumentError('it takes a name.');
  return [...before, text];
};

/** A size, as DuckDB takes it. */
export function memorySize(text: string): string {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes < 1) throw new InvalidArgumentError("it takes a size such as '512MB' or '2GiB'.");
  return `${Math.ceil(bytes / 1024)}KiB`;
}

/** NAME=VALUE, beside those that were given before. */
export function variable(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(text);
  if (match === null) throw new InvalidArgumentError('it takes NAME=VALUE, where NAME has letters, digits and _.');
  return { ...before, [match[1] ?? '']: match[2] ?? '' };
}
