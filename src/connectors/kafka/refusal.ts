import { AuthenticationError } from '@platformatic/kafka';
import { StreamsqlError } from '../../base/errors.ts';
import { showAddress, type Address } from '../address.ts';
import { brokerCodes, CODE } from './codes.ts';
import type { Security } from './security.ts';

/**
 * What a broker and a client do not agree on: a password, a certificate, a protocol. Trying again does not mend it.
 * Undefined where an error is no such thing.
 */
export function refusalOf(error: unknown, address: Address, security: Security): StreamsqlError | undefined {
  const chain = [...causes(error)];
  const own = chain.find((each) => each instanceof StreamsqlError);
  if (own !== undefined) return own;
  const found = why(chain, security);
  if (found === undefined) return undefined;
  const [message, hint] = found;
  return new StreamsqlError('SOURCE', `the broker at ${showAddress(address)} ${message}`, { hint, cause: error });
}

type Reason = readonly [message: string, hint: string];

function why(chain: readonly unknown[], security: Security): Reason | undefined {
  const codes = new Set(chain.flatMap(brokerCodes));
  const reasons = [
    saslReason(codes, chain, security),
    ...chain.map((each) => (each instanceof Error ? tlsReason(each, security) : undefined)),
  ];
  return reasons.find((each) => each !== undefined);
}

function saslReason(
  codes: ReadonlySet<number>,
  chain: readonly unknown[],
  { sasl, tls }: Security,
): Reason | undefined {
  if (sasl === undefined) return undefined;
  if (codes.has(CODE.UNSUPPORTED_SASL_MECHANISM))
    return [`does not take ${sasl.mechanism}`, 'another sasl_mechanism may be switched on there'];
  if (codes.has(CODE.ILLEGAL_SASL_STATE))
    return ['wants no credentials', `is its listener one for security_protocol = '${tls ? 'ssl' : 'plaintext'}'?`];
  const said = chain.find((each) => each instanceof AuthenticationError && 'said' in each) !== undefined;
  const forged = chain.some((each) => each instanceof Error && /server signature|nonce|iterations/i.test(each.message));
  if (forged) return ['does not know the password itself', 'is it the broker that you mean? It did not prove it'];
  if (!codes.has(CODE.SASL_AUTHENTICATION_FAILED) && !said) return undefined;
  return sasl.mechanism === 'OAUTHBEARER'
    ? ['refuses the token', 'has it expired, and is it for this broker? See the sasl_oauthbearer_ options']
    : [`refuses the credentials of '${sasl.username}'`, `check sasl_username, sasl_password and sasl_mechanism`];
}

function tlsReason(error: Error, { tls, sasl }: Security): Reason | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (error.message === 'Broker requires TLS.')
    return ['speaks TLS', `set security_protocol = '${sasl === undefined ? 'ssl' : 'sasl_ssl'}'`];
  if (tls === undefined) return undefined;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return [
      `has a certificate that is not for its host: ${error.message}`,
      "name the host in brokers as the certificate does, or set ssl_endpoint_identification_algorithm = 'none'",
    ];
  if (UNTRUSTED.has(code))
    return [
      `has a certificate that ${tls.ca === undefined ? 'none of the well-known authorities signed' : 'ssl_ca did not sign'} (${code})`,
      'set ssl_ca to the certificate of the authority that signed it',
    ];
  if (/^CERT_|^CRL_/.test(code)) return [`has a certificate that does not hold (${code})`, error.message];
  if (/ALERT/.test(code) && /CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|DECRYPT/.test(code))
    return tls.cert === undefined
      ? [`wants a certificate of the client (${code})`, 'set ssl_cert and ssl_key']
      : [
          `refuses the certificate of the client (${code})`,
          'is ssl_cert signed by an authority that the broker knows?',
        ];
  if (/^ERR_SSL_.*(?:VERSION|PROTOCOL|CIPHER)/.test(code) && code !== 'ERR_SSL_WRONG_VERSION_NUMBER')
    return [`offers no TLS that is safe (${code})`, 'TLS 1.2 or newer is needed'];
  return undefined;
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_SIGNATURE_FAILURE', 'CERT_UNTRUSTED',
  'INVALID_CA', 'CERT_CHAIN_TOO_LONG',
]); // prettier-ignore

/** An error and all that it comes of. */
function* causes(error: unknown): Generator {
  yield error;
  if (error instanceof AggregateError) for (const each of error.errors) yield* causes(each);
  if (error instanceof Error && error.cause !== undefined) yield* causes(error.cause);
}

/** What is said where nobody answered for as long as a broker may need to start. */
export function unreachable(error: unknown, brokers: string, { tls, sasl }: Security): Reason {
  const said = [...causes(error)].map((each) => (each instanceof Error ? each.message : ''));
  const says = (pattern: RegExp): string | undefined => said.find((message) => pattern.test(message));
  if (says(/TLS handshake failed/) !== undefined)
    return [
      `the broker at ${brokers} breaks the TLS handshake off`,
      `is its listener one for security_protocol = '${sasl === undefined ? 'plaintext' : 'sasl_plaintext'}'?`,
    ];
  if (says(/Connection closed|ECONNRESET/) !== undefined)
    return [
      `the broker at ${brokers} closes each connection`,
      sasl === undefined
        ? `does its listener want credentials, security_protocol = '${tls === undefined ? 'sasl_plaintext' : 'sasl_ssl'}'?`
        : 'is its listener one for another security_protocol?',
    ];
  return [`no broker at ${brokers}`, `is Kafka running there? ${says(/timed out|failed/) ?? said[0] ?? ''}`];
}
