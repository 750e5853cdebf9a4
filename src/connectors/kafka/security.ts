import { StreamsqlError, type Span } from '../../base/errors.ts';
import type { OptionSpecs, OptionValues } from '../../base/options.ts';
import { TokenSource } from './oauth-token.ts';

/** How a client proves who it is and makes sure of the broker; the names are Kafka's, with underscores. */
export const SECURITY_OPTIONS = {
  security_protocol: {
    tuning: true,
    type: 'choice',
    values: ['plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl'],
    default: 'plaintext',
    doc: 'how the listener of the brokers is spoken to: ssl is TLS, sasl is with credentials',
  },
  sasl_mechanism: {
    tuning: true,
    type: 'choice',
    values: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'],
    doc: 'how the credentials are shown',
  },
  sasl_username: { tuning: true, type: 'string', doc: 'of PLAIN and SCRAM' },
  sasl_password: {
    tuning: true,
    type: 'string',
    doc: "of PLAIN and SCRAM; '${NAME}' takes it from the environment and keeps it out of the file",
  },
  sasl_oauthbearer_token: { tuning: true, type: 'string', doc: 'of OAUTHBEARER: the token itself' },
  sasl_oauthbearer_token_endpoint_url: {
    tuning: true,
    type: 'string',
    doc: 'of OAUTHBEARER: where a token is to be had for the client id and secret (client credentials), and a new one before it expires',
  },
  sasl_oauthbearer_client_id: { tuning: true, type: 'string', doc: 'for the token endpoint' },
  sasl_oauthbearer_client_secret: { tuning: true, type: 'string', doc: 'for the token endpoint' },
  sasl_oauthbearer_scope: { tuning: true, type: 'string', doc: 'for the token endpoint, where it wants one' },
  sasl_oauthbearer_extensions: {
    tuning: true,
    type: 'string',
    doc: "of OAUTHBEARER: what the broker wants beside the token, 'logicalCluster=lkc-1,identityPoolId=pool-1'",
  },
  ssl_ca: {
    tuning: true,
    type: 'string',
    doc: "the certificates that the brokers' are signed by: a PEM file, or its text; without it the well-known ones",
  },
  ssl_cert: { tuning: true, type: 'string', doc: "the client's certificate, with its chain: a PEM file, or its text" },
  ssl_key: { tuning: true, type: 'string', doc: 'the private key of ssl_cert: a PEM file, or its text' },
  ssl_key_password: { tuning: true, type: 'string', doc: 'what ssl_key is encrypted with' },
  ssl_endpoint_identification_algorithm: {
    tuning: true,
    type: 'choice',
    values: ['https', 'none'],
    default: 'https',
    doc: "https: the broker's certificate must be for its host; none: whichever ssl_ca signed will do",
  },
} as const satisfies OptionSpecs;

export type Mechanism = (typeof SECURITY_OPTIONS.sasl_mechanism.values)[number];

export type Credentials =
  | {
      readonly mechanism: Exclude<Mechanism, 'OAUTHBEARER'>;
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly mechanism: 'OAUTHBEARER';
      readonly token: string | TokenSource;
      readonly extensions: Readonly<Record<string, string>>;
    };

/** PEM texts or paths, as they were given: they are read for each connection, so that they may be renewed. */
export interface Tls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly keyPassword: string | undefined;
  readonly checkHost: boolean;
  /** Relative paths resolve against this folder. */
  readonly cwd: string;
}

export interface Security {
  readonly tls: Tls | undefined;
  readonly sasl: Credentials | undefined;
  readonly span: Span | undefined;
}

export const PLAINTEXT: Security = { tls: undefined, sasl: undefined, span: undefined };

/** Of a source's or a sink's declaration. */
interface Declaration {
  readonly options: OptionValues;
  readonly span: Span;
  readonly cwd: string;
}

/** Throws OPTION where the options do not fit together. Touches no file. */
export function readSecurity(declaration: Declaration): Security {
  const { span } = declaration;
  const given = new Given(declaration);
  const protocol = given.text('security_protocol') ?? SECURITY_OPTIONS.security_protocol.default;
  const isTls = protocol.endsWith('ssl');
  const isSasl = protocol.startsWith('sasl');
  if (!isTls) given.refuseAny(['ssl_ca', 'ssl_cert', 'ssl_key', 'ssl_key_password'], isSasl ? 'sasl_ssl' : 'ssl');
  if (!isSasl) given.refuseAny(given.names('sasl_'), 'sasl_ssl');
  return { tls: isTls ? readTls(given) : undefined, sasl: isSasl ? readCredentials(given, protocol) : undefined, span };
}

function readTls(given: Given): Tls {
  const [cert, key] = [given.text('ssl_cert'), given.text('ssl_key')];
  if (cert !== undefined && key === undefined) throw given.lacks('ssl_key', 'ssl_cert is of no use without it');
  if (key !== undefined && cert === undefined) throw given.lacks('ssl_cert', 'ssl_key is of no use without it');
  return {
    ca: given.text('ssl_ca'),
    cert,
    key,
    keyPassword: given.text('ssl_key_password'),
    checkHost: given.text('ssl_endpoint_identification_algorithm') !== 'none',
    cwd: given.cwd,
  };
}

