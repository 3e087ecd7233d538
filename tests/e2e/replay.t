#!/usr/bin/perl
# das replay: what a policy would have done while a recording was made, in numbers that are known.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Cwd qw(getcwd);
use File::Find qw(find);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Das;
use Das qw($MANY);

my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;
my $START = 1766655000;    # 2025-12-25 09:30:00 UTC

sub put {
    my ($name, $text) = @_;
    open my $f, '>', "$dir/$name" or die "$dir/$name: $!";
    print $f $text;
    close $f;
    return "$dir/$name";
}

# --- a recording: every five seconds for two minutes -----------------------------------------------
# Sessions as [id, user, from, to, since, query id, statement]; undef: it sleeps.
sub film {
    my ($name, $instance, $parts, $from, $to) = @_;
    my $text = '';
    for (my $t = $from // 0; $t <= ($to // 120); $t += 5) {
        my @rows;
        for my $p (@$parts) {
            my ($id, $user, $begin, $end, $since, $query, $sql) = @$p;
            next if $t < $begin || $t > $end;
            push @rows, { id => $id, user => $user, host => "10.0.0.$id:4000", db => 'shop',
                command => defined $sql ? 'Query' : 'Sleep', state => '', sql_info => $sql,
                state_duration => $t - $since, query_id => $query };
        }
        $text .= $json->encode({ data_sync_time => $START + $t, instance => $instance, complete => JSON::PP::true,
            total_count => scalar @rows, processes => \@rows }) . "\n";
    }
    return put($name, $text);
}

my @parts = (
    [ 1, 'app', 0, 60, -30, 10, 'select * from orders where id = 1' ],     # 30 s old at 0, 60 s at 30
    [ 2, 'app', 0, 120, -10, 20, 'select * from orders where id = 2' ],    # 30 s at 20, 60 s at 50
    [ 3, 'report', 10, 45, 10, 30, 'select sum(total) from orders' ],      # 30 s at 40; gone at 50
    [ 4, 'app', 5, 30, 2, 40, 'select 4 from items' ],                     # never older than 28 s
    [ 5, 'backup', 0, 120, -500, 50, 'select * from everything' ],         # protected
    [ 6, 'app', 0, 120, 0, 60, undef ],
    [ 7, 'app', 65, 75, 62, 70, 'select * from orders where id = 3' ],     # that of the first two again
);
my $film = film('day.jsonl', 'orders', \@parts);

my $policy = put('old.lua', <<'E');
local slow = das.preview{ command = "Query", time = das.args[1] or 30, info = "select" }
print(slow)
if slow.total_count > 0 then
  slow:plan{ kill = "query", reason = "over " .. (das.args[1] or 30) .. " s" }:apply()
end
E
my $protect = 'protect = { { user = "backup" } }';
my $loose = "limits = { $MANY }, breaker = { respawns = 0, surge = 0 }";
my $config = put('das.lua', "return { $protect, $loose }\n");
my $state = "$dir/state";
my %env = (DAS_CONFIG => $config, STATE_DIRECTORY => $state);

sub replay { return das({ env => { %env, %{ ref $_[0] ? shift : {} } } }, 'replay', @_) }

sub replay_json {
    my $r = replay(@_, '-o', 'json');
    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{out}) } || {};
    diag $r->{err} if $r->{err};
    return $r;
}

sub killed {
    return join ' ', map { ($_->{at_ms} - $START * 1000) / 1000 . ":$_->{id}" } @{ $_[0]{victims} };
}

# --- every number ------------------------------------------------------------------------------------
my $r = replay_json('--policy', $policy, '--every', '10s', $film);
is $r->{exit}, 0, 'a replay' or diag $r->{err};
is $r->{err}, '', '... has nothing to complain about, and shows no progress to a file';
my $j = $r->{json};
my $p = $j->{policies}[0];
is_deeply [ @$j{qw(from_ms to_ms snapshots rows)} ], [ $START * 1000, ($START + 120) * 1000, 25, 13 + 25 + 8 + 6 + 25 + 25 + 3 ],
    'what was recorded';
