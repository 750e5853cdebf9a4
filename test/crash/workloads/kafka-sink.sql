
CREATE SINK closed_topic WITH (connector = 'kafka', brokers = '${BROKERS}', topic = '${SINK_TOPIC}', format = 'json', delivery = 'exactly_once') AS
SELECT * FROM closed;
