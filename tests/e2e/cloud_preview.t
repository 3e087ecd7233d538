#!/usr/bin/perl
# cloud_preview.t - das preview on das://: what the API is asked, what is decided here, and what is said of
# an answer that is cut or disputed.
use strict;
use warnings;
use Test::More;
use JSON::PP;
use lib 'tests/e2e/lib';
use CloudServer;
use Das;

my $c = CloudServer->new;
my $url = "das://@{[ $c->region ]}/@{[ $c->project ]}/@{[ $c->instance ]}?endpoint=@{[ $c->endpoint ]}";
my $opt = { env => $c->env };

sub session {
    my ($id, %more) = @_;
    return { id => $id, user => 'app', host => "10.0.0.7:$id", db => 'shop', command => 'Query', state => 'executing',
        sql_info => "select $id from t", state_duration => 60, %more };
}

# The ids that das preview selects, and what the API was asked meanwhile.
sub preview {
    my (@args) = @_;
    $c->forget;
    my $r = das_json($opt, $url, @args);
    $r->{ids} = $r->{json} ? join ' ', sort { $a <=> $b } map { $_->{id} } @{ $r->{json}{processes} } : "exit $r->{exit}: $r->{err}";
    $r->{asked} = [ map { my $b = decode_json($_->{body}); delete @$b{qw(task_duration task_type)}; $b } $c->requests('preview') ];
    return $r;
}

sub lua {
    my ($script, @args) = @_;
    $c->forget;
    my $r = das_script($opt, $url, $script, @args);
    $r->{asked} = [ map { my $b = decode_json($_->{body}); delete @$b{qw(task_duration task_type)}; $b } $c->requests('preview') ];
    return $r;
}

my $r;

# --- one conjunction ----------------------------------------------------------------------------------------

$c->sessions([ session(1), session(2, user => 'root', host => '100.79.0.247:59474', db => 'cds'), session(3, command => 'Sleep', sql_info => undef),
        session(4, user => 'apple', state_duration => 5) ], frozen => 1);
$r = preview('--user', 'root', '--host', '100.%', '--db', 'cds', '--command', 'query', '--time', '5', '--info', 'select ~ from');
is $r->{ids}, '2', 'a conjunction of the API\'s own criteria';
is_deeply $r->{asked}, [ { user => 'root', host => '100.%', db => 'cds', command => 'Query', time => 5, info => 'select~from' } ], 'is sent as it stands';
is $r->{json}{complete}, JSON::PP::true, 'the answer is complete';
cmp_ok abs($r->{json}{data_sync_time} - time), '<', 60, 'its time is the server\'s';
is $r->{err}, '', 'nothing to warn of';
is preview('--all')->{ids}, '1 2 3 4', 'everybody';
is_deeply preview('--all')->{asked}, [ { time => 0 } ], 'in one call';
$r = preview('--user', 'app%');
is $r->{ids}, '1 3 4', 'a wildcard for users, which the API does not have, is decided here';
is_deeply $r->{asked}, [ { time => 0 } ], 'and not sent';
is preview('--id', '3,4')->{ids}, '3 4', 'ids, too';
$r = preview('--trx-time', '1');
is $r->{ids}, '', 'what the API does not tell matches nothing';
like $r->{err}, qr/the DAS API does not tell trx_time/, 'and is said';
$r = das($opt, 'preview', '-i', $url);
like $r->{err}, qr/no criterion/, 'an empty filter selects nothing';

# --- compositions ---------------------------------------------------------------------------------------------

$r = lua(<<'LUA');
local f = (das.filter{ user = "root" } | das.filter{ command = "Sleep", time = 10 }) & ~das.filter{ db = "other" }
local found = das.preview(f)
for _, s in ipairs(found.processes) do print(s.id) end
LUA
is $r->{out}, "2\n3\n", 'a | b, merged' or diag $r->{err};
is_deeply $r->{asked}, [ { user => 'root', time => 0 }, { command => 'Sleep', time => 10 } ], 'a call for each';
$r = lua('for _, s in ipairs(das.preview(das.filter{ user = "app" } | das.filter{ db = "shop", command = "Query" }).processes) do print(s.id) end');
is $r->{out}, "1\n3\n4\n", 'one that both calls find is there once' or diag $r->{err};
$r = lua('for _, s in ipairs(das.preview(~das.filter{ user = "app" }).processes) do print(s.id) end');
is $r->{out}, "2\n4\n", '~a is decided here';
$r = lua('for _, s in ipairs(das.preview(das.filter{ info = "select~1 from" } | das.filter{ host = "100.79.0.247" }).processes) do print(s.id) end');
is $r->{out}, "1\n2\n", 'keywords in a composition are decided here, too';

