-- How the weeks went.
DROP TABLE IF EXISTS mart_days;
CREATE TABLE mart_days AS
SELECT strftime('%Y-%W', flight_date) AS week, count(*) AS strikes, sum(cost) AS dollars,
       round(100.0 * sum(time_of_day = 'Night') / count(*)) AS night_percent
FROM strikes GROUP BY week ORDER BY week;
