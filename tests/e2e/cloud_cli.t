#!/usr/bin/perl
# cloud_cli.t - das cloud as a person uses it: what it shows of the cloud's own doings, what it tells the
# cloud to do, what it refuses, and what the journal says afterwards.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;
use lib 'tests/e2e/lib';
use CloudServer;
use Das qw(das);

my $c = CloudServer->new;
my $dir = tempdir(CLEANUP => 1);
my $spec = "das://@{[ $c->region ]}/@{[ $c->project ]}/@{[ $c->instance ]}";
put("$dir/das.lua", <<"LUA");
return {
  state = "$dir/state",
  instances = { orders = "$spec", file = "file:tests/samples/recording.jsonl" },
  protect = { { user = "backup" } },
}
LUA
my %env = (%{ $c->env }, DAS_CONFIG => "$dir/das.lua", COLUMNS => 110, DAS_STOP_DIR => "$dir/stop");
mkdir "$dir/stop";

sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub cloud { return das({ env => \%env }, 'cloud', @_) }
sub json { my $r = cloud(@_, '-o', 'json'); return (eval { decode_json($r->{out}) } || {}, $r) }

sub fails {
    my ($exit, $message, @args) = @_;
    my $r = cloud(@args);
    is($r->{exit}, $exit, "das cloud @args: exit $exit") or diag($r->{err});
    is($r->{out}, '', 'nothing on standard output');
    like($r->{err}, $message, 'a message that helps');
}

# What the journal got since the last time it was asked.
my $seen = 0;
sub journal {
    my @new;
    for (split /\n/, das({ env => \%env }, 'audit', 'export')->{out}) {
        my $r = decode_json($_);
        push @new, $r if $r->{seq} > $seen;
    }
    $seen = $new[-1]{seq} if @new;
    return grep { $_->{kind} ne 'begin' } @new;
}
sub kinds { return join ' ', map { $_->{kind} } @_ }

my @sessions = (
    { id => 7, user => 'app', host => '10.0.0.7:51000', db => 'shop', command => 'Query', sql_info => "select \e[31m1\nfrom \x{202e}x", state_duration => 90 },
    { id => 8, user => 'app', host => '10.0.0.7:51001', db => 'shop', command => 'Sleep', sql_info => '', state_duration => 900 },
);
$c->sessions(\@sessions, frozen => 1);
my ($r, $j);

# --- usage -------------------------------------------------------------------------------------------
like(cloud('--help')->{out}, qr/^das cloud tasks -i INSTANCE/, 'help');
like(das('--help')->{out}, qr/^  das cloud /m, 'das --help names it');
fails(2, qr/expected das cloud tasks, history, switch/);
fails(2, qr/did you mean das cloud history\?/, 'histroy', '-i', 'orders');
fails(2, qr/did you mean das cloud tasks create\?/, 'tasks', 'creat', '-i', 'orders');
fails(2, qr/tasks stop: expected the ID of a task, got 0 arguments/, 'tasks', 'stop', '-i', 'orders');
fails(2, qr/expected no argument, got 1 argument/, 'nodes', 'all', '-i', 'orders');
fails(2, qr/which instance\?/, 'tasks');
fails(2, qr/one instance at a time/, 'tasks', '-i', 'orders', '-i', 'file');
fails(2, qr/not an instance at Huawei Cloud DAS/, 'tasks', '-i', 'file');
fails(2, qr/did you mean "orders"/, 'tasks', '-i', 'order');
fails(2, qr/--user is not of das cloud history/, 'history', '-i', 'orders', '--user', 'app');
fails(2, qr/--apply is not of das cloud switch off/, 'switch', 'off', '-i', 'orders', '--apply');
fails(2, qr/-o: expected table or json, got "csv"/, 'switch', '-i', 'orders', '-o', 'csv');
fails(2, qr/-o: expected table, json or csv, got "lua"/, 'tasks', '-i', 'orders', '-o', 'lua');
fails(2, qr/-o: expected table, json, csv or lua, got "xml"/, 'instances', '-i', 'orders', '-o', 'xml');
fails(2, qr/which region\?/, 'instances');
fails(2, qr/leave --cloud, --region and --project out/, 'instances', '-i', 'orders', '--region', 'x');
fails(2, qr/no cloud "elsewhere"/, 'instances', '--cloud', 'elsewhere', '--region', 'cn-north-4');
fails(2, qr/--limit: expected a whole number/, 'history', '-i', 'orders', '--limit', '0');
fails(2, qr/--from: expected so long ago/, 'history', '-i', 'orders', '--from', 'yesterday');
fails(2, qr/--from lies after --to/, 'history', '-i', 'orders', '--from', '1h', '--to', '2h');
fails(2, qr/--wait: expected a time/, 'switch', 'off', '-i', 'orders', '--wait', 'long');
fails(2, qr/tasks stop: expected the number of a task/, 'tasks', 'stop', '-i', 'orders', 'all');
my @create = ('tasks', 'create', '-i', 'orders');
fails(2, qr/how long shall it run\?/, @create, '--user', 'app', '--time', 60);
fails(2, qr/--manual: it runs until it is stopped/, @create, '--user', 'app', '--time', 60, '--manual', '--duration', '10m');
fails(2, qr/time: a kill task needs 1 to/, @create, '--user', 'app', '--duration', '10m');
fails(2, qr/expected user, host, db, command or info besides/, @create, '--time', 60, '--duration', '10m');
fails(2, qr/all: means every session, but there is db besides/, @create, '--db', 'shop', '--all', '--time', 60, '--duration', '10m');
fails(2, qr/task_duration/, @create, '--user', 'app', '--time', 60, '--duration', '5s');
fails(2, qr/did you mean "Query"/, @create, '--command', 'Quer', '--time', 60, '--duration', '10m');
is($c->count, 0, 'nobody was asked anything so far');

