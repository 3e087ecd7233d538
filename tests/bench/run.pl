#!/usr/bin/perl
# run.pl - measures das beside something else in the same minute and prints ratios (make bench).
# A bound that is missed is said, and makes the exit code 1.
use strict;
use warnings;
use File::Temp qw(tempdir);
use IPC::Open2;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);
use MariaDB;
use Herd;

my $das = $ENV{DAS} or die "run me with make bench\n";
my $build = $ENV{BUILD} || 'build';
my $bench = "$build/tests/bench";
my $dir = tempdir(CLEANUP => 1);
my $missed = 0;
my %only = map { $_ => 1 } @ARGV;    # list, start, ..., kill, record (see below); none: all

sub pair {
    my ($n, $a, $b) = @_;
    my $out = readpipe(join ' ', "$bench/pair", $n, $a, '--vs', $b);
    die "pair failed: $a / $b\n" if $? || $out !~ /\S/;
    my %f;
    @f{qw(wall cpu ms_a ms_b rss_a rss_b)} = split ' ', $out;
    return %f;
}

sub say_bound {
    my ($what, $got, $bound, $text) = @_;
    my $good = $got <= $bound;
    $missed ||= !$good;
    printf "  %-6s %s: %s\n", $good ? 'ok' : 'MISSED', $what, $text;
}

sub bench_list {
    system("perl tests/bench/list.pl 100000 >$dir/list.txt") == 0 or die;
    printf "A vertical list of 100,000 sessions, %.0f MB\n", (-s "$dir/list.txt") / 1e6;
    my %f = pair(7, "$das preview -i file:$dir/list.txt --command Query --time 25 -o json",
        "pt-kill --test-matching $dir/list.txt --busy-time 25 --print");
    say_bound('das preview against pt-kill, time', $f{wall}, 1 / 40,
        sprintf '%.0f times faster (%.0f ms, %.0f ms); at least 40', 1 / $f{wall}, $f{ms_a}, $f{ms_b});
    say_bound('das preview against pt-kill, memory', $f{rss_a} / $f{rss_b}, 1 / 4,
        sprintf '%.2f of it (%d KB, %d KB); at most 0.25', $f{rss_a} / $f{rss_b}, $f{rss_a}, $f{rss_b});
}

sub bench_start {
    print "Start to finish\n";
    open my $out, '>', "$dir/empty.lua" or die;
    close $out;
    my %f = pair(101, "$das run $dir/empty.lua", "$bench/empty");
    say_bound('das run of an empty script against an empty program with the same libraries', $f{wall}, 1.4,
        sprintf '%.2f times (%.2f ms, %.2f ms); at most 1.4', $f{wall}, $f{ms_a}, $f{ms_b});
    %f = pair(15, "$das run $dir/empty.lua", 'pt-kill --version');
    say_bound('das run of an empty script against pt-kill --version', $f{wall}, 1 / 5,
        sprintf '%.0f times faster (%.2f ms, %.1f ms); at least 5', 1 / $f{wall}, $f{ms_a}, $f{ms_b});
}

sub bench_live {
    my $count = 5000;
    my $db = MariaDB->new(args => ['--max-connections=6000', '--thread-handling=pool-of-threads',
            '--open-files-limit=20000', '--thread-pool-max-threads=200']);
    $db->sql('CREATE USER busy; CREATE USER idle; CREATE DATABASE shop; GRANT ALL ON shop.* TO busy; GRANT ALL ON shop.* TO idle');
    my $herd = Herd->new($db->{socket});
    my @ids = $herd->add_all(map { [ $_ % 50 ? 'idle' : 'busy', 'shop', '' ] } 1 .. $count);
    die "the herd did not connect: $herd->{error}\n" if grep { !defined } @ids;
    print "$count connections to MariaDB, a filter that matches 100, 40 looks\n";
    my $uri = "'mysql://root\@localhost/?socket=$db->{socket}'";
    for my $pushdown ('true', 'false') {
        open my $out, '>', "$dir/live.lua" or die;
        print $out "for _ = 1, 40 do\n  local f = assert(das.preview({ user = 'busy' }, { pushdown = $pushdown }))\n  assert(#f == 100, #f)\nend\n";
        close $out;
        my %f = pair(7, "$das run -i $uri $dir/live.lua", "$bench/bare $db->{socket} 40");
        say_bound("das run against the bare client library, " . ($pushdown eq 'true' ? 'filter pushed down' : 'all sessions fetched'),
            $f{wall}, 1.3, sprintf '%.2f times (%.1f ms, %.1f ms a look); at most 1.3', $f{wall}, $f{ms_a} / 40, $f{ms_b} / 40);
    }
}

