-- Operators under their masked names: still countable, no longer readable.
DROP TABLE IF EXISTS mart_operators;
CREATE TABLE mart_operators AS
SELECT substr(operator, 1, 12) AS operator, count(*) AS strikes, sum(cost) AS dollars
FROM strikes GROUP BY 1 ORDER BY strikes DESC;
