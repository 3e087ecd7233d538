# KillCheck.pm - was everything that died meant to die? Reads what the servers, their clients and das
# wrote down, each on its own, and compares. It asks nobody and trusts none of them alone.
#
#   my $r = KillCheck::check(
#       servers => { A => { match => qr/:3306\b/,          # which "server" of a plan or record it is
#                           log => 'general.log',          # the server's own general log, read
#                           from => 0,                     # from this byte on
#                           clients => ['churn.log'] } },  # see churn.c
#       journal => 'journal.jsonl',                        # das audit export
#       plans => ['plans.jsonl'],     # lines with a plan as JSON: "sha256" in it, or before it
#       limits => { run => 40, instance => 400, window_ms => 1000 },
#       protected => ['keep']);
#   $r->{found}   [{ kind => 'wrong kill', text => 'server A thread 123 was running c17 n124, the plan
#                    said c17 n123' }, ...]
#   $r->{count}   { kills => 10234, dead => ..., intents => ..., ... }
#
# Kinds: "wrong kill", "window" (a connection kill that came after the last look was confirmed by the
# server, and hit the next statement), "no intent", "late intent", "twice", "limit", "protected",
# "not the plan", "outcome", "journal".
package KillCheck;
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Time::Local qw(timelocal);

my $TOKEN = qr{/\* (\S.*?) \*/};
my $json = JSON::PP->new->utf8->boolean_values(0, 1);

sub lines_of {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    my @lines = <$in>;
    chomp @lines;
    return @lines;
}

sub found { push @{ $_[0]{found} }, { kind => $_[1], text => $_[2] }; return }

# --- what the server wrote --------------------------------------------------------------------------

# { threads => { ID => [{ at, what, token }] }, kills => [{ at, time, query_id, id, packet }] }; at is
# the place in the log, which is written before a statement begins.
sub read_general_log {
    my ($path, $from) = @_;
    my ($time, $at, %threads, @kills) = (0, 0);
    open my $in, '<', $path or die "$path: $!\n";
    seek $in, $from // 0, 0;
    while (<$in>) {
        $at++;
        my ($date, $h, $m, $s, $id, $what, $text) =
            /^(?:(\d{6})\s+(\d+):(\d\d):(\d\d))?\t+\s*(\d+) ([A-Z]\w+(?: \w+)?)\t(.*)/ or next;
        $time = timelocal($s, $m, $h, substr($date, 4, 2), substr($date, 2, 2) - 1,
            2000 + substr($date, 0, 2)) if defined $date;
        my ($token) = $text =~ $TOKEN;
        push @{ $threads{$id} }, { at => $at, what => $what, token => $token };
        push @kills, read_kill($text, at => $at, time => $time) if $text =~ /\bKILL\b/i;
    }
    return { threads => \%threads, kills => \@kills };
}

