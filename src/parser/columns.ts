import { StreamsqlError } from '../base/errors.ts';
import { sameName } from '../base/schema.ts';
import { withDepth } from './brackets.ts';
import { ConstraintReader, type Constraints } from './constraints.ts';
import { render, rewrite, spanOf, type ScriptContext } from './rewrite.ts';
import type { ColumnDefinition, MappedText, Name, WatermarkDefinition } from './statements.ts';
import type { TokenCursor } from './token-cursor.ts';
import { readType } from './types.ts';

export interface ColumnList extends Constraints {
  readonly columns: readonly ColumnDefinition[];
  readonly watermark: WatermarkDefinition | undefined;
}

/** `(a INT, b AS a + 1, WATERMARK FOR ts AS …)`, if there is one. */
export function readColumns(context: ScriptContext, cursor: TokenCursor): ColumnList {
  const columns: ColumnDefinition[] = [];
  let watermark: WatermarkDefinition | undefined;
  if (!cursor.takes('(')) return { columns, watermark, primaryKey: [], notNull: [] };
  const constraints = new ConstraintReader(cursor);
  for (;;) {
    if (cursor.sees('WATERMARK', 'FOR')) {
      const found = readWatermark(context, cursor);
      if (watermark !== undefined) throw cursor.error('SYNTAX', 'there is one WATERMARK already', found.span);
      watermark = found;
    } else if (!constraints.table(() => readNames(cursor))) {
      const column = readColumn(context, cursor, constraints);
      refuseDuplicate(columns, column.name);
      columns.push(column);
    }
    if (cursor.takes(')')) return { columns, watermark, ...constraints.done(columns.map(({ name }) => name)) };
    if (!cursor.sees(',')) throw cursor.unexpected(', or )');
    cursor.next();
  }
}

function readColumn(context: ScriptContext, cursor: TokenCursor, constraints: ConstraintReader): ColumnDefinition {
  const name = cursor.name('a column');
  if (cursor.takes('AS')) {
    if (cursor.sees('PROCTIME', '(', ')') && [',', ')', 'COMMENT'].includes(cursor.peek(3)?.key ?? '')) {
      cursor.takes('PROCTIME', '(', ')');
      skipComment(cursor);
      return { kind: 'proctime', name };
    }
    return { kind: 'computed', name, expression: readExpression(context, cursor) };
  }
  if (cursor.sees(',') || cursor.sees(')')) {
    throw cursor.error(
      'SYNTAX',
      `the column ${name.text} has no type`,
      name.span,
      'write name TYPE, or name AS expression',
    );
  }
  const from = cursor.index;
  const tokens = readType(cursor);
  const type = render(context, tokens, spanOf(cursor.tokens.slice(from, cursor.index)));
  constraints.column(name);
  if (cursor.takes('METADATA')) return readMetadata(cursor, name, type);
  skipComment(cursor);
  return { kind: 'physical', name, type };
}

/** `METADATA [FROM 'key'] [VIRTUAL]`; without FROM the key is the column's name. */
function readMetadata(cursor: TokenCursor, name: Name, type: MappedText): ColumnDefinition {
  let from = name;
  if (cursor.takes('FROM')) {
    const key = cursor.peek();
    if (key?.kind !== 'string') throw cursor.unexpected("the key in quotes, such as 'partition'");
    cursor.next();
    from = { text: key.value, span: key.span };
  }
  cursor.takes('VIRTUAL');
  skipComment(cursor);
  return { kind: 'metadata', name, type, from };
}

function readWatermark(context: ScriptContext, cursor: TokenCursor): WatermarkDefinition {
  const { start } = cursor.here();
  cursor.takes('WATERMARK', 'FOR');
  const column = cursor.name('the time column');
  if (!cursor.sees('AS')) {
    const hint = `write WATERMARK FOR ${column.text} AS ${column.text} - INTERVAL '5 seconds'`;
    throw cursor.error('SYNTAX', 'a watermark says how late it is', column.span, hint);
  }
  cursor.next();
  const expression = readExpression(context, cursor);
  if (/^\s*SOURCE_WATERMARK\s*\(/i.test(expression.text)) {
    throw cursor.error('UNSUPPORTED', 'SOURCE_WATERMARK() is not supported', expression.span);
  }
  return { column, expression, span: { start, end: expression.span.end } };
}

/** An expression up to the comma or the bracket that ends its list. */
function readExpression(context: ScriptContext, cursor: TokenCursor): MappedText {
  const rest = cursor.rest();
  const ending = withDepth(rest).findIndex(({ token, depth }) => depth < 0 || (depth === 0 && token.key === ','));
  let tokens = ending === -1 ? rest : rest.slice(0, ending);
  if (tokens.length === 0) throw cursor.unexpected('an expression');
  cursor.jump(cursor.index + tokens.length);
  if (tokens.length > 2 && tokens.at(-1)?.kind === 'string' && tokens.at(-2)?.key === 'COMMENT')
    tokens = tokens.slice(0, -2);
  return rewrite(context, tokens);
}

function refuseDuplicate(columns: readonly ColumnDefinition[], name: Name): void {
  if (!columns.some((column) => sameName(column.name.text, name.text))) return;
  throw new StreamsqlError('SYNTAX', `there is a column ${name.text} already`, {
    span: name.span,
    hint: 'names that differ only in case are the same',
  });
}

/** `COMMENT 'for people'` means nothing to the machine. */
export function skipComment(cursor: TokenCursor): void {
  if (cursor.sees('COMMENT') && cursor.peek(1)?.kind === 'string') cursor.jump(cursor.index + 2);
}

/** `(a, b)`: names alone, as a view or an INSERT lists them. */
export function readNames(cursor: TokenCursor): readonly Name[] {
  const names: Name[] = [];
  if (!cursor.takes('(')) return names;
  for (;;) {
    const name = cursor.name('a column');
    if (names.some((other) => sameName(other.text, name.text))) {
      throw cursor.error('SYNTAX', `there is a column ${name.text} already`, name.span);
    }
    names.push(name);
    if (cursor.takes(')')) return names;
    if (!cursor.sees(',')) throw cursor.unexpected(', or )');
    cursor.next();
  }
}
