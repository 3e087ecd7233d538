#!/usr/bin/perl
# das_test.t - das test as its user has it: what passes, how a failure reads, TAP and JUnit, filter,
# order, coverage, HTTP that goes nowhere. das_test_watch.t has --watch.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use lib 'tests/e2e/lib';

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $project = getcwd();
my $dir = tempdir(CLEANUP => 1);
$ENV{HOME} = $dir;
delete @ENV{qw(DAS_CONFIG STATE_DIRECTORY XDG_STATE_HOME DAS_LOG DAS_LOG_LEVEL)};
chdir $dir or die;

sub put { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f }
sub get { open my $f, '<', $_[0] or return ''; local $/; return <$f> // '' }
sub das {
    my $out = `$das test @_ 2>err`;
    return ($? >> 8, $out, get('err'));
}

# Each case: the body of one test, and what must be in its failure, in this order; nothing: it passes.
my $POLICY = <<'LUA';
local age = das.args[1] or 60
local found = das.preview{ command = "Query", time = age }
print("found", #found)
if #found > 0 then
  found:oldest(2):plan{ kill = "query", reason = "too long" }:apply()
end
LUA
put('policy.lua', $POLICY);
my $ORDERS = <<'LUA';
local db = t.instance{ name = "orders", sessions = {
  { id = 7, user = "backup", info = "select * from orders", time = 900 },
  { id = 8, user = "app", info = "select * from orders", time = 60 },
  { user = "app", info = "select 1", time = 57 },
} }
LUA
my $cases = 0;
sub body {
    my ($name, $body, @want) = @_;
    put('x_test.lua', "test('x', function(t)\n$body\nend)\n");
    my ($code, $out, $err) = das('x_test.lua');
    my ($at, $good) = (0, $code == (@want ? 1 : 0));
    for my $part (@want) {
        my $found = index($out, $part, $at);
        $good = 0, last if $found < 0;
        $at = $found + length $part;
    }
    ok($good, $name) or diag("exit $code, expected in this order: ", join(" | ", @want), "\n$out$err");
    $cases++;
}
sub passes { body($_[0], $_[1]) }
sub fails { body(@_) }

# --- instances ---------------------------------------------------------------------------------
passes('what is not given has a sensible value', <<'LUA');
local db = t.instance{ sessions = { {}, { info = "select 1" }, { id = 40 }, {} } }
local s = db:sessions()
t.equal({ s[1].id, s[2].id, s[3].id, s[4].id }, { 1, 2, 40, 41 })
t.equal({ s[1].user, s[1].host, s[1].db, s[1].command, s[2].command, s[1].state_duration }, { "app", "10.0.0.1:1", nil, "Sleep", "Query", 0 })
t.equal({ s[1].trx_time, s[1].rows_modified }, {})
t.ok(s[1].query_id ~= s[2].query_id)
t.equal(db.name, "db1")
LUA
passes('every field can be given', <<'LUA');
local db = t.instance{ sessions = { { id = 3, user = "u", host = "h:1", db = "d", command = "Execute", state = "s",
  sql_info = "select", state_duration = "2m", time_ms = 120500, query_id = 77, trx_time = "5m", rows_modified = 4,
  rows_examined = 5, progress = 12.5, trx_id = 6 } } }
local got = {}
for name, value in pairs(db:sessions()[1]) do got[name] = value end
t.equal(got, { id = 3, user = "u", host = "h:1", db = "d", command = "Execute", state = "s", sql_info = "select",
  state_duration = 120, time_ms = 120500, query_id = 77, trx_time = 300, rows_modified = 4, rows_examined = 5,
  progress = 12.5, trx_id = 6 })
LUA
passes('it ages with the clock, and changes as it is told', <<"LUA");
$ORDERS
t.clock:advance("1m")
t.equal(db:sessions()[3].state_duration, 117)
t.equal(db:add{ info = "select 2" }, 10)
db:update(9, { info = "select 3" })
db:remove(7)
local s = db:sessions()
t.equal({ #s, s[1].id, s[2].sql_info, s[2].state_duration, s[3].state_duration }, { 3, 8, "select 3", 0, 0 })
db:update(9, { command = "Sleep" })
s = db:sessions()
t.equal({ s[2].command, s[2].sql_info }, { "Sleep", nil })
LUA
passes('from a recording, by number and by time', <<"LUA");
local first = t.instance{ name = "a", recording = "$project/tests/samples/recording.jsonl" }
local third = t.instance{ name = "b", recording = "$project/tests/samples/recording.jsonl", snapshot = 3 }
local late = t.instance{ name = "c", recording = "$project/tests/samples/recording.jsonl", at = "1h" }
t.equal(#first:sessions(), 24)
t.equal(#third:sessions(), #late:sessions())
t.ok(third:sessions()[2].state_duration > first:sessions()[2].state_duration)
third:remove(third:sessions()[1].id)
t.equal(#third:sessions(), #late:sessions() - 1)
LUA
fails('an unknown field', 't.instance{ sessions = { { usr = "a" } } }', 'x_test.lua:2: t.instance: sessions[1]: unknown option "usr"; did you mean "user"?');
fails('a wrong type', 't.instance{ sessions = { {}, { user = 3 } } }', 'sessions[2]: user: expected a string, or false for NULL, got number');
fails('a wrong number', 't.instance{ sessions = { { time = -1 } } }', 'sessions[1]: time: expected a whole number from 0 up');
fails('a duration that is none', 't.instance{ sessions = { { time = "soon" } } }', 'time: expected seconds or a duration such as "5m", got "soon"');
fails('a per cent that is none', 't.instance{ sessions = { { progress = 101 } } }', 'progress: expected 0 to 100');
passes('numbers beyond what a server says are unknown', 't.equal({ t.instance{ sessions = { { time = 9223372036854775807 } } }:sessions()[1].state_duration }, {})');
passes('what is not told', 'local s = t.instance{ sessions = { { time = false, trx_time = "unknown", query_id = false } } }:sessions()[1] t.equal({ s.state_duration, s.trx_time, s.rows_modified, s.query_id }, {})');
fails('two names for one field', 't.instance{ sessions = { { time = 1, state_duration = 1 } } }', 'time and state_duration are one field');
fails('an id twice', 't.instance{ sessions = { { id = 1 }, { id = 1 } } }', 'sessions[2]: id: 1 is there twice');
fails('no list', 't.instance{ sessions = { user = "a" } }', 'sessions: expected a list of tables, got the key "user"');
fails('neither sessions nor a recording', 't.instance{ name = "a" }', 'expected either sessions = { ... } or recording');
fails('no such recording', 't.instance{ recording = "nowhere.jsonl" }', 'recording: nowhere.jsonl: there is no such file');
fails('no such snapshot', qq(t.instance{ recording = "$project/tests/samples/recording.jsonl", snapshot = 99 }), 'there is no snapshot 99: it holds 3');
fails('a name twice', 't.instance{ name = "a", sessions = {} } t.instance{ name = "a", sessions = {} }', 'there is an instance "a" already');
fails('a session that is not there', "$ORDERS\ndb:update(70, { user = 'x' })", 'db:update: there is no session 70 in orders');
fails('one that is', "$ORDERS\ndb:add{ id = 7 }", 'db:add: id: 7 is there already');
fails('a dot for a colon', "$ORDERS\ndb.add{ id = 70 }", 'call it with a colon');

# --- the clock ------------------------------------------------------------------------------------
put('sleeper.lua', "print(das.time.now())\ndas.sleep('10m')\nprint(das.time.now(), os.time())\n");
passes('every test begins at the same time, and sleeping takes none', <<'LUA');
t.equal(t.clock:now(), das.time.parse("2026-01-01T00:00:00Z"))
t.equal(t.clock:set("2026-11-24T03:00:00Z"), t.clock:now())
t.instance{ sessions = {} }
t.equal(t.run("sleeper.lua", {}, { config = { limits = { wall = "1h" } } }).output, "1795489200\n1795489800\t1795489800\n")
t.equal(das.time.now(), 1795489800)
LUA
fails('not back', 't.clock:set(1000)', 'x_test.lua:2: t.clock:set: a clock does not go back: it is 2026-01-01T00:00:00Z');
fails('nor past its end', 't.clock:set(2 ^ 53 | 0)', 't.clock:set: expected a time such as');
fails('nor far', 'for i = 1, 1e6 do t.clock:advance("3600d") end', 'the clock goes to the year 9999');
fails('no time', 't.clock:set("tomorrow")', 't.clock:set: expected a time such as');
fails('no duration', 't.clock:advance("a while")', 't.clock:advance: expected seconds, 0 or more');
passes('which limit struck is told', "t.instance{ sessions = {} }\nlocal r = t.run('sleeper.lua', {}, { config = { limits = { wall = '5m' } } })\n"
    . "t.equal({ r.ok, r.limit }, { false, 'wall' })\nt.expect(r).error('wall')\n");
fails('the limit of a run holds on its clock', "t.instance{ sessions = {} }\nt.run('sleeper.lua', {}, { config = { limits = { wall = '5m' } } })",
    'x_test.lua:3: the policy failed, and nothing in the test expects that:', 'limit wall');

# --- runs -------------------------------------------------------------------------------------------
passes('what a run gives', <<"LUA");
$ORDERS
local r = t.run("policy.lua", { 60 })
t.equal(r.victims, { 7, 8 })
t.equal(r.outcomes, { [7] = "killed", [8] = "killed" })
t.equal(r.previews, { { instance = "orders", filter = r.previews[1].filter, ids = { 7, 8 } } })
t.equal(r.plans, { { instance = "orders", kill = "query", reason = "too long", ids = { 7, 8 } } })
t.equal({ r.output, r.ok, r.error, r.log, r.requests }, { "found\\t2\\n", true, nil, {}, {} })
t.expect(r).victims{ 7, 8 }.spared{ 9 }.outcome(7, "killed").output("found").output("found%s+2").no_error().requests(0)
LUA
passes('a dry run', "$ORDERS\nlocal r = t.run('policy.lua', {}, { apply = false })\nt.expect(r).victims{}.outcome(8, 'dry_run')\nt.equal(#db:sessions(), 3)");
passes('runs of one test share limits and breaker', <<"LUA");
$ORDERS
local config = { kill = { minute = 2 } }
t.expect(t.run("policy.lua", {}, { config = config })).victims{ 7, 8 }
db:add{ id = 20, info = "select 20", time = 900 }
t.expect(t.run("policy.lua", {}, { config = config })).outcome(20, "refused", "limits.kill.minute")
t.clock:advance("1m")
t.expect(t.run("policy.lua", {}, { config = config })).victims{ 20, 9 }
LUA
passes('windows, freezes, mode, protect and grants are those of das.lua', <<"LUA");
$ORDERS
local function outcome(config)
  return t.run("policy.lua", {}, { config = config }).notes[8]
end
t.ok(outcome{ windows = { { from = "22:00", to = "06:00", days = "fri" } } }:find("window"))
t.ok(outcome{ freezes = { { from = "2026-01-01", to = "2026-01-02", name = "new year" } } }:find("new year"))
t.ok(outcome{ mode = "approve" }:find("approve"))
t.equal(t.run("policy.lua", {}, { config = { protect = { { user = "app" } } } }).outcomes[8], "protected")
local r = t.run("policy.lua", {}, { config = { grants = { "preview", "instance:*" } } })
t.expect(r).error("not granted: kill")
LUA
fails('a mistake in them', "$ORDERS\nt.run('policy.lua', {}, { config = { kill = { mnute = 2 } } })", 'x_test.lua:8: t.run: config.kill: unknown key "mnute"; did you mean "minute"?');
fails('a limit that is none', "$ORDERS\nt.run('policy.lua', {}, { config = { limits = { cpu = 'x' } } })", 'x_test.lua:8: t.run: config.limits.cpu: expected a duration');
fails('an unknown option', "$ORDERS\nt.run('policy.lua', {}, { aply = true })", 't.run: unknown option "aply"; did you mean "apply"?');
fails('options in the wrong place', "$ORDERS\nt.run('policy.lua', { apply = true })", 'options are the third argument');
fails('no such policy', "$ORDERS\nt.run('policies/none.lua')", 'x_test.lua:8: t.run: policies/none.lua: there is no such file');
fails('a policy with a syntax error', do { put('broken.lua', "local = 1\n"); "$ORDERS\nt.run('broken.lua')" }, 'x_test.lua:8: the policy failed', 'broken.lua:1: <name> expected');
passes('which was expected', "$ORDERS\nt.expect(t.run('broken.lua')).error('<name> expected')");
fails('a policy that failed killed nobody, but not as meant', "$ORDERS\nlocal r = t.run('broken.lua')\nt.expect(r).victims{}", 'x_test.lua:9: victims: the policy failed: broken.lua:1');
passes('changes between the preview and the kill', <<"LUA");
$ORDERS
local heard
t.on_apply(function(d, ids)
  heard = ids
  t.equal(d, db)
  d:update(7, { info = "commit" })
  d:remove(8)
end)
local r = t.run("policy.lua")
t.equal(heard, { 7, 8 })
t.expect(r).victims{}.outcome(7, "changed").outcome(8, "gone")
LUA
fails('an error there is one of the test', "$ORDERS\nt.on_apply(function(d) d:remove(99) end)\nt.run('policy.lua')", 'x_test.lua:8: db:remove: there is no session 99 in orders', 'called from x_test.lua:9');
passes('an instance that is away', <<"LUA");
$ORDERS
db:down("Too many connections")
t.expect(t.run("policy.lua")).error(".*")
db:up()
t.on_apply(function(d) d:down() end)
local r = t.run("policy.lua")
t.expect(r).victims{}.spared{ 7, 8 }
t.equal(r.outcomes, {})
LUA
passes('two instances', do { put('two.lua', "for _, i in ipairs(das.instances()) do i:preview{ user = 'app' }:plan{}:apply() end\n"); <<'LUA' });
t.instance{ name = "a", sessions = { { id = 1 } } }
t.instance{ name = "b", sessions = { { id = 2 } } }
local r = t.run("two.lua")
t.expect(r).victims{ 1, 2 }
t.equal({ r.reports[1].instance, r.reports[2].instance }, { "a", "b" })
LUA

# --- how a failure reads --------------------------------------------------------------------------
fails('victims: what is missing, what is too much, and why for each', "$ORDERS\nlocal r = t.run('policy.lua', { 100 })\nt.expect(r).victims{ 9 }",
    '# x_test.lua:9: victims: expected {9}, got {7}', '- 9 was not killed', '+ 7 was killed', 'session 9:',
    'preview 1 of orders: out: 9 app@10.0.0.1:1', 'time >= 100 s', '57 s', '(43 s too young)', 'in no plan', 'session 7:', 'preview 1 of orders: in: 7 backup', 'outcome on orders: killed');
fails('in another order', "$ORDERS\nt.expect(t.run('policy.lua')).victims{ 8, 7 }", 'got the same in another order: {7, 8}');
fails('spared', "$ORDERS\nt.expect(t.run('policy.lua')).spared{ 8 }", 'spared: expected {8}', '+ 8 was killed', 'session 8:', 'outcome on orders: killed');
fails('an outcome', "$ORDERS\nt.on_apply(function(d) d:update(8, { info = 'x' }) end)\nt.expect(t.run('policy.lua')).outcome(8, 'killed')",
    'outcome of 8: expected killed, got changed', 'session 8:', 'outcome on orders: changed: ');
fails('its note', "$ORDERS\nt.expect(t.run('policy.lua', {}, { config = { kill = { run = 1 } } })).outcome(8, 'refused', 'window')", 'outcome of 8: refused as expected, but not "window": "', 'limits.kill.run');
fails('of whom there was no plan', "$ORDERS\nt.expect(t.run('policy.lua')).outcome(9, 'killed')", 'got none: it was in no plan that was applied');
fails('a session that never was', "$ORDERS\nt.expect(t.run('policy.lua')).spared{ 70 }", 'no instance of this test ever had a session 70');
fails('output', "$ORDERS\nt.expect(t.run('policy.lua')).output('lost')", 'output: expected "lost", got this:', '#   found');
fails('no error', "t.instance{ sessions = {} }\nt.expect(t.run('policy.lua')).error('boo')", 'error: expected "boo", but the policy ran to its end');
fails('an error', "$ORDERS\nt.expect(t.run('broken.lua')).no_error()", 'no_error: the policy failed: broken.lua:1');
fails('a name that is none', "$ORDERS\nprint(t.run('policy.lua').victim)", 'a result has no field "victim"');
fails('an expectation that is none', "$ORDERS\nt.expect(t.run('policy.lua')).victim{}", 't.expect has no "victim"');
fails('equal', 't.equal({ a = { 1, 2 } }, { a = { 1, 3 } }, "tables")', 'x_test.lua:2: equal: tables: expected { a = { 1, 3 } }', 'got { a = { 1, 2 } }', 'they differ at .a[2]: expected 3, got 2');
fails('ok', 't.ok(nil, "there is one")', 'x_test.lua:2: ok: there is one');
fails('what it printed is told', 'print("hello") error("boo")', 'x_test.lua:2: boo', '# it printed:', '#   hello');
fails('an error in a function is told with who called it', "local function f() t.ok(false, 'deep') end\nf()", 'x_test.lua:2: ok: deep', 'called from x_test.lua:3');

# --- HTTP ------------------------------------------------------------------------------------------
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die;
my $url = 'http://127.0.0.1:' . $listener->sockport;
put('hook.lua', <<'LUA');
local url = das.args[1]
local r, why, code = das.http.post(url, { text = "killed 3" }, { retry = 2, idempotent = true, headers = { ["X-Who"] = "das" } })
print(r and r.status, r and r.body, why, code)
if r and r.headers["x-next"] then
  print(das.http.get(r.headers["x-next"]).body)
end
LUA
put('chat.lua', <<'LUA');
local found = das.preview{ all = true }
local sent, id = das.notify("ops", { title = "3 over a minute", severity = "error", sessions = found })
assert(sent and das.notify("oncall", "wake up"))
print(id)
LUA
passes('messages', <<'LUA');
t.instance{ sessions = { { info = "select 1 from t", time = 90 } } }
local r = t.run("chat.lua")
t.expect(r).notified("over a minute").notified("wake up").requests(0)
t.equal({ #r.messages, r.messages[1].channel, r.messages[1].severity, r.messages[2].text, r.output },
  { 2, "ops", "error", "wake up", "msg_1\n" })
LUA
passes('channels of any name', do { put('odd.lua', "das.notify('a\\tb\\nc', 'x')\ndas.notify('!reply', 'y')\n"); <<'LUA' });
t.instance{ sessions = {} }
local r = t.run("odd.lua")
t.equal({ #r.messages, r.messages[1].channel, r.messages[1].text, r.messages[2].channel, #r.replies }, { 2, "a\tb\nc", "x", "!reply", 0 })
LUA
put('asks.lua', <<'LUA');
das.runbook{ name = "asks" }
print(das.step.ask{ name = "kill?", question = "Kill " .. #das.preview{ all = true } .. " of them?", choices = { "leave", "kill" },
  approvers = { "role:dba" }, channel = "ops", default = "leave" })
LUA
passes('questions of runbooks in chats', <<'LUA');
t.instance{ sessions = { { info = "select 1 from t", time = 90 } } }
local r = t.run("asks.lua")
t.expect(r).notified("Kill 1 of them?").notified("leave|kill").requests(0)
t.equal({ r.waiting, #r.messages, r.messages[1].channel, r.messages[1].title, r.messages[1].fields["may answer"], r.messages[1].fields.otherwise },
  { true, 1, "ops", "Question of asks: kill?", "role:dba", "leave" })
r = t.run("asks.lua", {}, { answers = { ["kill?"] = "kill" } })
t.equal({ r.waiting, #r.messages, r.messages[1].channel, r.output }, { false, 1, "ops", "kill\ttest\n" })
t.equal(t.run("asks.lua", {}, { config = { grants = { "preview", "notify:dev", "instance:*" } } }).error:match("not granted: notify:ops"), "not granted: notify:ops")
LUA
fails('another message', "t.instance{ sessions = {} }\nt.expect(t.run('chat.lua')).notified('asleep')", 'notified: nobody was told "asleep"', 'to oncall: wake up');
passes('answers', <<"LUA");
t.instance{ sessions = {} }
t.http("POST $url/hook/*", { status = 202, body = { ok = true }, headers = { ["X-Next"] = "$url/next?a=1" } })
t.http("GET *", function(req)
  t.equal(req.url, "$url/next?a=1")
  return { body = "then" }
end)
local r = t.run("hook.lua", { "$url/hook/slack" })
t.equal(r.output, '202\\t{"ok":true}\\tnil\\tnil\\nthen\\n')
t.expect(r).requests(2).notified("killed 3").notified("killed %d")
local q = r.requests[1]
t.equal({ q.method, q.url, q.body, q.status, q.headers["x-who"] }, { "POST", "$url/hook/slack", '{"text":"killed 3"}', 202, "das" })
LUA
passes('a request without an answer fails for the policy, and is told', <<"LUA");
t.instance{ sessions = {} }
local r = t.run("hook.lua", { "$url/hook" })
t.expect(r).output("nil%snil%s.*the test has no answer for POST $url/hook").output("connect").requests(1)
t.equal(r.requests[1].status, nil)
LUA
passes('retries and redirects are those of a live run, on the clock of the test', <<"LUA");
t.instance{ sessions = {} }
local n = 0
t.http("* $url/busy", { status = 500 })
t.http("POST $url/busy", function() n = n + 1 return { status = n < 3 and 503 or 200, headers = { ["Retry-After"] = 20 } } end)
local r = t.run("hook.lua", { "$url/busy" }, { config = { limits = { wall = "5m" } } })
t.equal(n, 3)
t.expect(r).requests(3).output("^200")
t.equal(t.clock:now() - das.time.parse("2026-01-01T00:00:00Z"), 40)
t.http("POST $url/moved", { status = 307, headers = { location = "$url/busy" } })
t.expect(t.run("hook.lua", { "$url/moved" })).requests(2).output("^200")
LUA
fails('nobody was told', "t.instance{ sessions = {} }\nt.http('*', {})\nt.expect(t.run('hook.lua', { '$url' })).notified('killed 4')", 'notified: nobody was told "killed 4"', "1. POST $url", '-> 200', 'killed 3');
fails('how many', "t.instance{ sessions = {} }\nt.http('*', {})\nt.expect(t.run('hook.lua', { '$url' })).requests(2)", 'requests: expected 2, got 1');
fails('an error in an answer', "t.instance{ sessions = {} }\nt.http('*', function() error('boo') end)\nt.run('hook.lua', { '$url' })", 'x_test.lua:3: boo');
fails('an answer that is none', "t.instance{ sessions = {} }\nt.http('*', { stats = 3 })", 't.http: unknown option "stats"; did you mean "status"?');
passes('a host that the policy was not granted', "t.instance{ sessions = {} }\nt.http('*', {})\nlocal r = t.run('hook.lua', { '$url' }, { config = { grants = { 'preview', 'http:chat.example' } } })\nt.expect(r).error('not granted: http:127.0.0.1')\nt.equal(#r.requests, 0)");
fails('the test itself asks nobody', "print(das.http.get('$url'))", 'not granted: http:127.0.0.1');
passes('secrets are made up', do { put('secret.lua', "das.http.get('$url', { headers = { Authorization = das.secret('chat'):with('Bearer ') } })\n"); <<"LUA" });
t.instance{ sessions = {} }
t.http("*", {})
local r = t.run("secret.lua", {}, { config = { secrets = { chat = "made-up" } } })
t.equal(r.requests[1].headers.authorization, "Bearer made-up")
LUA
$listener->blocking(0);
ok(!$listener->accept, "nobody has connected to $url");

# --- files, names, exit codes ----------------------------------------------------------------------
my ($code, $out, $err);
make_path('suite/deep/.hidden');
put('suite/a_test.lua', join '', map { "test('a $_', function(t) t.ok($_ ~= 3) end)\n" } 1 .. 4);
put('suite/deep/b_test.lua', "test('b-1 (dash)', function() print('noise') end)\ntest('b # 2', function() end)\n");
put('suite/deep/c_test.lua', "local = 1\n");
put('suite/helper.lua', "return { answer = 42 }\n");
put('suite/d_test.lua', "local helper = require 'helper'\ntest('d', function(t) t.equal(helper.answer, 42) leak = 1 end)\ntest('d again', function(t) t.equal(rawget(_G, 'leak'), nil) end)\n");
put('suite/deep/.hidden/e_test.lua', "test('e', function() end)\n");
put('suite/not.lua', "test('f', function() end)\n");
my $want = join "\n", 'TAP version 13', 'ok 1 - suite/a_test.lua: a 1', 'ok 2 - suite/a_test.lua: a 2', 'not ok 3 - suite/a_test.lua: a 3',
    '# suite/a_test.lua:3: ok: false is not true', 'ok 4 - suite/a_test.lua: a 4', 'ok 5 - suite/d_test.lua: d',
    "# it printed:\n#   das run: suite/d_test.lua:2: global \"leak\" was assigned without local", 'ok 6 - suite/d_test.lua: d again',
    'ok 7 - suite/deep/b_test.lua: b-1 (dash)', "# it printed:\n#   noise", 'ok 8 - suite/deep/b_test.lua: b \\# 2',
    'not ok 9 - suite/deep/c_test.lua: runs', "# suite/deep/c_test.lua:1: <name> expected near '='", '1..9', '';
($code, $out, $err) = das('suite');
is($out, $want, 'a folder, in TAP');
is($code, 1, 'one failed: exit 1');
like($err, qr/^das test: 7 passed, 2 failed, [\d.]+ s$/m, 'said at the end');
for my $n (1, 3, 8) { is((das("-j $n suite"))[1], $want, "the same with -j $n") }
is((das('suite/not.lua'))[0], 0, 'a file that is named is a test file whatever its name');
is((das('suite/a_test.lua suite/a_test.lua suite/a_test.lua'))[1] =~ tr/\n//, 7, 'a file is run once');
SKIP: {
    skip 'no TAP::Parser', 2 unless eval { require TAP::Parser };
    my $parser = TAP::Parser->new({ tap => $out });
    $parser->run;
    is_deeply([ $parser->parse_errors ], [], 'prove can read it');
    is_deeply([ [ $parser->passed ], [ $parser->failed ] ], [ [ 1, 2, 4 .. 8 ], [ 3, 9 ] ], 'and reads what was meant');
}

($code, $out) = das('--filter "b-1 (dash)" suite/deep/b_test.lua');
is("$code$out", "0TAP version 13\nok 1 - suite/deep/b_test.lua: b-1 (dash)\n# it printed:\n#   noise\n1..1\n", '--filter, as plain text');
($code, $out) = das("--filter 'a [14]' suite/a_test.lua");
is("$code$out", "0TAP version 13\nok 1 - suite/a_test.lua: a 1\nok 2 - suite/a_test.lua: a 4\n1..2\n", 'as a Lua pattern');
($code, $out, $err) = das('--filter none suite/a_test.lua');
like("$code$out$err", qr/^1TAP version 13\n1\.\.0\ndas test: no tests found that match none\n/, 'nothing that matches: exit 1');
put('empty_test.lua', "print('nothing')\n");
($code, $out, $err) = das('empty_test.lua');
like("$code$err", qr/^1das test: no tests found\n/, 'a file without tests: exit 1');
mkdir 'bare';
is((das('bare'))[0], 1, 'a folder without files: exit 1');
($code, $out, $err) = das('nowhere');
like("$code$err", qr/^2das test: nowhere: No such file/, 'a path that is not there: exit 2');
like(join('', (das(''))[ 0, 2 ]), qr/^2das test: which tests\?/, 'no path: exit 2');
like(join('', (das('-j 0 suite'))[ 0, 2 ]), qr/^2das test: -j: expected 1 to 256/, '-j 0: exit 2');
like(join('', (das('-o html suite'))[ 0, 2 ]), qr/^2das test: -o: expected tap or junit/, 'a format that is none');
like(join('', (das('--fliter x suite'))[ 0, 2 ]), qr/did you mean --filter/, 'a misspelt option');
like((das('--help'))[1], qr/das test --watch policies/, 'help with examples');
put('same_test.lua', "test('x', function() end)\ntest('x', function() end)\n");
like((das('same_test.lua'))[1], qr/not ok 1 - same_test.lua: runs\n# same_test.lua:2: test: "x" is there already, in line 1/, 'a name twice');
put('wrong_test.lua', "test('x')\n");
like((das('wrong_test.lua'))[1], qr/wrong_test.lua:1: test: expected a function\(t\), got no value/, 'no function');
put('nested_test.lua', "test('x', function() test('y', function() end) end)\n");
like((das('nested_test.lua'))[1], qr/nested_test.lua:1: test: a test has no tests in it/, 'a test in a test');

# --- what never ends --------------------------------------------------------------------------------
put('loop.lua', "while true do end\n");
put('endless_test.lua', <<"LUA");
test('loops', function() while true do end end)
test('catches it', function() while true do pcall(function() while true do end end) end end)
test('a policy loops', function(t)
  t.instance{ sessions = {} }
  t.expect(t.run('loop.lua', {}, { config = { limits = { cpu = '200ms' } } })).error('limit cpu')
end)
test('a change loops', function(t)
  t.instance{ sessions = { { id = 1, info = 'select 1', time = 90 } } }
  t.on_apply(function() while true do end end)
  t.run('policy.lua', {}, { config = { limits = { cpu = '200ms' } } })
end)
test('memory', function() local all, k = {}, ('x'):rep(1000) for i = 1, 1e9 do all[i] = k:rep(1000) .. i end end)
test('goes on', function(t) t.ok(true) end)
LUA
($code, $out) = das('endless_test.lua');
is($code, 1, 'what does not end fails');
my @lines = grep { /ok \d/ } split /\n/, $out;
is_deeply([ map { /^(not ok|ok)/ } @lines ], [ 'not ok', 'not ok', 'ok', 'not ok', 'not ok', 'ok' ], 'and the others go on') or diag($out);
like($out, qr/endless_test.lua:1: the run used more than 5 s of processor time \(limit cpu\)/, 'with the line and the limit');
like($out, qr/endless_test.lua:9: the run used more than 0.2 s of processor time/, 'also in a change');
like($out, qr/limit memory/, 'and the memory');
put('stuck_test.lua', "test('before', function() end)\ntest('stuck', function() return ('x'):rep(300000):find(('x*'):rep(20) .. 'y') end)\ntest('after', function() end)\n");
($code, $out) = das('stuck_test.lua suite/deep/b_test.lua');
like($out, qr/^ok 1 .*before\nnot ok 2 .*stuck\n# .*cannot be interrupted.*\nnot ok 3 .*after\n# not run: a test before it got stuck\nok 4 - suite/m, 'what cannot be interrupted ends its file, and no other');

put('stuck.lua', "return ('x'):rep(300000):find(('x*'):rep(20) .. 'y')\n");
put('stuck_policy_test.lua', "test('catches it', function(t) t.instance{ sessions = {} } pcall(t.run, 'stuck.lua', {}, { config = { limits = { cpu = '200ms' } } }) end)\ntest('after', function() end)\n");
put('stuck_change_test.lua', <<'LUA');
test('in a change', function(t)
  t.instance{ sessions = { { id = 1, info = 'select 1', time = 90 } } }
  t.on_apply(function() return ('x'):rep(300000):find(('x*'):rep(20) .. 'y') end)
  pcall(t.run, 'policy.lua', {}, { config = { limits = { cpu = '200ms' } } })
end)
test('after', function() end)
LUA
for (['stuck_policy_test.lua', 'stuck.lua'], ['stuck_change_test.lua', 'policy.lua']) {
    my ($file, $policy) = @$_;
    ($code, $out) = das($file);
    like($out, qr/^not ok 1 .*\n# t\.run: \Q$policy\E: .* 0\.2 s .*cannot be interrupted.*\nnot ok 2 .*after\n# not run: a test before it got stuck\n1\.\.2$/m, "$file: so does a policy that is") or diag($out);
}

# --- JUnit --------------------------------------------------------------------------------------------
put('xml_test.lua', <<'LUA');
test('good <1> & "two"', function() print("out <&>\1\27[0m]]>\0!") end)
test("bad's", function(t) error('line 1 <&>"\nline 2 \0\255') end)
LUA
($code, $out) = das('-o junit xml_test.lua suite');
put('out.xml', $out);
SKIP: {
    skip 'no xmllint', 6 unless `which xmllint`;
    is(`xmllint --noout out.xml 2>&1`, '', 'JUnit is XML');
    my $at = sub { my $v = `xmllint --xpath '$_[0]' out.xml 2>&1`; chomp $v; return $v };
    is($at->('string(/testsuites/@tests)') . $at->('string(/testsuites/@failures)') . $at->('string(/testsuites/@errors)'), '1121', 'its counts');
    is($at->('count(//testcase)') . $at->('count(//failure)') . $at->('count(//error)'), '1121', 'are those of its parts');
    is($at->('string(//testsuite[1]/testcase[1]/@name)'), 'good <1> & "two"', 'a name comes back');
    is($at->('string(//testsuite[1]/testcase[2]/failure/@message)'), 'xml_test.lua:2: line 1 <&>"', 'a message');
    like($at->('string(//testsuite[1]/testcase[2]/failure)'), qr/line 2 \?\xef\xbf\xbd$/, 'a text, without what XML cannot have');
    like($at->('string(//testsuite[1]/testcase[1]/system-out)'), qr/^out <&>\xef\xbf\xbd\xef\xbf\xbd\[0m\]\]>\?!/, 'what it printed');
    is($at->('count(//testcase[@time and number(@time) >= 0 and @classname])'), 11, 'each has a time and a class');
}
($code, $out) = das('--junit report.xml xml_test.lua');
like($out, qr/^TAP version 13\nok 1/, '--junit FILE besides TAP');
like(get('report.xml'), qr/^<\?xml .*<testsuites name="das test" tests="2" failures="1"/s, 'is there');

# --- coverage --------------------------------------------------------------------------------------------
put('counted.lua', <<'LUA');
-- not code
local a, b = das.args[1],
  2
local unused <const> = 5

local function never(x)
  local y = x + 1
  return y
end

local t = {
  one = 1,
  two = function()
    return 2
  end,
}
if a then
  b = 3
else
  b = 4
end
for i = 1, 2 do
  b = b + i
end
local co = coroutine.wrap(function()
  coroutine.yield(1)
  return 2
end)
co()
print(a, b, t.two() --[[ here ]],
  a and never(
    1))
do return end
print("too late")
LUA
# by hand: line => runs without an argument, DAS_LINE_IDLE: no entry. A function is made at its end.
my %hand = (2 => 1, 3 => 1, 7 => 0, 8 => 0, 9 => 1, 11 => 1, 12 => 1, 14 => 1, 15 => 1, 17 => 1, 18 => 0, 20 => 1,
    22 => 1, 23 => 2, 25 => 1, 26 => 1, 27 => 0, 28 => 1, 29 => 1, 30 => 1, 31 => 1, 32 => 0, 33 => 1, 34 => 0);
put('counted_test.lua', "test('x', function(t) t.instance{ sessions = {} } t.run('counted.lua') end)\ntest('y', function(t) t.instance{ sessions = {} } t.run('counted.lua', { 'z' }) end)\n");
sub lcov {
    my (%lines, $file);
    for (split /\n/, get('lcov.info')) {
        if (/^SF:(.*)/) { $file = $1 }
        elsif (/^DA:(\d+),(\d+)/) { $lines{$file}{$1} = $2 }
    }
    return \%lines;
}
($code, $out, $err) = das('--filter x --coverage=lcov.info counted_test.lua');
my $got = lcov()->{'counted.lua'};
is_deeply([ sort { $a <=> $b } keys %$got ], [ sort { $a <=> $b } keys %hand ], 'the lines that can run, counted by hand');
is_deeply({ map { $_ => !!$got->{$_} } keys %$got }, { map { $_ => !!$hand{$_} } keys %hand }, 'those that ran') or diag(explain($got));
is($got->{23}, 2, 'how often');
like($err, qr/^coverage: counted\.lua: 18 of 24 lines, 75\.0 %; not run: 7-8, 18, 27, 32, 34$/m, 'in words');
like(get('lcov.info'), qr/^LF:24\nLH:18\nend_of_record$/m, 'and for lcov');
($code, $out, $err) = das('--coverage counted_test.lua');
like($err, qr/^coverage: counted\.lua: 22 of 24 lines, 91\.6 %; not run: 27, 34\ncoverage: all: 22 of 24 lines/m, 'both tests together');
put('more_test.lua', get('counted_test.lua') =~ s/test\('x'.*\n//r);
put('less_test.lua', get('counted_test.lua') =~ s/test\('y'.*\n//r);
($code, $out, $err) = das('--coverage -j 2 less_test.lua more_test.lua');
like($err, qr/^coverage: counted\.lua: 22 of 24 lines/m, 'and two files of tests');
put('lib.lua', "local M = {}\nfunction M.f()\n  return 1\nend\nfunction M.g()\n  return 2\nend\nreturn M\n");
put('uses.lua', "print(require('lib').f())\n");
put('uses_test.lua', "test('x', function(t) t.instance{ sessions = {} } t.run('uses.lua') end)\n");
($code, $out, $err) = das('--coverage uses_test.lua');
like($err, qr/^coverage: lib\.lua: 7 of 8 lines, .*not run: 6$/m, 'modules count') or diag($err);
unlike($err, qr/uses_test/, 'tests do not');
put('long.lua', join('', map { "local x$_ = $_\n" } 1 .. 100) . "\n" x 400 . "print(x1)\n" . "\n" x 200 . "local function f()\n  print(2)\nend\nf()\n");
put('long_test.lua', "test('x', function(t) t.instance{ sessions = {} } t.run('long.lua') end)\n");
das('--coverage=lcov.info long_test.lua');
is_deeply([ sort { $a <=> $b } keys %{ lcov()->{'long.lua'} } ], [ 1 .. 100, 501, 703, 704, 705 ], 'lines far apart');
put('loop_test.lua', "test('x', function(t) t.instance{ sessions = {} } t.expect(t.run('loop.lua', {}, { config = { limits = { cpu = '200ms' } } })).error('limit cpu') end)\n");
is((das('--coverage loop_test.lua'))[0], 0, 'limits hold while lines are counted');

# Another reader of the same code: luac says which line each instruction is of.
SKIP: {
    skip 'no luac', 1 unless `which luac5.4`;
    my @files = map { "$project/$_" } split /\n/, `cd $project && git ls-files -co --exclude-standard 'scripts/*.lua' 'tests/lua/*.lua' 'tests/policies/*.lua'`;
    put('all_test.lua', join '', map { "test('$_', function(t) t.instance{ sessions = {} } print(t.run('$_').ok) end)\n" } @files);
    das('--coverage=lcov.info all_test.lua');
    my $lines = lcov();
    my ($differ, $compared) = ('', 0);
    for my $file (@files) {
        my (%want, @function);
        my $end = sub { pop @function; shift @function if @function && $function[0][1] eq 'VARARGPREP'; $want{ $_->[0] } = 1 for @function; @function = () };
        for (split /\n/, `luac5.4 -l -p $file`) {
            if (/^(?:main|function) </) { $end->() }
            elsif (/^\t\d+\t\[(\d+)\]\t(\w+)/) { push @function, [ $1, $2 ] }
        }
        $end->();
        my $short = index($file, "$dir/") == 0 ? substr($file, length "$dir/") : $file;
        my ($a, $b) = map { join ' ', sort { $a <=> $b } keys %$_ } \%want, $lines->{$short} || {};
        $differ .= "$file:\nluac $a\ndas  $b\n" if $a ne $b;
        $compared++;
    }
    is($differ, '', "the lines that can run are those of luac, in $compared files");
}
cmp_ok($cases, '>', 60, 'all cases ran');
done_testing();
