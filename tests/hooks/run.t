#!/usr/bin/perl
# run.t - das test over the tests of the scripts of hooks, and over scripts with a mistake in them. What a script says of a
# server that cannot be looked at is not in these tests.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use ScriptTests;

ScriptTests::run('hooks', lines => 0, mistakes => {
    preview => [ [ 'filter.all = not any or nil', '' ], [ '"user", "db"', '"db"' ], [ '"state", "time"', '"state"' ] ],
    kill => [ [ 'if not narrow', 'if false' ], [ 'filter.time = args.time', '' ], [ 'if #found == 0', 'if #found == 99' ],
        [ 'sessions = plan', 'sessions = nil' ] ],
    status => [ [ 'now.stopped and "das is stopped"', 'not now.stopped and "das is stopped"' ], [ 'time = 10', 'time = 60' ] ],
    stop => [ [ 'public = true', 'public = false' ], [ 'if done', 'if not done' ] ],
    history => [ [ 'kills.total == 1', 'kills.total == 0' ] ],
    explain => [ [ 'found:explain(args.id)', 'found:explain(11)' ] ],
    alertmanager => [ [ 'and one.status ~= "resolved" and runbooks', 'and runbooks' ], [ 'limit = 200', 'limit = 20' ], [ 'channel = req.channel', '' ], [ 'limit = 200, role = "dba"', 'limit = 200' ], [ ':gsub(":%d+$", "")', '' ], [ 'one.status ~= "resolved"', 'one.status == "resolved"' ],
        [ 'one.severity == "critical"', 'one.severity == "warning"' ], [ 'time = 5 }', 'time = 50 }' ],
        [ 'alert.truncated or 0', '0' ], [ 'i <= one_by_one', 'i < one_by_one' ] ],
});
