#!/usr/bin/perl
# Would the stress test notice? The same fire, shorter, on das without one of its safeguards: each
# time the checker has to find what went wrong, and to say why.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Herd;
use MariaDB;
use Torture;

plan skip_all => MariaDB::missing() if MariaDB::missing();
my $build = $ENV{BUILD} || 'build';

sub variant { my ($what) = @_; return "$build/das-without-$what" }

sub finds {
    my ($r, $kind, $text, $name) = @_;
    my @found = KillCheck::of_kind($r, $kind);
    ok(scalar(grep { /$text/ } @found), $name) or diag "of kind $kind: ", explain(\@found);
    note "$kind: $_" for grep { defined } @found[0 .. 2];
}

# --- without the comparison of each victim with the fresh list --------------------------------------
# By the time that a plan is applied most of its victims run something else.
{
    my $t = Torture->new(clients => 60, seed => 2, das => variant('recheck'), jobs => ['two steps'],
        looks => [ [ 'query', '{ user = USER, command = "Query" }', 'newest' ], [ 'auto', '{ user = USER }', 'newest' ] ]);
    $t->run(kills => 150, seconds => 20, runners => 2, murder => 0);
    my $r = $t->verdict;
    finds($r, 'wrong kill', qr/^server [AB] thread \d+ was running c\d+ n\d+, the plan said c\d+ n\d+$/,
        'without the look at each victim: another statement died than the plan said');
    finds($r, 'not the plan', qr/: server [AB] thread \d+ running .*, the plan said server [AB] thread \d+ /,
        'and the journal says who was meant and who was killed');
}

# --- without the lock around counting and reserving --------------------------------------------------
# Plans for different victims, of which the limit allows one. All wait for a proxy that sleeps, so
# that they go on at the same moment; again until two have counted at once.
{
    my $t = Torture->new(clients => 100, seed => 3, limits => { run => 12, instance => 12, window_ms => 1000 });
    $t->start_clients;
    my @plans = map { "$t->{dir}/plan.$_" } 1 .. 4;
    for (1 .. 20) {
        unlink @plans;
        $t->one($_, 'plan', 'run', '--config', $t->{config}, '-i', 'P', '--plan-out', "$t->{dir}/plan.$_",
            $t->{policies}[0], 'query', 12, 'oldest', "user=app$_", 'command=Query') for 1 .. 4;
        system "cat @plans >>$t->{dir}/runner.1.out";
        sleep 0.6;
        local $t->{das} = variant('limit-lock');
        kill 'STOP', $t->{proxy}{pid};
        my @das = map {
            my $n = $_;
            my $pid = fork // die "fork: $!\n";
            if (!$pid) {
                $t->one($n, 'apply', 'apply', '--config', $t->{config}, "$t->{dir}/plan.$n");
                POSIX::_exit(0);
            }
            $pid;
        } 1 .. 4;
        sleep 0.5;
        kill 'CONT', $t->{proxy}{pid};
        waitpid $_, 0 for @das;
        my $so_far = KillCheck::check(servers => {}, journal => $t->export, limits => $t->{limits});
        last if KillCheck::of_kind($so_far, 'limit');
    }
    my $r = $t->verdict;
    finds($r, 'limit', qr/^instance P had \d+ kills within 1000 ms \(up to record \d+\), at most 12$/,
        'without the lock: more kills within the window than the limit');
    is_deeply([ KillCheck::of_kind($r, 'wrong kill') ], [], 'and nothing else is wrong with them');
}

# --- without the question which server it is ----------------------------------------------------------
# Burns connections and statements until the next ones have the same numbers on both servers.
sub level {
    my ($t, $herd) = @_;
    my $sql = 'SELECT CONNECTION_ID(), QUERY_ID FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()';
    for (1 .. 20) {
        my ($a, $b) = map { [ split /\t/, $t->{$_}->sql($sql) ] } qw(A B);
        my ($connections, $queries) = ($b->[0] - $a->[0], $b->[1] - $a->[1]);
        return if !$connections && !$queries;
        if ($connections) { $herd->{ $connections > 0 ? 'A' : 'B' }->add('keep', '', '') for 1 .. abs $connections }
        else { $herd->{ $queries > 0 ? 'A' : 'B' }->say(1, 'DO 0') for 1 .. abs $queries }
    }
}

# Twins: on both servers a session with the same id, user, host, statement and query id.
{
    my $t = Torture->new(limits => { run => 10, instance => 10, window_ms => 1000 });
    my %herd = map { ($_ => Herd->new($t->{$_}{socket})) } qw(A B);
    $_->add('keep', 'shop', 'SELECT GET_LOCK("g", 0)') for values %herd;
    level($t, \%herd);
    my $start = time;
    my %id = map { ($_ => $herd{$_}->add('app1', 'shop', 'SELECT GET_LOCK("g", 600) /* c1 n1 */')) } qw(A B);
    my %seen;
    for (1 .. 100) {
        %seen = map { ($_ => $t->{$_}->sql("SELECT ID, USER, HOST, INFO, QUERY_ID FROM information_schema.PROCESSLIST WHERE ID = $id{A}")) } qw(A B);
        last if $seen{A} =~ /GET_LOCK/ && $seen{B} =~ /GET_LOCK/;
        sleep 0.02;
    }
    like($seen{A}, qr/^$id{A}\tapp1\tlocalhost\tSELECT GET_LOCK/, 'a session');
    is($seen{B}, $seen{A}, 'and its twin on another server, to the query id');

    my $file = "$t->{dir}/plan.1";
    my $made = $t->tell('run', '-i', 'P', '--plan-out', $file, $t->{policies}[0], 'query', 5, 'oldest', 'user=app1');
    system "cat $file >$t->{dir}/runner.1.out";
    $t->swap_proxy;
    my $no = $t->tell('apply', $file);
    is($no->{exit}, 5, 'the plan for one is refused by the other') or diag explain $made, $no;
    like($no->{out}, qr/another server/, 'because it is another server');
    is($t->{B}->sql("SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = $id{B}"), 'SELECT GET_LOCK("g", 600) /* c1 n1 */',
        'and the twin lives');

    local $ENV{DAS} = variant('identity');
    my $yes = $t->tell('apply', $file);
    my $said = $herd{B}->say($herd{B}{count}, '');
    is($yes->{exit}, 0, 'without the question the plan is carried out') or diag explain $yes;
    # what churn.c would have written
    my $log = $t->write_file('clients.B', join("\t", int($start * 1e6), int(time * 1e6), $id{B}, 'app1', 'long', 'c1 n1', 0, 'interrupted') . "\n");
    my $dead = $t->{B}->sql("SELECT COALESCE(INFO, 'idle') FROM information_schema.PROCESSLIST WHERE ID = $id{B}");
    is($dead, 'idle', "the twin's statement is dead ($said)");
    $t->{churn} = { A => { log => $t->write_file('clients.A', '') }, B => { log => $log } };
    my $r = $t->verdict;
    finds($r, 'wrong kill', qr/^server B thread $id{B} was running c1 n1, the plan was made for server A$/,
        'and the checker says that it was the wrong server');
    finds($r, 'no intent', qr/^server B: KILL QUERY ID \d+ has no intent$/, 'and that nobody meant to kill there');
}

done_testing;
