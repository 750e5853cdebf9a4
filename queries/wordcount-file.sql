-- The classic: how often does each word occur?
--
--   streamsql run queries/wordcount-file.sql
--   streamsql run queries/wordcount-file.sql -v "FILES=/var/log/*.log"
--
-- Each line of the files is a row. A text file is a CSV file of one column: a delimiter that no line holds, no quotes.

CREATE SOURCE lines (line VARCHAR)
WITH (connector = 'file', path = '${FILES:-queries/data/carpenter.txt}', format = 'csv', header = false,
      delimiter = '\t', quote = '');

-- A view that is not materialized has a name and no table: it is computed where it is used.

CREATE VIEW words AS
SELECT unnest(regexp_extract_all(lower(line), '[a-z]+')) AS word FROM lines;

CREATE MATERIALIZED VIEW word_counts AS
SELECT word, count(*) AS occurrences FROM words GROUP BY word;

SELECT word, occurrences FROM word_counts ORDER BY occurrences DESC, word LIMIT 10;
