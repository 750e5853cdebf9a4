/** The types of the random schemas and their values: few, so that keys meet, with edges among them. */
export const TYPES = ['BIGINT', 'INTEGER', 'VARCHAR', 'DOUBLE', 'DECIMAL(10,2)', 'BOOLEAN', 'BIGINT[]', 'VARCHAR[]', 'TIMESTAMP'] as const; // prettier-ignore

export interface Value {
  /** An expression. */
  readonly sql: string;
  /** JSON text; undefined where JSON has no such value. */
  readonly json: string | undefined;
}

const text = (value: string): Value => ({ sql: `'${value.replaceAll("'", "''")}'`, json: JSON.stringify(value) });
const number = (value: string): Value => ({ sql: value, json: value });
const NULL: Value = { sql: 'NULL', json: 'null' };

const DOMAINS: Readonly<Record<string, readonly Value[]>> = {
  BIGINT: ['0', '1', '2', '3', '-1', '10', '9007199254740993'].map(number),
  INTEGER: ['0', '1', '2', '-5', '7'].map(number),
  VARCHAR: ['a', 'b', 'ab', '', 'A', "it's", 'é\n"x"'].map(text),
  DOUBLE: [
    ...['0.0', '1.5', '-2.25', '0.5', '3.0'].map(number),
    { sql: "'NaN'", json: undefined },
    { sql: "'-inf'", json: undefined },
    { sql: '-0.0', json: '-0.0' },
  ],
  'DECIMAL(10,2)': ['0', '1.25', '2.50', '-3.75', '100.01'].map(number),
  BOOLEAN: ['false', 'true'].map(number),
  'BIGINT[]': [
    { sql: '[]', json: '[]' },
    { sql: '[1]', json: '[1]' },
    { sql: '[1, 1, NULL]', json: '[1,1,null]' },
    { sql: '[3, 2, 1]', json: '[3,2,1]' },
  ],
  'VARCHAR[]': [
    { sql: "['a']", json: '["a"]' },
    { sql: "['b', 'a', 'b']", json: '["b","a","b"]' },
    { sql: "['x', NULL]", json: '["x",null]' },
  ],
  TIMESTAMP: ['2024-01-01 00:00:00', '2024-01-01 00:00:07.5', '1969-12-31 23:59:59.75', '2024-01-01 00:01:00'].map(text), // prettier-ignore
};

/** The value of a type for a number: 0 gives the plainest, one in eight is NULL. */
export function valueOf(type: string, n: number): Value {
  if (n % 8 === 7) return NULL;
  const domain = DOMAINS[type] ?? [NULL];
  // Values that poison every sum they meet are rare.
  const common = type === 'DOUBLE' && n % 16 < 14 ? domain.slice(0, 5) : domain;
  return common[Math.floor(n / 8) % common.length] ?? NULL;
}

/** A time of the event time column, ms since 1970, in one of the spellings of JSON. */
export function timeValue(ms: number, zoned: boolean, spelling: number): Value {
  const iso = new Date(ms).toISOString();
  const plain = iso.replace('T', ' ').replace('Z', '');
  const shifted = new Date(ms + 5 * 3_600_000).toISOString().replace('Z', '+05:00');
  const json = spelling % 3 === 0 ? (zoned ? iso : plain) : spelling % 3 === 1 ? iso : shifted;
  return { sql: zoned ? `TIMESTAMPTZ '${plain}+00'` : `TIMESTAMP '${plain}'`, json: JSON.stringify(json) };
}

export const quoted = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) && !/^(group|select|from|end)$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`); // prettier-ignore
