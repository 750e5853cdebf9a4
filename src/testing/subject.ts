import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { SourceText } from '../base/errors.ts';
import { TestError } from './test-error.ts';
import type { TestCase, TestFile, Using } from './test-file.ts';

/** The SQL under test, text by text: what all cases share, the file that is used, the case's own. Errors point into each. */
export function textsUnderTest(file: TestFile, test: TestCase): readonly SourceText[] {
  const { common, text } = file;
  const texts: SourceText[] = [];
  if (common !== undefined) texts.push({ name: 'common sql', text: text.slice(common.start, common.end) });
  if (test.using !== undefined) texts.push({ name: basename(test.using.path), text: read(file, test.using) });
  if (test.sql !== undefined) texts.push({ name: 'sql', text: text.slice(test.sql.start, test.sql.end) });
  return texts;
}

function read(file: TestFile, { path, span }: Using): string {
  try {
    return readFileSync(resolve(dirname(file.path), path), 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TestError(
      'FILE_MISSING',
      `${path} cannot be read: ${reason}`,
      span,
      'the path is relative to the test file',
    );
  }
}
