import { GenericError, MultipleErrors, protocolErrorsCodesById } from '@platformatic/kafka';

/** Kafka's error codes that mean something to a reader or a writer. https://kafka.apache.org/protocol#protocol_error_codes */
export const CODE = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC: 17,
  RECORD_LIST_TOO_LARGE: 18,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_SASL_MECHANISM: 33,
  ILLEGAL_SASL_STATE: 34,
  UNSUPPORTED_VERSION: 35,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  OPERATION_NOT_ATTEMPTED: 55,
  SASL_AUTHENTICATION_FAILED: 58,
  UNKNOWN_PRODUCER_ID: 59,
  INVALID_RECORD: 87,
  UNSTABLE_OFFSET_COMMIT: 88,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
  TRANSACTIONAL_ID_NOT_FOUND: 105,
  TRANSACTION_ABORTABLE: 120,
} as const;

/**
 * What passes by itself or with fresh metadata: a leader that moves, a broker that starts or stops, too few replicas, a
 * transaction that is being ended.
 */
const PASSING = new Set([3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 51, 55, 56, 74, 75, 76, 78, 88, 100, 103]);

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
