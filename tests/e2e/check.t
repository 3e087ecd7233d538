#!/usr/bin/perl
# check.t - das check: what it finds, where, and what it says a script needs.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use JSON::PP;

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $project = getcwd();
my $dir = tempdir(CLEANUP => 1);
chdir $dir or die;

sub put { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f }
sub das {
    my $out = `$das @_ 2>$dir/err`;
    my $code = $? >> 8;
    open my $f, '<', "$dir/err";
    local $/;
    return ($code, $out, <$f> // '');
}

# Each case: a script, and its findings as "line:column code part of the message".
sub finds {
    my ($name, $text, @want) = @_;
    put('s.lua', $text);
    my ($code, $out, $err) = das('check -o json s.lua');
    my $answer = eval { decode_json($out) };
    return ok(0, $name) && diag("exit $code: $out$err") unless $answer;
    my @found = @{ $answer->{files}[0]{findings} };
    my @got = map { "$_->{line}:$_->{column} $_->{code} $_->{message}" } @found;
    my $good = @got == @want && $code == (@want ? 1 : 0) && $answer->{findings} == @want;
    for my $i (0 .. $#want) {
        my ($place, $part) = $want[$i] =~ /^(\S+ \S+) ?(.*)/s;
        $good &&= index($got[$i] // '', $place) == 0 && index($got[$i], $part) >= 0;
    }
    ok($good, $name) or diag(join "\n", "exit $code, got:", @got);
}

sub needs {
    my ($name, $text, @want) = @_;
    put('s.lua', $text);
    my ($code, $out) = das('check -o json s.lua');
    is_deeply(decode_json($out)->{files}[0]{grants}, \@want, $name);
}

# --- syntax -----------------------------------------------------------------------------------
finds('a syntax error, with line and column', "local x = 1\nprint(x +)\n", "2:10 syntax unexpected symbol near ')'");
finds('an unfinished block', "if true then\n", "2:1 syntax 'end' expected");
finds('a shebang is no error', "#!/usr/bin/env -S das run\nprint(1)\n");
finds('binary code is', "\x1bLua", '1:1 syntax');

# --- names -------------------------------------------------------------------------------------
finds('an undeclared global', 'print(foo)', '1:7 undeclared undeclared global "foo"');
finds('one that is nearly right', 'pritn(1)', '1:1 undeclared did you mean "print"?');
finds('a local that is nearly right', "local found = 1\nprint(fuond, found)", '2:7 undeclared did you mean "found"?');
finds('a global that is assigned', "x = 1\nfunction f() return x end\nprint(f)", '1:1 global "x"', '2:10 global "f"');
finds('no such function in das', 'print(das.previw)', '1:11 field did you mean "preview"?');
finds('nor in a library', 'print(os.execute, string.lenn)', '1:10 field os has no field "execute"', '1:26 field did you mean "len"?');
finds('also through a local', "local d = das\nprint(d.flter)", '2:9 field did you mean "filter"?');
finds('asking _G for a global is fine', 'print(_G.x)');
finds('a method that no object has', "print(das.preview{ user = 'a' }:oldst(1))", '1:33 method did you mean "oldest"?');
finds('but a method of its own is', "local t = {}\nfunction t.oldst() end\nt:oldst()");
finds('das is read-only', 'das.dry_run = false', '1:5 read-only');
finds('unused locals', "local a, b = 1, 2\nlocal function f() end\nlocal _c = b", '2:16 unused function "f"');
finds('set and not read', "local a\na = 1", '1:7 unused "a" is set but never read');
finds('silenced', "print(foo) -- das check: ignore\nprint(bar)", '2:7 undeclared');

# --- tables ------------------------------------------------------------------------------------
finds('an unknown criterion', "das.protect{ comand = 'Query' }", '1:14 filter did you mean "command"?');
finds('a bad value', "das.protect{ command = 'Qury' }", '1:14 filter did you mean "Query"?');
finds('a bad value in a constant', "local age <const> = 'soon'\ndas.protect{ time = age }", '2:14 filter time: expected');
finds('a value that nobody knows yet is fine', 'das.protect{ time = das.args[1], user = das.args[2] or "x" }');
finds('an unknown key with such a value', 'das.protect{ tmie = das.args[1] }', '1:14 filter did you mean "time"?');
finds('an item without a name', "das.protect{ 'root' }", '1:14 filter named criteria');
finds('a bad pattern', "local r = das.regex('a(b')\nprint(r)", '1:21 regex at byte 4');
finds('in a composition', "das.protect(das.filter{ user = 'a' } | { usr = 'b' })", '1:42 filter did you mean "user"?');
finds('where', "local p = das.preview{ user = 'a' }\nprint(p:where{ db = 1 })", '2:16 filter db: expected a string');
finds('options of a plan', "das.preview{ user = 'a' }:plan{ kil = 'query', ttl = 0, reason = das.args[1] }",
    '1:33 option did you mean "kill"?', '1:48 option ttl: expected 1 to');
finds('options of a preview', "das.preview({ user = 'a' }, { pushdown = 1, instnce = das.args[1] })",
    '1:31 option pushdown: expected true or false', '1:45 option did you mean "instance"?');
finds('a key twice', "local t = { a = 1,\n b = 2, ['a'] = 3, [1.0] = 1, [1] = 2 }\nprint(t)",
    '2:9 duplicate duplicate key "a": the one in line 1', '2:31 duplicate duplicate key 1');
finds('a filter that selects nothing', 'das.preview{}', '1:12 selects-nothing');
finds('one that selects everything', 'das.preview{ all = true }', '1:12 matches-all');
finds('a wildcard alone', 'das.preview{ user = "%" }', '1:12 matches-all');
finds('all but one', "das.preview(~das.filter{ user = 'backup' })", '1:13 matches-all');
finds('everything and something', "das.preview(das.filter{ all = true } & { user = 'a' })");
finds('a table that is filled later', "local f = {}\nf.user = das.args[1]\nfor _, k in ipairs(das.args) do f[k] = 1 end\nprint(das.preview(f))");
finds('one that is not', "local f = {}\nprint(das.preview(f))", '2:19 selects-nothing');
finds('everything in a local', "local f = das.filter{ time = 0 }\ndas.instance('x'):preview(f)", '2:27 matches-all');

# --- grants ------------------------------------------------------------------------------------
needs('a preview', "print(das.preview{ user = 'a' })", 'preview');
needs('a kill', "das.preview{ user = 'a' }:plan{}:apply()", 'kill', 'preview');
needs('an instance by name', "das.instance('orders'):preview{ user = 'a' }", 'instance:orders', 'preview');
needs('in the options', "das.preview({ user = 'a' }, { instance = 'orders' })", 'instance:orders', 'preview');
needs('one that is known later', 'print(das.instance(das.args[1]))', 'instance:?');
needs('a secret', "print(das.secret('slack'))", 'secret:slack');
needs('HTTP', "local http = das.http\nhttp.get('https://chat.example:8443/x')\nhttp.request{ url = 'http://a.example' }\nhttp.get(das.args[1])",
    'http', 'http:a.example', 'http:chat.example');
needs('an approval', "das.preview{ user = 'a' }:plan{}:request_approval{ channel = 'ops', need = 1 }", 'kill', 'notify:ops', 'preview');
needs('one without a channel', "das.preview{ user = 'a' }:plan{}:request_approval{ need = 1 }", 'kill', 'preview');
needs('a question in a channel', "das.step.ask{ question = 'kill?', choices = { 'yes' }, channel = das.args[1] }", 'notify:?');
needs('a runbook that a hook begins', "local req = ...\nreq.runbook('x.lua')\nlocal t = {}\nt.runbook()", 'runbook');
needs('the off switch', "das.stop('x')", 'stop');
needs('what stands, and what was', "print(das.status())\nprint(das.history{})", 'preview');
needs('nothing', 'print(1)');
put('helper.lua', "return function() return das.preview{ user = 'a' }:plan{}:apply() end\n");
needs('what its modules need', "require('helper')()", 'kill', 'preview');
put('loop_a.lua', "return require 'loop_b'\n");
put('loop_b.lua', "return require 'loop_a'\n");
needs('modules in a circle', "require 'loop_a'");

# --- the command -----------------------------------------------------------------------------------
put('good.lua', "print(1)\n");
mkdir 'policies';
mkdir 'policies/deep';
put('policies/deep/bad.lua', "print(foo)\n");
put('policies/b.txt', 'not Lua');
put('policies/das.d.lua', "---\@meta das\nerror('x') foo()\n");
my ($code, $out, $err) = das('check good.lua');
is("$code$out$err", '0', 'nothing to say: exit 0, silence');
($code, $out) = das('check policies good.lua');
is($out, "policies/deep/bad.lua:1:7: warning: undeclared global \"foo\"\n", 'a folder, in text');
is($code, 1, 'findings: exit 1');
($code, $out) = das('check -o json policies/ good.lua');
is_deeply([ map { $_->{path} } @{ decode_json($out)->{files} } ], [ 'policies/deep/bad.lua', 'good.lua' ], 'in JSON');
($code, $out, $err) = das('check -o json nowhere.lua good.lua');
is($code, 1, 'a file that is not there: exit 1');
like($err, qr/^das check: nowhere\.lua: No such file/, 'and said');
is(scalar @{ decode_json($out)->{files} }, 1, 'the others are checked');
($code, $out, $err) = das('check');
is($code, 2, 'no path: exit 2');
($code, $out, $err) = das('check -o xml good.lua');
like("$code$err", qr/^2.*expected text or json/, 'a format that is none');
like((das('check --help'))[1], qr/das check scripts/, 'help with examples');
($code, $out) = das('check --names');
ok((grep { $_ eq 'preview' } @{ decode_json($out)->{globals}{das} }), '--names');

# --- what must not hang or fall over -----------------------------------------------------------------
put('deep.lua', 'return ' . '(' x 5000 . '1' . ')' x 5000);
is((das('check deep.lua'))[0], 1, 'deep nesting');
put('chain.lua', 'local a0 = "x"' . join('', map { "\nlocal a$_ = a" . ($_ - 1) . ' .. a' . ($_ - 1) } 1 .. 150) . "\nprint(a150)\n");
is((das('check chain.lua'))[0], 0, 'a constant that doubles 150 times');
put('long.lua', 'return x' . '.a' x 20000);
isnt((das('check long.lua'))[0], 139, 'a long chain of fields');

# --- our own scripts -----------------------------------------------------------------------------------
chdir $project;
($code, $out) = das('check scripts/policies scripts/demo');
is($code, 0, 'the policies are clean') or diag($out);
($code, $out) = das('check scripts/hooks scripts/runbooks');
is($code, 0, 'so are hooks and runbooks') or diag($out);
($code, $out) = das('check tests/policies');
is($code, 0, 'and their tests, which have a function more') or diag($out);
done_testing();
