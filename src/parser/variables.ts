import { StreamsqlError, type Span } from '../base/errors.ts';
import { unescapeString, type Token } from './tokens.ts';

export interface Variable {
  readonly value: string;
  /** From the environment: never to be printed. */
  readonly secret: boolean;
}

/** Where `${NAME}` gets its value: from `-v NAME=VALUE` first, then the environment. */
export type VariableLookup = (name: string) => Variable | undefined;

/** A value that must not be printed, and the name to print in its place. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

const REFERENCE = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

/** Puts values in the place of `${NAME}`; remembers which of them are secret. */
export class Substitution {
  private readonly lookup: VariableLookup;
  private readonly found = new Map<string, Secret>();

  constructor(lookup: VariableLookup) {
    this.lookup = lookup;
  }

  get secrets(): readonly Secret[] {
    return [...this.found.values()];
  }

  /** The value behind a variable that stands by itself, outside of a string. */
  bare(token: Token): string {
    return this.expand(token.text, token.span.start, (text) => text);
  }

  /** A string token with its variables filled in; the token itself where it has none. Dollar-quoted text stays as it is. */
  inString(token: Token): Token {
    const quote = token.text.indexOf("'");
    if (token.text.startsWith('$') || !token.text.includes('${')) return token;
    const escapes = /^e/i.test(token.text);
    const body = token.text.slice(quote + 1, -1);
    const from = token.span.start + quote + 1;
    const text = this.expand(body, from, (value) => escapeString(value, escapes), true);
    const prefix = token.text.slice(0, quote + 1);
    return { ...token, text: `${prefix}${text}'`, value: unescapeString(text, escapes) };
  }

  /** `rawDefault`: the default stands inside a literal, so it is escaped as that literal is. */
  private expand(text: string, from: number, escape: (value: string) => string, rawDefault = false): string {
    return text.replaceAll(REFERENCE, (whole: string, name: string, fallback: string | undefined, at: number) => {
      const variable = this.lookup(name);
      if (variable === undefined) {
        if (fallback === undefined) throw unset(name, { start: from + at, end: from + at + whole.length });
        return rawDefault ? fallback : escape(fallback);
      }
      if (variable.secret) this.found.set(name, { name, value: variable.value });
      return escape(variable.value);
    });
  }
}

function escapeString(value: string, escapes: boolean): string {
  const quoted = value.replaceAll("'", "''");
  return escapes ? quoted.replaceAll('\\', '\\\\') : quoted;
}

function unset(name: string, span: Span): StreamsqlError {
  return new StreamsqlError('SYNTAX', `the variable ${name} is not set`, {
    span,
    hint: `pass -v ${name}=VALUE, set it in the environment, or give a default: \${${name}:-VALUE}`,
  });
}

/**
 * Text in which no secret value is left: each is replaced by the `${NAME}` that it came from. Very short values are
 * only replaced where they stand as words of their own, or the rest could not be read.
 * @example redact("no topic 'orders-eu'", [{ name: 'TOPIC', value: 'orders-eu' }]) // "no topic '${TOPIC}'"
 */
export function redact(text: string, secrets: readonly Secret[]): string {
  const names = new Map<string, string>();
  for (const { name, value } of secrets) {
    for (const spelling of [value, value.replaceAll("'", "''")]) if (spelling !== '') names.set(spelling, name);
  }
  if (names.size === 0) return text;
  const longestFirst = [...names.keys()].sort((a, b) => b.length - a.length);
  return text.replaceAll(new RegExp(longestFirst.map(asPattern).join('|'), 'g'), (value) => `\${${names.get(value)}}`);
}

function asPattern(value: string): string {
  const exact = value.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return value.length < 4 ? `(?<!\\w)${exact}(?!\\w)` : exact;
}