# --- creating a task -----------------------------------------------------------------------------------
my @slow = (@create, qw(--user app --command query --time 60 --duration 10m));
$r = cloud(@slow);
is($r->{exit}, 0, 'a dry run');
is($r->{out}, '', 'nothing on standard output');
like($r->{err}, qr/dry run: would create a kill task; it would end 1 session now, and those that match later; --apply does it/, 'says what it would do');
is($c->count('task_create'), 0, 'nothing was created');
is(kinds(journal()), '', 'nor is anything in the journal');
($j) = json(@slow);
is_deeply($j, { act => 'create_kill_task', instance => 'orders', done => JSON::PP::false, sessions => 1, tasks => [], would_block => undef }, '-o json');

$r = cloud(@slow, '--apply', '--reason', 'report runs wild');
is($r->{exit}, 0, '--apply') or diag($r->{err});
like($r->{out}, qr/^task_id  task_type .*\n1001     auto       60    600 .*Z  app   -     -   Query    -\n\z/, 'the new task is shown');
is($c->count('task_create'), 1, 'it was created');
is_deeply([ map { "$_->{user} $_->{command} $_->{time} $_->{task_duration} $_->{task_type}" } @{ $c->tasks } ],
    ['app Query 60 600 auto'], 'as it was asked for');
my @records = journal();
is(kinds(@records), 'intent outcome', 'an intent and an outcome');
is_deeply([ @{ $records[0] }{qw(act instance reason by_person policy)} ],
    ['create_kill_task', 'orders', 'report runs wild', JSON::PP::true, 'cloud'], 'who wanted what');
is_deeply($records[0]{criteria}, { user => 'app', command => 'Query', time => 60, task_duration => 600, task_type => 'auto' }, 'the criteria');
is($records[1]{outcome}, 'done', 'done');
is($records[1]{task_id}, 1001, 'with its number');
ok($records[0]{by}, 'by somebody');
like(das({ env => \%env }, 'audit', 'show', $records[0]{seq})->{out},
    qr/^act          "create_kill_task"\n.*^criteria     \{"user":"app","command":"Query","time":60,"task_duration":600,"task_type":"auto"\}\n/ms, 'das audit show');
like(das({ env => \%env }, 'audit', 'list')->{out}, qr/intent .* act="create_kill_task" instance="orders"/, 'das audit list');
is(das({ env => \%env }, 'audit', 'verify')->{exit}, 0, 'the journal is sound');

# --- lists ---------------------------------------------------------------------------------------------
$r = cloud('tasks', '-i', 'orders');
like($r->{out}, qr/^task_id  task_type  time .*\n1001     auto       60    600            \d{4}-\d\d-\d\dT[\d:]{8}Z  app   -     -   Query    -\n\z/, 'tasks');
($j, $r) = json('tasks', '-i', 'orders');
is($j->{instance}, 'orders', '-o json: the instance');
is($j->{tasks}[0]{task_id}, 1001, 'and the tasks');
like($j->{tasks}[0]{start_time}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'with moments that people can read');
like(cloud('tasks', '-i', 'orders', '-o', 'csv')->{out}, qr/^task_id,user,.*\r\n1001,app,/, '-o csv');

