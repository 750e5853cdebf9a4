import { StreamsqlError, type Span } from '../../base/errors.ts';

/** What streamsql says itself, of each request, and what HTTP leaves to the client. */
const OWN = ['idempotency-key', 'content-length', 'transfer-encoding', 'connection', 'host'];

/**
 * Headers as `'Authorization: Bearer x; X-A: b'`: a semicolon, or a new line, ends a header where another name and a colon
 * follow, so `text/plain; charset=utf-8` is one value. No message shows a value.
 */
export function parseHeaders(text: string, sink: string, span: Span): Headers {
  const refuse = (message: string, hint?: string): StreamsqlError =>
    new StreamsqlError('OPTION', `sink ${sink}: ${message}`, { span, hint });
  const headers = new Headers();
  for (const part of text.split(/[;\n](?=\s*[\w!#$%&'*+.^`|~-]+:)/)) {
    if (part.trim() === '') continue;
    const colon = part.indexOf(':');
    const name = part.slice(0, Math.max(colon, 0)).trim();
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name))
      throw refuse('headers has a part without a name', "write headers = 'Name: value; Other: value'");
    if (OWN.includes(name.toLowerCase())) throw refuse(`the header ${name} is not the user's to set`);
    const value = part.slice(colon + 1).trim();
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw refuse(`the header ${name} has what HTTP does not carry`);
    headers.append(name, value);
  }
  return headers;
}

/** What no message may show: the headers' values, and the words in them. */
export const secretsOf = (headers: Headers): readonly string[] =>
  [...headers]
    .filter(([name]) => !['content-type', 'accept', 'user-agent'].includes(name))
    .flatMap(([, value]) => [value, ...value.split(/[\s,;=]+/)])
    .filter((secret) => secret.length > 3)
    .sort((a, b) => b.length - a.length);
