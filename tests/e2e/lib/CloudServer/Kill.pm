# Kill.pm - the operations that end sessions or let others do so: kills, kill tasks with their switch
# and their history. Sessions that are ended leave the list, and each of them is written down.
package CloudServer::Kill;
use strict;
use warnings;
use JSON::PP;
use CloudServer::Read qw(:all);
use CloudServer::Sessions qw(:all);

my @criteria = qw(user host db command info time task_duration task_type);
my $base = 'auto-flow/';
our %operations = (
    task_create => { method => 'PUT', path => "${base}add-kill-process-task", action => 'das:clouddba:createKillTask', doc => ['CreateKillTask'],
        fields => \@criteria, call => \&task_create },
    task_stop => { method => 'POST', path => "${base}terminate-kill-process-task", action => 'das:clouddba:stopKillTask', doc => ['StopKillTask'],
        fields => ['task_id'], call => \&task_stop },
    tasks => { method => 'GET', path => "${base}query-kill-process-task", action => 'das:clouddba:listKillTaskRecord',
        doc => [qw(QueryKillProcessTask ShowKillProcessTask)], call => \&tasks },
    history => { method => 'GET', path => "${base}query-kill-process-history", action => 'das:clouddba:listProcess',
        doc => [qw(QueryKillProcessHistory ListKillProcessHistory)], query => [qw(node_id start_time end_time page_num page_size)], call => \&history },
    kill_all => { method => 'POST', path => "${base}kill-all-session", action => 'das:clouddba:deleteProcess', doc => ['DeleteAllSessions'], call => \&kill_all },
    switch_get => { method => 'GET', path => "${base}get-kill-process-task-switch", action => 'das:clouddba:showKillTaskSwitch',
        doc => [qw(GetKillProcessTaskSwitch ShowKillProcessTaskSwitch)], call => \&switch_get },
    switch_set => { method => 'POST', path => "${base}set-kill-process-task-switch", action => 'das:clouddba:changeKillTaskSwitch',
        doc => ['ChangeKillTaskSwitch'], fields => ['status'], call => \&switch_set },
    kill_process => { method => 'POST', path => 'kill-process', action => 'das:clouddba:deleteProcess', doc => [qw(KillProcess CancelInstanceProcess)],
        fields => [qw(engine_type processes)], call => \&kill_process },
    delete_process => { method => 'DELETE', path => 'process', action => 'das:clouddba:deleteProcess', doc => [qw(KillSession DeleteProcess)],
        fields => [qw(db_user_id process_ids user database)], call => \&delete_process },
);

use constant TASKS_MAX => 5;

sub done { return { success => JSON::PP::true } }