my $now = time;
$c->history([ map { { instance_id => $c->instance, node_id => 'n1', task_id => 1001, session_id => $_, user => 'app', host => '10.0.0.7:1', db => 'shop',
    command => 'Query', time => 61, state => '', info => "select \e[2J$_", kill_time => ($now - $_) * 1000, killed_source => 'auto' } } 1 .. 130 ]);
$c->forget;
($j, $r) = json('history', '-i', 'orders');
is(scalar @{ $j->{history} }, 100, 'history: 100 of them');
is($j->{total_count}, 130, 'of so many');
like($r->{err}, qr/100 of 130 are shown/, 'and it says so');
is($c->count('history'), 2, 'two pages');
($j) = json('history', '-i', 'orders', '--limit', 1000);
is_deeply([ sort { $a <=> $b } map { $_->{session_id} } @{ $j->{history} } ], [ 1 .. 130 ], '--limit: all, each once');
($j) = json('history', '-i', 'orders', '--limit', 7);
is(scalar @{ $j->{history} }, 7, 'or few');
($j) = json('history', '-i', 'orders', '--from', '60s', '--to', '30s');
my @times = map { $_->{session_id} } @{ $j->{history} };
ok(@times >= 29 && @times <= 31 && $times[-1] <= 61, '--from and --to, as ages') or diag("@times");
my ($from, $to) = map { my @t = gmtime($now - $_); sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0] } 60, 31;
($j) = json('history', '-i', 'orders', '--from', $from, '--to', $to);
is(scalar @{ $j->{history} }, 30, 'and as moments');
$r = cloud('history', '-i', 'orders', '--limit', 3);
unlike($r->{out}, qr/[^\n -~]/, 'no character that drives a terminal');
is((grep { length > 110 } split /\n/, $r->{out}), 0, 'no line is longer than the terminal');

