import type { Taken } from './session-script.ts';

/** What a SELECT reads, itself or through others, with all that has changed it since, and the settings; no sinks. */
export function neededFor(select: string, statements: readonly Taken[]): readonly Taken[] {
  const names = new Set<string>();
  let text = select;
  // What is read is declared before what reads it; what a table was changed by comes after.
  for (const { kind, name, text: own } of statements.toReversed()) {
    if (name === undefined || kind === 'create-sink' || !kind.startsWith('create') || !mentions(text, name)) continue;
    names.add(name);
    text += `\n${own}`;
  }
  return statements.filter(({ kind, name }) => kind === 'set' || (name !== undefined && names.has(name)));
}

const mentions = (text: string, name: string): boolean =>
  new RegExp(`(?<![\\w$])${name.replace(/[^\w]/g, '\\$&')}(?![\\w$])`, 'i').test(text);
