#!/usr/bin/perl
# limits.t - no script hangs or exhausts the host: every way out that is known ends within its limit,
# says which limit it was, and leaves the list of what was done.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time sleep);
use lib 'tests/e2e/lib';
use Das qw($AUTO $CALM $MANY);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $list = getcwd() . '/tests/samples/recording.jsonl';
my $dir = tempdir(CLEANUP => 1);
$ENV{HOME} = $dir;
$ENV{STATE_DIRECTORY} = "$dir/state";
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME)};
chdir $dir or die;

sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub get { open my $f, "<", $_[0] or return ""; local $/; return <$f> // '' }

# Runs a script under limits; (exit code, stdout, stderr). A run that hangs is 124.
sub run {
    my ($script, $limits, %opt) = @_;
    put('s.lua', $script);
    put('das.lua', 'return { limits = { script = { ' . ($limits // 'cpu = "1s", wall = "20s"') . " }, $MANY }"
          . ($opt{config} ? "$opt{config}, $CALM" : ", $AUTO") . ' }');
    system join ' ', 'timeout 90', $das, 'run', '--usage', $opt{args} // '', '-i', "'mem:$list?snapshot=3'", 's.lua', '>out', '2>err';
    return ($? >> 8, get('out'), get('err'));
}

# Ends with exit 1 and this message.
sub struck {
    my ($name, $script, $message, $limits) = @_;
    my ($code, $out, $err) = run($script, $limits);
    ok($code == 1 && $err =~ $message, "$name: is stopped") or diag("exit $code: $err");
}
my $cpu = qr/more than 1 s of processor time \(limit cpu\)/;

# --- loops that try to live on ------------------------------------------------------------------
struck('a loop', 'while true do end', qr/s\.lua:1: the run used $cpu/);
struck('a loop of pcall', 'while true do pcall(function() while true do end end) end', $cpu);
struck('a loop in a coroutine', 'coroutine.wrap(function() while true do end end)()', $cpu);
struck('pcall in and around a coroutine', 'while true do pcall(coroutine.wrap(function() while true do pcall(function() while true do end end) end end)) end', $cpu);
struck('__close', 'do local x <close> = setmetatable({}, { __close = function() while true do end end }) end', $cpu);
struck('__close after the limit', 'local x <close> = setmetatable({}, { __close = function() while true do pcall(error) end end }) while true do end', $cpu);
struck('__tostring', 'print(setmetatable({}, { __tostring = function() while true do end end }))', $cpu);
struck('__index', 'local x = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) while true do pcall(function() return x[1] end) end', $cpu);
my $loops = 'setmetatable({}, { __close = function() while true do end end })';
struck('__close in a coroutine', "coroutine.wrap(function() local x <close> = $loops while true do end end)()", qr/s\.lua:1: the run used $cpu$/m);
struck('__close in a coroutine that is resumed', "local co = coroutine.create(function() local x <close> = $loops while true do end end) while true do pcall(coroutine.resume, co) pcall(coroutine.close, co) end", qr/$cpu$/m);
struck('__close of a coroutine that is closed', "local co = coroutine.create(function() local x <close> = $loops local y <close> = $loops coroutine.yield() end) coroutine.resume(co) coroutine.close(co)", qr/$cpu$/m);
struck('__close in coroutines in coroutines', "coroutine.wrap(function() local x <close> = $loops pcall(coroutine.wrap(function() local x <close> = $loops while true do end end)) end)()", qr/$cpu$/m);
struck('short coroutines', 'while true do coroutine.wrap(function() for i = 1, 2000 do end end)() end', qr/more than 100000 instructions/, 'instructions = 100000');
struck('short coroutines, resumed', 'while true do coroutine.resume(coroutine.create(function() for i = 1, 2000 do end end)) end', qr/more than 100000 instructions/, 'instructions = 100000');
struck('a coroutine that yields', 'local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end', qr/more than 100000 instructions/, 'instructions = 100000');
struck('sort', 'local t = {} for i = 1, 1000 do t[i] = i % 7 end table.sort(t, function(a, b) while true do end end)', $cpu);
struck('gsub', '("x"):gsub("x", function() while true do end end)', $cpu);
struck('xpcall', 'xpcall(error, function() while true do end end)', $cpu);
struck('xpcall in a loop', 'while true do xpcall(error, function() while true do end end) end', $cpu);
struck('where', 'das.preview{ all = true }:where(function() while true do end end)', $cpu);
struck('goto', '::a:: goto a', $cpu);
struck('require', 'require "s"', qr/s\.lua:1: require: "s" needs itself \(s -> s\)/);
put('a.lua', 'require "b"');
put('b.lua', "local ok, why = pcall(require, 'c')\nerror(why, 0)");
put('c.lua', 'return require "a"');
struck('require in a circle', 'require "a"', qr/c\.lua:1: require: "a" needs itself \(a -> b -> c -> a\)/);
struck('an endless error handler', 'local function f() return pcall(f) end while true do f() end', qr/limit/);
struck('instructions', 'while true do end', qr/more than 100000 instructions \(limit instructions\)/, 'instructions = 100000');
struck('wall clock', 'while true do end', qr/took longer than 0\.3 s \(limit wall\)/, 'wall = "300ms"');
struck('output', 'while true do print(("x"):rep(1000)) end', qr/printed more than 65536 bytes \(limit output\)/, 'output = "64KB"');

# --- memory ------------------------------------------------------------------------------------------
my $memory = qr/needed more than 67108864 bytes of memory \(limit memory\)/;
# a smaller limit where the way to it is long: sanitizers make it longer
my ($small, $small_limits) = (qr/needed more than 8388608 bytes of memory \(limit memory\)/, 'cpu = "20s", memory = "8MB"');
struck('rep', 'return ("x"):rep(1e9)', $memory);
struck('endless growth', 'local t = {} while true do t[#t + 1] = {} end', $memory, 'cpu = "20s"');
struck('growth that is caught', 'pcall(function() local t = {} while true do t[#t + 1] = ("x"):rep(1e6) end end)', $memory, 'cpu = "20s"');
struck('strings', 'local s = "x" while true do s = s .. s end', $small, $small_limits);
struck('recursion', 'local function f() return 1 + f() end f()', qr/stack overflow|limit/);
{
    my ($code, undef, $err) = run("local function f() return 1 + f() end\nf()", 'memory = "600MB", cpu = "20s"');
    ok($code == 1 && $err =~ /s\.lua:1: stack overflow/, 'recursion with much memory: ends as what it is') or diag("exit $code: $err");
    is(() = $err =~ /called from/g, 11, 'the innermost callers');
}
struck('coroutines', 'local t = {} while true do t[#t + 1] = coroutine.create(print) end', $memory, 'cpu = "20s"');

struck('filters that are kept', 'local t = {} while true do t[#t + 1] = das.filter{ info = ("x"):rep(60000) } end', $memory, 'cpu = "20s"');
struck('filters that are composed', 'local f = das.filter{ info = ("x"):rep(60000) } for i = 1, 400 do f = f | das.filter{ info = i .. ("x"):rep(60000) } end', qr/more than 16777216 bytes of memory/, 'cpu = "20s", memory = "16MB"');
struck('filters that protect', 'for i = 1, 1e6 do das.protect{ info = i .. ("x"):rep(60000) } end', $memory, 'cpu = "20s"');
struck('selections', 'local t, p = {}, das.preview{ all = true } while true do t[#t + 1] = p:where{ user = "a%" } end', $small, $small_limits);
struck('plans', 'local t, p = {}, das.preview{ all = true } while true do t[#t + 1] = p:plan{} end', $small, $small_limits);
struck('reports', 'local t, p = {}, das.preview{ all = true }:plan{} while true do t[#t + 1] = p:apply() end', $small, $small_limits);
struck('a criterion of any size', 'das.filter{ info = ("x"):rep(65537) }', qr/s\.lua:1: info: expected at most 65536 bytes, got 65537/);
{
    my ($code, undef, $err) = run('local f for i = 1, 5000 do f = das.filter{ info = i .. ("x"):rep(60000) } end print(collectgarbage("count") < 65536)', 'cpu = "20s"');
    is($code, 0, 'filters that are not kept count no longer') or diag($err);
}

# --- C that nothing would interrupt --------------------------------------------------------------------
my ($code, $out, $err) = run('print(#(""):rep(1e15), #(""):rep(1e15, ""))');
is($code, 0, 'nothing, very often, is nothing at once') or diag($err);
struck('rep with a separator', '(""):rep(1e15, "x")', qr/resulting string too large|limit/);
for my $call ('table.move({}, 1, 1e12, 2, {})', 'table.move({}, math.mininteger, math.maxinteger, 1)',
    'table.insert(long, 1, 1)', 'table.remove(long, 1)', 'table.concat(long)', 'table.concat({}, "", 1, 1e15)',
    'table.unpack({}, 1, 1e15)', 'table.unpack(long)', 'table.sort(long)') {
    struck($call, "local long = setmetatable({}, { __len = function() return 1e15 // 1 | 0 end, __index = tostring }) $call",
        qr/s\.lua:1: table\.\w+: a (length|range) of more than|too large|too many|limit/);
}
for my $pattern (q{('a'):rep(2000):find(('a*'):rep(6) .. 'b')}, q{('a'):rep(200000):find(('.-'):rep(6) .. 'b')}) {
    ($code, $out, $err) = run("print('before')\nlocal _ = $pattern");
    is($code, 1, "$pattern: does not take the host along");
    like($err, qr/s\.lua: the run used $cpu, and cannot be interrupted/, 'and says what happened');
    is($out, "before\n", 'what was printed before is there');
}

# --- coroutines are Lua's own otherwise ------------------------------------------------------------------
($code, $out, $err) = run(<<'LUA');
local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) pcall(function() coroutine.yield(c) end) error("e") end)
print(coroutine.resume(co, 1, 2)) print(coroutine.resume(co, 5)) print(coroutine.resume(co)) print(coroutine.resume(co))
local f = coroutine.wrap(function(...) print(..., coroutine.isyieldable()) coroutine.yield(1, nil, 3) error("g", 0) end)
print(f("a", "b")) print(pcall(f)) print(pcall(f))
print(pcall(coroutine.wrap(function() error({}) end)) == false, pcall(coroutine.wrap, 1))
local closed = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() print("closed") end }) error("h") end)
print(pcall(closed))
print(coroutine.close(coroutine.create(print)), pcall(coroutine.close, coroutine.running()))
print(pcall(coroutine.resume, 1))
LUA
is($code, 0, 'coroutines') or diag($err);
is($out, <<'OUT', 'as they are');
true	3
true	5
false	s.lua:1: e
false	cannot resume dead coroutine
a	true
1	nil	3
false	g
false	cannot resume dead coroutine
true	false	bad argument #1 to 'coroutine.wrap' (function expected, got number)
closed
false	s.lua:6: h
true	false	cannot close a running coroutine
false	bad argument #1 to 'coroutine.resume' (thread expected, got number)
OUT

