#!/usr/bin/perl
# serve_guard.t - what hinders a kill task: nobody dies, the log says it once and not in every round, the metrics
# count each round as blocked and none as failed, and the journal does not grow.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use JSON::PP;
use Das qw(das wait_for);
use Serve;

my $dir = File::Temp::tempdir(CLEANUP => 1);
open my $out, '>', "$dir/list.json" or die;
print $out encode_json({ total_count => 40, processes => [ map { { id => $_, user => 'app' . $_ % 2, host => '10.0.0.1:4000', db => 'shop',
    state => 'executing', command => 'Query', sql_info => "select $_", state_duration => 100 + $_ } } 1 .. 40 ] }), "\n";
close $out;

my $stop = "$dir/switch";
mkdir $stop;
my $s = Serve->new(instances => { db => "mem:$dir/list.json" }, env => { DAS_STOP_DIR => $stop }, serve => 'mode = "auto", every = "1s"');
my $flow = sub { $s->flow('db', $_[0]) };
sub metric {
    my ($name) = @_;
    my $r = $s->ask(GET => '/metrics', undef, key => undef);
    return $r->{content} =~ /^\Q$name\E (\d+)/m ? $1 : 0;
}
my $BLOCKED = 'das_actions_blocked_total{reason="off_switch"}';
sub alive { $s->ask(POST => $flow->('preview-session-for-kill-process-task'), { user => $_[0] })->{json}{total_count} }
sub warnings_of { my ($task) = @_; return grep { $_->{level} eq 'warn' && $_->{message} =~ /^task $task / } $s->log_lines }
sub rounds { my ($n) = @_; my $to = metric($BLOCKED) + $n; return wait_for(sub { metric($BLOCKED) >= $to }, 60) }
sub journal { return scalar(() = das($s->opt, 'audit', 'export')->{out} =~ /\n/g) }
sub create {
    my (%h) = @_;
    my $r = $s->ask(PUT => $flow->('add-kill-process-task'), { time => 1, task_duration => 3600, task_type => 'auto', %h });
    is($r->{status}, 200, 'a task') or diag($r->{content});
    return;
}
sub off_switch {
    open my $f, '>', "$stop/STOP" or die;
    print $f "by hand\n";
    close $f;
}

is($s->ask(POST => $flow->('set-kill-process-task-switch'), { status => 'on' })->{status}, 200, 'the switch is on');
create(user => 'nobody');
off_switch();
is($s->ask(PUT => $flow->('add-kill-process-task'), { time => 1, task_duration => 60, task_type => 'auto' })->{status}, 400, 'stopped: no task');
unlink "$stop/STOP";

# --- the off switch --------------------------------------------------------------------------------------------
create(user => 'app0');
ok(wait_for(sub { alive('app0') == 0 }, 30), 'a task kills');
create(user => 'app1', time => 100_000_000);
$s->stop;

# the same sessions again, and a task that matches them
off_switch();
$s->start;
is(alive('app1'), 20, 'twenty are there');
my $journal = journal();
ok(rounds(3), 'rounds go by');
is(alive('app0'), 20, 'nobody dies');
is(scalar(warnings_of(2)), 1, 'why is said once') or diag($s->log);
like((warnings_of(2))[0]{message}, qr/20 sessions match, none was killed: stopped by/, 'and what it is');
is(metric('das_actions_total{policy="task",action="connection",result="failed"}'), 0, 'a kill that is not made has not failed');
is(journal(), $journal, 'the journal says nothing of it');
is(scalar(warnings_of(1)), 0, 'a task that matches nobody has nothing to say');
unlink "$stop/STOP";
ok(wait_for(sub { alive('app0') == 0 }, 30), 'when it is gone, it goes on');
is($s->stop->{exit}, 0, 'ends in order');
done_testing();