sub bench_rows {
    print "Cost of a session in memory, three keywords, against grep -ci of one over the same bytes\n";
    open my $in, '-|', "$bench/rows" or die;
    my ($flat, $grep) = (1, 0);
    while (<$in>) {
        my ($n, $ns, $ratio, $by_grep) = split;
        printf "         %8d sessions: %.0f ns each, %.2f of the cost at 1,000, %.2f of grep\n", $n, $ns, $ratio, $by_grep;
        $flat = $ratio if abs($ratio - 1) > abs($flat - 1);
        $grep = $by_grep if $n == 1000000;
    }
    close $in or die "rows failed\n";
    say_bound('flat', abs($flat - 1), 0.25, sprintf 'furthest from 1: %.2f; within 0.25', $flat);
    say_bound('against grep at 1,000,000', $grep, 3, sprintf '%.2f times; at most 3', $grep);
}

sub bench_runs {
    print "Runs of a script\n";
    open my $in, '-|', "$bench/runs" or die;
    while (<$in>) {
        my @f = split;
        if ($f[0] eq 'empty') {
            say_bound('fixed cost of a run (thread, state, prelude, empty script)', $f[1], 300,
                sprintf '%.0f microseconds (an empty thread: %.0f); at most 300', $f[1], $f[2]);
            say_bound('memory of its state', $f[3] / 1024, 150, sprintf '%.0f KB; at most 150', $f[3] / 1024);
        }
        elsif ($f[0] eq 'hook') {
            printf "         a tight loop under the limits' hook: %.2f times without\n", $f[1];
        }
        elsif ($f[0] eq 'flight') {
            say_bound("$f[1] runs in flight", $f[3], 300, sprintf '%d MB resident, %d KB each; at most 300 MB', $f[3], $f[2]);
        }
    }
    close $in or die "runs failed\n";
}

sub bench_http {
    print "64 scripts at once, 500 requests each, to a server on this machine, against bare libcurl\n";
    my ($das, $bare, $ratio) = split ' ', `$bench/http 9`;
    die "http failed\n" if $? || !$ratio;
    say_bound('das.http against bare libcurl, requests a second', 1 / $ratio, 1 / 0.7,
        sprintf '%.2f of it (%d, %d); at least 0.70', $ratio, $das, $bare);
}

sub bench_journal {
    print "The journal\n";
    my ($ours, $bare, $ratio) = split ' ', `$bench/journal rate $dir/rate 2000`;
    die "journal failed\n" if $? || !$ratio;
    say_bound('records a second, a commit each, against bare write and fdatasync', 1 / $ratio, 2,
        sprintf '%.2f of it (%d, %d); at least 0.50', $ratio, $ours, $bare);
    system("$bench/journal fill $dir/million 1000000 && $das audit export --state $dir/million >$dir/lines 2>$dir/head") == 0 or die;
    my %f = pair(5, "$das audit verify --state $dir/million", "sha256sum $dir/lines");
    say_bound('das audit verify of 1,000,000 records', $f{ms_a}, 5000,
        sprintf '%.2f s, %d MB resident; under 5 (sha256sum of the same %.0f MB: %.2f s, %.2f times)',
        $f{ms_a} / 1000, $f{rss_a} / 1024, (-s "$dir/lines") / 1e6, $f{ms_b} / 1000, $f{wall});
}

sub median { my @v = sort { $a <=> $b } @_; return $v[ @v / 2 ] }

# Seconds from the start of a program until the last of the victims has seen its statement end.
sub until_dead {
    my ($victims, @command) = @_;
    print { $victims->{in} } "go\n";
    die "no victims\n" if readline($victims->{out}) ne "ready\n";
    sleep 1.2;    # they are a second old: what pt-kill can ask for
    my $start = clock_gettime(CLOCK_MONOTONIC);
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>', "$dir/kill.out";
        open STDERR, '>', "$dir/kill.err";
        exec @command or exit 127;
    }
    my $end = readline($victims->{out}) / 1e6;
    kill 'TERM', $pid if $command[0] eq 'pt-kill';    # it has no "once"
    waitpid $pid, 0;
    return $end - $start;
}

