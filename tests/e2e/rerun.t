#!/usr/bin/perl
# A run on a real MariaDB, armed, and had again from what it left behind: the same decisions, byte by
# byte, without the server, the network or the state directory.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use MariaDB;
use Herd;
use Das;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $db = MariaDB->new;
$db->sql(<<'SQL');
CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY, b INT) ENGINE=InnoDB; INSERT INTO d.t VALUES (1, 1), (2, 2);
CREATE USER app@localhost; GRANT ALL ON d.* TO app@localhost;
CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;
SQL
my $dir = tempdir(CLEANUP => 1);
my $url = $db->url('das');

sub spew { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f; return $path }
sub slurp { open my $f, '<', $_[0] or return ''; local $/; return scalar <$f> }

# The statement of some, a connection in a transaction, one who is spared, and what a limit says.
my $policy = spew("$dir/policy.lua", <<'LUA');
local age = das.args[1]
local found = das.preview{ user = "app", command = "Query", time = age, info = "sleep" }
print(found:plan{ kill = "query", reason = "asleep" }:apply())
das.sleep(0.3)
local idle = das.preview(das.filter{ user = "app", command = "Sleep" } & das.filter{ trx_time = 0 })
print(idle:plan{ kill = "connection", reason = "idle in a transaction at " .. os.date("!%Y") }:apply())
print(das.preview{ user = "app", info = "sleep" }.total_count)
LUA
my $herd = Herd->new($db->{socket});
my @busy = map { $herd->add('app', 'd', "SELECT SLEEP(300) /* $_ caf\xc3\xa9 */") } 1 .. 3;
my $holder = $herd->add('app', 'd', 'BEGIN');
is $herd->say(4, 'UPDATE t SET b = b + 1 WHERE a = 1'), 'ok', 'a transaction';
is $herd->say(4, ''), 'ok', 'that sleeps';
my $waiter = $herd->add('app', 'd', 'UPDATE t SET b = b + 1 WHERE a = 1');
ok wait_for(sub { $db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'app'") == 5 }), 'all are there';
ok wait_for(sub { $db->sql("SELECT COUNT(*) FROM information_schema.INNODB_TRX") >= 2 }), 'one waits';

my $tape = "$dir/run.jsonl";
my $live = das('run', '-i', $url, '--apply', '--record', $tape, $policy, '0');
is $live->{exit}, 0, 'the live run' or diag $live->{err}, $live->{out};
like $live->{err}, qr/4 killed, 0 spared/, 'kills three statements and a connection';
is sprintf('%o', (stat $tape)[2] & 0777), '600', 'only its owner reads the recording';
my @lines = map { decode_json($_) } split /\n/, slurp($tape);
is $lines[0]{das_run}, 1, 'it says what it is';
is scalar(grep { $_->{order} } @lines), 4, 'four orders, as they were sent';
ok((grep { ($_->{result} // '') eq 'killed' } @lines) >= 4, 'and answered');
my @decisions = grep { $_->{decision} } @lines;
is scalar(@decisions), 5, 'five decisions';
is_deeply [ map { $_->{kind} } @decisions ], [qw(preview apply preview apply preview)], 'previews and applies';
is scalar(grep { $_->{policy_sha256} =~ /^[0-9a-f]{64}$/ && $_->{input_sha256} =~ /^[0-9a-f]{64}$/ } @decisions), 5, 'with their hashes';
is_deeply [ sort { $a <=> $b } map { $_->{id} } @{ $decisions[1]{victims} } ], [ sort { $a <=> $b } @busy ], 'the victims';

my $state = $ENV{STATE_DIRECTORY};
$herd->close;
$db->stop('KILL');
my $again = das('replay', '--run', $tape);
is $again->{exit}, 0, 'had again, with the server gone' or diag $again->{err};
is $again->{out}, "equal: 5 decisions, the same to the byte\n", 'equal to the byte' or diag $again->{out};
is_deeply decode_json(das('replay', '--run', $tape, '-o', 'json')->{out}),
    { decisions => 5, equal => 5, differs => JSON::PP::false, other_policy => JSON::PP::false, unfinished => JSON::PP::false, recorded => undef, now => undef, why => '' },
    'as JSON';
is das('replay', '--run', $tape, '--policy', $policy)->{exit}, 0, 'with its policy named';

# --- what is not the same --------------------------------------------------------------------
my $other = spew("$dir/other.lua", slurp($policy) =~ s/"asleep"/"too long"/r);
my $r = das('replay', '--run', $tape, '--policy', $other);
is $r->{exit}, 1, 'another policy';
like $r->{out}, qr/^differs at decision 1 of 5: the policy is not the one that was recorded$/m, 'is said';
my $text = slurp($tape);
(my $changed = $text) =~ s/"user":"app"/"user":"apq"/;
$r = das('replay', '--run', spew("$dir/changed.jsonl", $changed));
is $r->{exit}, 1, 'a list that was changed';
like $r->{out}, qr/^differs at decision 1 of 5$/m, 'is seen at the first decision over it';
like $r->{out}, qr/^  recorded +\{"decision":1,.*\n  now +\{"decision":1,/m, 'both are shown';
($changed = $text) =~ s/^\{"order".*\n//m;
$r = das('replay', '--run', spew("$dir/short.jsonl", $changed));
is $r->{exit}, 1, 'an order that is missing';
like $r->{out}, qr/asks for the kill of statement \d+ on /, 'is named';

# --- a run that died ---------------------------------------------------------------------------
my $sleeper = spew("$dir/sleeper.lua", "das.preview{ time = 1 }\ndas.preview{ time = 2 }\ndas.sleep(20)\ndas.preview{ time = 3 }\n");
my $run = das_start('run', '-i', 'mem:tests/samples/recording.jsonl', '--record', "$dir/died.jsonl", $sleeper);
ok wait_for(sub { slurp("$dir/died.jsonl") =~ /"decision":2.*\n/ }), 'what it was shown and decided is on the tape while it goes on';
kill 'KILL', $run->{pid};
das_finish($run);
$r = das('replay', '--run', "$dir/died.jsonl");
is $r->{exit}, 0, 'it is had again as far as it came' or diag $r->{out}, $r->{err};
is $r->{out}, "equal: 2 decisions, the same to the byte\n  the recorded run broke off there: what it would have done next is not known\n", 'which is said';
spew("$dir/died.jsonl", substr slurp("$dir/died.jsonl"), 0, -40);
$r = das('replay', '--run', "$dir/died.jsonl");
like $r->{out}, qr/^equal: 1 decision, .*\n.*broke off/, 'half a line at the end is left out';
ok decode_json(das('replay', '--run', "$dir/died.jsonl", '-o', 'json')->{out})->{unfinished}, 'and in JSON';

# --- mistakes ----------------------------------------------------------------------------------
$r = das('run', '-i', 'mem:tests/samples/recording.jsonl', '--record', $tape, $policy, '1');
is $r->{exit}, 1, 'a recording is never written over';
like $r->{err}, qr/run\.jsonl: File exists/, 'and says so';
is slurp($tape), $text, 'it is as it was';
$r = das('replay', '--run', 'tests/samples/recording.jsonl');
is $r->{exit}, 1, 'a recording of lists is no recorded run';
like $r->{err}, qr/expected a run recorded by das run --record/, 'and is told apart';
$r = das('replay', '--run', "$dir/none");
like $r->{err}, qr/none: No such file/, 'a file that is not there';
$r = das('run', '--record', "$dir/stdin.jsonl", '-');
is $r->{exit}, 2, 'standard input cannot be had again';
ok !-e "$dir/stdin.jsonl", 'nothing is left behind';

done_testing();
