import { join, raw, sql, type Sql } from '../../base/sql.ts';
import { fromText } from './convert.ts';
import type { Reading } from './read.ts';
import type { TypeTree } from './type.ts';

/** Begins a text that is a whole reason already. */
export const BLAMED = '\u0001';

/** The reason why a struct does not cast, naming the scalar inside that is at fault; NULL where none is. */
export function blame({ name, raw: value, type }: Reading): Sql {
  const whens = faults(value, type, name);
  return whens.length === 0 ? raw('NULL') : sql`CASE ${join(whens, ' ')} END`;
}

function faults(value: Sql, type: TypeTree, path: string): readonly Sql[] {
  if (type.kind !== 'struct') return [];
  return type.fields.flatMap((field) => {
    const [part, at] = [sql`struct_extract(${value}, ${field.name})`, `${path}.${field.name}`];
    if (field.type.kind !== 'scalar') return faults(part, field.type, at);
    const wrong = sql`${part} IS NOT NULL AND ${fromText(part, field.type, 'TRY_CAST')} IS NULL`;
    const text = sql`${`${BLAMED}column ${at}: '`} || left(CAST(${part} AS VARCHAR), 60) || ${`' is no ${field.type.text}`}`;
    return [sql`WHEN ${wrong} THEN ${text}`];
  });
}
