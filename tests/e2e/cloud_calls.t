#!/usr/bin/perl
# cloud_calls.t - what each call of the DAS API sends and how it reads the answer, against a server that
# checks signatures by itself.
use strict;
use warnings;
use Test::More;
use JSON::PP;
use lib 'tests/e2e/lib';
use CloudRun;
use CloudServer;

my $user = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
my $c = CloudServer->new(db_users => [ { db_user_id => $user, db_username => 'ops' } ]);
my ($project, $instance) = ($c->project, $c->instance);
my $base = "/v3/$project/instances/$instance";
my $run = CloudRun->new($c);

sub session {
    my ($id, %more) = @_;
    return { id => $id, user => 'app', host => "10.0.0.$id:500$id", db => 'shop', command => 'Query', state => 'executing',
        sql_info => "select $id from t", state_duration => 60, %more };
}

sub sent {
    my ($operation) = @_;
    my @all = $c->requests($operation);
    return $all[-1];
}

# --- the example of the API's page, byte by byte ---------------------------------------------------------

my $request = '{"user":"root","host":"100.%","db":"cds","command":"Query","info":"select~from~das","time":5}';
my $answer = '{"success":false,"data_sync_time":1766655104,"total_count":1,"processes":[{"id":34850917,"user":"root","host":"100.79.0.247:59474","db":"cds","state":"User sleep","command":"Query","sql_info":"SELECT sleep(49599)\nLIMIT 0, 50","state_duration":7}]}';
$c->script('preview', [ { body => $answer } ]);
my $r = $run->order('preview user=root host=100.% db=cds command=Query info=select~from~das time=5');
ok $r->{ok}, 'the example: a good answer, although it says "success": false' or diag $r->{text};
like $r->{text}, qr/^sync 1766655104 total 1 \[1 \{ id 34850917 user "root" host "100.79.0.247:59474" db "cds" command "Query" state "User sleep" sql_info "SELECT sleep\(49599\)/,
    'every field of it';
my $q = sent('preview');
(my $same = $request) =~ s/\}$/,"task_duration":10,"task_type":"auto"}/;
is $q->{body}, $same, 'the request is the example, byte by byte, and the two fields that the SDK calls required';
is "$q->{method} $q->{target}", "POST $base/auto-flow/preview-session-for-kill-process-task", 'to its place';
ok $q->{verified}, 'signed';
is $q->{headers}{'x-project-id'}, $project, 'for the project';
like $q->{headers}{authorization}, qr/SignedHeaders=content-type;host;x-project-id;x-sdk-date/, 'project and date are signed';

# --- each call ---------------------------------------------------------------------------------------------