# --- what must not work at all ---------------------------------------------------------------------------
($code, $out, $err) = run(<<'LUA');
print(load(string.pack("s1", "\27Lua")) == nil, (load("\27Lua")))
print(("x"):upper(), pcall(function() getmetatable("").__index = nil end))
print(pcall(setmetatable, {}, { __gc = print }))
print(collectgarbage("count") > 0, pcall(collectgarbage, "stop"))
print(load("return ...", "=x", "b", {}) ~= nil, load("x = 1", "=x", "t", {}) ~= nil, io, debug, package, dofile, loadfile)
LUA
is($code, 0, 'refusals are errors, not crashes') or diag($err);
like($out, qr/^true\tnil\nX\tfalse\t.*index a boolean.*\nfalse\t.*__gc.*\ntrue\tfalse\t.*only "count".*\ntrue\ttrue\tnil\tnil\tnil\tnil\tnil\n$/, 'each of them');

# --- after a kill nothing is thrown away --------------------------------------------------------------------
my $kill = 'das.preview{ user = "report" }:plan{ kill = "query" }:apply()';
for my $end (['an error', 'error("oops")', qr/s\.lua:2: oops/], ['a limit', 'while true do end', $cpu],
    ['a stuck pattern', "local _ = ('a'):rep(2000):find(('a*'):rep(6) .. 'b')", qr/cannot be interrupted/],
    ['memory', 'return ("x"):rep(1e9)', $memory]) {
    ($code, $out, $err) = run("$kill\n$end->[1]", undef, args => '--apply');
    is($code, 1, "$end->[0] after a kill: exit 1");
    like($err, $end->[2], 'the reason');
    like($err, qr/until then:\n  killed\s+query\s+1987 report on mem:.*\n  killed\s+query\s+1990 .*\n.*2 killed/s, 'and the list of what was done');
}
for my $signal (qw(INT TERM HUP)) {
    put('s.lua', "$kill\nprint('killed') for i = 1, 1e9 do local _ = das.preview{} end");
    put('das.lua', 'return { limits = { script = { cpu = "60s" }, ' . "$MANY }, $AUTO }");
    unlink 'out';
    my $pid = fork;
    if (!$pid) {
        open STDOUT, '>', 'out'; open STDERR, '>', 'err';
        exec $das, 'run', '--apply', '-i', "mem:$list?snapshot=3", 's.lua' or POSIX::_exit(99);
    }
    for (1 .. 500) { last if get('out') =~ /killed/; sleep 0.01 }
    kill $signal, $pid;
    waitpid $pid, 0;
    is($? >> 8, 1, "SIG$signal after a kill: exit 1");
    like(get('err'), qr/cancelled.*until then:\n  killed\s+query\s+1987.*2 killed/s, 'and the list of what was done');
}