# KILL QUERY ID q, KILL QUERY id, KILL [CONNECTION] id, or a compound statement that ends a
# connection after it has looked at it.
sub read_kill {
    my ($text, %kill) = @_;
    $kill{packet} = $text =~ s/\s+$//r;
    my @kills = $text =~ /\bKILL\s+(?:(?:HARD|SOFT)\s+)?((?:QUERY\s+ID|QUERY|CONNECTION)?\s*\S+?)\s*(?:;|$)/gi;
    for (@kills) {
        if (/^QUERY\s+ID\s+(\d+)$/i) { $kill{query_id} = $1 }
        elsif (/^QUERY\s+(\d+)$/i) { $kill{statement_of} = $1 }
        elsif (/^(?:CONNECTION\s+)?(\d+)$/i) { $kill{id} = $1 }
        else { $kill{unreadable} = 1 }
    }
    $kill{unreadable} = 1 unless @kills;
    if (my ($query_id) = $text =~ /\bQUERY_ID = (\d+)/) {
        my ($id) = $text =~ /\bID = (\d+) AND\b/;
        $kill{unreadable} = 1 if ($id // -1) != ($kill{id} // -2) || $query_id != ($kill{query_id} // $query_id);
        $kill{query_id} = $query_id;
        $kill{packet} = 'KILL of connection ' . ($kill{id} // '?') . " after query id $query_id";
    }
    return \%kill;
}

# --- what the clients wrote --------------------------------------------------------------------------

# A line about a statement or a connection that was killed: not the end of a connection whose
# statement was killed just before.
sub is_death { return $_[0] =~ /\tinterrupted$/ || ($_[0] =~ /\tlost$/ && $_[0] !~ /\tpause\t/) }

# { CONNECTION => [records in their order] }, each with the query ids between which its own must be.
sub read_clients {
    my ($c, @paths) = @_;
    my %of;
    for my $line (map { lines_of($_) } @paths) {
        my %r;
        next if $line !~ /^(?:[^\t]+\t){7}[^\t]+$/;    # cut short
        $c->{count}{dead}++ if is_death($line);
        @r{qw(start end id user kind token query_id result)} = split /\t/, $line;
        $r{quiet} = $r{kind} eq 'idle' || $r{kind} eq 'pause';
        push @{ $of{ $r{id} } }, \%r;
    }
    for my $records (values %of) {
        my ($low, $high) = (0, 9e18);
        for my $r (@$records) {
            $r->{low} = $low;
            $low = $r->{query_id} if $r->{query_id} && !$r->{quiet};
        }
        for my $r (reverse @$records) {
            $r->{high} = $high;
            $high = $r->{query_id} if $r->{query_id} && !$r->{quiet};
        }
    }
    return \%of;
}

# --- what das wrote ------------------------------------------------------------------------------------

sub server_of {
    my ($c, $identity) = @_;
    for my $name (sort keys %{ $c->{servers} }) {
        return $name if ($identity // '') =~ $c->{servers}{$name}{match};
    }
    return '?';
}

# The same shape for a victim of a plan and for an intent of the journal.
sub victim {
    my ($c, $server, $s) = @_;
    my ($token) = ($s->{sql_info} // '') =~ $TOKEN;
    return { server => server_of($c, $server), id => $s->{id}, user => $s->{user} // '', token => $token,
        query_id => $s->{query_id} // 0, sleeps => !defined $s->{sql_info} };
}

# { HASH => { created, victims => { ID => victim } } }. A line that a kill cut short is no plan.
sub read_plans {
    my ($c, @paths) = @_;
    my %plans;
    for my $line (map { lines_of($_) } @paths) {
        my ($hash, $text) = $line =~ /^\s*(?:([0-9a-f]{64})\s+)?(\{.*\})\s*$/ or next;
        my $p = eval { $json->decode($text) } or next;
        $hash //= $p->{sha256} // next;
        my %victims = map { ($_->{id} => $_) }
            map { victim($c, $p->{server}, $_->{session} || $_) } @{ $p->{victims} };
        $plans{$hash} = { created => $p->{created_ms}, victims => \%victims };
    }
    return \%plans;
}

# A record of the journal: one object of plain values, and there are many of them. undef: it is none.
sub read_record {
    my ($line) = @_;
    return eval { $json->decode($line) } if $line =~ /[\\\[]|.\{/;
    my %r;
    my $rest = $line =~ s/"(\w+)":(?:"([^"\x00-\x1f]*)"|(-?\d+(?:\.\d+)?)|(true)|(false)|null)(?:,(?=")|(?=\}$))/
        $r{$1} = defined $2 ? $2 : defined $3 ? $3 : $4 ? 1 : $5 ? 0 : undef; ''/ger;
    return $rest eq '{}' ? \%r : undef;
}

# Checks the chain by its own means and sorts the records.
sub read_journal {
    my ($c, $path) = @_;
    my ($seq, $prev, %plan_of, %applied) = (0, '0' x 64);
    for my $line (lines_of($path)) {
        my $r = read_record($line);
        if (!$r || ref $r ne 'HASH' || !defined $r->{seq}) {
            found($c, 'journal', 'after record ' . $seq . ': a line that is no record');
            next;
        }
        found($c, 'journal', "record $r->{seq} follows record $seq") if $r->{seq} != $seq + 1;
        found($c, 'journal', "record $r->{seq}: prev is not the hash of record $seq")
            if ($r->{prev} // '') ne $prev;
        ($seq, $prev) = ($r->{seq}, sha256_hex($line));
        $c->{count}{"record $r->{kind}"}++;
        if ($r->{kind} eq 'apply' && $r->{plan}) {
            $plan_of{$seq} = $r->{plan};
            found($c, 'twice', "plan " . substr($r->{plan}, 0, 12) . " was applied twice: records "
                . "$applied{ $r->{plan} } and $seq") if $applied{ $r->{plan} };
            $applied{ $r->{plan} } //= $seq;
        }
        add_intent($c, $r, $plan_of{ $r->{apply} // 0 }) if $r->{kind} eq 'intent';
        add_outcome($c, $r) if $r->{kind} eq 'outcome';
    }
    $c->{count}{intents} = @{ $c->{intents} };
}

sub add_intent {
    my ($c, $r, $plan) = @_;
    my $i = { %{ victim($c, $r->{server}, $r) }, seq => $r->{seq}, time => $r->{time_ms}, run => $r->{run},
        action => $r->{action}, instance => $r->{instance} // '', plan => $plan // '' };
    found($c, 'journal', "record $i->{seq}: an intent of no plan") unless $i->{plan};
    push @{ $c->{intents} }, $c->{intent}{ $i->{seq} } = $i;
    push @{ $c->{by_id}{ $i->{server} }{ $i->{id} } }, $i;
    push @{ $c->{by_query}{ $i->{server} }{ $i->{query_id} } }, $i if $i->{query_id};
    # Who dies is what the plan says. The record has to say the same.
    my $p = $c->{plans}{ $i->{plan} };
    $i->{planned} = $i;
    return unless $p;
    $i->{created} = $p->{created};
    my $v = $p->{victims}{ $i->{id} };
    if (!$v) {
        found($c, 'not the plan', "record $i->{seq}: thread $i->{id} is not in its plan");
        return;
    }
    $i->{planned} = $v;
    my ($said, $is) = map { "server $_->{server} thread $_->{id} " . doing($_) . " as $_->{user}" } $v, $i;
    found($c, 'not the plan', "record $i->{seq}: $is, the plan said $said") if $said ne $is;
}

sub add_outcome {
    my ($c, $r) = @_;
    my $i = $c->{intent}{ $r->{intent} // 0 };
    if (!$i || $i->{outcome}) {
        found($c, 'journal', "record $r->{seq}: an outcome of " . ($i ? 'an intent that has one' : 'no intent'));
        return;
    }
    $i->{outcome} = $r->{outcome};
    $i->{outcome_time} = $r->{time_ms};
    $c->{count}{"outcome $r->{outcome}"}++;
}

sub doing {
    my ($v) = @_;
    my $query = $v->{query_id} ? "query id $v->{query_id}" : 'unknown query id';
    return $v->{sleeps} ? "idle after $query" : 'running ' . ($v->{token} // 'something else') . " ($query)";
}

# --- who died ---------------------------------------------------------------------------------------------

# Is the statement of record $r the one that the plan of intent $i named?
sub names_statement {
    my ($i, $r) = @_;
    my $p = $i->{planned};
    return 0 unless defined $p->{token} && $p->{token} eq $r->{token} && $p->{user} eq $r->{user};
    return 1 unless $p->{query_id};
    return $p->{query_id} == $r->{query_id} if $r->{query_id};
    return $p->{query_id} > $r->{low} && $p->{query_id} < $r->{high};
}

# Is the silence after record $r what it named? (Or $r itself, and nothing was begun since.)
sub names_silence {
    my ($c, $i, $r, $server) = @_;
    my $p = $i->{planned};
    return 1 if $r && names_statement($i, $r);
    return 0 unless $p->{sleeps};
    return 1 unless $r;    # it had not run anything yet
    return 0 unless $p->{user} eq $r->{user};
    return $p->{query_id} == $r->{query_id} if $r->{query_id};
    my @same = grep { names_statement($_, $r) } @{ $c->{by_id}{$server}{ $r->{id} } || [] };
    return 1 if grep { $_->{planned}{query_id} == $p->{query_id} } @same;
    # The client did not ask: what is left is when, and between which others.
    return $p->{query_id} > $r->{low} && $p->{query_id} < $r->{high} &&
        1000 * ($i->{created} // $i->{time}) + 1000 > $r->{end};
}

# A plan for another server, where the same id means somebody else.
sub elsewhere {
    my ($c, $server, $id) = @_;
    my @others = grep { $_->{id} == $id && $_->{planned}{server} ne $server } @{ $c->{intents} };
    return @others ? "the plan was made for server $others[-1]{planned}{server}" : undef;
}

sub in_time {
    my ($c, $server, $r, @intents) = @_;
    return if grep { 1000 * $_->{time} <= $r->{end} } @intents;
    found($c, 'late intent', "server $server thread $r->{id} lost $r->{token} at "
        . int($r->{end} / 1000) . " ms, its intent is of $intents[0]{time} ms");
}

sub wrong_kill {
    my ($c, $server, $r, $was, @candidates) = @_;
    my ($best) = sort { $b->{time} <=> $a->{time} } grep { 1000 * $_->{time} <= $r->{end} } @candidates;
    $best //= $candidates[0];
    my $p = $best && $best->{planned}{server} eq $server ? $best->{planned} : undef;
    my $said = !$p ? elsewhere($c, $server, $r->{id}) // 'no plan named it'
        : 'the plan said ' . ($p->{sleeps} || !defined $p->{token} ? doing($p) : $p->{token});
    if ($p && ($p->{token} // '') eq $r->{token}) {
        $said .= $p->{user} ne $r->{user} ? " of $p->{user}, not $r->{user}" : " with query id $p->{query_id}";
    }
    found($c, 'wrong kill', "server $server thread $r->{id} was $was, $said");
}

# The client of this statement was told that it was interrupted.
sub judge_interrupted {
    my ($c, $server, $r, $intents) = @_;
    my @right = grep { $_->{planned}{server} eq $server && names_statement($_, $r) } @$intents;
    return in_time($c, $server, $r, @right) if @right;
    wrong_kill($c, $server, $r, "running $r->{token}", @$intents);
}

# What has no token in the log, by the log's own word for it.
my %WORD = (change => 'Change user', ping => 'Ping');

# Where in the log record $n of a connection arrived; 0 when it did not.
sub arrived {
    my ($log, $records, $n) = @_;
    my $r = $records->[$n];
    my $word = $WORD{ $r->{kind} };
    my @logged = grep { $word ? $_->{what} eq $word : ($_->{token} // '') eq $r->{token} }
        @{ $log->{threads}{ $r->{id} } || [] };
    my @sent = grep { $word ? $_->{kind} eq $r->{kind} : !$_->{quiet} && $_->{token} eq $r->{token} }
        @$records[0 .. $n];
    return @logged >= @sent ? $logged[-1]{at} : 0;
}

# The record of the last thing that the session did before record $n.
sub last_deed {
    my ($records, $n) = @_;
    do { $n-- } while $n >= 0 && $records->[$n]{quiet};
    return $n;
}

# The connection was gone: in the middle of record $n, or before it reached the server.
sub judge_lost {
    my ($c, $server, $log, $records, $n, $intents) = @_;
    my $r = $records->[$n];
    my @kills = grep { $_->{action} eq 'connection' } @$intents;
    my @mine = grep { $_->{planned}{server} eq $server } @kills;
    my $at = $r->{quiet} ? 0 : arrived($log, $records, $n);
    my $deed = $at ? $n : last_deed($records, $n);
    my $d = $deed < 0 ? undef : $records->[$deed];
    my @right = grep { $at ? names_statement($_, $d) : names_silence($c, $_, $d, $server) } @mine;
    return in_time($c, $server, $r, @right) if @right;
    if ($d && (my $began = $at || arrived($log, $records, $deed))) {
        my $before = last_deed($records, $deed);
        my @silence = grep { names_silence($c, $_, $before < 0 ? undef : $records->[$before], $server) } @mine;
        if (@silence && grep { $_->{at} < $began && defined $_->{id} && $_->{id} == $r->{id} } @{ $log->{kills} }) {
            found($c, 'window', "server $server thread $r->{id} began $d->{token} after the server had been told to kill it");
            return;
        }
    }
    wrong_kill($c, $server, $r, !$d ? 'idle and new' : !$at ? "idle after $d->{token}"
        : $d->{kind} eq 'change' ? 'changing its user' : "running $d->{token}", @mine ? @mine : @kills);
}

sub judge_clients {
    my ($c, $server) = @_;
    my ($log, $clients) = @{ $c->{servers}{$server} }{qw(general records)};
    for my $id (sort { $a <=> $b } keys %$clients) {
        my $records = $clients->{$id};
        my $intents = $c->{by_id}{$server}{$id} || [];
        for my $n (0 .. $#$records) {
            my $r = $records->[$n];
            next if $r->{result} eq 'ok';
            if ($r->{result} =~ /^error/) {
                found($c, 'outcome', "server $server thread $id: $r->{token} ended with $r->{result}");
                next;
            }
            $c->{count}{ $r->{result} }++;
            found($c, 'protected', "server $server thread $id: $r->{token} of $r->{user} was hit")
                if $c->{protected}{ $r->{user} };
            if ($r->{result} eq 'lost') { judge_lost($c, $server, $log, $records, $n, $intents) }
            else { judge_interrupted($c, $server, $r, $intents) }
        }
        judge_outcomes($c, $server, $records, $intents);
    }
}

# A connection that is told to be gone does not go on.
sub judge_outcomes {
    my ($c, $server, $records, $intents) = @_;
    for my $i (grep { $_->{action} eq 'connection' && ($_->{outcome} // '') eq 'killed' } @$intents) {
        my ($after) = grep { !$_->{quiet} && $_->{result} eq 'ok' && $_->{start} > 1000 * $i->{outcome_time} + 1000 } @$records;
        found($c, 'outcome', "record $i->{seq} is \"killed\", but server $server thread $i->{id} went on with $after->{token}")
            if $after;
    }
}

# --- what was sent, and how much -----------------------------------------------------------------------------

sub judge_kills {
    my ($c, $server) = @_;
    my (%sent, %last);
    for my $k (@{ $c->{servers}{$server}{general}{kills} }) {
        $c->{count}{kills}++;
        if ($k->{unreadable}) {
            found($c, 'no intent', "server $server was told something unknown: $k->{packet}");
            next;
        }
        my @meant = defined $k->{id} || defined $k->{statement_of}
            ? @{ $c->{by_id}{$server}{ $k->{id} // $k->{statement_of} } || [] }
            : @{ $c->{by_query}{$server}{ $k->{query_id} } || [] };
        @meant = grep { $_->{query_id} == $k->{query_id} } @meant if defined $k->{query_id};
        @meant = grep { ($_->{action} eq 'connection') == defined $k->{id} } @meant;
        my $what = $k->{packet};
        if (!@meant) {
            my $where = defined $k->{id} ? elsewhere($c, $server, $k->{id}) : undef;
            found($c, 'no intent', "server $server: $what has no intent" . ($where ? ", $where" : ''));
            next;
        }
        # in the middle of a log the first second is not known
        my $early = !$k->{time} || grep { int($_->{time} / 1000) <= $k->{time} } @meant;
        found($c, 'late intent', "server $server: $what was sent in second $k->{time}, its intent is of $meant[0]{time} ms")
            unless $early;
        my $key = join ' ', $k->{query_id} // '', $k->{id} // '', $k->{statement_of} // '';
        $sent{$key}++;
        $last{$key} = [ $what, scalar @meant ];
    }
    for my $key (grep { $sent{$_} > $last{$_}[1] } sort keys %sent) {
        found($c, 'twice', "server $server: $last{$key}[0] was sent $sent{$key} times for $last{$key}[1] intents");
    }
}

sub judge_intents {
    my ($c) = @_;
    my (%of_plan, %of_run, %of_instance);
    for my $i (@{ $c->{intents} }) {
        found($c, 'journal', "record $i->{seq}: unknown server") if $i->{server} eq '?';
        found($c, 'protected', "record $i->{seq} names $i->{user}") if $c->{protected}{ $i->{user} };
        my $key = "$i->{plan} $i->{server} $i->{id} $i->{query_id}";
        found($c, 'twice', "records $of_plan{$key} and $i->{seq}: the same victim of one plan, thread $i->{id}")
            if $i->{plan} && $of_plan{$key};
        $of_plan{$key} = $i->{seq};
        push @{ $of_run{ $i->{run} } }, $i;
        push @{ $of_instance{ $i->{instance} } }, $i;
    }
    my $max = $c->{limits}{run};
    for my $run (sort keys %of_run) {
        my $n = @{ $of_run{$run} };
        found($c, 'limit', "run $run killed $n, at most $max") if defined $max && $n > $max;
    }
    judge_window($c, $_, @{ $of_instance{$_} }) for sort keys %of_instance;
}

# Every window of the limit's length that ends with an intent.
sub judge_window {
    my ($c, $instance, @intents) = @_;
    my ($max, $window) = @{ $c->{limits} }{qw(instance window_ms)};
    return unless defined $max;
    @intents = sort { $a->{time} <=> $b->{time} } @intents;
    my ($first, $most, $at) = (0, 0);
    for my $n (0 .. $#intents) {
        $first++ while $intents[$first]{time} <= $intents[$n]{time} - $window;
        my $count = $n - $first + 1;
        ($most, $at) = ($count, $intents[$n]) if $count > $most;
    }
    $c->{count}{"most in a window of $instance"} = $most;
    found($c, 'limit', "instance $instance had $most kills within $window ms (up to record $at->{seq}), at most $max")
        if $most > $max;
}

sub check {
    my (%arg) = @_;
    my $c = { servers => { map { ($_ => { %{ $arg{servers}{$_} } }) } keys %{ $arg{servers} } },
        found => [], count => { kills => 0, dead => 0, lost => 0, interrupted => 0 }, intents => [],
        limits => $arg{limits} || {}, protected => { map { ($_ => 1) } @{ $arg{protected} || [] } } };
    for my $s (values %{ $c->{servers} }) {
        $s->{general} = read_general_log($s->{log}, $s->{from});
        $s->{records} = read_clients($c, @{ $s->{clients} });
    }
    $c->{plans} = read_plans($c, @{ $arg{plans} || [] });
    read_journal($c, $arg{journal});
    judge_intents($c);
    for my $server (sort keys %{ $c->{servers} }) {
        judge_kills($c, $server);
        judge_clients($c, $server);
    }
    return { found => $c->{found}, count => $c->{count} };
}

# The texts of one kind, or of all but the kinds in @but.
sub of_kind {
    my ($r, $kind) = @_;
    return map { $_->{text} } grep { $_->{kind} eq $kind } @{ $r->{found} };
}

1;
