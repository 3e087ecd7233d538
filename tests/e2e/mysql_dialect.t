#!/usr/bin/perl
# What das asks of a MySQL and how it reads the answers, shown on a server that only plays one:
# MySQL 8 is not in Debian 12. It proves our half of the conversation.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use FakeMySQL;
use Das;
use File::Temp qw(tempdir);
use Time::HiRes qw(sleep);

my @lower = map { lc } my @upper = qw(ID USER HOST DB COMMAND TIME STATE INFO);
my @is = (@upper, 'TIME_MS', 'ROWS_SENT', 'ROWS_EXAMINED');    # Percona Server's
my @ps = (@upper, 'EXECUTION_ENGINE');
my $app = [7, 'app', '10.0.0.5:4000', 'shop', 'Query', 30, 'executing', 'SELECT 1'];
my $own = [77, 'das', 'localhost:5', undef, 'Query', 0, 'executing', 'SELECT ID'];
my $odd = [8, 'event_scheduler', 'localhost', undef, 'Daemon', undef, 'Waiting', undef];

my @trx = qw(i a r t c w l);
my $clock = [-1, 1700000000, 0, 0, '77|db1|3306|5', undef, 0];

# A server; the earlier answers of a test win over the usual ones.
sub server {
    my ($version, @first) = @_;
    return FakeMySQL->new([
        @first,
        [qr/^SET /],
        [qr/^SELECT VERSION\(\)/, [qw(v c i a u)],
            [$version, 'MySQL Community Server', 77, 'das@10.%', 'das@10.0.0.9']],
        [qr/^SHOW GLOBAL VARIABLES/, [qw(n v)], ['hostname', 'db1'], ['port', 3306], ['server_id', 5],
            ['server_uuid', '3e11fa47-71ca-11e1-9e33-c80aa9429562']],
        [qr/^SHOW GLOBAL STATUS/, [qw(n v)], ['Uptime', 1000]],
        [qr/^SELECT UNIX_TIMESTAMP/, ['t'], [1700000000]],
        [qr/^SELECT -1.*INNODB_TRX/, \@trx, $clock, [7, 12, 34, 421938471120337, undef, undef, 1],
            [0, 99, 99, 5, undef, undef, 1]],
        [qr/^SELECT -1/, \@trx, $clock],
        [qr/performance_schema\.global_status/, [qw(a b c)], [1, 0, 1]],
        [qr/^SELECT \* FROM performance_schema\.processlist LIMIT 0/, \@ps],
        [qr/^SELECT \* FROM information_schema\.PROCESSLIST LIMIT 0/, \@is],
        [qr/FROM performance_schema\.processlist/, \@upper, $app, $own, $odd],
        [qr/FROM information_schema\.PROCESSLIST/, [@upper, 'TIME_MS', 'ROWS_EXAMINED'],
            [@$app, 30500, 9], [@$own, 0, 0]],
        [qr/^KILL/],
    ], $version);
}

sub url { return "mysql://das\@127.0.0.1:$_[0]{port}/" }

# --- MySQL 8: performance_schema ----------------------------------------------------------------
my $my = server('8.0.36');
my $r = das_json(url($my), '--user', '%', '--time', 0);
is $r->{exit}, 0, 'MySQL 8' or diag $r->{err};
my ($list) = grep { /^SELECT ID/ } $my->statements;
is $list, 'SELECT ID, USER, HOST, DB, COMMAND, TIME, STATE, INFO FROM performance_schema.processlist '
    . q{WHERE (CAST(USER AS BINARY) LIKE x'25' ESCAPE '|' AND (TIME >= 0 AND TIME <= 2147483646))},
    'is asked through performance_schema';
my %s = map { $_->{id} => $_ } @{ $r->{json}{processes} };
is_deeply [ sort keys %s ], [ 7, 77 ], 'a session whose TIME is NULL matches no time';
is_deeply [ @{ $s{7} }{qw(user host db command state_duration state sql_info trx_time rows_modified
        trx_id)} ],
    [qw(app 10.0.0.5:4000 shop Query 30 executing), 'SELECT 1', 12, 34, 421938471120337], 'all fields';
ok !defined $s{77}{trx_time}, 'no transaction';
is $r->{json}{data_sync_time}, 1700000000, 'data_sync_time';

# --- somebody else answers -------------------------------------------------------------------------
($list) = grep { /^SELECT -1/ } $my->statements;
like $list, qr/CONCAT_WS\('\|', CONNECTION_ID\(\), \@\@hostname, \@\@port, \@\@global\.server_id\)/,
    'each list asks who answers';
