import { readFileSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StreamsqlError } from '../src/base/errors.ts';
import { raw } from '../src/base/sql.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { parseScript } from '../src/parser/parse.ts';
import type { MappedText, Statement } from '../src/parser/statements.ts';

const FOLDER = new URL('./parser/', import.meta.url);

/** A title line is `--- name`, or `--- name; refused CODE: message`. */
interface Case {
  readonly title: string;
  readonly refusal: string | undefined;
  readonly sql: string;
}

function casesOf(file: string): readonly Case[] {
  const blocks = readFileSync(new URL(file, FOLDER), 'utf8').split(/^--- /m).slice(1);
  return blocks.map((block) => {
    const [header = '', ...lines] = block.split('\n');
    const [title = '', refusal] = header.split('; refused ');
    return { title, refusal, sql: lines.join('\n') };
  });
}

function queriesOf(statement: Statement): readonly MappedText[] {
  switch (statement.kind) {
    case 'select':
    case 'insert':
    case 'create-view':
      return [statement.query.sql];
    case 'create-sink':
      return statement.query === undefined ? [] : [statement.query.sql];
    case 'explain':
      return 'kind' in statement.subject ? queriesOf(statement.subject) : [];
    default:
      return [];
  }
}

/** What the parser makes of the text: its refusal, or undefined once DuckDB has parsed every query in it. */
async function refusalOf(sql: string, duck: DuckConnection): Promise<string | undefined> {
  try {
    for (const query of parseScript(sql, 'corpus.sql').statements.flatMap(queriesOf)) {
      const tree = await duck.call(raw('SELECT json_serialize_sql(?::VARCHAR)'), query.text);
      const { error, error_message } = JSON.parse(tree) as { error: boolean; error_message?: string };
      if (error) return `DuckDB: ${error_message} in ${query.text}`;
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof StreamsqlError)) throw error;
    if (error.span === undefined) return `without a span: ${error.message}`;
    return `${error.code}: ${error.message}`;
  }
}

let duck: Duck;
let connection: DuckConnection;
beforeAll(async () => {
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
});
afterAll(() => {
  connection.close();
  duck.close();
});

describe.each(readdirSync(FOLDER).filter((file) => file.endsWith('.sql')))('%s', (file) => {
  test.each(casesOf(file))('$title', async ({ sql, refusal }) => {
    expect(await refusalOf(sql, connection)).toBe(refusal);
  });
});
