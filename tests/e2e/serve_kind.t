#!/usr/bin/perl
# serve_kind.t - a hundred clients preview one real instance: it is asked for its list a few times a second, whatever they do.
# Counted in the server's own log; a list is good for 250 ms, so the bound is the time that went by, however long that was.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use POSIX ();
use Time::HiRes qw(sleep time);
use Das qw(wait_for);
use MariaDB;
use Serve;

plan skip_all => MariaDB::missing() if MariaDB::missing();
my ($processes, $each, $rounds) = (10, 10, ($ENV{BUILD} || '') =~ /san-/ ? 5 : 20);

my $db = MariaDB->new(args => [ '--general-log=1', '--general-log-file=general.log' ]);
$db->sql('CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost');
my $s = Serve->new(instances => { db => "mysql://das\@localhost/?socket=$db->{socket}", mem => 'mem:tests/samples/recording.jsonl' },
    serve => 'mode = "auto", every = "1s"');
my $path = $s->flow('db', 'preview-session-for-kill-process-task');
sub lists { open my $in, '<', "$db->{dir}/data/general.log" or die; return scalar grep { /\tSELECT .*\bPROCESSLIST\b/i } <$in> }
is($s->ask(POST => $path, { time => 0 })->{status}, 200, 'it answers');
my $before = lists();
cmp_ok($before, '>', 0, 'and the log shows that it was asked');

my $began = time;
my @pids;
for my $n (1 .. $processes) {
    my $pid = fork // die;
    if (!$pid) {
        my @clients = map { bless { %$s, http => undef, nonce => $n * 1_000_000 + $_ * 10_000 }, 'Serve' } 1 .. $each;
        my $bad = 0;
        for my $round (1 .. $rounds) {
            for my $c (@clients) {
                # each with criteria of its own
                $bad++ if $c->ask(POST => $path, { time => $round % 3, user => $round % 2 ? 'das' : '' }, headers => [ [ 'X-Client' => $c->{nonce} ] ], date => undef)->{status} != 200;
            }
        }
        POSIX::_exit($bad ? 1 : 0);
    }
    push @pids, $pid;
}
my $good = 0;
for (@pids) { waitpid $_, 0; $good++ if !$? }
my $seconds = time - $began;
my $lists = lists() - $before;
my $answers = $processes * $each * $rounds;
is($good, $processes, "$answers previews of a hundred clients are answered");
cmp_ok($lists, '<=', $seconds / 0.25 + 2, 'the database was listed no more often than every 250 ms');
cmp_ok($lists, '>', 0, 'and not never');
note(sprintf '%d previews, %d lists in %.1f s', $answers, $lists, $seconds);
# --- a server that hangs holds up nobody else ---------------------------------------------------------
my $other = $s->flow('mem', 'preview-session-for-kill-process-task');
my $count = sub { $s->ask(POST => $other, { user => 'report' })->{json}{total_count} };
$s->id('mem');
kill 'STOP', $db->{pid};
sleep 0.3;    # then the last list is too old to be shared
my $pid = fork // die;
if (!$pid) {
    $s->{http} = undef;
    $s->{nonce} = 99_000_000;
    my $r = $s->ask(POST => $path, { time => 0 });
    diag("after the hanging server: $r->{status} $r->{content}") if $r->{status} != 200;
    POSIX::_exit($r->{status} == 200 ? 0 : 1);
}
my $at_first = $count->();
cmp_ok($at_first, '>', 0, 'while one server hangs, another instance is previewed');
is($s->ask(POST => $s->flow('mem', 'set-kill-process-task-switch'), { status => 'on' })->{status}, 200, 'its switch is turned');
is($s->ask(PUT => $s->flow('mem', 'add-kill-process-task'), { user => 'report', time => 1, task_duration => 600, task_type => 'auto' })->{status}, 200, 'a task is created');
ok(wait_for(sub { $count->() < $at_first }, 20), 'and kills') or diag($s->log);
is(waitpid($pid, POSIX::WNOHANG()), 0, 'whoever asked the hanging one waits');
kill 'CONT', $db->{pid};
waitpid $pid, 0;
is($?, 0, 'and is answered when it goes on');
is($s->stop->{exit}, 0, 'ends in order');
done_testing();
