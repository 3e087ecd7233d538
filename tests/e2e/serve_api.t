#!/usr/bin/perl
# serve_api.t - das serve answers every operation as the API's reference has it: fields, types, codes; on an
# in-memory instance, over HTTP, signed by another implementation.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use Das qw(das wait_for);
use JSON::PP;
use Serve;

my $PROJECT = $Serve::PROJECT;
my $ID = '0123456789abcdef0123456789abcdefin01';
my $dir = File::Temp::tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;

# A list like the API's example, and more than fits into an answer.
sub sessions {
    my ($n) = @_;
    return [ { id => 34850917, user => 'root', host => '100.79.0.247:59474', db => 'cds', state => 'User sleep',
            command => 'Query', sql_info => "SELECT sleep(49599) /* from das */\nLIMIT 0, 50", state_duration => 7 },
        { id => 9, user => undef, host => '10.0.0.9:1', db => undef, state => '', command => 'Sleep', sql_info => undef, state_duration => undef },
        map { { id => 1000 + $_, user => "app" . $_ % 3, host => "10.0.0.$_:4000", db => 'shop', state => 'executing',
            command => 'Query', sql_info => "select $_ from t", state_duration => $_ } } 1 .. $n ];
}
sub list_file {
    my ($name, $n) = @_;
    open my $out, '>', "$dir/$name" or die;
    print $out $json->encode({ data_sync_time => 1766655104, total_count => $n + 2, processes => sessions($n) }), "\n";
    close $out;
    return "$dir/$name";
}
list_file('small.json', 3);
list_file('big.json', 500);

my $s = Serve->new(
    instances => { orders => qq({ source = "mem:$dir/small.json", id = "$ID", tags = { "prod" } }),
        big => "mem:$dir/big.json", old => "file:$dir/small.json" },
);
$s->{ids}{orders} = $ID;

# --- preview -----------------------------------------------------------------------------------------
my $example = { user => 'root', host => '100.%', db => 'cds', command => 'Query', info => 'select~from~das', time => 5 };
my $r = $s->ask(POST => $s->flow('orders', 'preview-session-for-kill-process-task'), $example);
is($r->{status}, 200, 'preview: 200') or diag($r->{content}, $s->log);
like($r->{content}, qr/\A\{"success":false,"data_sync_time":\d{10},"total_count":1,"processes":\[\{"id":34850917,"user":"root","host":"100\.79\.0\.247:59474","db":"cds","state":"User sleep","command":"Query","sql_info":"SELECT sleep\(49599\) \/\* from das \*\/\\nLIMIT 0, 50","state_duration":(7|8|9|1\d|2\d)\}\]\}\z/,
    'byte by byte as the example') or diag($r->{content});
like($r->{headers}{'content-type'}, qr{^application/json}, 'as JSON');
like($r->{headers}{'x-request-id'}, qr/^[0-9a-f]{32}$/, 'with a request id');
cmp_ok(abs($r->{json}{data_sync_time} - time), '<', 5, 'data_sync_time is when it was looked');

my $all = $s->ask(POST => $s->flow('orders', 'preview-session-for-kill-process-task'), { time => 0 });
is($all->{json}{total_count}, 5, 'time 0 alone means everybody');
is_deeply([ @{ (grep { $_->{id} == 9 } @{ $all->{json}{processes} })[0] }{qw(user db sql_info state_duration)} ],
    [ undef, undef, undef, undef ], 'what is not known is null');
is($s->ask(POST => $s->flow('orders', 'preview-session-for-kill-process-task'), '')->{json}{total_count}, 5, 'so does no body');
is($s->ask(POST => $s->flow('orders', 'preview-session-for-kill-process-task'),
    { user => '', host => '', db => '', command => '', info => '', time => 2, task_duration => 10, task_type => 'auto', tomorrow => [1] })->{json}{total_count},
    3, '"" is unset, unknown fields are passed over, time is at least');
my $many = $s->ask(POST => $s->flow('big', 'preview-session-for-kill-process-task'), { user => 'app%', time => 1 });
is(scalar @{ $many->{json}{processes} }, 200, 'at most 200 processes');
is($many->{json}{total_count}, 500, 'and the true count');
is($s->ask(POST => $s->path('old', 'auto-flow/preview-session-for-kill-process-task'), { time => 0 })->{json}{data_sync_time}, 1766655104,
    'a recorded list says when it was recorded');