is_deeply $j->{instances}, ['orders'], '... of whom';
is_deeply $j->{files}, [$film], '... and where';
is killed($p), '0:1 20:2 40:3', 'who would have been killed, and when';
is_deeply [ map { $_->{lived_on_ms} } @{ $p->{victims} } ], [ 65_000, 100_000, 10_000 ], '... how long they went on';
is_deeply [ map { $_->{end_seen} ? 1 : 0 } @{ $p->{victims} } ], [ 1, 0, 1 ], '... and whether their end was seen';
is_deeply [ map { $_->{respawned} } @{ $p->{victims} } ], [ 0, 1, 0 ], '... a statement that came back belongs to the last kill of its kind';
is_deeply [ @$p{qw(runs failed_runs kills wasted wasted_ms saved_ms respawns requests)} ], [ 13, 0, 3, 1, 10_000, 175_000, 1, 0 ],
    'runs, kills, wasted ones (10 s are two snapshots), what they cost';
is $p->{saved_wait_ms}, undef, 'nobody knows who waited';
is_deeply $p->{outcomes}, { killed => 3, protected => 13 }, 'outcomes: the protected one in each run';
is_deeply [ @$p{qw(every_ms every_from)} ], [ 10_000, '--every' ], 'how often it ran, and who said so';
like $p->{sha256}, qr/^[0-9a-f]{64}$/, 'its text by its hash';
is_deeply $p->{by}{user}, [ { key => 'app', count => 2, wasted => 0 }, { key => 'report', count => 1, wasted => 1 } ], 'by user';
is_deeply $p->{by}{hour}, [ { key => '2025-12-25T09:00:00Z', count => 3, wasted => 1 } ], 'by hour';
is_deeply $p->{by}{fingerprint}[0], { key => 'select * from orders where id = ?', count => 2, wasted => 0 }, 'by fingerprint';
is_deeply [ map { "$_->{id} $_->{criterion} $_->{value} $_->{note}" } @{ $p->{near_misses} } ],
    [ '4 time >= 30 s 28 s 2 s too young' ], 'who was spared by a little';
is $p->{near_miss_count}, 1, '... one';
is scalar(@{ $p->{timeline}{kills} }), scalar(@{ $j->{timeline}{sessions} }), 'timelines have the same steps';
is_deeply [ @{ $p->{timeline}{kills} }[ 0, 4, 8 ] ], [ 1, 1, 1 ], '... with the kills in them';
is_deeply [ @{ $j->{timeline}{sessions} }[ 0, 24 ], @{ $j->{timeline}{active} }[ 0, 24 ] ], [ 4, 3, 3, 2 ], '... and sessions';
ok !exists $j->{difference}, 'one policy differs from nobody';

# --- nothing but the report is left behind -----------------------------------------------------------
ok !-e $state, 'no state directory was made';
mkdir $state;
replay('--policy', $policy, $film);
my @found;
find(sub { push @found, $File::Find::name if -f }, $state);
is_deeply \@found, [], '... and nothing is written into one that is there';

# --- two of them ---------------------------------------------------------------------------------------
my @two = ('--policy', $policy, '--policy', $policy, '--arg', '60', '--every', '10s');
$r = replay_json(@two, $film);
$j = $r->{json};
is killed($j->{policies}[0]), '0:1 20:2 40:3', 'two policies: the first as ever';
is killed($j->{policies}[1]), '30:1 50:2', '... the second with its argument';
is_deeply $j->{policies}[1]{args}, ['60'], '... which is told';
is_deeply [ $j->{difference}{both}, map { scalar @{ $j->{difference}{$_} } } qw(only_first only_second) ], [ 2, 1, 0 ], '... both kill two';
is $j->{difference}{only_first}[0]{id}, 3, '... the first alone one more';
is_deeply $j->{difference}{by_user}, [ { key => 'app', first => 2, second => 2 }, { key => 'report', first => 1, second => 0 } ], '... by user';
is replay(@two, '-o', 'json', $film)->{out}, $r->{out}, 'the same replay is the same to the byte';
my $alone = replay_json('--policy', $policy, '--arg', '60', '--every', '10s', $film)->{json}{policies}[0];
is $json->encode($alone), $json->encode($j->{policies}[1]), 'each as it is alone';

