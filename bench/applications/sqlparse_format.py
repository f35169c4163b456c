"""SQL parsed and formatted by sqlparse."""

import sqlparse

from support import main

QUERY = """select a.id, b.name as n, count(*) total, case when x > {n} then 'a' else 'b' end from
table_{n} a left join other b on a.id = b.id and b.k in (1, 2, {n}) where a.x between 1 and {n}
and exists (select 1 from t where t.id = a.id) group by a.id, b.name having count(*) > 1
order by total desc limit 10; insert into log (a, b) values ({n}, 'text -- no comment'); -- end"""


def run(n):
    """Format n queries; characters."""
    return sum(len(sqlparse.format(QUERY.format(n=i), reindent=True, keyword_case="upper")) for i in range(n))


main(run)