$r = cloud('processes', '-i', 'orders');
like($r->{out}, qr/^id .*\n7   app   10\.0\.0\.7:51000  shop  Query    90 .*select \[31m1 from x\n8 /, 'processes');
unlike($r->{out}, qr/[^\n -~]/, 'no character that drives a terminal');
is_deeply([ map { $_->{id} } @{ (json('processes', '-i', 'orders', '--user', 'nobody'))[0]{processes} } ], [], '--user');
$c->add([ map { { id => $_, user => 'web', command => 'Sleep' } } 1000 .. 1249 ]);
($j) = json('processes', '-i', 'orders', '--limit', 500);
is_deeply([ map { $_->{id} } @{ $j->{processes} } ], [ 7, 8, 1000 .. 1249 ], 'as many as are wanted, page by page');
$c->sessions(\@sessions, frozen => 1);
like(cloud('nodes', '-i', 'orders')->{out}, qr/^id +role +status +type +name\n\S+ +master /, 'nodes');

# --- instances -----------------------------------------------------------------------------------------
$c->instances([ map { { instance_id => sprintf('%032din01', $_), instance_name => $_ < 3 ? 'twin' : $_ == 3 ? "x\e]\"\\" : "db$_" } } 1 .. 450 ]);
($j) = json('instances', '--region', $c->region);
is(scalar @{ $j->{instances} }, 451, 'instances: all pages');
$r = cloud('instances', '-i', 'orders', '-o', 'lua');
my %got;
put("$dir/fleet.lua", "return { state = \"$dir/state\", instances = {\n$r->{out}} }\n");
$r = das({ env => { %env, DAS_CONFIG => "$dir/fleet.lua" } }, 'preview', '-i', 'db77', '--all');
is($r->{exit}, 0, '-o lua: what is pasted into das.lua works') or diag($r->{err});
for (split /\n/, cloud('instances', '--region', $c->region, '--project', $c->project, '-o', 'lua')->{out}) {
    /^\["(.*)"\] = \{ source = "(.*?)" \},$/ or fail("a line that is no entry: $_");
    $got{$1} = $2;
}
is(scalar keys %got, 451, 'each instance has a name of its own');
ok($got{ sprintf '%032din01', 1 } && $got{ sprintf '%032din01', 2 } && !$got{twin}, 'two of one name are told apart by their ids');
is($got{db7}, "das://@{[ $c->region ]}/@{[ $c->project ]}/" . sprintf('%032din01', 7), 'with region and project');
ok($got{'x\\027]\\034\\092'}, 'a name that is no plain text is escaped') or diag(join "\n", grep { /^x/ } keys %got);
like(cloud('instances', '--region', $c->region, '--type', 'TaurusDB', '-o', 'csv')->{out}, qr/^instance_id,[^\n]*\r\n\z/, '--type: there is none');

# --- the switch ----------------------------------------------------------------------------------------
is(cloud('switch', '-i', 'orders')->{out}, "on\n", 'the switch is on');
is_deeply((json('switch', '-i', 'orders'))[0], { instance => 'orders', switch => 'on' }, '-o json');
$seen = 0;
journal();
$r = cloud('switch', 'off', '-i', 'orders', '--reason', 'maintenance');
is("$r->{exit} $r->{out}", "0 off\n", 'off needs no --apply');
is($c->switch, 'OFF', 'it is off');
@records = journal();
is(kinds(@records), 'intent outcome', 'in the journal');
is_deeply([ @{ $records[0] }{qw(act reason)} ], [ 'switch_off', 'maintenance' ], 'what and why');
$r = cloud('switch', 'on', '-i', 'orders');
is("$r->{exit} $r->{out}", "0 off\n", 'on without --apply is a dry run');
like($r->{err}, qr/dry run: would turn the switch on, which is off now; --apply does it/, 'says so');
is($c->switch, 'OFF', 'it is still off');
$r = cloud(@slow);
like($r->{err}, qr/the switch is off: kill tasks do not run; das cloud switch on -i orders --apply/, 'a task that would not run: it says so');
$c->set(switching => 2);
$r = cloud('switch', 'on', '-i', 'orders', '--apply');
is("$r->{exit} $r->{out}", "0 on\n", 'it is waited for') or diag($r->{err});
$c->set(switching => 1000);
$r = cloud('switch', 'off', '-i', 'orders', '--wait', '0s');
is($r->{exit}, 4, 'still switching when the wait is over: exit 4');
is($r->{out}, "switching\n", 'and it says what it is');
$c->set(switching => 0);
$c->switch('ON');

# --- stopping a task -----------------------------------------------------------------------------------
journal();
$r = cloud('tasks', 'stop', '-i', 'orders', 1001, '--reason', 'over');
is($r->{exit}, 0, 'a task is stopped') or diag($r->{err});
like($r->{err}, qr/task 1001 is stopped/, 'says so');
is_deeply((json('tasks', '-i', 'orders'))[0]{tasks}, [], 'it is gone');
is_deeply([ map { "$_->{kind} $_->{task_id}" } journal() ], [ 'intent 1001', 'outcome 1001' ], 'in the journal');
$r = cloud('tasks', 'stop', '-i', 'orders', 4711);
is($r->{exit}, 1, 'a task that there is none of: exit 1');
is((journal())[1]{outcome}, 'failed', 'failed');

# --- guards --------------------------------------------------------------------------------------------
put("$dir/stop/STOP", "fail-over\n");
$r = cloud(@slow, '--apply');
is($r->{exit}, 5, 'stopped: exit 5');
like($r->{err}, qr/stopped by \S+STOP: fail-over/, 'why');
is(kinds(journal()), 'refused', 'refused in the journal');
like(cloud(@slow)->{err}, qr/--apply would be refused: stopped by/, 'a dry run says so, too');
is(cloud('switch', 'on', '-i', 'orders', '--apply')->{exit}, 5, 'the switch cannot be turned on');
is(cloud('switch', 'off', '-i', 'orders')->{exit}, 0, 'but off');
unlink "$dir/stop/STOP";
$c->switch('ON');
$c->add([ { id => 9, user => 'backup', command => 'Query', sql_info => 'dump', state_duration => 100 } ]);
$c->forget;
$r = cloud(@create, qw(--all --time 60 --duration 10m --apply));
is($r->{exit}, 5, 'a task that would end a protected session: exit 5');
like($r->{err}, qr/it would end session 9 of user "backup": protected by \{user="backup"\}/, 'says which');
is($c->count('task_create'), 0, 'nothing was created');
$c->sessions(\@sessions, frozen => 1);

# --- trouble -------------------------------------------------------------------------------------------
journal();
$c->forget;
$c->script('task_create', [ { close => 1 } ]);
$r = cloud(@slow, '--apply');
is($r->{exit}, 0, 'the answer was lost, but the task is there: done') or diag($r->{err});
like($r->{err}, qr/its answer was lost, but task \d+ is there/, 'says so');
is($c->count('task_create'), 1, 'it was sent once');
is((journal())[1]{outcome}, 'done', 'done in the journal');
$c->script('task_create', [ { drop_before => 1 } ]);
$r = cloud(@create, qw(--user web --time 60 --duration 10m --apply));
is($r->{exit}, 8, 'no task is there: exit 8');
like($r->{err}, qr/looked: no new task was seen/, 'says what was seen');
is((journal())[1]{outcome}, 'unknown', 'unknown in the journal');
like(das({ env => \%env }, 'status')->{out}, qr/of 1 kill the outcome is not known/, 'das status shows it');
like(cloud('tasks', 'stop', '-i', 'orders', 4711)->{err}, qr/das audit list --unknown/, 'and the next order mentions it');
$c->unscript;
$c->script('tasks', [ { status => 403, body => { error_code => 'APIGW.0302', error_msg => "no\e[2J" } } ]);
$r = cloud('tasks', '-i', 'orders');
is($r->{exit}, 1, 'not allowed: exit 1');
like($r->{err}, qr/add das:clouddba:listKillTaskRecord to the policy/, 'says what is missing');
unlike($r->{err}, qr/\e/, 'no escape reaches the terminal');
$c->script('switch_get', [ { status => 200, body => "\e]0;owned\a oops" } ]);
unlike(cloud('switch', '-i', 'orders')->{err}, qr/[\e\a]/, 'nor from an answer that is no JSON');
$c->script('task_create', [ { status => 429, body => { error_code => 'APIGW.0308', error_msg => 'too often' } } ]);
is(cloud(@slow, '--apply')->{exit}, 1, 'what the cloud refuses is no guard: exit 1');
$c->unscript;

# --- a power cut ---------------------------------------------------------------------------------------
# Where it dies: was the task created, and how many intents have no outcome?
{
    my $faults = ($ENV{BUILD} || 'build') . '/das-faults';
    local $ENV{DAS} = -x $faults ? $faults : BAIL_OUT("$faults is not there");
    my $unknown = sub { my $r = das({ env => \%env }, 'audit', 'list', '--unknown'); return $r->{out} =~ /^\d+ /mg };
    my $before = () = $unknown->();
    for (['before-intent', 0, 0], ['journal-before-commit', 0, 0], ['journal-after-commit', 0, 1], ['after-intent', 0, 1],
        ['before-kill', 0, 1], ['after-kill', 1, 1], ['before-outcome', 1, 1], ['after-outcome', 1, 0]) {
        my ($place, $created, $open) = @$_;
        $c->forget;
        $r = das({ env => { %env, DAS_FAULT => $place } }, 'cloud', @slow, '--apply');
        is($r->{exit}, 'signal 9', "dies $place");
        is($c->count('task_create'), $created, $created ? 'the task was asked for' : 'nothing was sent');
        my $now = () = $unknown->();
        is($now - $before, $open, $open ? 'nobody knows what became of it' : 'everything is known');
        $before = $now;
    }
    is(das({ env => \%env }, 'audit', 'verify')->{exit}, 0, 'the journal is sound');
}

# --- Ctrl-C --------------------------------------------------------------------------------------------
$c->forget;
$c->hold('history');
my $run = Das::das_start({ env => \%env }, 'cloud', 'history', '-i', 'orders');
ok($c->wait_for('history', 1), 'a call that hangs');
kill INT => $run->{pid};
$r = Das::das_finish($run);
is($r->{exit}, 1, 'Ctrl-C ends it');
$c->release('history');

# --- in a terminal -------------------------------------------------------------------------------------
SKIP: {
    skip 'no tmux', 3 unless `which tmux 2>/dev/null`;
    my $tmux = "tmux -L das-cloud-$$";
    my $das = $ENV{DAS} || ($ENV{BUILD} || 'build') . '/das';
    delete local $ENV{COLUMNS};
    local @ENV{ keys %env } = values %env;
    delete $ENV{COLUMNS};
    system "$tmux -f /dev/null new-session -d -x 80 -y 20 \"$das cloud history -i orders --limit 3 2>&1; echo done; cat\"";
    my $screen = '';
    for (1 .. 600) {
        $screen = `$tmux capture-pane -p 2>/dev/null`;
        last if $screen =~ /^done$/m;
        select undef, undef, undef, 0.05;
    }
    system "$tmux kill-server 2>/dev/null";
    my @lines = grep { /\S/ } split /\n/, $screen;
    like($lines[0], qr/^kill_time +session_id +user +host +time +info$/, 'a table in a terminal: what has no room is left out');
    is(scalar(grep { /^20\d\d-/ } @lines), 3, 'a line for each kill: none was broken') or diag($screen);
    is($lines[5], 'done', 'and nothing else but what is not shown') or diag($screen);
}

is_deeply([ $c->violations ], [], 'das did nothing that a careful client does not do');
done_testing();