# --- ids ---------------------------------------------------------------------------------------------
for my $id (substr($ID, 0, 32), $ID) {
    is($s->ask(POST => "/v3/$PROJECT/instances/$id/auto-flow/preview-session-for-kill-process-task", $example)->{status}, 200, 'id of ' . length $id);
}
for my $id (substr($ID, 0, 31), $ID . '0', 'f' x 32, substr($ID, 0, 34) . '07', '..%2f' . 'a' x 27) {
    my $bad = $s->ask(POST => "/v3/$PROJECT/instances/$id/auto-flow/preview-session-for-kill-process-task", $example);
    is($bad->{status}, 400, "no instance: $id");
}
is($s->ask(POST => "/v3/$PROJECT/instances/" . 'f' x 32 . '/auto-flow/preview-session-for-kill-process-task', $example)->{json}{error_code},
    'DAS.200114', 'with its code');
is($s->ask(GET => '/v3/short/instances', undef, query => [ [ datastore_type => 'MySQL' ] ], project => 'short')->{json}{error_code}, 'DAS.200113', 'a project that is none');
is($s->ask(GET => '/v3/' . '1' x 32 . '/instances', undef, query => [ [ datastore_type => 'MySQL' ] ], project => '1' x 32)->{status}, 403, 'another project');

# --- what is refused -----------------------------------------------------------------------------------
my @bad = (
    [ '[1]', qr/object/ ], [ '{"time":', qr/JSON/ ], [ '{"time":1,"time":2}', qr/JSON/ ], [ '{"user":1}', qr/user: expected a string, got a number/ ],
    [ '{"time":"5"}', qr/time: expected a whole number, got a string/ ], [ '{"time":1.5}', qr/time/ ], [ '{"time":-1}', qr/time/ ],
    [ '{"time":2147483647}', qr/time/ ], [ '{"time":99999999999999999999}', qr/JSON|time/ ], [ '{"command":"Qery"}', qr/Query/ ],
    [ '{"task_type":"never"}', qr/task_type/ ], [ '{"task_duration":9}', qr/task_duration/ ], [ '{"task_duration":31536000}', qr/task_duration/ ],
    [ '{"info":"' . join('~', 1 .. 129) . '"}', qr/info/ ], [ '{"a":' . '[' x 50 . ']' x 50 . '}', qr/deep/ ], [ "\xff", qr/JSON/ ],
    [ '{"user":{"a":1}}', qr/user: expected a string, got an object/ ], [ '{"host":false}', qr/host/ ],
);
for (@bad) {
    my ($body, $why) = @$_;
    my $r = $s->ask(POST => $s->flow('orders', 'preview-session-for-kill-process-task'), $body);
    is($r->{status}, 400, 'refused: ' . substr($body, 0, 40));
    is($r->{json}{error_code}, 'DAS.200100', 'code');
    like($r->{json}{error_msg}, $why, 'words');
    is($r->{json}{request_id}, $r->{headers}{'x-request-id'}, 'request id');
}