function readCredentials(given: Given, protocol: string): Credentials {
  const name = given.text('sasl_mechanism');
  const mechanism = SECURITY_OPTIONS.sasl_mechanism.values.find((each) => each === name);
  if (mechanism === undefined)
    throw given.lacks(
      'sasl_mechanism',
      `security_protocol = '${protocol}' takes one of ${SECURITY_OPTIONS.sasl_mechanism.values.join(', ')}`,
    );
  if (mechanism === 'OAUTHBEARER') {
    given.refuseForeign(['sasl_username', 'sasl_password'], mechanism);
    return { mechanism, token: readToken(given), extensions: readExtensions(given) };
  }
  given.refuseForeign(given.names('sasl_oauthbearer_'), mechanism);
  const [username, password] = [given.text('sasl_username'), given.text('sasl_password')];
  if (username === undefined) throw given.lacks('sasl_username', `${mechanism} shows a name and a password`);
  if (password === undefined)
    throw given.lacks(
      'sasl_password',
      `${mechanism} shows a name and a password: sasl_password = '\${KAFKA_PASSWORD}'`,
    );
  return { mechanism, username, password };
}

function readToken(given: Given): string | TokenSource {
  const token = given.text('sasl_oauthbearer_token');
  const url = given.text('sasl_oauthbearer_token_endpoint_url');
  if (token !== undefined) {
    if (url !== undefined) throw given.refuse('there is a token and an endpoint for tokens', 'leave one of them out');
    if (/[^\x21-\x7e]/.test(token)) throw given.refuse('sasl_oauthbearer_token holds what no token does');
    return token;
  }
  if (url === undefined)
    throw given.lacks('sasl_oauthbearer_token', 'or sasl_oauthbearer_token_endpoint_url, with a client id and secret');
  const endpoint = URL.parse(url);
  if (endpoint === null || !/^https?:$/.test(endpoint.protocol) || endpoint.username !== '')
    throw given.refuse('sasl_oauthbearer_token_endpoint_url takes an http or https URL without a user in it');
  const clientId = given.text('sasl_oauthbearer_client_id');
  const clientSecret = given.text('sasl_oauthbearer_client_secret');
  if (clientId === undefined) throw given.lacks('sasl_oauthbearer_client_id', 'the token endpoint asks for it');
  if (clientSecret === undefined) throw given.lacks('sasl_oauthbearer_client_secret', 'the token endpoint asks for it');
  return new TokenSource({ endpoint, clientId, clientSecret, scope: given.text('sasl_oauthbearer_scope') });
}

function readExtensions(given: Given): Readonly<Record<string, string>> {
  const pairs = (given.text('sasl_oauthbearer_extensions') ?? '').split(',').filter((each) => each.trim() !== '');
  const entries = pairs.map((pair): [string, string] => {
    const [, name, value] = /^\s*([A-Za-z]+)=([\x20-\x7e]*?)\s*$/.exec(pair) ?? [];
    if (name === undefined || value === undefined || name === 'auth')
      throw given.refuse("sasl_oauthbearer_extensions takes 'name=value,name=value', the names of letters");
    return [name, value];
  });
  return Object.fromEntries(entries);
}

/** The options as they were given: an empty text is none, so that `'${NAME:-}'` may leave one out. */
class Given {
  readonly cwd: string;
  private readonly options: OptionValues;
  private readonly span: Span;

  constructor({ options, span, cwd }: Declaration) {
    this.options = options;
    this.span = span;
    this.cwd = cwd;
  }

  text(name: keyof typeof SECURITY_OPTIONS): string | undefined {
    const value = this.options[name];
    return value === undefined || value === '' ? undefined : String(value);
  }

  names(prefix: string): (keyof typeof SECURITY_OPTIONS)[] {
    const all = Object.keys(SECURITY_OPTIONS) as (keyof typeof SECURITY_OPTIONS)[];
    return all.filter((name) => name.startsWith(prefix));
  }

  refuse(message: string, hint?: string): StreamsqlError {
    return new StreamsqlError('OPTION', message, { span: this.span, hint });
  }

  lacks(name: string, hint: string): StreamsqlError {
    return this.refuse(`the option ${name} is missing`, hint);
  }

  refuseAny(names: readonly (keyof typeof SECURITY_OPTIONS)[], protocol: string): void {
    const found = names.find((name) => this.text(name) !== undefined);
    if (found !== undefined) throw this.refuse(`${found} means nothing here`, `set security_protocol = '${protocol}'`);
  }

  refuseForeign(names: readonly (keyof typeof SECURITY_OPTIONS)[], mechanism: string): void {
    const found = names.find((name) => this.text(name) !== undefined);
    if (found !== undefined)
      throw this.refuse(`${found} means nothing to sasl_mechanism = '${mechanism}'`, 'leave it out');
  }
}
