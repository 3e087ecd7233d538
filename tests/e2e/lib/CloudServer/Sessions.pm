# Sessions.pm - the sessions of an instance: how old they are, which of them criteria select, and how
# they end. An instance is a hash; its sessions are a list of hashes with the fields of the API.
package CloudServer::Sessions;
use strict;
use warnings;
use CloudServer::Loop ();
use Exporter 'import';
our @EXPORT_OK = qw(age address select_sessions end_sessions node_id);
our %EXPORT_TAGS = (all => \@EXPORT_OK);

my %system = map { $_ => 1 } qw(rdsadmin rdsbackup rdsmetric rdsrepl);    # nobody ends these

sub age {
    my ($i, $s) = @_;
    return $s->{state_duration} if $i->{frozen} || !defined $s->{state_duration};
    return int($s->{state_duration} + CloudServer::Loop::now() - $s->{since});
}

sub address { return $_[0] =~ s/:[^:]*\z//r }

# A pattern in which % stands for anything: on all of "address:port", or on the address.
sub like {
    my ($pattern) = @_;
    my $expression = join '.*', map { quotemeta } split /%/, $pattern, -1;
    return qr/\A$expression\z/s;
}

# All keywords, in order, in any case.
sub keywords {
    my ($info) = @_;
    my @words = map { s/\A\s+|\s+\z//gr } split /~/, $info;
    my $expression = join '.*', map { quotemeta } grep { length } @words;
    return qr/$expression/si;
}

# The sessions of an instance that criteria select.
sub select_sessions {
    my ($g, $i, $c) = @_;
    my $host = length $c->{host} ? like($c->{host}) : undef;
    my $info = length $c->{info} && $g->{info_reading} ne 'loose' ? keywords($c->{info}) : undef;
    my $command = lc $c->{command};
    return grep {
        my $s = $_;
        (!length $c->{user} || ($s->{user} // "\0") eq $c->{user})
          && (!length $c->{db} || ($s->{db} // "\0") eq $c->{db})
          && (!length $command || lc($s->{command} // '') eq $command)
          && (!$host || ($s->{host} // '') =~ $host || address($s->{host} // '') =~ $host)
          && (!$info || ($s->{sql_info} // '') =~ $info)
          && (age($i, $s) // 0) >= $c->{time}
    } @{ $i->{sessions} };
}

# Ends the sessions of an instance that $which selects; says how many they were.
sub end_sessions {
    my ($g, $i, $operation, $source, $task_id, $which) = @_;
    my (@left, @ended);
    push @{ !$system{ lc($_->{user} // '') } && $which->($_) ? \@ended : \@left }, $_ for @{ $i->{sessions} };
    $i->{sessions} = \@left;
    my $now = int($g->now * 1000);
    for my $s (@ended) {
        push @{ $g->{killed} }, { instance => $i->{instance_id}, id => $s->{id}, user => $s->{user}, operation => $operation, task_id => $task_id };
        unshift @{ $i->{history} }, { instance_id => $i->{instance_id}, node_id => node_id($i), task_id => $task_id, session_id => $s->{id} + 0,
            %$s{qw(user host db command state)}, info => $s->{sql_info}, time => age($i, $s), kill_time => $now, killed_source => $source };
    }
    return scalar @ended;
}

sub node_id { return substr($_[0]{instance_id}, 0, 32) . 'no01' }

1;