# --- other methods and paths ------------------------------------------------------------------------------
is($s->ask(GET => '/v3/nothing')->{status}, 404, 'no such path');
is($s->ask(GET => '/v3/nothing')->{json}{error_code}, 'APIGW.0101', 'its code');
my $wrong = $s->ask(GET => $s->flow('orders', 'preview-session-for-kill-process-task'));
is($wrong->{status}, 405, 'wrong method');
is($wrong->{headers}{allow}, 'POST, OPTIONS', 'what is allowed');
is($s->ask(BREW => '/das')->{status}, 501, 'a method that nobody knows');
my $options = $s->ask(OPTIONS => $s->flow('orders', 'add-kill-process-task'), undef, key => undef);
is("$options->{status} $options->{headers}{allow}", '204 PUT, OPTIONS', 'OPTIONS');
my $head = $s->ask(HEAD => '/das', undef, key => undef);
my $get = $s->ask(GET => '/das', undef, key => undef);
is("$head->{status} " . ($head->{content} // ''), '200 ', 'HEAD has no body');
is($head->{headers}{'content-length'}, length $get->{content}, 'and says how long it would be');
is_deeply([ map { $_->{id} } @{ $get->{json}{versions} } ], ['v3'], 'versions');
is($s->ask(GET => '/das/v3', undef, key => undef)->{json}{version}{id}, 'v3', 'one of them');
is($s->ask(GET => '/das/v4', undef, key => undef)->{status}, 404, 'another');

# --- fleet ------------------------------------------------------------------------------------------------
my $list = $s->ask(GET => "/v3/$PROJECT/instances", undef, query => [ [ datastore_type => 'MySQL' ] ]);
is_deeply([ map { $_->{instance_name} } @{ $list->{json}{instance_list} } ], [qw(big old orders)], 'instances by name');
is($list->{json}{total_count}, 3, 'how many');
is($list->{json}{instance_list}[2]{instance_id}, $ID, 'configured id');
like($list->{json}{instance_list}[0]{instance_id}, qr/^[0-9a-f]{32}in01$/, 'made id');
is(scalar @{ $s->ask(GET => "/v3/$PROJECT/instances", undef, query => [ [ datastore_type => 'MySQL' ], [ offset => 1 ], [ limit => 1 ] ])->{json}{instance_list} }, 1, 'paged');
is($s->ask(GET => "/v3/$PROJECT/instances", undef, query => [ [ datastore_type => 'mongodb' ] ])->{json}{total_count}, 0, 'of another kind none');
for ([ [], 'DAS.200107' ], [ [ [ datastore_type => 'Oracle' ] ], 'DAS.200107' ], [ [ [ datastore_type => 'MySQL' ], [ limit => 0 ] ], 'DAS.200104' ],
    [ [ [ datastore_type => 'MySQL' ], [ offset => 'x' ] ], 'DAS.200103' ], [ [ [ datastore_type => 'MySQL' ], [ limit => 1 ], [ limit => 2 ] ], 'DAS.200104' ]) {
    is($s->ask(GET => "/v3/$PROJECT/instances", undef, query => $_->[0])->{json}{error_code}, $_->[1], $_->[1]);
}
my $nodes = $s->ask(GET => "/v3/$PROJECT/instance/nodes-info", undef, query => [ [ instance_id => $ID ], [ datastore_type => 'MySQL' ] ]);
is($nodes->{json}{instance_nodes}[0]{role}, 'master', 'nodes') or diag($nodes->{content});
my $node = $nodes->{json}{instance_nodes}[0]{id};
my $users = $s->ask(GET => $s->path('orders', 'db-users'));
my $user = $users->{json}{db_users}[0]{db_user_id};
like($user, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a database user');

# --- process lists ------------------------------------------------------------------------------------------
my $ps = $s->ask(GET => $s->path('big', 'processes'), undef, query => [
    [ db_user_id => $s->ask(GET => $s->path('big', 'db-users'))->{json}{db_users}[0]{db_user_id} ], [ user => 'app1' ], [ offset => 0 ], [ limit => 2 ] ]);
is($ps->{json}{count}, 167, 'processes: count');
is(scalar @{ $ps->{json}{processes} }, 2, 'a page');
is($ps->{json}{processes}[0]{id}, '1001', 'the first');
like($ps->{content}, qr/"id":"1001"/, 'numbers are texts there');
for ([ [], 'DAS.200112' ], [ [ [ db_user_id => 'x' ], [ user => 'a' ] ], 'DAS.200112' ],
    [ [ [ db_user_id => '00000000-0000-0000-0000-000000000000' ], [ user => 'a' ] ], 'DAS.220003' ], [ [ [ db_user_id => $user ] ], 'DAS.200100' ]) {
    is($s->ask(GET => $s->path('orders', 'processes'), undef, query => $_->[0])->{json}{error_code}, $_->[1], "processes: $_->[1]");
}
my $pl = $s->ask(GET => $s->path('big', 'query-process-list'), undef, query => [ [ engine_type => 'MySQL' ], [ cur_page => 6 ], [ per_page => 100 ] ]);
is(scalar @{ $pl->{json}{data} }, 2, 'query-process-list: the last page');
is($pl->{json}{total}, 502, 'of so many');

# --- kills ----------------------------------------------------------------------------------------------------
sub there { my ($name, $id) = @_; return grep { $_->{id} == $id } @{ $s->ask(POST => $s->flow($name, 'preview-session-for-kill-process-task'), { time => 0 })->{json}{processes} } }
sub gone { my ($name, $id) = @_; return wait_for(sub { !there($name, $id) }, 5) }    # a list may be 250 ms old
my $kill = $s->ask(POST => $s->path('orders', 'kill-process'), { engine_type => 'MySQL', processes => [ { id => 1001, user => 'app1' } ] });
is("$kill->{status} $kill->{json}{count}", '200 1', 'kill-process') or diag($kill->{content});
ok(gone('orders', 1001), 'it is gone');
$kill = $s->ask(POST => $s->path('orders', 'kill-process'), { engine_type => 'MySQL', processes => [ { id => 1002, user => 'app1' } ] });
is("$kill->{status} $kill->{json}{count}", '200 0', 'of another user: nobody');
ok(there('orders', 1002), 'it lives');
for ({}, { engine_type => 'MySQL' }, { engine_type => 'oracle', processes => [ { id => 1, user => 'a' } ] }, { engine_type => 'MySQL', processes => [] },
    { engine_type => 'MySQL', processes => [ { id => '1', user => 'a' } ] }, { engine_type => 'MySQL', processes => [ { id => 1 } ] },
    { engine_type => 'MySQL', processes => [ { id => 1, user => '' } ] }, { engine_type => 'MySQL', processes => [1] }) {
    is($s->ask(POST => $s->path('orders', 'kill-process'), $_)->{status}, 400, 'refused: ' . $json->encode($_));
}
my $delete = $s->ask(DELETE => $s->path('orders', 'process'), { db_user_id => $user, process_ids => ['1002'] });
is("$delete->{status} [$delete->{content}]", '200 []', 'DELETE process') or diag($delete->{content});
ok(gone('orders', 1002), 'it is gone');
is($s->ask(DELETE => $s->path('orders', 'process'), { db_user_id => $user, user => 'app0', database => 'other' })->{status}, 200, 'by user and database');
ok(there('orders', 1003), 'both have to fit');
for ({ process_ids => ['1'] }, { db_user_id => $user }, { db_user_id => $user, process_ids => [] }, { db_user_id => $user, process_ids => ['x'] },
    { db_user_id => $user, process_ids => '1' }, { db_user_id => '00000000-0000-0000-0000-000000000000', process_ids => ['1'] }) {
    is($s->ask(DELETE => $s->path('orders', 'process'), $_)->{status}, 400, 'refused: ' . $json->encode($_));
}
is($s->ask(POST => $s->path('old', 'kill-process'), { engine_type => 'MySQL', processes => [ { id => 1001, user => 'app1' } ] })->{status}, 400, 'nothing can be killed in a recording');

# --- switch, tasks, history --------------------------------------------------------------------------------------
my $task = { user => 'app0', time => 1, task_duration => 600, task_type => 'auto' };
is($s->ask(GET => $s->flow('orders', 'get-kill-process-task-switch'))->{json}{status}, 'OFF', 'the switch is off at first');
my $off = $s->ask(PUT => $s->flow('orders', 'add-kill-process-task'), $task);
like("$off->{status} $off->{json}{error_msg}", qr/^400 .*switch.*off/, 'no task while it is');
is($s->ask(POST => $s->flow('orders', 'kill-all-session'))->{status}, 400, 'and no killing of all');
is($s->ask(POST => $s->flow('orders', 'set-kill-process-task-switch'), { status => 'maybe' })->{status}, 400, 'on or off');
is($s->ask(POST => $s->flow('orders', 'set-kill-process-task-switch'), { status => 'ON' })->{content}, '{"success":true}', 'on');
is($s->ask(GET => $s->flow('orders', 'get-kill-process-task-switch'))->{json}{status}, 'ON', 'it is');
for ([ time => undef ], [ task_duration => undef ], [ task_type => undef ], [ task_duration => 9 ], [ time => 'x' ], [ command => 'Nope' ]) {
    my %t = (%$task, @$_);
    my $r = $s->ask(PUT => $s->flow('orders', 'add-kill-process-task'), { map { $_ => $t{$_} } grep { defined $t{$_} } keys %t });
    is("$r->{status} $r->{json}{error_code}", '400 DAS.200100', "create: $_->[0]");
    like($r->{json}{error_msg}, qr/\b$_->[0]\b/, 'names the field');
}
like($s->ask(PUT => $s->flow('orders', 'add-kill-process-task'), { time => 0, task_duration => 60, task_type => 'auto' })->{json}{error_msg}, qr/every session/, 'no task that means everybody');
is($s->ask(PUT => $s->flow('orders', 'add-kill-process-task'), $task)->{content}, '{"success":true}', 'create') or diag($s->log);
ok(gone('orders', 1003), 'its session is gone');
my ($t) = @{ $s->ask(GET => $s->flow('orders', 'query-kill-process-task'))->{json}{sql_killing_task_resp_list} };
is_deeply({ map { $_ => $t->{$_} } qw(user host db info command time task_type task_duration task_state) },
    { user => 'app0', host => '', db => '', info => '', command => '', time => 1, task_type => 'auto', task_duration => 600, task_state => 1 }, 'listed');
is($t->{end_time} - $t->{start_time}, 600_000, 'its end');
my $history = sub { my %q = (start_time => (time - 3600) * 1000, end_time => (time + 10) * 1000, page_num => 1, page_size => 10, @_);
    $s->ask(GET => $s->flow('orders', 'query-kill-process-history'), undef, query => [ map { [ $_ => $q{$_} ] } sort keys %q ]) };
my $h;
ok(wait_for(sub { $h = $history->(); ($h->{json}{total_count} // 0) == 3 }, 10), 'history has all three') or diag($h->{content});
is_deeply([ map { "$_->{session_id} $_->{killed_source} " . ($_->{task_id} // '-') } @{ $h->{json}{killed_sessions} } ],
    [ "1003 task $t->{task_id}", '1002 api -', '1001 api -' ], 'newest first, each with its task');
is_deeply([ @{ $h->{json}{killed_sessions}[0] }{qw(instance_id node_id user db command info)} ], [ $ID, $node, 'app0', 'shop', 'Query', 'select 3 from t' ], 'as they were');
is(scalar @{ $history->(page_size => 5, page_num => 2)->{json}{killed_sessions} }, 0, 'the second page is empty');
is($history->(start_time => (time + 5) * 1000)->{json}{total_count}, 0, 'by time');
is($history->(node_id => 'other')->{json}{total_count}, 0, 'by node');
is($history->(page_size => 7)->{status}, 400, 'a page of 7');
is($history->(page_num => 0)->{status}, 400, 'page 0');
is($history->(end_time => 0)->{status}, 400, 'an end before the start');

# --- five and no more ---------------------------------------------------------------------------------------
is($s->ask(PUT => $s->flow('orders', 'add-kill-process-task'), { user => "nobody$_", time => 1, task_duration => 600, task_type => 'manual' })->{status}, 200, "task $_") for 2 .. 5;
like($s->ask(PUT => $s->flow('orders', 'add-kill-process-task'), { user => 'nobody6', time => 1, task_duration => 600, task_type => 'auto' })->{json}{error_msg}, qr/5 kill tasks/, 'the sixth is refused');
my @tasks = @{ $s->ask(GET => $s->flow('orders', 'query-kill-process-task'))->{json}{sql_killing_task_resp_list} };
is(scalar @tasks, 5, 'five are listed');
is($tasks[0]{end_time}, 0, 'a manual one has no end');
is($s->ask(POST => $s->flow('orders', 'terminate-kill-process-task'), { task_id => "$tasks[0]{task_id}" })->{content}, '{"success":true}', 'stop by text');
is($s->ask(POST => $s->flow('orders', 'terminate-kill-process-task'), { task_id => 0 + $tasks[1]{task_id} })->{content}, '{"success":true}', 'stop by number');
is($s->ask(POST => $s->flow('orders', 'terminate-kill-process-task'), { task_id => $tasks[0]{task_id} })->{status}, 400, 'it runs no longer');
is_deeply([ map { $_->{task_state} } @{ $s->ask(GET => $s->flow('orders', 'query-kill-process-task'))->{json}{sql_killing_task_resp_list} } ], [ 1, 1, 1, 2, 2 ],
    'those that run are listed first');
is($s->ask(POST => $s->flow('big', 'terminate-kill-process-task'), { task_id => $tasks[2]{task_id} })->{status}, 400, 'a task of another instance');
is($s->ask(POST => $s->flow('orders', 'terminate-kill-process-task'), { task_id => $_ })->{status}, 400, 'no id') for undef, '', 'x', 1.5, 0, [];
is($s->ask(POST => $s->flow('orders', 'set-kill-process-task-switch'), { status => 'off' })->{status}, 200, 'switched off');
is(scalar(grep { $_->{task_state} == 1 } @{ $s->ask(GET => $s->flow('orders', 'query-kill-process-task'))->{json}{sql_killing_task_resp_list} }), 0, 'ends all tasks');

# --- all ------------------------------------------------------------------------------------------------------
$s->ask(POST => $s->flow('orders', 'set-kill-process-task-switch'), { status => 'on' });
my $ka = $s->ask(POST => $s->flow('orders', 'kill-all-session'));
is("$ka->{status} " . ($ka->{json}{success} ? 'true' : 'false'), '200 true', 'kill-all-session') or diag($ka->{content});
ok(gone('orders', 34850917), 'all are gone');

# --- a task whose instance is served no longer ------------------------------------------------------------------
is($s->ask(PUT => $s->flow('orders', 'add-kill-process-task'), { user => 'nobody', time => 1, task_duration => 600, task_type => 'manual' })->{status}, 200, 'a manual task');
is($s->stop->{exit}, 0, 'the server ends');
$s->start('-i', 'big');
like($s->log, qr/task \d+ runs on orders, which is not served here/, 'a new one that does not serve its instance says so');

my $end = $s->stop;
is($end->{exit}, 0, 'ends in order') or diag($end->{err});
my $audit = das($s->opt, 'audit', 'verify');
is($audit->{exit}, 0, 'the journal is whole') or diag($audit->{err});
done_testing();
