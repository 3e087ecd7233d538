#!/usr/bin/perl
# repl.t - das repl in a real terminal (through tmux), and from a pipe.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use lib 'tests/e2e/lib';
use Das qw($AUTO $MANY wait_for);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $list = getcwd() . '/tests/samples/recording.jsonl';
my $dir = tempdir(CLEANUP => 1);
$ENV{HOME} = $dir;
$ENV{STATE_DIRECTORY} = "$dir/state";
delete @ENV{qw(DAS_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME COLUMNS)};
chdir $dir or die;

sub put { open my $f, '>', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }
sub get { open my $f, '<', $_[0] or return ''; local $/; return <$f> // '' }

# --- from a pipe -------------------------------------------------------------------------------
put('das.lua', "return { limits = { $MANY }, $AUTO }");    # a pipe is no person: it has to be promoted
sub piped {
    my ($input, @args) = @_;
    put('in', $input);
    my $out = `$das repl -i 'mem:$list?snapshot=3' @args <in 2>err`;
    return ($? >> 8, $out, get('err'));
}
sub shows { my ($name, $input, $want) = @_; my ($code, $out, $err) = piped($input); is($out, $want, $name) or diag($err) }

my ($code, $out, $err) = piped("x = 20\nx + 1\n");
is("$code|$out|$err", "0|21\n|", 'an expression prints its value, and a global stays');
shows('several lines make one input', "for i = 1, 2 do\n  print(i)\nend\n", "1\n2\n");
shows('several values', "1, nil, 'a\\nb'\n", "1\nnil\n\"a\\nb\"\n");
shows('nothing is printed for nothing', "local x = 1\nprint()\n", "\n");
shows('a table, keys sorted', "{ b = 1, a = { 1, 2 }, [3.5] = true, ['end'] = false }\n",
    qq({ [3.5] = true, a = { 1, 2 }, b = 1, ["end"] = false }\n));
shows('a circle', "t = {} t.t = t\nt\n", "{ t = <cycle> }\n");
shows('depth is bounded', "{{{{{{}}}}}}\n", "{ { { { {...} } } } }\n");
shows('what a terminal could obey is escaped', "'\\27[2J\\200\\0'\n'\\u{9b}2J \\u{e9}'\n", qq("\\027[2J\\200\\000"\n"\\194\\1552J \xc3\xa9"\n));
like((piped("t = {} for i = 1, 1000 do t[i] = i end\nt\n"))[1], qr/\n  50,\n  \.\.\. 950 more\n\}$/, 'so is length');
like((piped("('x'):rep(1e6)\n"))[1], qr/^"x{2000}"\.\.\.$/, 'and a string');
like((piped("das.preview{ user = 'report' }\n"))[1], qr/2 sessions match.*\n1987 .*\n1990 /s, 'a preview is a table');
like((piped("{ das.preview{ user = 'report' } }\n"))[1], qr/^\{\s+<preview of .*: 2 sessions>\s+\}$/, 'inside a table it is short');
like((piped("das.preview{ user = 'report' }:explain(2400)\n"))[1], qr/^session 2400: out\n/, 'an explanation');
like((piped("das.preview{ user = 'report' }\n", '-o json'))[1], qr/^\{"data_sync_time.*\}\n$/, '-o json');

($code, $out, $err) = piped("print(1)\nerror('boo')\nprint(2)\nlocal = 3\n");
is($code, 1, 'a failing input: exit 1');
is($out, "1\n2\n", 'the others run');
is($err, "stdin:2: boo\nstdin:4: <name> expected near '='\n", 'with their lines');
($code, $out, $err) = piped("if true then\n");
like("$code$err", qr/^1stdin:1: .*before this is complete/, 'an input that never ends');
($code, $out, $err) = piped("das.previw\n");
like($err, qr/did you mean "preview"/, 'a suggestion');
($code, $out, $err) = piped("while true do end\nprint('next')\n");
is($out, "next\n", 'a limit ends one input, not the session');
like($err, qr/limit cpu/, 'and says so');
($code, $out, $err) = piped("while true do\n string.rep('x', 10)\n end\n" x 2);
is(scalar(() = $err =~ /limit cpu/g), 2, 'each has its own');
($code, $out, $err) = piped("t = {}\nwhile true do t[#t + 1] = ('x'):rep(100000) .. #t end\nt = nil\nprint('next')\n");
like("$out$err", qr/next.*limit memory/s, 'memory');

my $kill = "das.preview{ user = 'report' }:plan{ kill = 'query' }:apply()\n";
($code, $out, $err) = piped($kill);
like($out, qr/^dry run: 2 would be killed/, 'a dry run');
like($err, qr/^das repl: dry run: 2 would be killed; --apply does it$/m, 'says so at the end');
($code, $out, $err) = piped($kill, '--apply');
like("$code$out$err", qr/^0applied: 2 killed.*das repl: 2 killed, 0 spared/s, 'armed');
($code) = piped("das.preview{ command = 'Sleep' }:plan{ kill = 'query' }:apply()\n", '--apply');
is($code, 5, 'refused: exit 5, as das run');
($code, $out, $err) = piped("do das.preview{ user = 'report' }:plan{ kill = 'query' }:apply() error('after') end\n", '--apply');
like("$code$err", qr/^1.*stdin:1: after\ndas repl: until then:\n  killed +query +1987 .*\n  killed +query +1990 .*\ndas repl: 2 killed/s, 'a failing input leaves the list of its kills');
put('in', "print('begun') while true do end\nprint('next')\n");
system "$das repl -i 'mem:$list' <in >out 2>err & pid=\$!; for i in 1 2 3 4 5 6 7 8 9; do grep -q begun out && break; sleep 0.1; done; sleep 0.2; kill -TERM \$pid; wait \$pid; echo \$? >code";
like(get('code') . get('out') . get('err'), qr/^1\n.*cancelled/s, 'SIGTERM ends what runs');
unlike(get('out'), qr/next/, 'and what would have followed');
ok(!-e '.local', 'no history from a pipe');
is(system("$das repl policy.lua 2>err") >> 8, 2, 'a script is refused');
like(get('err'), qr/a script runs with das run/, 'with a word');

# --- in a terminal -----------------------------------------------------------------------------
if (!`which tmux 2>/dev/null`) { diag('no tmux'); done_testing(); exit }
my $tmux = "tmux -u -L das-repl-$$";
$ENV{LC_ALL} = 'C.UTF-8';
my ($columns, $lines) = (110, 40);

sub screen { my $text = `$tmux capture-pane -p -t r`; $text =~ s/\n+\z/\n/; return $text }
# Waits until the screen matches; the screen.
sub shown {
    my ($pattern) = @_;
    my $text = '';
    wait_for(sub { ($text = screen()) =~ $pattern }, 10) or diag("never saw $pattern in:\n$text");
    return $text;
}
sub keys_ { system "$tmux send-keys -t r " . join ' ', map { (my $k = $_) =~ s/'/'\\''/g; "'$k'" } @_ }
sub type_ { my ($text) = @_; (my $t = $text) =~ s/'/'\\''/g; system "$tmux send-keys -t r -l '$t'" }
sub start {
    my (@args) = @_;
    system "$tmux kill-session -t r 2>/dev/null";
    system "$tmux -f /dev/null new-session -d -s r -x $columns -y $lines '$das repl @args; echo EXIT \$?; sleep 60'";
}
sub sees { my ($pattern, $name) = @_; like(shown($pattern), $pattern, $name) }
END { system "$tmux kill-server 2>/dev/null" if $tmux }

# a person at a terminal needs no promotion
put('das.lua', qq{return { instances = { shop = "mem:$list?snapshot=3", archive = "mem:$list?snapshot=1" } }});
start('-i shop');
sees(qr/a dry run: --apply arms it.*^das> ?$/ms, 'a greeting and a prompt');
type_('found = das.prev');
keys_('Tab');
sees(qr/das> found = das\.preview$/m, 'Tab completes a function');
type_('{ us');
keys_('Tab');
sees(qr/preview\{ user = ?$/m, 'and a criterion');
type_('"report" }');
keys_('Enter');
sees(qr/^das> ?$/m, 'it runs');
type_('found');
keys_('Enter');
my $text = shown(qr/^1990 .*das> ?$/ms);
like($text, qr/^1987 +report .*\n1990 +report /m, 'a preview is a table');
is((grep { length > $columns } split /\n/, $text), 0, 'within the width');
like($text, qr/^1990[^\n]*\n(\n)?das> ?$/m, 'a line for each session');
type_('found:ol');
keys_('Tab');
sees(qr/das> found:oldest$/m, 'a method');
keys_('C-u');
type_('found[1].us');
keys_('Tab');
sees(qr/das> found\[1\]\.user$/m, 'a field of a session');
keys_('Enter');
sees(qr/^"report"$/m, 'its value');
type_('here = das.instances()[1]');
keys_('Enter');
sees(qr/^das> ?$/m, 'an instance');
type_('here:kill_a');
keys_('Tab');
sees(qr/das> here:kill_all_sessions$/m, 'a method that only the cloud has');
keys_('C-u');
type_('here:create_kill_task{ us');
keys_('Tab');
sees(qr/create_kill_task\{ user = ?$/m, 'and its criteria');
keys_('C-u');
type_('found:e');
keys_('Tab', 'Tab');
sees(qr/^except_oldest +explain *$/m, 'several: a list');
sees(qr/^das> found:ex?$/m, 'and the line again');
keys_('C-c');
sees(qr/found:ex?\^C/, 'Ctrl-C gives a line up');

keys_('C-l');
type_('for i = 1, 2 do');
keys_('Enter');
sees(qr/^ \.\.\. ?$/m, 'it goes on');
type_('print("n" .. i)');
keys_('Enter');
type_('end');
keys_('Enter');
sees(qr/^n1\nn2\n/m, 'several lines');
type_('if x then');
keys_('Enter');
sees(qr/if x then\n \.\.\. ?$/m, 'it goes on again');    # a Ctrl-C before that is not the line's
keys_('C-c');
sees(qr/^ \.\.\. \^C\n+das> ?$/m, 'Ctrl-C');
type_('"after"');
keys_('Enter');
sees(qr/^"after"$/m, 'Ctrl-C gives up all of them');
keys_('Up');
sees(qr/das> "after"$/m, 'Up: the line before');
keys_('C-u');
type_('while true do end');
keys_('Enter');
select undef, undef, undef, 0.3;
keys_('C-c');
sees(qr/the run was cancelled/, 'Ctrl-C ends what runs');
type_('1 + 1');
keys_('Enter');
sees(qr/^2$/m, 'and the session goes on');
type_('"caf\xc3\xa9 \xe6\x95\xb0"');
keys_('Enter');
sees(qr/^"caf\xc3\xa9 \xe6\x95\xb0"$/m, 'what is not ASCII');
type_(' hidden = 1');
keys_('Enter');
type_('error("x")');
keys_('Enter');
sees(qr/^input:1: x$/m, 'an error with its line');
type_('found:plan{}:apply()');
keys_('Enter');
sees(qr/^dry run: 2 would be killed/m, 'a dry run');
keys_('C-d');
sees(qr/das repl: dry run: 2 would be killed; --apply does it\nEXIT 0$/m, 'Ctrl-D ends; an error typed is no failure');
my $file = '.local/state/das/history';
is((stat $file)[2] & 0777, 0600, 'the history is for the user alone');
like(get($file), qr/^found = das\.preview\{ user = "report" \}\nfound\n/, 'and holds what was typed');
unlike(get($file), qr/hidden/, 'but not what began with a blank');

start('-i shop --apply');
sees(qr/armed: plan:apply\(\) kills.*^das \(armed\)> ?$/ms, 'the prompt says that it is armed');
keys_('Up', 'Up');
sees(qr/das \(armed\)> error\("x"\)$/m, 'the history of last time');
keys_('C-u');
type_('das.preview{ user = "report" }:plan{ kill = "query" }:apply()');
keys_('Enter');
sees(qr/^applied: 2 killed/m, 'and kills');
keys_('C-d');
sees(qr/das repl: 2 killed, 0 spared, 0 failed, 0 unknown\nEXIT 0$/m, 'the same summary as das run');

start('');
sees(qr/^das> ?$/m, 'all instances of the configuration');
type_('das.instance("ar');
keys_('Tab');
sees(qr/das\.instance\("archive$/m, 'an instance is completed in quotes');
type_('").name');
keys_('Enter');
sees(qr/^"archive"$/m, 'and is there');
done_testing();
