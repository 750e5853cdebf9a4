import { StreamsqlError, type ErrorCode, type Span } from '../base/errors.ts';

/** A mistake in the test file itself, or an expectation that cannot be judged: the span points into the test file. */
export class TestError extends StreamsqlError {
  constructor(code: ErrorCode, message: string, span: Span, hint?: string) {
    super(code, message, { span, hint });
  }
}
