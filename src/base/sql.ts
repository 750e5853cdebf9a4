/** A piece of SQL text that is already safe to splice. Made only by this file. */
export class Sql {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

export type SqlValue = Sql | string | number | bigint | boolean | null;

/**
 * The one template that writes SQL: `Sql` parts are spliced as they are, any other value becomes a literal.
 * @example sql`SELECT * FROM ${ident('my view')} WHERE name = ${"O'Hara"}`
 */
export function sql(strings: TemplateStringsArray, ...values: readonly SqlValue[]): Sql {
  let text = strings[0] ?? '';
  values.forEach((value, i) => {
    text += (value instanceof Sql ? value.text : literal(value).text) + (strings[i + 1] ?? '');
  });
  return new Sql(text);
}

/** A quoted name, or a dotted path of them: `ident('res', 'main', 'v')` is `"res"."main"."v"`. */
export function ident(...path: readonly string[]): Sql {
  return new Sql(path.map((name) => `"${name.replaceAll('"', '""')}"`).join('.'));
}

/** A literal; strings quoted, null as NULL. */
export function literal(value: Exclude<SqlValue, Sql>): Sql {
  if (value === null) return new Sql('NULL');
  // DuckDB's parser takes a NUL byte for the end of the statement.
  if (typeof value === 'string' && value.includes('\0'))
    return new Sql(
      `(${value
        .split('\0')
        .map((part) => literal(part).text)
        .join(' || chr(0) || ')})`,
    );
  if (typeof value === 'string') return new Sql(`'${value.replaceAll("'", "''")}'`);
  if (typeof value === 'number' && !Number.isFinite(value)) return new Sql(`'${String(value)}'::DOUBLE`);
  return new Sql(String(value));
}

/** Text that is SQL already: the user's own, or DuckDB's print of it. */
export function raw(text: string): Sql {
  return new Sql(text);
}

/** SQL text with a relation in place of the name that stands for it. */
export const spliced = (text: string, placeholder: string, relation: string): string =>
  text.replaceAll(ident(placeholder).text, () => relation);

export function join(parts: readonly Sql[], separator = ', '): Sql {
  return new Sql(parts.map((part) => part.text).join(separator));
}

/** `TIMESTAMP '…'` of microseconds since 1970-01-01 UTC. */
export function timestamp(micros: bigint, withZone = false): Sql {
  return new Sql(withZone ? `make_timestamptz(${micros}::BIGINT)` : `make_timestamp(${micros}::BIGINT)`);
}