# --- a kill after a limit that was caught; a plan that cannot be verified; a reader that stalls ------------
($code, $out, $err) = run("pcall(string.rep, 'x', 200 * 1024 * 1024)\nprint($kill)", undef, args => '--apply');
like($out, qr/0 killed|^applied: 2 refused.*limit of memory before/s, 'no kill after the limit of memory');
is($code, 1, 'and exit 1');
put('gone.txt', get($list));
put('gone.lua', 'local p = das.preview{ user = "report" }:plan{} print("planned") for i = 1, 1e9 do if not das.preview{} then break end end print(p:apply())');
put('das.lua', 'return {}');
my $gone = fork;
if (!$gone) {
    open STDOUT, '>', 'out'; open STDERR, '>', 'err';
    exec $das, 'run', '-i', 'file:gone.txt', 'gone.lua' or POSIX::_exit(99);
}
for (1 .. 500) { last if get('out') =~ /planned/; sleep 0.01 }
unlink 'gone.txt';
waitpid $gone, 0;
is($? >> 8, 1, 'a plan that could not be verified: exit 1');
like(get('err'), qr/1 plan could not be verified: nothing was done for it/, 'and that is said');
{
    put('s.lua', 'while true do print(("x"):rep(1000)) end');
    put('das.lua', 'return { limits = { script = { wall = "500ms" } } }');
    my $slow = readpipe("sh -c '$das run -i \"mem:$list?snapshot=3\" s.lua; echo \$? >code' 2>&1 | sleep 5; cat code");
    is(int(get("code") || 0), 1, 'nobody reads: exit 1 all the same');
}