# --- for people, and for spreadsheets ------------------------------------------------------------------
$r = replay(@two, $film);
like $r->{out}, qr/^2025-12-25T09:30:00Z to 2025-12-25T09:32:00Z \(2 min 0 s\), orders: 25 snapshots, 105 sessions$/m, 'table: what was recorded';
like $r->{out}, qr/\Q$policy\E: every 10 s \(--every\), 13 runs\n  would have killed 3 sessions; 1 of them \(33 %\) would have ended by itself within 10 s\n/, '... a verdict';
like $r->{out}, qr/\Q$policy\E 60: every/, '... the other one by its argument';
like $r->{out}, qr/^the difference\n  both: 2 sessions\n  only \Q$policy\E: 1 session\n    2025-12-25T09:30:40Z  3  report/m, '... and the difference';
$r = replay(@two, '-o', 'csv', $film);
my @lines = split /\r\n/, $r->{out};
is scalar(@lines), 6, 'CSV: a row for each victim of each policy, below a head';
like $lines[0], qr/^policy,at,at_ms,instance,id,user,/, '... the head';
like $lines[3], qr/^\Q$policy\E,2025-12-25T09:30:40Z,1766655040000,orders,3,report,10\.0\.0\.3:4000,shop,Query,"",30,query,over 30 s,10000,true,true,,,0,/, '... a row';
$r = replay(@two, '-o', 'html', '--out', "$dir/page.html", $film);
is $r->{out}, '', '--out: nothing on standard output';
open my $in, '<', "$dir/page.html" or die;
my $page = do { local $/; <$in> };
like $page, qr/^<!doctype html>.*"near_miss_count":1.*<\/html>\s*$/si, '... a page with the report in it';

# --- its interval, limits, windows and freezes come from das.lua ---------------------------------------
sub with_rules {
    my ($rules, @more) = @_;
    my $c = put('rules.lua', "return { $protect, $rules }\n");
    return replay_json({ DAS_CONFIG => $c }, '--policy', $policy, @more, $film)->{json}{policies}[0];
}
$p = with_rules($loose);
is_deeply [ @$p{qw(every_ms every_from runs)} ], [ 10_000, 'default', 13 ], '10 s where nobody says anything';
$p = with_rules(qq{$loose, scripts = { ["old.lua"] = { every = "30s", mode = "observe" } }});
is_deeply [ @$p{qw(every_ms every_from runs)} ], [ 30_000, 'das.lua', 5 ], 'every of the policy in das.lua';
is killed($p), '0:1 30:2', '... and its mode is not asked: a replay asks what it would do';
$p = with_rules(qq{$loose, scripts = { ["old.lua"] = { every = "30s" } }}, '--every', '20s');
is_deeply [ @$p{qw(every_ms every_from)} ], [ 20_000, '--every' ], '--every goes before it';
$p = with_rules('limits = { kill = { percent = 100, run = 0 } }');
is $p->{kills}, 0, 'limits.kill.run = 0 lets nobody die';
is_deeply [ map { "$_->{limit} $_->{sessions}" } @{ $p->{refused_by} } ], ['limits.kill.run 3'], '... and the report says that it was this';
$p = with_rules('limits = { kill = { user = 1, percent = 100 } }, breaker = { respawns = 0, surge = 0 }');
is killed($p), '0:1', 'limits.kill.user counts over the runs of a replay';
is_deeply [ map { "$_->{limit} $_->{sessions}" } @{ $p->{refused_by} } ], ['limits.kill.user 2'], '... and refuses the plans that would go beyond';
$p = with_rules("$loose, freezes = { { from = '2025-12-25', to = '2025-12-26', name = 'feast' } }");
is_deeply [ $p->{kills}, $p->{refused_by}[0]{limit} ], [ 0, 'freeze' ], 'a freeze at the time of the recording';
like $p->{refused_by}[0]{note}, qr/feast/, '... by its name';
$p = with_rules("$loose, windows = { { from = '09:30', to = '09:31' } }");
is killed($p), '0:1 20:2 40:3', 'a window at the time of the recording';
$p = with_rules("$loose, windows = { { from = '22:00', to = '23:00' } }");
is_deeply [ $p->{kills}, $p->{refused_by}[0]{limit} ], [ 0, 'window' ], '... and another one';
is das({ env => \%env }, 'stop', 'maintenance')->{exit}, 0, 'the off switch is on';
is replay_json('--policy', $policy, $film)->{json}{policies}[0]{kills}, 3, '... which a replay does not ask';
das({ env => \%env }, 'resume');
my $bad = put('bad.lua', 'return { scripts = { ["old.lua"] = { every = 0 } } }');
$r = replay({ DAS_CONFIG => $bad }, '--policy', $policy, $film);
is $r->{exit}, 2, 'every = 0 is a mistake in das.lua';
like $r->{err}, qr/scripts\["old\.lua"\]\.every: expected a duration over 0/, '... which is named';