# --- where the readings differ -----------------------------------------------------------------------------------

$c->set(info_reading => 'loose');
$r = preview('--user', 'app', '--info', 'delete~from');
is $r->{ids}, '1 3', 'what the API selects is taken as given';
is_deeply [ map { $_->{disputed} } @{ $r->{json}{processes} } ], [ JSON::PP::true, JSON::PP::true ], 'and marked, where das reads otherwise';
like $r->{err}, qr/2 sessions are disputed: .*\(1, 3\); a plan leaves them out unless trust_source = true/, 'and warned of';
$r = preview('--user', 'app', '--info', 'select');
is_deeply [ map { [ $_->{id}, $_->{disputed} ] } @{ $r->{json}{processes} } ], [ [ 1, undef ], [ 3, JSON::PP::true ] ], 'one is, one is not';
$r = lua('for _, s in ipairs(das.preview(das.filter{ user = "app", info = "delete" } | das.filter{ id = 4 }).processes) do print(s.id) end');
is $r->{out}, "4\n", 'in a composition das alone decides' or diag $r->{err};
$r = lua(<<'LUA');
local found = das.preview{ user = "app", info = "select" }
for _, s in ipairs(found.processes) do print(s.id, s.disputed) end
local plan = found:plan{ kill = "connection" }
print(plan.count, plan.left_out)
local all = found:plan{ kill = "connection", trust_source = true }
print(all.count, all.left_out)
print(#found:where{ command = "Sleep" }, #found:where{ command = "Query" })
LUA
is $r->{out}, "1\tfalse\n3\ttrue\n1\t1\n2\t0\n1\t1\n", 'a plan leaves disputed ones out, unless told to trust' or diag $r->{err};
$c->set(info_reading => 'keywords');

# --- more than one answer holds ------------------------------------------------------------------------------------

my @commands = ('Query', 'Sleep', 'Execute', 'Query');
$c->sessions([ map { session($_, user => 'u' . $_ % 7, command => $commands[$_ % 4], host => '10.0.' . $_ % 3 . ".1:$_") } 1 .. 1500 ], frozen => 1);
$r = preview('--all');
is scalar(@{ $r->{json}{processes} }), 200, 'at most 200';
is $r->{json}{total_count}, 1500, 'of how many';
is $r->{json}{complete}, JSON::PP::false, 'which is not complete';
like $r->{err}, qr/the DAS API tells at most 200 sessions at a time, 1500 match; exhaustive = true asks in parts/, 'and warned of';
$r = preview('--all', '--exhaustive');
is scalar(@{ $r->{json}{processes} }), 1500, 'exhaustive: all of them' or diag $r->{err};
my %ids = map { $_->{id} => 1 } @{ $r->{json}{processes} };
is scalar(keys %ids), 1500, 'each once';
is $r->{json}{complete}, JSON::PP::true, 'which is complete';
cmp_ok scalar(@{ $r->{asked} }), '<=', 60, 'in ' . @{ $r->{asked} } . ' calls';
$r = preview('--command', 'Query', '--exhaustive');
is scalar(@{ $r->{json}{processes} }), 750, 'exhaustive, of one command';
$r = preview('--user', 'u1', '--exhaustive');
is scalar(@{ $r->{json}{processes} }), 215, 'of one user';
$c->sessions([ map { session($_, user => 'one', host => '10.9.9.9:' . $_) } 1 .. 300 ], frozen => 1);
$r = preview('--all', '--exhaustive');
is $r->{json}{complete}, JSON::PP::false, 'where nothing is left to split by it stays incomplete';
is preview('--user', 'one', '--command', 'Query', '--host', '10.9.9.9:%', '--exhaustive')->{json}{complete}, JSON::PP::false, 'the same where the filter says all of that';
like $r->{err}, qr/the list is not complete: 200 sessions after \d+ calls/, 'and says so';
$c->sessions([ map { session($_, command => 'Binlog Dump', user => "r$_") } 1 .. 250 ], frozen => 1);
$r = preview('--all', '--exhaustive');
is $r->{json}{complete}, JSON::PP::false, 'commands that the API cannot be asked for stay unseen, and that is told';
$c->sessions([ map { session($_, user => sprintf('u%d', $_), command => 'Query') } 1 .. 2000 ], frozen => 1);
$r = preview('--all', '--exhaustive');
cmp_ok scalar(@{ $r->{asked} }), '<=', 101, 'and there is a bound on the calls';
is $r->{json}{complete}, JSON::PP::false, 'which is told as well';

# Sessions that change between two calls: one that is met twice does not stand for one that is not met.
sub crowd { my ($commands, @more) = @_; return [ (map { session($_, command => $commands->($_)) } 1 .. 250), @more ] }
$c->sessions(crowd(sub { $_[0] <= 150 ? 'Sleep' : $_[0] <= 210 ? 'Query' : 'Execute' }), frozen => 1);
$c->after('preview', 2, { sessions => crowd(sub { $_[0] <= 110 ? 'Sleep' : $_[0] <= 210 ? 'Query' : 'Execute' }) });
$r = preview('--all', '--exhaustive');
is scalar(@{ $r->{json}{processes} }), 250, '40 that were idle work: those that are asked for last are there all the same' or diag $r->{err};
is $r->{json}{complete}, JSON::PP::true, 'and the list is complete';
$c->sessions(crowd(sub { $_[0] <= 150 ? 'Query' : 'Sleep' }), frozen => 1);
$c->after('preview', 2, { sessions => crowd(sub { $_[0] <= 149 || $_[0] == 250 ? 'Query' : 'Sleep' }, session(900, command => 'Query')) });
$r = preview('--all', '--exhaustive');
is $r->{json}{complete}, JSON::PP::true, 'one that moved and one that is new: all are met' or diag $r->{err};
$c->sessions(crowd(sub { $_[0] <= 150 ? 'Sleep' : 'Query' }), frozen => 1);
$c->after('preview', 2, { sessions => crowd(sub { $_[0] <= 150 || $_[0] == 250 ? 'Sleep' : 'Query' }, session(900, command => 'Query')) });
$r = preview('--all', '--exhaustive');
is scalar(grep { $_->{id} == 250 } @{ $r->{json}{processes} }), 0, 'one that falls asleep behind the question for the idle ones is not met';
is $r->{json}{complete}, JSON::PP::false, 'and a new one does not hide that' or diag $r->{err};

# --- addresses and accounts --------------------------------------------------------------------------------------------

$c->sessions([ session(1) ], frozen => 1);
(my $no_project = $url) =~ s{/\Q@{[ $c->project ]}\E/}{/};
my %env = %{ $c->env };
is das_json({ env => { %env, HUAWEICLOUD_SDK_PROJECT_ID => '', HUAWEICLOUD_SDK_IAM_ENDPOINT => $c->endpoint } }, $no_project, '--all')->{json}{total_count}, 1,
    'a project is looked up by its region';
is $c->count('projects'), 1, 'at IAM';
for my $t (
    [ "das://@{[ $c->region ]}", qr/expected das:\/\/REGION/ ],
    [ 'das://Wrong/p/i', qr/region: expected/ ],
    [ "$url&x=1", qr/endpoint=URL/ ],
    [ 'das://cn-north-4/p/i?endpoint=http://example.com', qr{endpoint: .*https://} ],
    [ 'das://cn-north-4/p/i?endpoint=ftp://x', qr{endpoint: .*https://} ],
) {
    my $bad = das($opt, 'preview', '-i', $t->[0], '--all');
    ok $bad->{exit} != 0 && $bad->{err} =~ $t->[1], "$t->[0]: told" or diag $bad->{err};
}
$r = das({ env => { map { $_ => '' } keys %env } }, 'preview', '-i', $url, '--all');
like $r->{err}, qr/HUAWEICLOUD_SDK_AK/, 'without a key: which variables are wanted';
my $denied = CloudServer->new(deny => ['preview']);
$r = das({ env => $denied->env }, 'preview', '-i', "das://@{[ $denied->region ]}/@{[ $denied->project ]}/@{[ $denied->instance ]}?endpoint=@{[ $denied->endpoint ]}", '--all');
is $r->{exit}, 1, 'without the permission';
like $r->{err}, qr/HTTP 403 .*add das:clouddba:listProcess to the policy/, 'it says which one';
my $rush = { status => 429, headers => { 'Retry-After' => 3600 }, body => { error_code => 'APIGW.0308', error_msg => 'too often' } };
$c->script('preview', [$rush]);
$r = das($opt, 'preview', '-i', $url, '--all');
is $r->{exit}, 1, 'too many requests: it failed, and no guard has said no' or diag $r->{err};
like $r->{err}, qr/APIGW.0308 "too often".*lower `rate`/, 'and why';
$c->script('preview', [$rush]);
is das_script($opt, $url, 'print(select(3, das.preview{ all = true }))')->{out}, "busy\n", 'a script is told that waiting helps';
is_deeply [ $c->violations ], [], 'nothing was sent that a careful client does not send';

done_testing();
