#!/usr/bin/perl
# run.t - das test over the tests of our own policies, and over policies with a mistake in them.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use ScriptTests;

ScriptTests::run('policies', mistakes => {
    long_select => [
        [ 'user = "etl%"', 'user = "elt%"' ], [ 'find("^select ")', 'find("select ")' ],
        [ '"for update"', '"for udpate"' ], [ '"lock in share"', '"lock in sharing"' ],
        [ 'reads:oldest', 'reads:newest' ], [ 'kill = "query"', 'kill = "connection"' ],
        [ 'or "60s"', 'or "61s"' ], [ 'or 3)', 'or 4)' ], [ 'slow & ~spared', 'slow' ],
        [ 'das.filter{ command = "Execute", time = age', 'das.filter{ command = "Fetch", time = age' ],
    ],
    idle_in_transaction => [
        [ 'rows = das.args[1] or "5m", 10000', 'rows = das.args[1] or "5m", 100000' ], [ 'command = "Sleep", ', '' ],
        [ 'cheap = found:where(~das.filter{ rows_modified = rows + 1 })', 'cheap = found' ],
        [ 'or "5m"', 'or "299"' ], [ 'trx_time = age', 'time = age' ],
    ],
    connection_hogs => [
        [ 'group.count - allowed', 'group.count' ], [ ':oldest(', ':newest(' ],
        [ '& ~das.filter{ trx_time = 0 }', '' ], [ 'too_many > 0', 'too_many > 1' ], [ 'or "60s"', 'or "59s"' ],
    ],
    stampede => [
        [ 'group.count >= at_least', 'group.count > at_least' ], [ ':except_oldest()', '' ],
        [ 'time = 2,', 'time = 1,' ], [ 'or 10)', 'or 9)' ], [ 'kill = "query"', 'kill = "connection"' ],
    ],
});