for my $case (['another connection', '78|db1|3306|5'], ['another server', '77|db2|3306|5'], ['nobody', undef]) {
    my ($name, $answers) = @$case;
    my $server = server('8.0.36', [qr/^SELECT -1/, \@trx, [@$clock[ 0 .. 3 ], $answers, undef, 0]]);
    $r = das_json(url($server), '--user', 'app');
    is $r->{exit}, 1, "$name: no list";
    like $r->{err}, qr/another server or connection answers: \Q@{[$answers || '']}\E.*expected 77\|db1/,
        '... and it is said who';
    is scalar(grep { /^SELECT ID/ } $server->statements), 0, '... before sessions are read';
}
$my = server('8.0.36', [qr/^SHOW GLOBAL VARIABLES/, [qw(n v)], ['port', 3306]],
    [qr/^SELECT -1/, \@trx, [@$clock[ 0 .. 3 ], '77|3306', undef, 0]]);
is das_json(url($my), '--user', 'app')->{exit}, 0, 'only what the server has is asked for';
$my = server('8.0.36', [qr/^SELECT -1/, \@trx]);
$r = das_json(url($my), '--user', 'app');
like $r->{err}, qr/did not say who answers/, 'no answer to it is no list';
$my = server('8.0.36', [qr/^SELECT -1/, [qw(i a r)], [-1, 1700000000, 0]]);
$r = das_json(url($my), '--user', 'app');
like $r->{err}, qr/expected 7 columns/, 'nor is half an answer';

# --- where performance_schema is of no use ---------------------------------------------------------
my $ps = qr/performance_schema\.global_status/;
for my $case (
    ['it is off', [$ps, [qw(a b c)], [0, undef, 0]]],
    ['it had no room for every thread', [$ps, [qw(a b c)], [1, 3, 1]]],
    ['it does not show our own session', [$ps, [qw(a b c)], [1, 0, 0]]],
    ['it may not be read', [$ps, 1142, 'SELECT command denied']],
    ['its list may not be read', [qr/^SELECT \* FROM performance_schema/, 1142, 'denied']],
) {
    my ($name, $answer) = @$case;
    my $server = server('8.0.36', $answer);
    $r = das_json(url($server), '--user', 'app');
    is $r->{exit}, 0, "performance_schema: $name" or diag $r->{err};
    is $r->{json}{processes}[0]{time_ms}, 30500, '... then information_schema is read';
}
for my $version ('8.0.21', '5.7.44-48-log') {
    my $server = server($version);
    $r = das_json(url($server), '--user', 'app');
    is $r->{json}{processes}[0]{rows_examined}, 9, "MySQL $version: information_schema";
    is scalar(grep { /performance_schema/ } $server->statements), 0, '... and nothing else';
}

# --- what is cut or missing ------------------------------------------------------------------------
$my = server('8.0.36', [qr/^SELECT ID.*performance_schema/, \@upper,
    [@$app[ 0 .. 6 ], 'x' x 1024], [9, @$app[ 1 .. 6 ], 'x' x 1023]]);
$r = das_json(url($my), '--user', 'app');
like "@{ $r->{json}{warnings} }", qr/cuts SQL text at 1024 bytes: 1 session may/, 'SQL text that may be cut';
$my = server('8.0.36', [qr/INNODB_TRX/, 1227, 'Access denied; you need PROCESS']);
$r = das_json(url($my), '--user', 'app');
is $r->{exit}, 0, 'without PROCESS';
ok !$r->{json}{complete}, 'the list is not complete';
like "@{ $r->{json}{warnings} }", qr/GRANT PROCESS ON \*\.\* TO 'das'\@'10\.%'/, 'the GRANT is named';
$my = server('8.0.36', [qr/INNODB_TRX/, 1109, 'Unknown table']);
$r = das_json(url($my), '--user', 'app');
ok $r->{json}{complete}, 'without InnoDB the list is complete';
like "@{ $r->{json}{warnings} }", qr/transactions cannot be read.*Unknown table/, 'and transactions are unknown';
ok !defined $r->{json}{processes}[0]{trx_time}, 'not absent, and not there';

# --- who waits for whom ----------------------------------------------------------------------------
my $waits = [qr/^SELECT -1.*INNODB_TRX/, \@trx, $clock, [7, 12, 34, 900, undef, 'L:7', 2],
    [77, 50, 1, 421938471120337, undef, undef, 3], [8, 5, 0, 421938471120338, undef, 'L:8', 2]];
