-- Which species cost most.
DROP TABLE IF EXISTS mart_costs;
CREATE TABLE mart_costs AS
SELECT species, count(*) AS strikes, sum(damage <> 'None') AS with_damage, sum(cost) AS dollars
FROM strikes GROUP BY species ORDER BY dollars DESC, strikes DESC;
