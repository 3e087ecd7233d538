# Das.pm - the operations of the DAS API on instances that exist in memory only. What the documents
# leave open is decided here in one way, and by an option of the test in another.
package CloudServer::Das;
use strict;
use warnings;
use JSON::PP;
use List::Util qw(min);
use CloudServer::Kill ();
use CloudServer::Read qw(:all);
use CloudServer::Sessions qw(:all);

my $text = JSON::PP->new->allow_nonref;    # of characters, for parts of an answer

use constant ROWS_MAX => 200;

my @criteria = qw(user host db command info time task_duration task_type);
our %operations = (
    preview => { method => 'POST', path => 'auto-flow/preview-session-for-kill-process-task', action => 'das:clouddba:listProcess',
        doc => [qw(PreviewSessionForKillProcessTask PreviewSessionForKillProcessTaskNew)], fields => \@criteria, call => \&preview },
    processes => { method => 'GET', path => 'processes', action => 'das::showCloudDBAInfo', doc => [qw(QueryInstanceSessions ListProcesses)],
        query => [qw(db_user_id user database node_id offset limit)], call => \&processes },
    process_list => { method => 'GET', path => 'query-process-list', action => 'das:clouddba:listProcess',
        doc => [qw(QueryProcessList ListInstanceProcesses)], call => \&process_list,
        query => [qw(engine_type user host db state command keywords cur_page per_page order_by order node_id network_type)] },
    innodb_locks => { method => 'GET', path => 'innodb-locks', doc => ['ListInnodbLocks'],
        query => ['db_user_id'], call => \&innodb_locks },
    metadata_locks => { method => 'GET', path => 'metadata-locks', action => 'das:clouddba:listMetadataLock', doc => ['ListMetadataLocks'],
        query => [qw(db_user_id thread_id database table)], call => \&metadata_locks },
    transactions => { method => 'GET', path => 'transaction', doc => ['ListTransactions'],
        query => [qw(datastore_type start_at end_at page_num page_size order order_by last_sec_min last_sec_max)], call => \&transactions },
    instances => { method => 'GET', path => 'instances', doc => ['ListCloudDbaInstances'],
        query => [qw(datastore_type offset limit)], call => \&instances },
    nodes => { method => 'GET', path => 'instance/nodes-info', doc => ['ListInstanceNodesInfo'],
        query => [qw(instance_id datastore_type)], call => \&nodes },
    db_users => { method => 'GET', path => 'db-users', action => 'das:clouddba:listDbUser', doc => ['ListDbUsers'],
        query => [qw(offset limit db_user_id db_username)], call => \&db_users },
    versions => { method => 'GET', path => '/das', open => 1, doc => ['ListApiVersions'], call => \&versions },
    %CloudServer::Kill::operations,
);

# --- preview ---------------------------------------------------------------------------------------

