import type { Taken } from './session-script.ts';

/** What a SELECT reads, itself or through others, and the settings; no sinks. */
export function neededFor(select: string, statements: readonly Taken[]): readonly Taken[] {
  const needed = new Set<Taken>();
  const tables = new Set(statements.filter(({ kind }) => kind === 'create-table').map(({ name }) => name));
  let text = select;
  for (const statement of statements.toReversed()) {
    const { kind, name } = statement;
    const isNamed = name !== undefined && mentions(text, name);
    if (kind === 'create-sink' || !(kind === 'set' || isNamed)) continue;
    if (kind === 'insert' && !tables.has(name)) continue;
    needed.add(statement);
    text += `\n${statement.text}`;
  }
  return statements.filter((statement) => needed.has(statement));
}

const mentions = (text: string, name: string): boolean =>
  new RegExp(`(?<![\\w$])${name.replace(/[^\w]/g, '\\$&')}(?![\\w$])`, 'i').test(text);
