#!/usr/bin/perl
# das_test_watch.t - das test --watch in a real terminal (through tmux): a change runs what it concerns
# again, and nothing else; Ctrl-C ends.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use lib 'tests/e2e/lib';
use Das qw(wait_for);

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $list = getcwd() . '/tests/samples/recording.jsonl';
my $dir = tempdir(CLEANUP => 1);
$ENV{HOME} = $dir;
delete @ENV{qw(DAS_CONFIG STATE_DIRECTORY XDG_STATE_HOME DAS_LOG DAS_LOG_LEVEL)};
chdir $dir or die;
plan skip_all => 'no tmux' unless `which tmux 2>/dev/null`;

sub put { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f }
# As an editor saves: a new file in the place of the old one.
sub replace { my ($path, $text) = @_; put("$path.new~", $text); rename "$path.new~", $path or die "$path: $!" }

sub policy { return "local lib = require('lib')\nlib.say($_[0])\n" }
make_path('suite/deep', 'policies');
put('policies/lib.lua', "return { say = function(n) print('says ' .. n) end }\n");
put('policies/a.lua', policy(1));
copy($list, 'suite/recording.jsonl') or die;
put('suite/a_test.lua', "test('a', function(t) t.instance{ sessions = {} } t.expect(t.run('../policies/a.lua')).output('says 1\\n') end)\n");
put('suite/b_test.lua', "test('b', function(t) local db = t.instance{ recording = 'recording.jsonl' } print(#db:sessions()) end)\n");

my $tmux = "tmux -u -L das-watch-$$";
$ENV{LC_ALL} = 'C.UTF-8';
END { system "$tmux kill-server 2>/dev/null" if $tmux }
system "$tmux -f /dev/null new-session -d -s r -x 120 -y 50 '$das test --watch suite; echo EXIT \$?; sleep 60'";

my $seen = 0;
sub all { return scalar `$tmux capture-pane -p -J -S - -t r` }
# What is shown from here to the end of the next round.
sub next_round {
    my $text = '';
    $seen++;
    wait_for(sub { $text = all(); (() = $text =~ /waiting for a change/g) >= $seen }, 20) or diag("no round $seen in:\n$text");
    my @rounds = split /^das test: waiting for a change.*\n/m, $text;
    return $rounds[ $seen - 1 ] // '';
}
sub tests_of { return [ $_[0] =~ /^((?:not )?ok) \d+ - (\S+): /mg ] }
my ($a, $b, $c) = map { "suite/$_" } qw(a_test.lua b_test.lua deep/c_test.lua);

my $round = next_round();
is_deeply(tests_of($round), [ 'ok', $a, 'ok', $b ], 'first all of them') or diag($round);

put('policies/a.lua', policy(2));
$round = next_round();
is_deeply(tests_of($round), [ 'not ok', $a ], 'a policy changes: its tests run again, no others');
like($round, qr/output: expected "says 1\\n", got this:\n#   says 2/, 'with what is there now');

put('policies/unrelated.lua', "print(1)\n");
put('suite/unrelated.txt', 'x');
replace('policies/a.lua', policy(1));
$round = next_round();
is_deeply(tests_of($round), [ 'ok', $a ], 'a policy is replaced, as editors do; what is not used runs nothing');

replace('policies/lib.lua', "return { say = function(n) print('said ' .. n) end }\n");
is_deeply(tests_of(next_round()), [ 'not ok', $a ], 'a module of the policy');

put('suite/recording.jsonl', '');
$round = next_round();
is_deeply(tests_of($round), [ 'not ok', $b ], 'a recording') or diag($round);
copy($list, 'suite/recording.jsonl') or die;
is_deeply(tests_of(next_round()), [ 'ok', $b ], 'and back');

put($c, "test('c', function(t) t.ok(true) end)\n");
is_deeply(tests_of(next_round()), [ 'ok', $c ], 'a new file of tests');
put($c, "test('c', function(t) t.ok(false) end)\n");
is_deeply(tests_of(next_round()), [ 'not ok', $c ], 'which changes');

mkdir 'suite/later';
put('suite/later/d_test.lua', "test('d', function(t) t.instance{ sessions = {} } t.run('none.lua') end)\n");
$round = next_round();
is_deeply(tests_of($round), [ 'not ok', 'suite/later/d_test.lua' ], 'a new folder');
like($round, qr/there is no such file/, 'whose test needs a policy that is not there');
put('suite/later/none.lua', "print(1)\n");
is_deeply(tests_of(next_round()), [ 'ok', 'suite/later/d_test.lua' ], 'until it is');

unlink 'suite/later/d_test.lua';
replace($a, "test('a', function(t) t.ok(true) end)\n");
is_deeply(tests_of(next_round()), [ 'ok', $a ], 'a file that is gone is not run');
is((() = all() =~ /waiting for a change/g), $seen, 'and there were no rounds besides');

system "$tmux send-keys -t r C-c";
my $text = '';
ok(wait_for(sub { ($text = all()) =~ /EXIT \d+$/m }, 10), 'Ctrl-C ends it') or diag($text);
like($text, qr/EXIT 0$/m, 'with the code of the last round');

# --- the same while tests run ------------------------------------------------------------------------
put('suite/loop_test.lua', "test('loops', function() while true do end end)\n");
my $pid = fork // die;
if (!$pid) { open STDOUT, '>', 'out'; open STDERR, '>', 'err'; exec $das, 'test', 'suite/loop_test.lua'; exit 127 }
my $child = sub { my ($c) = `ps -o pid= --ppid $pid` =~ /(\d+)/; return $c };
ok(wait_for(sub { $child->() }, 10), 'a file runs in a process of its own');
my $below = $child->();
kill 'TERM', $pid;
waitpid $pid, 0;
is($? >> 8, 1, 'SIGTERM ends a run: exit 1');
ok(wait_for(sub { !kill 0, $below }, 10), 'and its processes with it');
done_testing();
