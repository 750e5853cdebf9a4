import { GenericError, MultipleErrors, protocolErrorsCodesById } from '@platformatic/kafka';

/** Kafka's error codes that mean something to a reader. https://kafka.apache.org/protocol#protocol_error_codes */
export const CODE = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  TOPIC_AUTHORIZATION_FAILED: 29,
  UNSUPPORTED_VERSION: 35,
  UNKNOWN_TOPIC_ID: 100,
} as const;

/** What passes by itself or with fresh metadata: a leader that moves, a broker that starts or stops. */
const PASSING = new Set([3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 56, 74, 75, 76, 78, 100, 103]);

export const passes = (code: number): boolean => PASSING.has(code);

export const codeName = (code: number): string => protocolErrorsCodesById[code] ?? `error ${code}`;

/** The broker's own error codes in an error of the client library; none where the broker did not answer. */
export function brokerCodes(error: unknown): number[] {
  if (error instanceof MultipleErrors) return error.errors.flatMap(brokerCodes);
  if (error instanceof GenericError && typeof error['apiCode'] === 'number') return [error['apiCode']];
  return [];
}

/** The answer that came along with error codes for parts of it. */
export function partialResponse(error: unknown): unknown {
  return error instanceof MultipleErrors ? error['response'] : undefined;
}
