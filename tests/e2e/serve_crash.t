#!/usr/bin/perl
# serve_crash.t - das serve dies, as in a power cut, again and again while its tasks kill on a real server.
# Afterwards every kill that the server saw has its intent, everybody who died is in the history once and with the
# right task, nobody else died, and tasks go on or are over as they would have been.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use JSON::PP;
use Time::HiRes qw(sleep time);
use Das qw(das wait_for);
use Herd;
use KillCheck;
use MariaDB;
use Serve;

plan skip_all => MariaDB::missing() if MariaDB::missing();
my $slow = ($ENV{BUILD} || '') =~ /san-/;
my ($rounds, $crowd) = $slow ? (4, 24) : (10, 60);

my $db = MariaDB->new(args => [ '--general-log=1', '--general-log-file=general.log' ]);
$db->sql(<<'SQL');
CREATE USER app@localhost; CREATE USER batch@localhost; CREATE USER keep@localhost;
CREATE USER das@localhost; GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost;
SQL
my $herd = Herd->new($db->{socket});
my (%user, %dead);
sub crowd {
    my ($n) = @_;
    my @who = map { ('app', 'app', 'batch', 'keep')[ $_ % 4 ] } 1 .. $n;
    my @ids = $herd->add_all(map { [ $_, '', 'SELECT SLEEP(100000)' ] } @who);
    @user{@ids} = @who;
    return;
}
crowd($crowd);

my $s = Serve->new(
    instances => { db => "mysql://das\@localhost/?socket=$db->{socket}" },
    serve => 'mode = "auto", every = "1s", outcome_wait = "2s"',
    limits => 'kill = { run = 6, minute = 100000, instance = 100000, user = 100000, percent = 100 }',
);
my $flow = sub { $s->flow('db', $_[0]) };
my $create = sub { my $r = $s->ask(PUT => $flow->('add-kill-process-task'), { command => 'Query', time => 1, task_duration => 3600, task_type => 'auto', @_ });
    is($r->{status}, 200, 'a task') or diag($r->{content}) };
my $tasks = sub { my $r = $s->ask(GET => $flow->('query-kill-process-task')); my %t = map { $_->{user} => $_ } @{ $r->{json}{sql_killing_task_resp_list} }; return \%t };
my $history = sub {
    my @all;
    for (my $page = 1; ; $page++) {
        my $r = $s->ask(GET => $flow->('query-kill-process-history'), undef, query => [ [ end_time => int(time * 1000) + 60_000 ], [ page_num => $page ], [ page_size => 50 ], [ start_time => 0 ] ]);
        is($r->{status}, 200, 'history') or diag($r->{content}) if $r->{status} != 200;
        push @all, @{ $r->{json}{killed_sessions} };
        return @all if @all >= $r->{json}{total_count} || !@{ $r->{json}{killed_sessions} };
    }
};

is($s->ask(POST => $flow->('set-kill-process-task-switch'), { status => 'on' })->{status}, 200, 'switch on');
$create->(user => 'app');
$create->(user => 'batch', task_type => 'manual');
$create->(user => 'nobody', task_duration => 10);
my $before = $tasks->();

for my $round (1 .. $rounds) {
    sleep 0.3 + rand 1.2;
    is($s->crash->{exit}, 'signal 9', "crash $round");
    is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
    crowd(int($crowd / 6));
    $s->start;
}
sleep 0.1 until time > $before->{nobody}{end_time} / 1000 + 1;
$s->crash;
sleep 1;
$s->start;
my $after = $tasks->();
is($after->{app}{task_state}, 1, 'the task goes on');
is($after->{app}{end_time}, $before->{app}{end_time}, 'until its old end');
is($after->{batch}{task_state}, 1, 'the manual one, too');
is($after->{nobody}{task_state}, 2, 'the one whose time passed meanwhile is over');
is($after->{nobody}{end_time}, $before->{nobody}{end_time}, 'at its own end');

# everybody of app and batch has to die in the end
my $left = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER IN ('app', 'batch')";
ok(wait_for(sub { $db->sql($left) == 0 }, 120), 'and they end what they have to') or diag($s->log);
is($db->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'keep'"), scalar(grep { $_ eq 'keep' } values %user), 'and nobody else');

my %killed;
for (KillCheck::read_general_log("$db->{dir}/data/general.log")->{kills}->@*) { $killed{ $_->{id} // '?' }++ }
ok(wait_for(sub { my %h = map { $_->{session_id} => 1 } $history->(); !grep { !$h{$_} } keys %killed }, 20), 'everybody that the server was told to kill is in the history');
my (%row, %intent);
$row{ $_->{session_id} }++ for my @history = $history->();
for (split /\n/, das($s->opt, 'audit', 'export')->{out}) {
    my $r = decode_json($_);
    $intent{ $r->{id} }++ if $r->{kind} eq 'intent' && $r->{id};
}
is_deeply([ grep { $killed{$_} > 1 } sort keys %killed ], [], 'nobody was killed twice');
is_deeply([ grep { !$intent{$_} } sort keys %killed ], [], 'no kill without its intent');
is_deeply([ grep { $row{$_} > 1 } sort keys %row ], [], 'nobody is in the history twice');
is_deeply([ grep { ($user{ $_->{session_id} } // '') ne $_->{user} } @history ], [], 'each is who it was');
is_deeply([ grep { ($_->{task_id} // 0) != $after->{ $_->{user} }{task_id} } @history ], [], 'and has the task that asked for it');
is_deeply([ grep { $_->{killed_source} !~ /^task(, outcome unknown)?$/ } @history ], [], 'and its source');
my $unknown = grep { $_->{killed_source} =~ /unknown/ } @history;
note(scalar(@history) . " killed, $unknown of them of unknown outcome, in " . ($rounds + 1) . ' crashes');
cmp_ok(scalar(@history), '>', $crowd / 2, 'it was about something');
is($s->stop->{exit}, 0, 'it ends in order');
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');
done_testing();