sub bench_kill {
    my ($sessions, $n) = (1000, 50);
    my $db = MariaDB->new(args => ['--max-connections=1200', '--thread-handling=pool-of-threads',
            '--open-files-limit=20000', '--thread-pool-max-threads=300']);
    $db->sql('CREATE USER app@localhost; CREATE USER idle@localhost; CREATE USER gate@localhost');
    my $herd = Herd->new($db->{socket});
    my @ids = $herd->add_all(map { [ 'idle', '', '' ] } 1 .. $sessions - $n);
    die "the herd did not connect: $herd->{error}\n" if grep { !defined } @ids;
    my %victims;
    $victims{pid} = open2(@victims{qw(out in)}, "$bench/kills", 'victims', $db->{socket}, $n);
    print "$n statements killed among $sessions sessions\n";

    open my $out, '>', "$dir/kill.lua" or die;
    print $out <<'LUA';
local plan = assert(das.preview{ user = "app", command = "Query" }):plan{ kill = "query", reason = "bench" }
local start = das.time.monotonic()
local report = assert(plan:apply())
print(report.killed, (das.time.monotonic() - start) * 1000)
LUA
    close $out;
    my (%whole, %apply, @bare);
    for my $ramp ('true', 'false') {
        open my $conf, '>', "$dir/kill-$ramp.lua.conf" or die;
        print $conf "return { state = '$dir/kill-$ramp', ramp = $ramp, breaker = { respawns = 0, surge = 0 },\n"
            . "limits = { kill = { run = $n, minute = 1000000, instance = 1000000, user = 1000000, percent = 100 } },\n"
            . "scripts = { ['kill.lua'] = { mode = 'auto' } } }\n";
        close $conf;
    }
    for my $round (0 .. 7) {    # the first one does not count
        for my $ramp ('true', 'false') {
            my $s = until_dead(\%victims, $das, 'run', '--apply', '--config', "$dir/kill-$ramp.lua.conf", '-i',
                "mysql://root\@localhost/?socket=$db->{socket}", "$dir/kill.lua");
            my ($killed, $ms) = split ' ', `cat $dir/kill.out`;
            die "das killed too few: ", `cat $dir/kill.out $dir/kill.err` if ($killed // 0) != $n;
            push @{ $whole{$ramp} }, $s if $round;
            push @{ $apply{$ramp} }, $ms if $round;
        }
        my $s = until_dead(\%victims, "$bench/kills", 'bare', $db->{socket});
        push @{ $whole{bare} }, $s if $round;
        push @bare, (split ' ', `cat $dir/kill.out`)[1] / 1000 if $round;
        # looks at once, then every second
        $s = until_dead(\%victims, 'pt-kill', '--no-version-check', '--socket', $db->{socket}, '--user', 'root', '--password', '',
            '--kill-query', '--victims', 'all', '--match-user', 'app', '--busy-time', 1, '--interval', 1);
        push @{ $whole{pt} }, $s if $round;
    }
    close $victims{in};
    waitpid $victims{pid}, 0;
    my $bare = median(@bare);
    my %ms = map { ($_ => 1000 * median(@{ $whole{$_} })) } keys %whole;
    for my $ramp ('false', 'true') {
        my $ms = median(@{ $apply{$ramp} });
        printf "         a verified, journalled kill, %s: %.2f ms each, %.0f times a bare KILL (%.3f ms)\n",
            $ramp eq 'true' ? 'step by step (1, 2, 4, ...)' : 'all at once', $ms / $n, $ms / $bare, $bare / $n;
        say_bound('das run against pt-kill, from the start to the last one dead, ' . ($ramp eq 'true' ? 'step by step' : 'all at once'),
            $ms{$ramp} / $ms{pt}, 1, sprintf '%.1f times faster (%.0f ms, %.0f ms; the bare client %.0f ms); at least 1',
            $ms{pt} / $ms{$ramp}, $ms{$ramp}, $ms{pt}, $ms{bare});
    }
}

sub bench_sign {
    print "Signatures of a preview request, one core, against bare SHA-256 and HMAC over as many bytes\n";
    open my $in, '-|', "$bench/sign" or die;
    while (<$in>) {
        my ($name, $ours, $bare, $ratio) = split;
        say_bound("$name-HMAC-SHA256, signatures a second", 200_000 / $ours, 1, sprintf '%d; at least 200,000', $ours);
        say_bound("$name-HMAC-SHA256 against bare", $ratio, 3, sprintf '%.2f times (%.2f, %.2f microseconds); at most 3', $ratio, 1e6 / $ours, 1e6 / $bare);
    }
    close $in or die "sign failed\n";
}

sub bench_cloud {
    print "Previews of the DAS API, 64 connections on this machine\n";
    my ($das, $bare, $ratio) = split ' ', `$bench/cloud 9`;
    die "cloud failed\n" if $? || !$ratio;
    say_bound('typed, signed previews against bare libcurl, a second', 1 / $ratio, 1 / 0.7,
        sprintf '%.2f of it (%d, %d); at least 0.70', $ratio, $das, $bare);
    my ($before, $after) = split ' ', `$bench/cloud memory 100000`;
    die "cloud memory failed\n" if $? || !$after;
    say_bound('memory after 100,000 calls against after 10,000', $after / $before, 1.02,
        sprintf '%.3f times (%d KB, %d KB); at most 1.02', $after / $before, $before, $after);
}

sub bench_record {
    print "Recording an hour of 1,000 busy sessions, a look a second, on a clock of its own\n";
    my %f = map { my ($name, @f) = split; $name => \@f } split /\n/, `$bench/record $dir/hour.das`;
    die "record failed\n" if $? || !$f{json};
    my ($bytes, $rows, $spent) = @{ $f{write} };
    say_bound('size', $bytes / 1e6, 60, sprintf '%.1f MB, %.1f bytes a session and look; at most 60 MB', $bytes / 1e6, $bytes / $rows);
    say_bound('processor time of the recorder', $spent / 3600 * 100, 2, sprintf '%.2f %% of a core (%.0f ns a session and look); at most 2 %%',
        $spent / 36, $spent * 1e9 / $rows);
    my ($packed, $plain, $ours) = @{ $f{json} };
    say_bound('against the JSON lines through zstd -3', $ours / $packed, 0.5,
        sprintf '%.1f times smaller (%.1f times smaller than the lines themselves); at least 2', $packed / $ours, $plain / $ours);
    for my $how ('read', 'filter') {
        my ($read, $cpu) = @{ $f{$how} };
        say_bound($how eq 'read' ? 'reading, sessions a second' : 'reading through a filter that keeps few', $cpu * 5e6 / $rows, 1,
            sprintf '%.1f million; at least 5', $rows / $cpu / 1e6);
    }
}

sub bench_replay {
    my ($snapshots, $sessions) = (2000, 1000);
    my $rows = $snapshots * $sessions;
    system("$bench/replay make $dir/busy.das $snapshots $sessions") == 0 or die "replay make failed\n";
    system("perl tests/bench/list.pl 100000 >$dir/list.txt") == 0 or die;
    open my $out, '>', "$dir/filter.lua" or die;
    print $out "local slow = das.preview{ command = 'Query', time = 60, info = 'select~from' }\n"
      . "if slow.total_count > 0 then slow:oldest(3):plan{ kill = 'query' }:apply() end\n";
    close $out;
    printf "A policy over %d snapshots of %d busy sessions, at each of them; %.1f MB\n", $snapshots, $sessions, (-s "$dir/busy.das") / 1e6;
    my %f = pair(5, "$das replay --policy $dir/filter.lua --every 1s $dir/busy.das", "$bench/replay read $dir/busy.das");
    say_bound('das replay, sessions a second and policy', 1e6 / ($rows / $f{ms_a} * 1000), 1,
        sprintf '%.1f million; at least 1 (merely reading them: %.1f million)', $rows / $f{ms_a} / 1000, $rows / $f{ms_b} / 1000);
    my %two = pair(3, "$das replay --policy $dir/filter.lua --policy $dir/filter.lua --every 1s $dir/busy.das", "pt-kill --test-matching $dir/list.txt --busy-time 25 --print");
    say_bound('das replay of two policies against pt-kill over as many sessions', ($two{ms_a} / $rows / 2) / ($two{ms_b} / 100000), 1 / 40,
        sprintf '%.0f times faster (%.2f, %.2f microseconds a session); at least 40', ($two{ms_b} / 100000) / ($two{ms_a} / $rows / 2), $two{ms_a} * 1000 / $rows / 2, $two{ms_b} * 1000 / 100000);
}

my @parts = ([ list => \&bench_list ], [ start => \&bench_start ], [ live => \&bench_live ], [ rows => \&bench_rows ],
    [ http => \&bench_http ], [ runs => \&bench_runs ], [ journal => \&bench_journal ], [ kill => \&bench_kill ],
    [ record => \&bench_record ], [ replay => \&bench_replay ], [ sign => \&bench_sign ], [ cloud => \&bench_cloud ],
    [ serve => sub { require './tests/bench/serving.pl'; bench_serve(\&say_bound, $build) } ]);
for my $part (@parts) {
    $part->[1]->() if !%only || $only{ $part->[0] };
}
exit $missed;
