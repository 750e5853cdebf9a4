/** The words that DuckDB reserves; as names they must be quoted. `window` is missing: rewriting always quotes it. */
const RESERVED: ReadonlySet<string> = new Set(
  `ALL ANALYSE ANALYZE AND ANY ARRAY AS ASC ASYMMETRIC BOTH CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE DEFAULT
  DEFERRABLE DESC DESCRIBE DISTINCT DO ELSE END EXCEPT FALSE FETCH FOR FOREIGN FROM GROUP HAVING IN INITIALLY INTERSECT
  INTO LAMBDA LATERAL LEADING LIMIT NOT NULL OFFSET ON ONLY OR ORDER PIVOT PIVOT_LONGER PIVOT_WIDER PLACING PRIMARY
  QUALIFY REFERENCES RETURNING SELECT SHOW SOME SUMMARIZE SYMMETRIC TABLE THEN TO TRAILING TRUE UNION UNIQUE UNPIVOT
  USING VARIADIC WHEN WHERE WITH`.split(/\s+/),
);

export const isReserved = (key: string): boolean => RESERVED.has(key);

/** Reserved words that end an operand, as a name or a literal would. */
const ENDS_OPERAND: ReadonlySet<string> = new Set([
  'ALL',
  'ASC',
  'DEFAULT',
  'DESC',
  'END',
  'FALSE',
  'NULL',
  'ONLY',
  'TRUE',
]);

/** Words that are no reserved words to DuckDB but stand between operands, or begin the next clause. */
const BETWEEN_OPERANDS: ReadonlySet<string> = new Set(
  `ANTI ASOF AT BETWEEN BY CROSS EXISTS FULL GLOB ILIKE INNER INTERVAL IS ISNULL JOIN LEFT LIKE NATURAL NOTNULL OVERLAPS
  POSITIONAL RIGHT SEMI SET SIMILAR TABLESAMPLE VALUES`.split(/\s+/),
);

/** Whether a word of this key can be a name, or the end of an expression, rather than part of the grammar around it. */
export const mayEndOperand = (key: string): boolean =>
  ENDS_OPERAND.has(key) || (!isReserved(key) && !BETWEEN_OPERANDS.has(key));
