-- How often does each word occur in a Kafka topic of text, at this moment?
--
--   npm run -s kafka -- start                                    a broker to play with, or your own:
--   streamsql run queries/wordcount-kafka.sql -v BROKERS=localhost:9092 -v TOPIC=lines
--
-- It runs until Ctrl-C and then shows the ten most frequent words; -v BOUNDED=true reads what the topic holds and ends.
-- While it runs, the counts are a table that streamsql query wordcount-kafka.duckdb "FROM word_counts" reads.

CREATE SOURCE lines (line VARCHAR)
WITH (connector = 'kafka', brokers = '${BROKERS:-localhost:9092}', topic = '${TOPIC:-lines}', format = 'raw',
      bounded = '${BOUNDED:-false}');

CREATE VIEW words AS
SELECT unnest(regexp_extract_all(lower(line), '[a-z]+')) AS word FROM lines;

CREATE MATERIALIZED VIEW word_counts AS
SELECT word, count(*) AS occurrences FROM words GROUP BY word;

SELECT word, occurrences FROM word_counts ORDER BY occurrences DESC, word LIMIT 10;