$c->sessions([ map { session($_) } 1 .. 3 ]);
$r = $run->order('preview time=0');
like $r->{text}, qr/total 3 \[3 /, 'preview of everybody';
$c->sessions([ map { session($_) } 1 .. 250 ]);
$r = $run->order('preview time=0');
like $r->{text}, qr/total 250 \[200 /, 'at most 200, and how many there are';

$c->switch('OFF');
$r = $run->order('switch');
like $r->{text}, qr/^off/, 'the switch is off';
is sent('switch_get')->{method}, 'GET', 'asked with GET';
$c->set(switching => 2);
$r = $run->order('switch on 5000');
ok $r->{ok} && $r->{text} eq 'on', 'switched on, waited for' or diag explain $r;
is sent('switch_set')->{body}, '{"status":"on"}', 'in lower case';

$r = $run->order('create user=app time=60 duration=30 type=auto');
like $r->{text}, qr/\[1 \{ task_id 1001 user "app" host "" .* time 60 task_type "auto" task_duration 30/, 'the task that was created is handed back'
    or diag explain $r;
is sent('task_create')->{method}, 'PUT', 'made with PUT';
is sent('task_create')->{body}, '{"user":"app","time":60,"task_duration":30,"task_type":"auto"}', 'its body';
$r = $run->order('create user=app time=60 duration=30 type=auto');
like $r->{text}, qr/\[1 \{ task_id 1002 /, 'a second one like it is told from the first';
$r = $run->order('tasks');
like $r->{text}, qr/\[2 .*start_time 1[0-9]{12} /, 'both are listed, times in milliseconds';
$c->set(task_times => 's');
like $run->order('tasks')->{text}, qr/start_time 1[0-9]{12} /, 'also where the API has seconds';
$r = $run->order('stop 1001');
ok $r->{ok}, 'stopped';
is sent('task_stop')->{body}, '{"task_id":"1001"}', 'by its id, a text';
$r = $run->order('create time=0 duration=30 type=auto');
like $r->{text}, qr/time: expected 1 to/, 'a task needs a time';
$r = $run->order('create time=5 duration=9 type=auto');
like $r->{text}, qr/task_duration: expected 10 to 31535999/, 'and a duration';
$r = $run->order('create time=5 duration=10 type=other');
like $r->{text}, qr/task_type: expected "auto" or "manual"/, 'and a type';
is $c->count('task_create'), 2, 'nothing of these was sent';

$c->history([ map { { instance_id => $instance, node_id => 'n', task_id => 7, session_id => $_, user => 'app', host => 'h', db => 'd', command => 'Query',
            time => 70, state => 's', info => 'select', kill_time => 1766655104000 + $_, killed_source => 'x' } } 1 .. 60 ]);
$r = $run->order('history 1');
like $r->{text}, qr/^total 60 \[50 .*kill_time 17666551/, 'history, a page of 50';
like sent('history')->{target}, qr/\?end_time=4000000000000&page_num=1&page_size=50&start_time=1000$|\?start_time=1000&end_time=4000000000000&page_num=1&page_size=50$/,
    'its parameters';
like $run->order('history 2')->{text}, qr/^total 60 \[10 /, 'and the rest of it';
like $run->order('history 0')->{text}, qr/page: expected 1 or more/, 'pages count from 1';

$c->sessions([ map { session($_) } 1 .. 5 ]);
$r = $run->order('kill 3 app');
like $r->{text}, qr/count 1/, 'a session is ended';
is_deeply decode_json(sent('kill_process')->{body}), { engine_type => 'mysql', processes => [ { id => 3, user => 'app' } ] }, 'by id and user';
like $run->order('kill 3 app')->{text}, qr/count 0/, 'it is no longer there';
like $run->order('kill 4 other')->{text}, qr/count 0/, 'a session of another user is not ended';
$r = $run->order("kill_ids $user 4 5");
ok $r->{ok}, 'two by a registered user' or diag explain $r;
is sent('delete_process')->{method}, 'DELETE', 'with DELETE';
is_deeply decode_json(sent('delete_process')->{body}), { db_user_id => $user, process_ids => [ '4', '5' ] }, 'by ids and nothing else';
$r = $run->order("kill_ids $user");
is $r->{code}, 'usage', 'no ids: refused';
is $c->count('delete_process'), 1, 'and nothing is sent, since it might mean all';
is_deeply [ sort { $a <=> $b } map { $_->{id} } $c->killed ], [ 3, 4, 5 ], 'these and no others ended';
$r = $run->order('kill_all wrong');
like $r->{text}, qr/confirm: expected the instance's id/, 'killing all needs the id once more';
is $c->count('kill_all'), 0, 'and is not sent without';
ok $run->order("kill_all $instance")->{ok}, 'with it, it is';
is sent('kill_all')->{body}, '', 'without a body';

$c->sessions([ map { session($_, trx_time => 3) } 1 .. 5 ]);
like $run->order('processes limit=2')->{text}, qr/total 5 \[2 /, 'a page of processes';
like $run->order('processes limit=2 offset=4')->{text}, qr/total 5 \[1 /, 'the last one';
like $run->order("processes dbuser=$user user=app limit=10")->{text}, qr/total 5 \[5 .* trx_time 3 /, 'through a registered user, with transactions';
like $run->order('processes limit=2 offset=3')->{text}, qr/offset: expected a multiple/, 'pages only';
like $run->order('processes limit=101')->{text}, qr/limit: expected 1 to 100/, 'of 100 at the most';
$c->locks({ innodb_trx => [ { trx_id => '9', trx_mysql_thread_id => '4', trx_rows_modified => '12', innodb_hold_locks => [ { lock_id => 'l1', lock_table => 't' } ] } ],
        innodb_lock_waits => [ { requesting_trx_id => '9', blocking_trx_id => '8' } ], count => 1 });
like $run->order("innodb $user")->{text}, qr/thread_id 4 .* rows_modified 12 .* holds \[1 \{ lock_id "l1".*\[1 \{ requesting_trx_id "9"/, 'InnoDB locks';
like $run->order('innodb')->{text}, qr/set db_user_id/, 'need a registered user';
$c->metadata_locks([ { thread_id => '5', lock_mode => 'EXCLUSIVE', table_name => 't', wait_process => [ { id => '7', user => 'x' } ] } ]);
like $run->order("metadata $user")->{text}, qr/thread_id 5 .*lock_mode "EXCLUSIVE".*waits_for \[1 \{ id 7 user "x"/, 'metadata locks';
my $now = time - 60;
$c->transactions([ { last_sec => 99, wait_locks => 1, hold_locks => 2, occurrence_time => $now * 1000, collect_time => $now * 1000 + 1, detail => 'x' } ]);
like $run->order('transactions')->{text}, qr/last_sec 99 .*occurrence_time ${now}000 collect_time ${now}001/, 'transactions';
$c->instances([ map { { instance_id => "i$_", instance_name => "n$_", port => 3306, login_flag => JSON::PP::true } } 1 .. 3 ]);
like $run->order('instances')->{text}, qr/^total 4 \[2 .*instance_id "i1" .*port 3306 .*login_flag 1/, 'instances, two a page here';
like $run->order('instances 2')->{text}, qr/\[2 .*instance_id "i3"/, 'the next page';
$c->nodes([ { id => 'node1', name => 'n', role => 'master', status => 'normal' } ]);
like $run->order('nodes')->{text}, qr/\[1 \{ id "node1" name "n" role "master"/, 'nodes';
like $run->order('users')->{text}, qr/total 1 \[1 \{ db_user_id "\Q$user\E" db_username "ops"/, 'database users';
like $run->order('versions')->{text}, qr/\[[1-9]/, 'versions';
ok !exists sent('versions')->{headers}{authorization}, 'which needs no signature';

my @wrong = grep { !$_->{verified} && $_->{operation} ne 'versions' } $c->requests;
is_deeply [ map {"$_->{operation}: $_->{why}"} @wrong ], [], 'every other request was signed rightly';
is_deeply [ $c->violations ], [], 'and none was one that a careful client does not send';

# --- the other algorithm, TLS, an account with a security token ------------------------------------------------

my $v11 = CloudRun->new($c, v11 => 1);
ok $v11->order('preview time=1')->{ok}, 'V11-HMAC-SHA256';
is sent('preview')->{auth}, 'v11', 'is what was sent';
ok $v11->order('region cn-east-3')->{ok}, 'the same account in another region';
$v11->order('preview time=1');
like sent('preview')->{headers}{authorization}, qr{Credential=\Q@{[ $c->access ]}\E/\d{8}/cn-east-3/das,}, 'signs for that one';
$v11->order('region cn-north-4');
ok $v11->order('preview time=1')->{ok}, 'and for the first again';

my $tls = CloudServer->new(tls => 1, security_token => 'TemporaryToken/+=of-the-test');
ok(CloudRun->new($tls)->order('preview time=1')->{ok}, 'TLS, with temporary keys');
my ($temporary) = $tls->requests('preview');
is $temporary->{headers}{'x-security-token'}, 'TemporaryToken/+=of-the-test', 'whose token goes along';
like $temporary->{headers}{authorization}, qr/x-security-token/, 'signed';
$r = CloudRun->new($tls, ca => undef)->order('preview time=1');
ok $r->{code} eq 'connect' && $r->{attempts} == 1, 'an authority that nobody trusts: one attempt' or diag explain $r;
like $r->{text}, qr/not trusted/, 'and why';

done_testing();