# --- HTTP does not leave the process -------------------------------------------------------------------
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "$!";
my $hook = put('hook.lua', sprintf <<'E', $listener->sockport);
local found = das.preview{ command = "Query", time = 60, info = "orders" }
local answer, why = das.http.post("http://127.0.0.1:%d/told", { n = found.total_count })
assert(answer, why)
assert(answer.status == 200, answer.status)
E
my $granted = put('granted.lua', 'return { scripts = { ["hook.lua"] = { grants = { "preview", "kill", "instance:orders", "http:127.0.0.1" } } } }');
$r = replay_json({ DAS_CONFIG => $granted }, '--policy', $hook, '--every', '60s', $film);
$p = $r->{json}{policies}[0];
is_deeply [ @$p{qw(runs failed_runs requests)} ], [ 3, 0, 3 ], 'HTTP requests are answered and counted' or diag $json->encode($p->{errors});
ok !IO::Select->new($listener)->can_read(0), '... and nobody was connected to';
$r = replay('--policy', $hook, '--every', '60s', '-o', 'json', $film);
is $r->{exit}, 1, 'a policy of which every run failed: exit 1';
$p = $json->decode($r->{out})->{policies}[0];
is_deeply [ $p->{requests}, $p->{failed_runs} ], [ 0, 3 ], '... without a grant nothing would have been sent';
like $p->{errors}[0]{message}, qr/http/, '... as it says';
is $p->{errors}[0]{count}, 3, '... three times';
like $r->{err}, qr/every run of a policy failed/, '... which is said';

# Some runs fail: the replay goes on.
my $moody = put('moody.lua', "if os.time() == $START + 20 then error('not now') end\ndas.preview{ command = 'Query', time = 60 }:plan{ kill = 'query' }:apply()\n");
$p = replay_json('--policy', $moody, '--every', '10s', $film)->{json}{policies}[0];
is_deeply [ $p->{failed_runs}, killed($p) ], [ 1, '30:1 50:2' ], 'a run that fails is counted';
is $p->{errors}[0]{first_ms}, ($START + 20) * 1000, '... with its time';
is replay('--policy', put('crash.lua', 'this is no Lua'), $film)->{exit}, 1, 'a policy that cannot be read';
my $loud = replay('--policy', $policy, '--verbose', '-o', 'json', $film);
like $loud->{err}, qr/select \* from orders/, '--verbose: what it prints, on standard error';
ok $json->decode($loud->{out}), '... standard output stays the report';

# Ctrl-C ends it, also within a run that would not end.
my $endless = put('endless.lua', "print('here I am')\nwhile true do end\n");
my $started = das_start({ env => \%env }, 'replay', '--policy', $endless, '--verbose', $film);
ok wait_for(sub { Das::slurp($started->{err}) =~ /here I am/ }), 'a policy that does not end';
kill 'INT', $started->{pid};
$r = das_finish($started);
is $r->{exit}, 1, '... is interrupted';
is $r->{out}, '', '... without half a report';
like $r->{err}, qr/^das replay: interrupted$/m, '... and says so';

# --- several instances and files -----------------------------------------------------------------------
my $first = film('first.jsonl', 'orders', \@parts, 0, 40);
my $second = film('second.jsonl', 'orders', \@parts, 45, 120);
my $other = film('other.jsonl', 'stock', [ [ 1, 'app', 0, 30, -50, 10, 'select 1 from stock' ] ], 0, 60);
$r = replay_json('--policy', $policy, '--every', '10s', $second, $first);
is killed($r->{json}{policies}[0]), '0:1 20:2 40:3', 'two files of one instance, in any order';
$r = replay_json('--policy', $policy, '--every', '10s', $film, $other);
is_deeply $r->{json}{instances}, [qw(orders stock)], 'two instances';
is killed($r->{json}{policies}[0]), '0:1 0:1 20:2 40:3', '... each with its victims';
$r = replay_json('--policy', $policy, '--every', '10s', '-i', 'sto%', $film, $other);
is_deeply [ $r->{json}{instances}, killed($r->{json}{policies}[0]) ], [ ['stock'], '0:1' ], '-i chooses';
$r = replay_json('--policy', $policy, '--every', '10s', '--from', '2025-12-25T09:30:15Z', '--to', '2025-12-25T09:30:45Z', $film);
is killed($r->{json}{policies}[0]), '15:1 25:2 45:3', '--from and --to: runs begin there';
is $r->{json}{policies}[0]{runs}, 4, '... and end there';