sub row {
    my ($i, $s) = @_;
    $s->{text} //= '{"id":' . ($s->{id} + 0) . join '', map { ",\"$_\":" . $text->encode(defined $s->{$_} ? "$s->{$_}" : undef) } qw(user host db state command sql_info);
    return "$s->{text},\"state_duration\":" . (age($i, $s) // 'null') . '}';
}

sub preview {
    my ($g, $r) = @_;
    my $i = instance($g, $r);
    my $c = criteria($g, body($g, $r), $g->{strict});
    CloudServer::Kill::scan_if_due($g, $i);
    my ($total, $rows);
    if ($g->{rows}) { ($total, $rows) = ($g->{rows}, many($g)) }
    else {
        my @found = select_sessions($g, $i, $c);
        $total = @found;
        $rows = join ',', map { row($i, $_) } @found[ 0 .. min($#found, ROWS_MAX - 1) ];
    }
    my $text = sprintf '{"success":%s,"data_sync_time":%d,"total_count":%d,"processes":[%s]}', $g->{success} ? 'true' : 'false',
        $g->{data_sync_time} // $g->now, $total, $rows;
    utf8::encode($text);
    return $text;
}

# That many rows as text, made once.
sub many {
    my ($g) = @_;
    my $cache = $g->{many} ||= {};
    return $cache->{ $g->{rows} } //= join ',', map {
        '{"id":' . $_ . ',"user":"app","host":"10.0.' . ($_ >> 8 & 255) . '.' . ($_ & 255) . ':50000","db":"orders","state":"Sending data","command":"Query","sql_info":"SELECT * FROM lines WHERE id = '
          . $_ . '","state_duration":' . ($_ % 1000) . '}'
    } 1 .. $g->{rows};
}

# --- the other lists -------------------------------------------------------------------------------

sub texts { my (%h) = @_; return { map { $_ => defined $h{$_} ? "$h{$_}" : '' } keys %h } }

sub processes {
    my ($g, $r) = @_;
    my ($i, $q) = (instance($g, $r), query($r));
    db_user($i, $q->{db_user_id});
    wrong('user', 'expected this or database') if !length($q->{user} // '') && !length($q->{database} // '');
    my ($offset, $limit) = page($q, 100, 100);
    my @found = grep {
        (!length($q->{user} // '') || ($_->{user} // '') eq $q->{user}) && (!length($q->{database} // '') || ($_->{db} // '') eq $q->{database})
    } @{ $i->{sessions} };
    return { count => scalar @found, processes => [ map { process($i, $_) } @{ slice(\@found, $offset, $limit) } ] };
}

sub process {
    my ($i, $s) = @_;
    return texts(%$s{qw(id user host command state)}, database => $s->{db}, sql => $s->{sql_info}, time => age($i, $s), trx_executed_time => $s->{trx_time});
}

sub process_list {
    my ($g, $r) = @_;
    my ($i, $q) = (instance($g, $r), query($r));
    wrong('engine_type') if lc($q->{engine_type} // '') ne lc $i->{engine_type};
    my ($number, $limit) = (parameter($q, 'cur_page', 1, 2**31 - 1, 1), parameter($q, 'per_page', 0, 100, 20));
    wrong('order') if length($q->{order} // '') && $q->{order} !~ /\A(?:asc|desc)\z/;
    wrong('order_by') if length($q->{order_by} // '') && $q->{order_by} !~ /\A(?:id|user|host|db|command|time|state|info)\z/;
    my @all = map { my $s = $_; texts(%$s{qw(id user host db command state)}, info => $s->{sql_info}, time => age($i, $s), trx_duration => $s->{trx_time}) } @{ $i->{sessions} };
    my @found = grep {
        my $p = $_;
        !(grep { length($q->{$_} // '') && $p->{$_} ne $q->{$_} && ($_ ne 'host' || address($p->{host}) ne $q->{host}) } qw(user host db state command))
          && (!length($q->{keywords} // '') || grep { index(lc, lc $q->{keywords}) >= 0 } values %$p)
    } @all;
    my $by = $q->{order_by} || 'id';
    @found = sort { $by =~ /\A(?:id|time)\z/ ? $a->{$by} <=> $b->{$by} : $a->{$by} cmp $b->{$by} } @found;
    @found = reverse @found if ($q->{order} // '') eq 'desc';
    my %lists = map { my $what = $_; my %seen; ("${what}_info_list" => [ grep { length && !$seen{$_}++ } map { $what eq 'host' ? address($_->{host}) : $_->{$what} } @all ]) }
        qw(user db host state command);
    return { data_sync_time => int($g->{data_sync_time} // $g->now), total => scalar @found, data => slice(\@found, ($number - 1) * $limit, $limit), %lists };
}

sub innodb_locks {
    my ($g, $r) = @_;
    my ($i, $q) = (instance($g, $r), query($r));
    db_user($i, $q->{db_user_id});
    my $locks = $i->{locks} || {};
    return { innodb_trx => $locks->{innodb_trx} || [], innodb_lock_waits => $locks->{innodb_lock_waits} || [], count => scalar @{ $locks->{innodb_trx} || [] } };
}

sub metadata_locks {
    my ($g, $r) = @_;
    my ($i, $q) = (instance($g, $r), query($r));
    db_user($i, $q->{db_user_id});
    my %of = (thread_id => 'thread_id', database => 'table_schema', table => 'table_name');
    my @found = grep { my $lock = $_; !grep { length($q->{$_} // '') && $lock->{ $of{$_} } ne $q->{$_} } keys %of } @{ $i->{metadata_locks} || [] };
    return { metadata_locks => \@found, count => scalar @found };
}

sub transactions {
    my ($g, $r) = @_;
    my ($i, $q) = (instance($g, $r), query($r));
    wrong('datastore_type') if lc($q->{datastore_type} // '') ne 'mysql';
    my $now = $g->now * 1000;
    my $from = parameter($q, 'start_at', 0, 4e12);
    my $to = parameter($q, 'end_at', 0, 4e12);
    wrong('start_at') if $from < $now - 7 * 86_400_000 - 60_000;
    wrong('end_at') if $to < $from;
    wrong('order') if length($q->{order} // '') && $q->{order} !~ /\A(?:asc|desc)\z/i;
    my ($number, $size) = (parameter($q, 'page_num', 1, 2**31 - 1, 1), parameter($q, 'page_size', 1, 100, 10));
    my ($min, $max) = (parameter($q, 'last_sec_min', 0, 2**31 - 1, 0), parameter($q, 'last_sec_max', 0, 2**31 - 1, 2**31 - 1));
    my @found = grep { $_->{last_sec} >= $min && $_->{last_sec} <= $max && $_->{occurrence_time} >= $from && $_->{occurrence_time} <= $to } @{ $i->{transactions} || [] };
    my $by = $q->{order_by} || 'occurrence_time';
    wrong('order_by') if $by !~ /\A(?:last_sec|wait_locks|hold_locks|occurrence_time|collect_time)\z/;
    @found = sort { $a->{$by} <=> $b->{$by} } @found;
    @found = reverse @found if lc($q->{order} // '') eq 'desc';
    return { total => scalar @found, transaction_info_list => slice(\@found, ($number - 1) * $size, $size) };
}

sub instances {
    my ($g, $r) = @_;
    project($g, $r);
    my $q = query($r);
    my $type = $q->{datastore_type} // '';
    wrong('datastore_type') if $type !~ /\A(?:MySQL|SQLServer|PostgreSQL|TaurusDB|gaussdbv5|mongodb|DDM|MariaDB)\z/;
    my ($offset, $limit) = page($q, 20, 200);
    my @found = map { described($_) } grep { $_->{project} eq $r->{project} && lc $_->{engine_type} eq lc $type } map { $g->{instances}{$_} } sort keys %{ $g->{instances} };
    return { total_count => scalar @found, instance_list => slice(\@found, $offset, $limit) };
}

sub described {
    my ($i) = @_;
    my %of = (instance_name => "db-" . substr($i->{instance_id}, 0, 6), instance_status => 'ACTIVE', version => '8.0', ip => '192.168.0.10', port => 3306,
        cpu => 4, mem => 16, %$i);
    $of{$_} = $of{$_} ? JSON::PP::true : JSON::PP::false for my @flags = qw(login_flag slow_sql_flag deadlock_flag lock_blocking_flag charge_flag full_sql_flag);
    return { map { $_ => $of{$_} } qw(instance_id instance_name instance_status version engine_type ip port cpu mem), @flags };
}

sub nodes {
    my ($g, $r) = @_;
    my $q = query($r);
    $r->{instance} = $q->{instance_id} // '';
    my $i = instance($g, $r);
    wrong('datastore_type') if lc($q->{datastore_type} // '') ne lc $i->{engine_type};
    my $name = described($i)->{instance_name};
    return { instance_id => $i->{instance_id}, instance_name => $name, instance_nodes => $i->{nodes} || [ { id => node_id($i), name => "${name}_node0", role => 'master', status => 'normal', type => 'master' } ] };
}

sub db_users {
    my ($g, $r) = @_;
    my ($i, $q) = (instance($g, $r), query($r));
    my ($offset, $limit) = page($q, 100, 100);
    my @found = grep { my $u = $_; !grep { length($q->{$_} // '') && $u->{$_} ne $q->{$_} } qw(db_user_id db_username) } @{ $i->{db_users} };
    return { total => scalar @found, db_users => slice(\@found, $offset, $limit) };
}

sub versions { return { versions => [ { id => 'v3', status => 'CURRENT', updated => '2018-09-18T00:00:00Z', version => '' } ] } }

1;