my @ask = ([qw(l b z)], ['L:7', '421938471120337', 0], ['L:8', 900, 0], ['L:9', 5, 0]);
for my $case (['8.0.36', qr/REQUESTING_ENGINE_LOCK_ID, MIN.*FROM performance_schema\.data_lock_waits/],
    ['5.7.44', qr/FROM information_schema\.INNODB_LOCK_WAITS/]) {
    my ($version, $statement) = @$case;
    $my = server($version, $waits, [$statement, @ask], [qr/FROM \w+\.PROCESSLIST/, \@upper, $app, $own, $odd]);
    $r = das_json(url($my), '--user', '%');
    %s = map { $_->{id} => $_ } @{ $r->{json}{processes} };
    is_deeply [ map { $s{$_}{blocked_by} } 7, 77, 8 ], [ 77, undef, 7 ], "MySQL $version: who blocks whom"
        or diag $r->{err};
    ok exists $s{77}{blocked_by}, '... nobody blocks the first';
    is scalar(grep { /WAITS/i } $my->statements), 1, '... and one statement asked';
}
$my = server('8.0.36', $waits, [qr/data_lock_waits/, 1142, 'SELECT command denied']);
$r = das_json(url($my), '--user', 'app');
is $r->{exit}, 0, 'who blocks whom may not be read';
ok !exists $r->{json}{processes}[0]{blocked_by}, '... then it is unknown';
like "@{ $r->{json}{warnings} }", qr/2 sessions wait for a lock.*blocked_by is unknown.*SELECT command denied/,
    '... which is a warning';
ok $r->{json}{complete}, '... and all else is as ever';
$my = server('8.0.36', $waits, [qr/data_lock_waits/, $ask[0]]);
$r = das_json(url($my), '--user', 'app');
ok !exists $r->{json}{processes}[0]{blocked_by}, 'a wait that nobody tells the reason of is unknown';
$my = server('8.0.36');
$r = das_json(url($my), '--user', 'app');
ok exists $r->{json}{processes}[0]{blocked_by} && !defined $r->{json}{processes}[0]{blocked_by},
    'who does not wait is blocked by nobody';
is scalar(grep { /WAITS/i } $my->statements), 0, '... and nothing was asked';

# --- KILL -------------------------------------------------------------------------------------------
my $lua = <<'LUA';
local report = assert(assert(das.preview{user = "app"}):plan{kill = "%s", reason = "test"}:apply())
for _, o in ipairs(report.outcomes) do print(o.id, o.outcome, o.note) end
LUA
for my $case (['query', 'KILL QUERY 7'], ['connection', 'KILL 7']) {
    my ($kill, $statement) = @$case;
    $my = server('8.0.36');
    $r = das_script(url($my), sprintf($lua, $kill), '--apply');
    like $r->{out}, qr/^7\tkilled\b/m, "kill = $kill" or diag $r->{err};
    is_deeply [ grep { /^KILL/ } $my->statements ], [$statement], $statement;
    $my = server('8.0.36', [qr/^KILL/, 1094, 'Unknown thread id: 7']);
    $r = das_script(url($my), sprintf($lua, $kill), '--apply');
    like $r->{out}, qr/^7\tgone\b/m, 'gone in the last moment';
    $my = server('8.0.36', [qr/^KILL/, 1095, 'You are not owner of thread 7']);
    $r = das_script(url($my), sprintf($lua, $kill), '--apply');
    like $r->{out}, qr/^7\tfailed\t.*GRANT CONNECTION_ADMIN ON \*\.\* TO 'das'\@'10\.%'/m, 'not allowed';
    $my = server('5.7.44', [qr/^KILL/, 1095, 'You are not owner of thread 7']);
    $r = das_script(url($my), sprintf($lua, $kill), '--apply');
    like $r->{out}, qr/^7\tfailed\t.*GRANT SUPER ON/m, 'not allowed by an old server';
    $my = server('8.0.36', [qr/^KILL/, 1317, 'Query execution was interrupted']);
    $r = das_script(url($my), sprintf($lua, $kill), '--apply');
    like $r->{out}, qr/^7\tunknown\b/m, 'an interrupted KILL may have happened';
}

# --- Ctrl-C while das apply waits for the end of what it has killed -------------------------------------
{
    local $FakeMySQL::immortal = 1;
    $my = server('8.0.36');
    my $plan = tempdir(CLEANUP => 1) . '/plan';
    $r = das_script(url($my), sprintf($lua, 'connection'), '--plan-out', $plan);
    is $r->{exit}, 0, 'a plan' or diag $r->{err};
    my $run = das_start('apply', $plan);
    for (1 .. 500) { last if grep { /^KILL/ } $my->statements; sleep 0.01 }
    kill 'INT', $run->{pid};
    $r = das_finish($run);
    is $r->{exit}, 1, 'interrupted: exit 1';
    like $r->{out}, qr/^applied: 1 killing\n  killing +connection +7 .*not waited for: the run ends/, 'the outcome is not waited for, and told'
        or diag $r->{err};
    is scalar(grep { /^KILL/ } $my->statements), 1, 'one kill';
    like das('audit', 'export')->{out}, qr/"outcome":"killing".*"id":7,.*not waited for/, 'it is in the journal';
    is das('audit', 'verify')->{exit}, 0, 'which holds';
}
done_testing;