# --- usage ---------------------------------------------------------------------------------------------------
($code, $out, $err) = run('print("hello")');
like($err, qr/^das run: done; \d+ ms, \d+ ms of processor time, \d+ instructions, \d+ KB of memory, 6 bytes printed, 0 HTTP requests, 0 bytes by HTTP$/m, '--usage shows every limit\'s share');

# --- grants ----------------------------------------------------------------------------------------------------
sub granted {
    my ($grants, $script, $want, $instances) = @_;
    ($code, $out, $err) = run($script, undef, args => '--apply', config => ", scripts = { ['s.lua'] = { mode = 'auto', grants = { $grants } } }");
    like($out . $err, $want, "{$grants}: $script");
}
granted('', 'das.preview{}', qr/s\.lua:1: not granted: preview/);
granted('"preview"', 'das.preview{}', qr/s\.lua:1: not granted: instance:mem:/);
granted('"preview", "instance:*"', 'print(#das.preview{ user = "report" })', qr/^2$/m);
granted('"preview", "instance:*"', 'das.preview{ user = "report" }:plan{}:apply()', qr/s\.lua:1: not granted: kill/);
granted('"preview", "kill", "instance:*"', 'print(das.preview{ user = "report" }:plan{}:apply().killed)', qr/^2$/m);
granted('"kill", "instance:other"', 'print(#das.instances())', qr/^0$/m);
granted('"kill", "instance:*"', 'print(pcall(das.preview, {}))', qr/not granted: preview/);
put('t.lua', '');
like((run($kill, undef, args => '--apply', config => ', scripts = { ["t.lua"] = {} }'))[2], qr/not granted: kill/, 'where scripts are named, one that is not may only look');
is((run($kill, undef, args => '--apply', config => ', scripts = { ["t.lua"] = {}, ["*"] = { mode = "auto", grants = { "preview", "kill", "instance:*" } } }'))[0], 0, 'unless "*" grants more');
is((run($kill, undef, args => '--apply', config => ', scripts = { ["tt.lua"] = {} }'))[0], 2, 'a name that fits no script is a mistake');
put('token', "tok-12345\n");
chmod 0600, 'token';
my $secrets = ", secrets = { slack = { file = '$dir/token' } }";
for my $case ([ '"secret:slack"', qr/^\*\*\*\t64$/m ], [ '"secret:other"', qr/s\.lua:1: not granted: secret:slack/ ]) {
    ($code, $out, $err) = run('local s = das.secret("slack") print(s, #das.crypto.hex_encode(das.crypto.hmac("sha256", s, "x")))',
        undef, config => "$secrets, scripts = { ['s.lua'] = { grants = { $case->[0] } } }");
    like($out . $err, $case->[1], "{$case->[0]}: a secret of the configuration");
    unlike($out . $err, qr/tok-12345/, 'which nobody sees');
}
mkdir 'sub';
put('sub/s.lua', 'print(das.preview{ all = true })');
put('das.lua', 'return { scripts = { ["sub/s.lua"] = { grants = {} } }, instances = { a = { source = "mem:' . $list . '", tags = { "prod" } } } }');
system "ln -sf sub/s.lua link.lua; $das run link.lua >out 2>err";
like(get('err'), qr/not granted: preview/, 'a link to a script has that script\'s grants');
put('das.lua', 'return { scripts = { ["s.lua"] = { grants = { "preview", "tag:prod" } } }, instances = { a = { source = "mem:' . $list . '", tags = { "prod" } }, b = "mem:' . $list . '" } }');
put('s.lua', 'print(#das.instances(), das.instances()[1]) print(pcall(das.instance, "b")) print(#das.instance("a"):preview{ user = "report" })');
is(system("$das run s.lua >out 2>err"), 0, 'instances by tag') or diag(get('err'));
like(get('out'), qr/^1\ta\nfalse\t.*not granted: instance:b\n2\n$/, 'those with the tag, and no others');
done_testing();