sub kill_process {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $body = body($g, $r);
    my ($engine, $list) = (text_of($body, 'engine_type'), $body->{processes});
    wrong('engine_type') if lc $engine ne lc $i->{engine_type};
    wrong('processes', 'expected a list') if ref $list ne 'ARRAY' || !@$list;
    my %wanted;
    for my $p (@$list) {
        wrong('processes', 'expected id and user')
            if ref $p ne 'HASH' || !is_number($p->{id}) || !defined $p->{user} || ref $p->{user} || is_number($p->{user});
        $wanted{ $p->{id} } = $p->{user};
    }
    return { count => end_sessions($g, $i, 'kill_process', 'kill_process', 0, sub { defined $wanted{ $_[0]{id} } && $wanted{ $_[0]{id} } eq ($_[0]{user} // '') }) };
}

sub delete_process {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $body = body($g, $r);
    db_user($i, $body->{db_user_id});
    my ($user, $db) = map { text_of($body, $_) } qw(user database);
    $g->violation("delete_process by $_, which ends what nobody has seen") for grep { exists $body->{$_} } qw(user database);
    my $ids = $body->{process_ids};
    wrong('process_ids', 'expected a list of texts') if defined $ids && (ref $ids ne 'ARRAY' || grep { ref || is_number($_) || !/\A\d+\z/ } @$ids);
    wrong('process_ids', 'expected this, user or database') if !@{ $ids || [] } && !length $user && !length $db;
    my %wanted = map { $_ => 1 } @{ $ids || [] };
    end_sessions($g, $i, 'delete_process', 'session', 0, sub { $wanted{ $_[0]{id} } || (length $user && ($_[0]{user} // '') eq $user) || (length $db && ($_[0]{db} // '') eq $db) });
    return '';
}

sub kill_all {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    need_switch($i);
    end_sessions($g, $i, 'kill_all', 'kill_all', 0, sub { 1 });
    return done();
}

# --- the switch ------------------------------------------------------------------------------------

# {now, then, answers}: "switching" for so many answers, and then the other.
sub switch_now {
    my ($i) = @_;
    return $i->{switch}{answers} > 0 ? 'switching' : $i->{switch}{then};
}

sub need_switch {
    my ($i) = @_;
    refuse(400, 'DAS.200100', 'The parameter is invalid. The kill task switch is not on.') if switch_now($i) ne 'ON';
}

sub switch_get {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $now = switch_now($i);
    $i->{switch}{answers}-- if $now eq 'switching';
    return { status => $now };
}

sub switch_set {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $status = text_of(body($g, $r), 'status');
    wrong('status', 'expected on or off') if $status !~ /\A(?:on|off)\z/;
    $i->{switch} = { then => uc $status, answers => $g->{switching} };
    return done();
}

# --- tasks -----------------------------------------------------------------------------------------

# Tasks whose time is up have ended.
sub running {
    my ($g, $i) = @_;
    my $now = $g->now * 1000;
    for (@{ $i->{tasks} }) { $_->{running} = 0 if $_->{task_type} eq 'auto' && $_->{end_time} <= $now }
    return grep { $_->{running} } @{ $i->{tasks} };
}

sub task_create {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $c = criteria($g, body($g, $r), 1);
    need_switch($i);
    refuse(400, 'DAS.200100', 'The parameter is invalid. At most ' . TASKS_MAX . ' kill tasks can run.') if running($g, $i) >= TASKS_MAX;
    my $now = int($g->now * 1000);
    push @{ $i->{tasks} }, { %$c, task_id => $g->{next_task}++, running => 1, start_time => $now, end_time => $c->{task_type} eq 'auto' ? $now + 1000 * $c->{task_duration} : 0 };
    return done();
}

sub task_stop {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $id = body($g, $r)->{task_id};
    wrong('task_id', 'expected a number') if !defined $id || ref $id || $id !~ /\A\d{1,18}\z/;
    my ($task) = grep { $_->{task_id} == $id } running($g, $i);
    wrong('task_id', 'there is no such task') if !$task;
    @$task{qw(running end_time)} = (0, int($g->now * 1000));
    return done();
}

sub tasks {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    running($g, $i);
    my @list = map { told($g, $_) } grep { $_->{running} || $g->{list_ended} } @{ $i->{tasks} };
    return { sql_killing_task_resp_list => [ splice @list, 0, 200 ] };
}

sub told {
    my ($g, $task) = @_;
    my $per = $g->{task_times} eq 's' ? 1000 : 1;
    return { (map { $_ => "$task->{$_}" } qw(user host db command info task_type)), (map { $_ => $task->{$_} + 0 } qw(task_id time task_duration)),
        (map { $_ => int($task->{$_} / $per) } qw(start_time end_time)), task_state => $task->{running} ? 1 : 2 };
}

# What running tasks do once in a while: sessions that they select are ended.
sub scan {
    my ($g, $i) = @_;
    my $n = 0;
    for my $task (running($g, $i)) {
        my %found = map { $_->{id} => 1 } select_sessions($g, $i, $task);
        $n += end_sessions($g, $i, 'task', 'task', $task->{task_id}, sub { $found{ $_[0]{id} } });
    }
    return $n;
}

sub scan_if_due {
    my ($g, $i) = @_;
    return if !$g->{scan_every} || CloudServer::Loop::now() < ($i->{scan_at} // 0);
    $i->{scan_at} = CloudServer::Loop::now() + $g->{scan_every};
    scan($g, $i);
}

sub history {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $q = query($r);
    my ($from, $to) = map { parameter($q, $_, 0, 4e12) } qw(start_time end_time);
    wrong('end_time', 'it is before start_time') if $to < $from;
    my $number = parameter($q, 'page_num', 1, 2**31 - 1);
    my $size = parameter($q, 'page_size', 1, 50);
    wrong('page_size', 'expected 5, 10, 20 or 50') if !grep { $size == $_ } 5, 10, 20, 50;
    my @found = grep { $_->{kill_time} >= $from && $_->{kill_time} <= $to && (!length($q->{node_id} // '') || $_->{node_id} eq $q->{node_id}) } @{ $i->{history} };
    return { total_count => scalar @found, killed_sessions => slice(\@found, ($number - 1) * $size, $size) };
}

1;