# A gap: nobody knows what was then.
my $old = [ [ 2, 'app', 0, 4000, -10, 20, 'select 2' ] ];
my $before = film('before.jsonl', 'orders', $old, 0, 10);
my $after = film('after.jsonl', 'orders', $old, 3000, 3010);
$p = replay_json('--policy', $policy, '--arg', '1000', '--every', '10s', $before, $after)->{json}{policies}[0];
is killed($p), '3000:2', 'nobody grows old where nothing was recorded';
is_deeply [ @$p{qw(runs skipped_runs)} ], [ 10, 292 ], '... and nothing runs there, but for a minute';

# --- what cannot be replayed ---------------------------------------------------------------------------
sub fails {
    my ($want, $message, @args) = @_;
    my $f = replay(@args);
    is $f->{exit}, $want, "replay @args: exit $want";
    is $f->{out}, '', '... nothing on standard output';
    like $f->{err}, $message, '... a message that helps';
}
my $line = '+----+------+------+------+---------+------+-------+-----------+';
my $table = "$line\n| Id | User | Host | db   | Command | Time | State | Info      |\n$line\n"
    . "|  1 | app  | h:1  | shop | Query   |   90 |       | select 1  |\n$line\n";
my @p = ('--policy', $policy);
fails(1, qr/all 2 lists of recording have the same time.*TS 1766655104/, @p, put('two.txt', $table x 2));
fails(1, qr/stands behind one from 2025-12-25T09:31:44Z: expected them in the order of time/, @p, put('back.txt', "TS 1766655104\n${table}TS 1766655100\n$table"));
fails(1, qr/overlap: both have lists of orders/, @p, $film, $first);
fails(1, qr/: No such file/, @p, "$dir/nothing");
fails(1, qr/expected a das recording/, @p, $policy);
fails(2, qr/expected a file: a recording is read more than once/, @p, '-');
fails(2, qr/no instance of that name/, @p, '-i', 'nobody', $film);
fails(2, qr/nothing was recorded then; the recording goes from 2025-12-25T09:30:00Z/, @p, '--from', '2026-01-01T00:00:00Z', $film);
fails(2, qr/expected --policy SCRIPT/, $film);
fails(2, qr/which recording/, @p);
fails(2, qr/expected one or two/, @p, @p, @p, $film);
fails(2, qr/--arg: expected it behind the --policy/, '--arg', '1', @p, $film);
fails(2, qr/--every: expected a duration over 0/, @p, '--every', '-1s', $film);
fails(2, qr/--wasted: expected a duration/, @p, '--wasted', 'soon', $film);
fails(2, qr/--from: expected a time such as/, @p, '--from', 'monday', $film);
fails(2, qr/expected table, json, csv or html, got "xml"/, @p, '-o', 'xml', $film);
fails(2, qr/nix\.lua cannot be read/, '--policy', 'nix.lua', $film);
fails(2, qr/did you mean --every/, @p, '--evry', '1s', $film);
$r = replay_json(@p, put('one.txt', "TS 1766655104\n$table"));
is $r->{exit}, 0, 'a single snapshot is one run';
is_deeply [ $r->{json}{policies}[0]{runs}, killed($r->{json}{policies}[0]) ], [ 1, '104:1' ], '... with its victim';
like $r->{json}{notes}[0], qr/there is one snapshot: one run/, '... and a note on what that is worth';
$r = replay_json(@p, put('cut.jsonl', do { open my $f, '<', $film; local $/; substr(<$f>, 0, -50) }));
like $r->{json}{notes}[0], qr/cut\.jsonl: the last snapshot is half-written/, 'a recording whose end is missing says so';

# --- das run --record, das replay --run: the other replay ---------------------------------------------
my $tape = "$dir/run.tape";
das({ env => \%env }, 'run', '-i', 'mem:' . getcwd() . '/tests/samples/recording.jsonl', '--record', $tape, $policy);
$r = replay('--run', $tape);
is $r->{exit}, 0, 'a recorded run decides the same' or diag $r->{out}, $r->{err};
like $r->{out}, qr/^equal: \d+ decisions?, the same to the byte/, '... to the byte';
put('old.lua', "das.preview{ command = 'Query', time = 1 }\n");
$r = replay('--run', $tape);
is $r->{exit}, 1, '... and another policy does not';
fails(2, qr/--run: expected no more than/, '--run', $tape, '--every', '1s');

done_testing();
