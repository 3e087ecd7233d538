#!/usr/bin/perl
# run.pl - measures das beside something else in the same minute and prints ratios (make bench).
# A bound that is missed is said, and makes the exit code 1.
use strict;
use warnings;
use File::Temp qw(tempdir);
use MariaDB;
use Herd;

my $das = $ENV{DAS} or die "run me with make bench\n";
my $build = $ENV{BUILD} || 'build';
my $bench = "$build/tests/bench";
my $dir = tempdir(CLEANUP => 1);
my $missed = 0;
my %only = map { $_ => 1 } @ARGV;    # list, start, live, rows, http, runs, journal, sign; none: all

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

for my $part ([ list => \&bench_list ], [ start => \&bench_start ], [ live => \&bench_live ], [ rows => \&bench_rows ], [ http => \&bench_http ], [ runs => \&bench_runs ], [ journal => \&bench_journal ], [ sign => \&bench_sign ]) {
    $part->[1]->() if !%only || $only{ $part->[0] };
}
exit $missed;
