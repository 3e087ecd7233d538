#!/usr/bin/perl
# cloud_lua.t - what scripts have of Huawei Cloud DAS: every method on its good and on its bad day, what
# a dry run does, what has to be granted, and that no secret is told.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;
use lib 'tests/e2e/lib';
use CloudServer;
use Das qw(das das_script);

my $dir = tempdir('das-lua-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $BIG = '9007199254740993';    # no double has it
my ($USER, $NODE) = ('0123456789abcdef0123456789abcdef', 'c0ffee00c0ffee00c0ffee00c0ffee00no07');
my $SECRET = 'SecretOfTheFileThatNobodyMayTell00000001';
my $said = '';                   # all that any run wrote
my $c;

sub session {
    my ($id, %more) = @_;
    return { id => $id, user => 'app', host => '10.0.0.7:50000', db => 'shop', command => 'Query', state => 'executing',
        sql_info => "select $id from t", state_duration => 100, %more };
}

sub file {
    my ($name, $text, $mode) = @_;
    open my $out, '>', "$dir/$name" or die "$dir/$name: $!";
    print $out $text;
    close $out;
    chmod $mode || 0600, "$dir/$name";
    return "$dir/$name";
}

# A server with one instance; das.lua names it "orders", and "plain" without a registered user.
my %grants = (all => '"preview", "kill", "cloud_kill", "instance:*", "cloud:*"');
my $runs = 0;

sub cloud {
    $c = CloudServer->new(secret => $SECRET, db_users => [ { db_user_id => $USER, db_username => 'root' } ], @_);
}

sub config {
    my (%o) = @_;
    my $spec = sprintf 'das://%s/%s/%s', $c->region, $c->project, $c->instance;
    my $grants = exists $o{grants} ? $o{grants} : $grants{all};
    my $sk = file('sk', "$SECRET\n");
    my $rules = join ', ', 'mode = "' . ($o{mode} || 'auto') . '"', defined $grants ? "grants = { $grants }" : (), $o{rules} || ();
    my $scripts = $o{no_scripts} ? '' : qq{scripts = { ["*"] = { $rules } },};
    return file('das.lua', qq{return {
  state = "$dir/state@{[ $o{state} || '' ]}",
  clouds = {
    prod = { access_key = "@{[ $c->access ]}", secret_key = { file = "$sk" }, endpoint = "@{[ $c->endpoint ]}", rate = 0, retries = 1 },
    env = { endpoint = "@{[ $c->endpoint ]}" },
  },
  instances = {
    orders = { source = "$spec", cloud = "prod", db_user_id = "$USER", tags = { "paid" } },
    plain = { source = "$spec", cloud = "prod" },
    sample = "mem:tests/samples/recording.jsonl",
  },
  limits = { kill = { run = 100, minute = 100, instance = 100, user = 100, percent = 100 } },
  breaker = { failures = 1000, respawns = 0, surge = 0 },
  $scripts
}});
}

# Runs a script on "orders" (on => 'plain', or undef: without -i); what it prints is in {out}.
sub run {
    my ($lua, %o) = @_;
    my $on = exists $o{on} ? $o{on} : 'orders';
    my $config = config(%o);
    my $path = file("script.lua", "local i = das.instances()[1]\n$lua");
    my $r = das({ env => { %{ $c->env }, %{ $o{env} || {} } } }, 'run', '--config', $config, $on ? ('-i', $on) : (), $o{armed} ? '--apply' : (), $path);
    $said .= $r->{out} . $r->{err};
    return $r;
}

sub printed {
    my ($lua, $want, $name, %o) = @_;
    my $r = run($lua, %o);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return (ref $want ? like($r->{out}, $want, $name) : is($r->{out}, $want, $name)) || diag $r->{err};
}

# The four results of a method that failed, on a line each.
my $four = 'local function four(...) local _, m, code, d = ... print(select("#", ...), (...)) print(m) print(code) '
    . 'print(d and d.status, d and d.error_code, d and d.error_msg, d and d.request_id ~= nil, d and d.unknown) end ';

sub failed {
    my ($call, $want, $name, %o) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return printed("$four four($call)", $want, $name, %o);
}

# --- where it is -------------------------------------------------------------------------------------------

cloud();
my @place = ($c->region, $c->project, $c->instance);
printed('print(i.name, i.region, i.project, i.instance_id)', join("\t", 'orders', @place) . "\n", 'an instance says where it is');
printed('print(i.name, i.region, i.project, i.instance_id)', "sample\tnil\tnil\tnil\n", 'one that is elsewhere does not', on => 'sample');
printed('print(pcall(function() return i.reigon end))', qr/an instance has no field "reigon"; did you mean "region"\?/, 'a slip is told');
my @methods = ('kill_tasks()', 'kill_task_switch()', 'kill_history()', 'processes()', 'each_process()', 'innodb_locks()', 'metadata_locks()',
    'transactions()', 'db_users()', 'nodes()', 'create_kill_task{ user = "a", time = 1, task_duration = 10 }', 'stop_kill_task(1)',
    'set_kill_task_switch(true)', 'kill_all_sessions{ confirm = "x" }');
my $three = 'local function three(a, b, c) print(a, b, c) end ';
printed($three . join(' ', map {"three(i:$_)"} @methods), "nil\tsample is not behind Huawei Cloud DAS\tunsupported\n" x @methods,
    'what only the cloud has, other instances have not: nil, message, "unsupported"', on => 'sample');

# --- lists --------------------------------------------------------------------------------------------------

$c->sessions([ map { session($BIG - 2 + $_, trx_time => $_) } 0 .. 249 ], frozen => 1);
my $first = $BIG - 2;
printed('local p = i:processes{ limit = 2, offset = 2 } print(#p, p.total, p.consistency) local s = p[2] '
      . 'print(math.type(s.id), s.id, s.user, s.host, s.db, s.command, s.state, s.sql_info, s.state_duration, s.trx_time)',
    qr/\A2\t250\teach page is a list of its own moment.*\ninteger\t@{[ $first + 3 ]}\tapp\t10.0.0.7:50000\tshop\tQuery\texecuting\tselect @{[ $first + 3 ]} from t\t100\t3\n\z/,
    'a page of the process list, ids exact');
is(($c->requests('process_list'))[-1]{verified}, 1, 'signed');
printed('print(i:processes{ user = "app", limit = 1 }.total, i:processes{ user = "nobody" }.total)', "250\t0\n", 'of one user');
is $c->count('processes'), 2, 'through the registered user, when there is one';
$c->forget;
printed('local n, seen = 0, {} for s in i:each_process() do n = n + 1 seen[s.id] = true end local m = 0 for _ in pairs(seen) do m = m + 1 end print(n, m)',
    "250\t250\n", 'one after the other');
is $c->count('process_list'), 3, 'in three pages';
$c->after('process_list', 1, { add => [ session(1) ] });
printed('local n, seen = 0, {} for s in i:each_process() do n = n + 1 assert(not seen[s.id]) seen[s.id] = true end print(n >= 250)', "true\n",
    'one that moved on to the next page is not given twice');
$c->set(deny => ['process_list']);
failed('i:processes()', qr/\A4\tnil\norders: list processes: .*das:clouddba:listProcess.*\ndenied\n403\tAPIGW.0302\t[^\t]+\ttrue\tfalse\n\z/,
    'a permission that is missing: nil, message, code and details');
printed('local ok, m = pcall(function() for _ in i:each_process() do end end) print(ok, m)', qr/\Afalse\t[^\t]*script.lua:2: orders: list processes: .*APIGW\.0302/,
    'a loop that has no list to go through says why');
printed('print(pcall(function() for _ in i:kill_history() do end end))', qr/\Afalse\t[^\t]*: sample is not behind Huawei Cloud DAS\n/, 'also where there can be none', on => 'sample');
$c->set(deny => []);
$c->script('process_list', [ { perform => 1, status => 200 }, { status => 403, body => { error_code => 'APIGW.0302', error_msg => 'no' } } ]);
printed('local n = 0 print(pcall(function() for _ in i:each_process() do n = n + 1 end end)) print(n)',
    qr/\Afalse\t[^\t]*script.lua:2: orders: list processes: .*APIGW.0302.*\n100\n\z/, 'a page that cannot be had raises: half a list is no list');
$c->unscript;
printed('print(pcall(i.processes, i, { limit = 0 })) print(pcall(i.processes, i, { limit = 3, offset = 2 })) print(pcall(i.processes, i, { usr = "x" })) '
      . 'print(pcall(i.processes, i, { user = 5 })) print(pcall(i.processes, i, "x")) print(pcall(i.processes, i, { user = ("x"):rep(300) }))',
    qr/limit: expected a whole number from 1 to 100, got 0\n.*offset: expected a multiple of the limit 3, got 2\n.*unknown option "usr"; did you mean "user"\?\n.*user: expected a string, got 5\n.*expected a table of options, got string\n.*user: expected at most 259 bytes, got 300\n/s,
    'mistakes raise');

# --- kill tasks: looking ------------------------------------------------------------------------------------

$c->sessions([]);
printed('print(#i:kill_tasks(), i:kill_task_switch())', "0\ton\n", 'no tasks; the switch');
$c->switch('switching', answers => 1, then => 'OFF');
printed('print(i:kill_task_switch(), i:kill_task_switch())', "switching\toff\n", 'what it says in between');
for my $operation ('tasks', 'switch_get') {
    $c->script($operation, [ { status => 400, body => { error_code => 'DAS.200114', error_msg => 'The instance_id parameter is invalid.' } } ]);
    failed($operation eq 'tasks' ? 'i:kill_tasks()' : 'i:kill_task_switch()',
        qr/\A4\tnil\norders: .*DAS\.200114.*\n\w+\n400\tDAS\.200114\tThe instance_id parameter is invalid\.\t(?:true|false)\tfalse\n\z/,
        "$operation: what the API calls a wrong request does not raise");
}
$c->script('tasks', [ { status => 200, body => '{"sql_killing_task_resp_list":[{"task_id":"x"}]}' } ]);
failed('i:kill_tasks()', qr/\Q: kill task 1: task_id: expected a whole number, got a text\E\ndata\n200\tnil\tnil\t/, 'an answer that makes no sense');

# --- history ------------------------------------------------------------------------------------------------

my $now = time * 1000;
sub killed {
    my ($n) = @_;
    return { instance_id => $c->instance, node_id => $NODE, task_id => 7, session_id => $BIG + $n, user => 'app', host => '10.0.0.7:1', db => '',
        command => 'Query', time => 60, state => 'executing', info => 'select 1', kill_time => $now - 1000 * $n, killed_source => 'task' };
}
$c->history([ map { killed($_) } 1 .. 120 ]);
$c->forget;
printed('local n, last = 0 for k in i:kill_history{ from = "2h" } do n = n + 1 last = k end print(n, last.session_id, last.task_id, last.kill_time, last.node_id, last.db, last.time)',
    join("\t", 120, $BIG + 120, 7, $now - 120_000, $NODE, 'nil', 60) . "\n", 'history: 120 in three pages, numbers exact, "" is nil');
is $c->count('history'), 3, 'three pages';
$c->forget;
printed('local it = i:kill_history{ from = "2h" } print(it().session_id)', $BIG + 1 . "\n", 'a page is fetched when it is needed');
is $c->count('history'), 1, 'and no other';
$c->after('history', 1, { history => [ map { killed($_) } 0 .. 120 ] });
printed('local n, seen = 0, {} for k in i:kill_history{ from = "2h" } do n = n + 1 assert(not seen[k.session_id]) seen[k.session_id] = true end print(n)',
    "120\n", 'a kill that comes in front meanwhile makes nothing come twice');
$c->forget;
printed('print(i:kill_history{ node_id = "' . 'f' x 36 . '" }())', "nil\n", 'of another node: none');
my ($from, $to) = map { my ($v) = ($c->requests('history'))[0]{target} =~ /${_}_time=(\d+)/; $v } 'start', 'end';
cmp_ok $to - $from, '==', 86_400_000, 'the last 24 hours, unless something else is said';
my $s = int($now / 1000);
for my $t ([ $s - 60, $s ], [ ($s - 60) . '000', $s . '000' ], [ map { my @t = gmtime $_; sprintf '"%04d-%02d-%02dT%02d:%02d:%02dZ"', $t[5] + 1900, $t[4] + 1, @t[ 3, 2, 1, 0 ] } $s - 60, $s ]) {
    $c->forget;
    printed("i:kill_history{ from = $t->[0], to = $t->[1] } print(1)", "1\n", "from $t->[0]");
    like(($c->requests('history'))[0]{target}, qr/start_time=@{[ $s - 60 ]}000&end_time=${s}000|end_time=${s}000.*start_time=@{[ $s - 60 ]}000/, 'is that moment');
}
printed('print(pcall(i.kill_history, i, { from = "x" })) print(pcall(i.kill_history, i, { from = 5, to = 3 })) print(pcall(i.kill_history, i, { from = 1.5 }))',
    qr/from: expected Unix seconds or milliseconds, so long ago .*got x\n.*from: expected a moment before that of to\n.*from: expected Unix seconds.*got 1\.5\n/s, 'mistakes raise');
$c->script('history', [ { status => 429, body => { error_code => 'APIGW.0308', error_msg => 'too many' }, times => 2 } ]);
failed('i:kill_history{}', qr/\A4\tnil\norders: kill history: .*\nbusy\n429\tAPIGW\.0308\ttoo many\t/, 'the first page fails where it is asked for');
$c->unscript;

# --- locks, transactions, users, nodes ------------------------------------------------------------------------

$c->locks({ innodb_trx => [ { trx_id => '421', trx_state => 'LOCK WAIT', trx_started => '2026-01-01 00:00:00', trx_mysql_thread_id => "$BIG", trx_query => 'update t',
            trx_rows_locked => '12', innodb_wait_locks => [ { lock_id => 'a', lock_mode => 'X' } ], innodb_hold_locks => [] } ],
        innodb_lock_waits => [ { requesting_trx_id => '421', blocking_trx_id => '420' } ] });
printed('local l = i:innodb_locks() local t = l.transactions[1] print(t.thread_id, t.trx_id, t.query, t.rows_locked, t.rows_modified, #t.holds, t.waits_for[1].lock_mode, l.waits[1].blocking_trx_id)',
    "$BIG\t421\tupdate t\t12\tnil\t0\tX\t420\n", 'InnoDB locks, with lists in them');
failed('i:innodb_locks()', qr/\A4\tnil\nplain: InnoDB locks: .*db_user_id.*\nconfig\n/, 'need a registered user', on => 'plain');
printed("print(#i:innodb_locks{ db_user_id = '$USER' }.transactions)", "1\n", 'which may be said', on => 'plain');
failed("i:innodb_locks{ db_user_id = '" . 'f' x 32 . "' }", qr/DAS\.220003\tThe database user does not exist/, 'one that there is not');
$c->metadata_locks([ map { { thread_id => "$_", lock_status => 'GRANTED', table_schema => 'shop', table_name => "t$_", user => 'app', time => '12', sql => 'alter', trx_exec_time => '3.5',
            block_process => [ { id => "$BIG", user => 'app', time => '9' } ], wait_process => [] } } 5, 6 ]);
printed('local l = i:metadata_locks() print(#l) l = i:metadata_locks{ thread_id = 6, db = "shop", table = "t6" } local k = l[1] '
      . 'print(#l, k.thread_id, k.table_name, k.state_duration, k.trx_time, k.sql_info, k.blocks[1].id, k.blocks[1].state_duration, #k.waits_for)',
    "2\n1\t6\tt6\t12\t3\talter\t$BIG\t9\t0\n", 'metadata locks');
failed('i:metadata_locks()', qr/plain: metadata locks: .*db_user_id.*\nconfig\n/, 'need a registered user, too', on => 'plain');
printed('print(pcall(i.metadata_locks, i, { thread_id = "6" }))', qr/thread_id: expected a whole number/, 'a number is a number');
$c->transactions([ map { { last_sec => $_, wait_locks => 0, hold_locks => 2, occurrence_time => $now - 5000, collect_time => $now, detail => 'x' } } 1 .. 230 ]);
$c->forget;
printed('local l = i:transactions{ time = "1m" } print(#l, l[1].last_sec, l[1].collect_time, l[#l].last_sec) print(#i:transactions{ time = 10, max_time = "20s" })',
    "171\t60\t$now\t230\n11\n", 'transactions, all pages');
is $c->count('transactions'), 3, 'in two pages, and one';
failed('i:transactions{ from = "30d" }', qr/DAS\.200101\tThe start_at/, 'longer ago than the API knows');
$c->db_users([ map { { db_user_id => sprintf('%032d', $_), db_username => "u$_" } } 1 .. 120 ]);
printed('local l = i:db_users() print(#l, l[120].db_username, l[120].db_user_id)', "120\tu120\t" . sprintf('%032d', 120) . "\n", 'registered users');
$c->set(deny => ['db_users']);
failed('i:db_users()', qr/\A4\tnil\norders: .*das:clouddba:listDbUser.*\ndenied\n403\t/, 'or the permission for them is missing');
$c->set(deny => []);
$c->nodes([ { id => $NODE, name => 'n0', role => 'master', status => 'normal', type => 'master' } ]);
printed('local n = i:nodes()[1] print(n.id, n.role)', "$NODE\tmaster\n", 'nodes');
failed('i:nodes{ datastore_type = "Oracle" }', qr/DAS\.200107/, 'of another kind');

# --- tasks: made, listed, stopped -----------------------------------------------------------------------------

cloud();
$c->sessions([ map { session($_) } 1 .. 3 ]);
my $task = 'i:create_kill_task{ user = "app", time = "1m", task_duration = "10m", reason = "a test" }';
my $show = 'local function show(t, note) if type(t) ~= "table" then print(t, note) return end print(t.task_id, t.user, t.host, t.time, t.task_duration, t.task_type, note) end ';
printed("local t = $task print(t.dry_run, t.would_block, t.sessions, t.task_id)", "true\tnil\t3\tnil\n", 'a dry run says what it would do');
is $c->count('task_create'), 0, 'and sends nothing';
printed("local t = $task print(t.dry_run, t.would_block)", qr/\Atrue\t.*mode observe/, 'and what would be in its way', mode => 'observe');
my $r = run("$show show($task)", armed => 1);
like $r->{out}, qr/\A(\d+)\tapp\tnil\t60\t600\tauto\tnil\n\z/, 'armed: the task is handed back' or diag $r->{err};
my ($id) = $r->{out} =~ /^(\d+)/;
like $r->{err}, qr/orders to the cloud: 1 done, 0 failed, 0 unknown/, 'and the summary has it';
is $r->{exit}, 0, 'exit 0';
is_deeply { map { $_ => decode_json(($c->requests('task_create'))[0]{body})->{$_} } qw(user time task_duration task_type) },
    { user => 'app', time => 60, task_duration => 600, task_type => 'auto' }, 'as it was sent';
my $journal = das('audit', 'list', '--config', config(), '-o', 'json');
$said .= $journal->{out} . $journal->{err};
like $journal->{out}, qr/create_kill_task/, 'it stands in the journal' or diag $journal->{err};
like $journal->{out}, qr/a test/, 'with its reason';
printed('local t = i:kill_tasks()[1] print(t.task_id, t.user, t.db, t.time) print(i:stop_kill_task(t).dry_run)', "$id\tapp\tnil\t60\ntrue\n", 'listed; stopping it is a dry run, too');
is $c->count('task_stop'), 0, 'that sends nothing';
printed("print(i:stop_kill_task($id)) print(#i:kill_tasks())", "true\tnil\n0\n" =~ s/\tnil//r, 'stopped by its number', armed => 1);
failed("i:stop_kill_task($id)", qr/\A4\tnil\norders: stop kill task: .*there is no such task.*\n\w+\n400\tDAS\.200100\t/, 'once only', armed => 1);
printed('print(pcall(i.stop_kill_task, i, "7")) print(pcall(i.stop_kill_task, i, {})) print(pcall(i.stop_kill_task, i, 0))',
    qr/(?:.*expected a task or its task_id, got (?:string|table|0)\n){3}/, 'mistakes raise');
printed("$show show(i:create_kill_task(das.filter{ host = '10.%', time = 5, task_type = 'manual' }, { reason = 'x' }))", qr/\A\d+\tnil\t10\.%\t5\t10\tmanual\tnil\n/,
    'a filter will do', armed => 1);
for my $t (
    [ 'i:create_kill_task{ usr = "x" }', 'unknown filter key "usr"; did you mean "user"?' ],
    [ 'i:create_kill_task{ user = "x", task_duration = 10 }', 'create_kill_task: time: a kill task needs 1 to 2147483646 seconds, got 0' ],
    [ 'i:create_kill_task{ user = "x", time = 5 }', 'create_kill_task: task_duration: expected 10 to 31535999 seconds, got 0' ],
    [ 'i:create_kill_task{ time = 5, task_duration = 10 }', 'create_kill_task: a kill task with time alone ends every session' ],
    [ 'i:create_kill_task{ time = 5, id = 7 }', 'create_kill_task: id: the cloud cannot look for that' ],
    [ 'i:create_kill_task{ state = "x" }', 'create_kill_task: state: the cloud cannot look for that' ],
    [ 'i:create_kill_task(das.filter{ user = "a" } | das.filter{ user = "b" })', 'create_kill_task: expected one table of criteria' ],
    [ 'i:create_kill_task{ user = "x", reason = 5 }', 'create_kill_task: reason: expected a string, got 5' ],
    [ 'i:create_kill_task(5)', 'expected a filter or a table of criteria, got number' ],
) {
    printed("print(pcall(function() return $t->[0] end))", qr/\Afalse\t[^\t]*script.lua:2: \Q$t->[1]\E/, "raises: $t->[0]", armed => 1);
}
is $c->count('task_create'), 2, 'none of these was sent';
$c->forget;
printed("das.protect{ user = 'app' } $four four($task)", qr/\A4\tnil\norders: create_kill_task: it would end session 1 of user "app": protected by \{user="app"\}.*\nblocked\nnil\tnil\tnil\tfalse\tfalse\n\z/,
    'what a script protects must not be among those that match', armed => 1);
is $c->count('task_create'), 0, 'nothing was sent';
$r = run("das.protect{ user = 'app' } $task", armed => 1);
is $r->{exit}, 5, 'a guard said no: exit 5';
like $r->{err}, qr/refused: create_kill_task: it would end session 1/, 'and why';
$c->script('task_create', [ { close => 1, perform => 1 } ]);
printed("$show show($task)", qr/\A\d+\tapp\t.*\tauto\tits answer was lost, but task \d+ is there and is new\n/, 'a lost answer: it is looked for', armed => 1);
$c->script('task_create', [ { drop_before => 1 } ]);
$r = run("$four four($task)", armed => 1);
like $r->{out}, qr/\A4\tnil\norders: .*\n\w+\n[^\n]*\ttrue\n\z/, 'not found: its outcome is unknown' or diag $r->{err};
is $r->{exit}, 8, 'exit 8';
like $r->{err}, qr/orders to the cloud: 0 done, 0 failed, 1 unknown/, 'which is said';
$r = run("$task error('that was all')", armed => 1);
like $r->{err}, qr/until then:\n  done +create task +\d+ +on orders/, 'a run that fails leaves the list of its orders' or diag $r->{err};

# --- which it is cannot be told ----------------------------------------------------------------------------

cloud();
$c->script('tasks', [ { perform => 1 }, { status => 500, body => '{}', times => 5 } ]);
printed("print($task)", qr/\Atrue\tcreated; which of the tasks it is cannot be told: kill_tasks\(\) lists them\n/, 'true, and that it cannot be told', armed => 1);
$c->unscript;

# --- the switch ------------------------------------------------------------------------------------------------

cloud(switching => 2);
printed('print(i:set_kill_task_switch(false).dry_run, i:kill_task_switch())', "true\ton\n", 'switch: a dry run');
printed('print(i:set_kill_task_switch(false, { wait = "30s", reason = "x" }))', "off\n", 'off, through switching', armed => 1);
printed('print(i:set_kill_task_switch("on"))', "on\n", 'on', armed => 1);
$c->set(switching => 1000);
printed('print(i:set_kill_task_switch(false, { wait = 0 }))', "switching\n", 'nobody has to wait', armed => 1);
$c->set(switching => 0, deny => ['switch_set']);
failed('i:set_kill_task_switch(true)', qr/\A4\tnil\norders: .*changeKillTaskSwitch.*\ndenied\n403\t/, 'a permission that is missing', armed => 1);
printed('print(pcall(i.set_kill_task_switch, i, "up")) print(pcall(i.set_kill_task_switch, i)) print(pcall(i.set_kill_task_switch, i, true, { wiat = 5 }))',
    qr/expected true or "on", false or "off", got up\n.*got nil\n.*unknown option "wiat"; did you mean "wait"\?/, 'mistakes raise', armed => 1);

# --- killing all -----------------------------------------------------------------------------------------------

cloud();
$c->sessions([ map { session($_) } 1 .. 4 ]);
my $all = 'i:kill_all_sessions{ confirm = i.instance_id, reason = "over" }';
printed("local a = $all print(a.dry_run, a.sessions)", "true\t4\n", 'kill all: a dry run counts');
is $c->count('kill_all'), 0, 'and sends nothing';
printed('print(pcall(i.kill_all_sessions, i, { confirm = "orders" })) print(pcall(i.kill_all_sessions, i))',
    qr/confirm: expected the id of the instance, @{[ $c->instance ]}, got "orders"\n.*got nothing\n/, 'needs the id of the instance', armed => 1);
is $c->count('kill_all'), 0, 'else nothing is sent';
printed("print($all.sessions)", "4\n", 'armed: all of them', armed => 1, state => 2);
is scalar($c->killed), 4, 'which are gone';
$c->sessions([ session(5) ]);
$c->script('kill_all', [ { close => 1 } ]);
$r = run("$four four($all)", armed => 1, state => 3);
like $r->{out}, qr/\A4\tnil\norders: .*1 sessions? before.*\n\w+\n[^\n]*\ttrue\n\z/, 'a lost answer: unknown, and a look' or diag $r->{err};
is $r->{exit}, 8, 'exit 8';
is $c->count('kill_all'), 2, 'it is not sent twice';

# --- grants --------------------------------------------------------------------------------------------------

cloud();
for my $t (
    [ undef, 'no_scripts' ], [ '"preview", "kill", "instance:*"' ], [ '"cloud_kill", "preview", "instance:*"' ],
) {
    my ($grants, $none) = @$t;
    my $missing = !$grants || $grants =~ /"kill"/ ? 'cloud_kill' : 'kill';
    for my $call ($task, $all, 'i:set_kill_task_switch(true)') {
        printed("print(pcall(function() return $call end))", qr/\Afalse\t.*: not granted: $missing\n/,
            ($call =~ /i:(\w+)/)[0] . ' needs the grant ' . $missing . ($none ? ', also without any scripts in das.lua' : ''),
            grants => $grants, no_scripts => $none);
    }
}
$c->forget;
printed('print(i:set_kill_task_switch(false).dry_run, i:stop_kill_task(7).dry_run)', "true\ttrue\n", 'what stops killing needs kill only', grants => '"preview", "kill", "instance:*"');
printed("print(pcall(i.kill_tasks, i)) print(pcall(i.stop_kill_task, i, 7))", qr/not granted: preview\n.*not granted: kill\n/, 'looking needs preview', grants => '"instance:*"');
printed("local o = das.instance('orders') print(#o:kill_tasks())", "0\n", 'an instance by its tag', grants => '"preview", "tag:paid"', on => undef);
printed("print(pcall(das.cloud, { cloud = 'prod', region = '@{[ $c->region ]}' }))", qr/not granted: cloud:prod\n/, 'an account has to be granted', grants => '"preview", "instance:*", "cloud:env"');
printed("print(pcall(das.cloud, { region = '@{[ $c->region ]}' }))", qr/not granted: cloud:default\n/, 'the default one, too', grants => '"preview", "cloud:prod"', on => undef);
printed("print(das.cloud{ cloud = 'prod', region = '@{[ $c->region ]}', project = '@{[ $c->project ]}' })", "prod at @{[ $c->region ]}\n", 'by its name', grants => '"cloud:prod"', on => undef);

# --- killing by ids -------------------------------------------------------------------------------------------

cloud();
$c->sessions([ map { session($_, user => "u$_") } $BIG, 7, 8 ]);
my $kill = "local r = i:kill_processes({ $BIG, 8, 999 }, { reason = 'by hand' }) for _, o in ipairs(r.outcomes) do print(o.id, o.outcome, o.action) end";
printed($kill, qr/\A(?:(?:$BIG|8)\tdry_run\tconnection\n){2}\z/, 'kill_processes: a dry run like any other plan');
printed($kill, qr/\A(?:(?:$BIG|8)\tkilled\tconnection\n){2}\z/, 'armed: these and no others', armed => 1);
is_deeply [ sort map {"$_->{id}"} $c->killed ], [ '8', $BIG ], 'by the API, with exact ids';
printed('for _, o in ipairs(i:kill_processes(1987, { reason = "x" }).outcomes) do print(o.id, o.outcome) end', "1987\tkilled\n", 'it is there for other instances, too', armed => 1, on => 'sample');
printed('print(pcall(i.kill_processes, i, { 1.5 })) print(pcall(i.kill_processes, i, 7, { kill = "query" })) print(pcall(i.kill_processes, i, 7, { trust_source = 1 }))',
    qr/id: .*whole number.*\n.*kill_processes: unknown option "kill".*\n.*trust_source: expected true or false/, 'mistakes raise');
printed("print(pcall(i.kill_processes, i, 7))", qr/not granted: kill/, 'it needs the grant kill', grants => '"preview", "instance:*"');

# --- an inventory from an account -------------------------------------------------------------------------------

cloud();
my @ids = map { sprintf '%032xin01', $_ } 1 .. 450;
$c->instances([ map { { instance_id => $_, instance_name => "db-" . hex substr($_, 0, 32), engine_type => 'mysql' } } @ids ]);
my $account = "das.cloud{ cloud = 'prod', region = '@{[ $c->region ]}', project = '@{[ $c->project ]}' }";
$c->forget;
printed("local before = #das.instances() local l = $account:instances() print(#l, #das.instances() - before) local x = l[#l] "
      . 'print(x.instance_name, x.port, x.login_flag, x.instance.name, x.instance.instance_id) print(x.instance:preview{ all = true }.complete) print(x.instance:kill_task_switch())',
    qr/\A451\t450\ndb-\S+\t3306\tfalse\t(?:das:\S+|orders|plain)\t\w{36}\ntrue\non\n\z/, 'instances of an account join those of the run', on => undef);
is $c->count('instances'), 3, 'in three pages';
printed("for _, x in ipairs($account:instances()) do if x.instance_id == '@{[ $c->instance ]}' then print(x.instance.name) end end", qr/\A(?:orders|plain)\n\z/,
    'one that das.lua names keeps its name', on => undef);
printed("local l = $account:instances() print(#l, l[1].instance)", "451\tnil\n", 'with -i they are told, and no more');
printed("local l = $account:instances() print(pcall(function() return l[1].instance:preview{ all = true } end))", qr/not granted: instance:das:/, 'and they have to be granted like any other',
    on => undef, grants => '"preview", "cloud:prod"');
printed("local a = das.cloud{ cloud = 'prod', region = '@{[ $c->region ]}' } print(a.name, a.region, a.project) print(a:nodes('@{[ $c->instance ]}')[1].role)",
    "prod\t@{[ $c->region ]}\t@{[ $c->project ]}\nmaster\n", 'the project of the region\'s name is looked up', env => { HUAWEICLOUD_SDK_PROJECT_ID => $c->project });
failed("$account:instances{ datastore_type = 'Oracle' }", qr/\A4\tnil\nprod: .*\n\w+\n400\tDAS\.200107\t/, 'a kind of instance that there is not');
for my $t (
    [ 'das.cloud{}', 'region: expected one like "cn-north-4", got nothing' ], [ 'das.cloud{ region = "a b" }', 'region: expected one like' ], [ 'das.cloud{ regoin = "x" }', 'did you mean "region"?' ],
    [ 'das.cloud{ region = "cn-north-4", cloud = "prd" }', 'no cloud "prd"; did you mean "prod"?' ], [ 'das.cloud()', 'table expected' ],
    [ "$account.rgion", 'an account has no field "rgion"; did you mean "region"?' ], [ "$account:instances{ type = 1 }", 'unknown option "type"' ],
    [ 'das.cloud{ region = "cn-north-4", project = "../x" }', 'project: expected up to 64 letters and digits, got "../x"' ],
) {
    printed("print(pcall(function() return $t->[0] end))", qr/\Afalse\t.*\Q$t->[1]\E/, "raises: $t->[0]");
}

# --- a run that is over does not go on in a retry ---------------------------------------------------------------

for my $t ([ 'preview', 'das.preview{ all = true }' ], [ 'tasks', 'i:kill_tasks()' ], [ 'history', 'for _ in i:kill_history() do end' ]) {
    $c->script($t->[0], [ { hang => 1, times => 9 } ]);
    $r = run("$t->[1]", rules => 'limits = { wall = "1s" }');
    like $r->{err}, qr/script\.lua:2: the run took longer than 1 s \(limit wall\)$/m, "$t->[0]: the wait ends with the run" or diag $r->{err};
    unlike $r->{err}, qr/cannot be interrupted/, 'which is not stuck';
    $c->unscript;
}

# --- das check knows -------------------------------------------------------------------------------------------

my $checked = das('check', file('c.lua', <<'LUA'));
local i = das.instance("orders")
print(i:create_kill_task{ user = "a", tme = 5 }, i:kill_tasks())
for _ in i:kill_history{ form = "2h" } do print() end
i:set_kill_task_switch(true, { wiat = 5 })
print(das.cloud{ cloud = "prod", regoin = "x" }:instances(), i:kill_all_session())
LUA
for my $slip ('c.lua:2:39: warning: unknown filter key "tme"; did you mean "time"?', 'c.lua:3:26: warning: kill_history: unknown option "form"; did you mean "from"?',
    'c.lua:4:32: warning: set_kill_task_switch: unknown option "wiat"; did you mean "wait"?', 'c.lua:5:34: warning: cloud: unknown option "regoin"; did you mean "region"?',
    'warning: no das object has a method "kill_all_session"; did you mean "kill_all_sessions"?', 'c.lua: needs cloud:prod, cloud_kill, instance:orders, kill, preview') {
    like $checked->{out}, qr/\Q$slip\E\n/, "das check: $slip";
}
$checked = das('check', file('c.lua', 'local i = das.instance("x") i:set_kill_task_switch(false) i:stop_kill_task(5)'));
like $checked->{out}, qr/c\.lua: needs instance:x, kill\n/, 'what stops killing is not called killing';

# --- no secret is told ------------------------------------------------------------------------------------------

cloud(security_token => 'TokenOfTheEnvironmentThatNobodyMayTell01');
printed("local o = das.cloud{ cloud = 'env', region = '@{[ $c->region ]}' } print(o:instances()[1].instance_id)", $c->instance . "\n", 'the environment\'s keys', on => undef);
for my $body (qq({"error_code":"APIGW.0301","error_msg":"verify aksk signature fail, canonicalRequest:GET|x-security-token:TokenOfTheEnvironmentThatNobodyMayTell01|$SECRET","request_id":"r1"})) {
    $c->script('*', [ { status => 401, body => $body, times => 9 } ]);
    printed("local o = das.cloud{ cloud = 'env', region = '@{[ $c->region ]}' } $four four(o:instances())", qr/auth\n401\tAPIGW\.0301\tverify aksk signature fail\t/, 'a gateway that repeats them', on => undef);
    $c->unscript;
}
unlike $said, qr/MayTell/, 'no secret of a file or of the environment is in anything that was printed';
is_deeply [ $c->violations ], [], 'and nothing was asked that a careful client does not ask';

done_testing();
