#!/usr/bin/perl
# The judge is judged: logs as they would be, with one thing wrong at a time, and it has to see it.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use KillCheck;

my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->canonical;
my $T = 1_700_000_000;    # the second in which all of it happens
my %identity = (A => 'mariadb host:1001 id 1', B => 'mariadb host:1002 id 1');

sub put {
    my ($name, @lines) = @_;
    open my $out, '>', "$dir/$name" or die;
    print $out map { "$_\n" } @lines;
    close $out;
    return "$dir/$name";
}

# [thread, text] or [thread, text, what]; all in second $T + $offset
sub general {
    my ($offset, @entries) = @_;
    my $time = strftime('%y%m%d %k:%M:%S', localtime $T + $offset);
    return 'mariadbd, Version: 10', "Time\t\t    Id Command\tArgument",
        map { my $t = $_ == $entries[0] ? "$time\t" : "\t\t"; sprintf "%s%6d %s\t%s", $t, $_->[0], $_->[2] // 'Query', $_->[1] } @entries;
}

# [start ms, end ms, thread, user, kind, token, query id, result], ms after $T
sub client { return map { my @r = @$_; join "\t", map({ ($T * 1000 + $_) * 1000 } @r[0, 1]), @r[2 .. 7] } @_ }

sub chain {
    my ($seq, $prev, @lines) = (0, '0' x 64);
    for my $r (@_) {
        push @lines, $json->encode({ time_ms => $T * 1000, run => 'r1', %$r, seq => ++$seq, prev => $prev });
        $prev = sha256_hex($lines[-1]);
    }
    return @lines;
}

sub victim {
    my ($id, $query_id, $token, $user) = @_;
    return (id => $id, query_id => $query_id, user => $user // 'app1',
        sql_info => defined $token ? "SELECT SLEEP(5) /* $token */" : undef);
}

sub intent {
    my ($server, $action, $ms, @victim) = @_;
    return { kind => 'intent', instance => 'orders', server => $identity{$server}, action => $action,
        apply => 2, time_ms => $T * 1000 + $ms, victim(@victim) };
}

sub outcome { return { kind => 'outcome', intent => $_[0], outcome => $_[1], time_ms => $T * 1000 + $_[2] } }

# How das ends a connection on MariaDB.
sub compound {
    my ($id, $query_id, $seen) = @_;
    $seen //= $id;
    return "BEGIN NOT ATOMIC DECLARE same, meant INT; SELECT COUNT(*), COUNT(CASE WHEN ID = $seen AND COMMAND <> 'Sleep' THEN 1 END) "
        . "INTO same, meant FROM information_schema.PROCESSLIST WHERE QUERY_ID = $query_id; IF meant = 0 THEN SIGNAL SQLSTATE '45000'; "
        . "END IF; IF same = 1 THEN KILL QUERY ID $query_id; END IF; KILL CONNECTION $id; END";
}

# A world where all is well: a statement killed (0), an idle connection (1), one with a statement (2),
# and one of several statements with the same text (3). Times are ms of one second.
my $hash = 'a' x 64;
my @victims = ([ 11, 101, 'c1 n1' ], [ 12, 102 ], [ 13, 103, 'c3 n1' ], [ 14, 105, 'c4 n1' ]);
my %good = (
    plan_server => 'A', victims => \@victims,
    general => [
        [ 11, 'SELECT SLEEP(5) /* c1 n1 */' ], [ 12, 'SELECT QUERY_ID /* c2 n1 */' ],
        [ 13, 'SELECT SLEEP(5) /* c3 n1 */' ], [ 14, 'SELECT SLEEP(5) /* c4 n1 */' ],
        [ 14, 'SELECT SLEEP(5) /* c4 n1 */' ], [ 90, 'KILL QUERY ID 101' ],
        [ 90, 'KILL QUERY ID 102; KILL CONNECTION 12' ], [ 90, compound(13, 103) ],
        [ 90, 'KILL QUERY ID 105' ], [ 11, 'SELECT SLEEP(5) /* c1 n2 */' ], [ 14, 'SELECT SLEEP(5) /* c4 n1 */' ],
    ],
    clients => [
        [ 0, 150, 11, 'app1', 'long', 'c1 n1', 0, 'interrupted' ],
        [ 150, 160, 11, 'app1', 'pause', 'c1 n1', 0, 'ok' ],
        [ 160, 170, 11, 'app1', 'long', 'c1 n2', 0, 'ok' ],
        [ 0, 5, 12, 'app1', 'trx', 'c2 n1', 102, 'ok' ],
        [ 5, 151, 12, 'app1', 'idle', 'c2 n1', 102, 'lost' ],
        [ 0, 152, 13, 'app1', 'long', 'c3 n1', 0, 'interrupted' ],
        [ 152, 153, 13, 'app1', 'pause', 'c3 n1', 0, 'lost' ],
        [ 0, 50, 14, 'app1', 'same', 'c4 n1', 104, 'ok' ],
        [ 50, 154, 14, 'app1', 'same', 'c4 n1', 0, 'interrupted' ],
        [ 155, 190, 14, 'app1', 'same', 'c4 n1', 109, 'ok' ],
    ],
    journal => [
        { kind => 'begin' }, { kind => 'apply', plan => $hash },
        intent('A', 'query', 140, @{ $victims[0] }), intent('A', 'connection', 140, @{ $victims[1] }),
        intent('A', 'connection', 140, @{ $victims[2] }), intent('A', 'query', 140, @{ $victims[3] }),
        outcome(3, 'killed', 155), outcome(4, 'killed', 155), outcome(5, 'killed', 155),
    ],
    general_b => [ [ 5, 'SELECT 1' ] ], clients_b => [], limits => { run => 4, instance => 4, window_ms => 100 },
    offset => 0,
);

sub world {
    my %w = (%good, @_);
    my $plan = { server => $identity{ $w{plan_server} }, created_ms => $T * 1000 + 100, sha256 => $hash,
        victims => [ map { { session => { victim(@$_) } } } @{ $w{victims} } ] };
    my %server = map { my $n = $_; my $x = $n eq 'A' ? '' : '_b'; ($n => {
        match => $n eq 'A' ? qr/:1001\b/ : qr/:1002\b/,
        log => put("$n.log", general($w{offset}, @{ $w{"general$x"} })),
        clients => [ put("$n.tsv", client(@{ $w{"clients$x"} })) ],
    }) } qw(A B);
    return KillCheck::check(servers => \%server, protected => ['keep'], limits => $w{limits},
        journal => put('journal', $w{lines} ? @{ $w{lines} } : chain(@{ $w{journal} })),
        plans => [ put('plans', $json->encode($plan), '{"cut":"sho') ]);
}

# The list of that name with some of its entries replaced: place => change; undef leaves it out.
sub with {
    my ($part, %changes) = @_;
    my @list = @{ $good{$part} };
    for my $n (keys %changes) {
        my ($was, $to) = ($list[$n], $changes{$n});
        $list[$n] = !defined $to ? undef : ref $to eq 'ARRAY' ? $to : ref $was eq 'ARRAY'
            ? [ map { exists $to->{$_} ? $to->{$_} : $was->[$_] } 0 .. $#$was ] : { %$was, %$to };
    }
    return ($part => [ grep { defined } @list ]);
}

sub finds {
    my ($name, $expected, @with) = @_;
    my $r = world(@with);
    is_deeply([ map { "$_->{kind}: $_->{text}" } @{ $r->{found} } ], $expected, $name);
}

my $r = world();
is_deeply($r->{found}, [], 'nothing to say of a world where all is well');
is_deeply({ map { ($_ => $r->{count}{$_}) } qw(kills intents interrupted lost dead), 'outcome killed' },
    { kills => 4, intents => 4, interrupted => 3, lost => 2, dead => 4, 'outcome killed' => 3 }, 'and it counts');

# --- the wrong one dies ---------------------------------------------------------------------------
finds('the next statement of a victim',
    [ 'wrong kill: server A thread 11 was running c1 n2, the plan said c1 n1' ],
    with('clients', 0 => { 7 => 'ok' }, 2 => { 7 => 'interrupted' }));
finds('a session that nobody named',
    [ 'wrong kill: server A thread 15 was running c5 n1, no plan named it' ],
    with('clients', 10 => [ 0, 150, 15, 'app1', 'long', 'c5 n1', 0, 'interrupted' ]));
finds('the same text again',
    [ 'wrong kill: server A thread 14 was running c4 n1, the plan said c4 n1 with query id 105' ],
    with('clients', 8 => { 6 => 105, 7 => 'ok' }, 9 => { 6 => 0, 7 => 'interrupted' }));
finds('the same text once before',
    [ 'wrong kill: server A thread 14 was running c4 n1, the plan said c4 n1 with query id 105' ],
    with('clients', 7 => { 6 => 0, 7 => 'interrupted' }, 8 => { 6 => 105, 7 => 'ok' }));
finds('the same text, and it belongs to somebody else',
    [ 'wrong kill: server A thread 11 was running c1 n1, the plan said c1 n1 of app1, not app2' ],
    with('clients', 0 => { 3 => 'app2' }));
finds('an idle connection that had done something since',
    [ 'wrong kill: server A thread 12 was idle after c2 n2, the plan said idle after query id 102' ],
    with('clients', 4 => [ 5, 6, 12, 'app1', 'trx', 'c2 n2', 110, 'ok' ],
        10 => [ 6, 151, 12, 'app1', 'idle', 'c2 n2', 110, 'lost' ]));
finds('a connection that woke up: the statement was there before the kill',
    [ 'wrong kill: server A thread 12 was running c2 n2, the plan said idle after query id 102' ],
    with('clients', 4 => [ 5, 151, 12, 'app1', 'trx', 'c2 n2', 0, 'lost' ]),
    general => [ @{ $good{general} }[0 .. 5], [ 12, 'COMMIT /* c2 n2 */' ], @{ $good{general} }[6 .. 10] ]);
finds('or after it had been sent: told apart',
    [ 'window: server A thread 12 began c2 n2 after the server had been told to kill it' ],
    with('clients', 4 => [ 5, 151, 12, 'app1', 'trx', 'c2 n2', 0, 'lost' ]),
    general => [ @{ $good{general} }[0 .. 6], [ 12, 'COMMIT /* c2 n2 */' ], @{ $good{general} }[7 .. 10] ]);
finds('an idle connection that had been pinged, and then was looked at', [],
    with('clients', 4 => [ 60, 61, 12, 'app1', 'ping', 'c2 n2', 0, 'ok' ], 10 => [ 61, 151, 12, 'app1', 'idle', 'c2 n2', 0, 'lost' ]),
    with('victims', 1 => [ 12, 107 ]), with('journal', 3 => { query_id => 107 }),
    with('general', 6 => [ 90, 'KILL QUERY ID 107; KILL CONNECTION 12' ]));
finds('an idle connection that had been looked at, and then was pinged',
    [ 'wrong kill: server A thread 12 was idle after c2 n2, the plan said idle after query id 102' ],
    with('clients', 4 => [ 60, 61, 12, 'app1', 'ping', 'c2 n2', 0, 'ok' ], 10 => [ 61, 151, 12, 'app1', 'idle', 'c2 n2', 0, 'lost' ]));
finds('and nothing is wrong where the statement never arrived', [],
    with('clients', 10 => [ 151, 152, 12, 'app1', 'trx', 'c2 n2', 0, 'lost' ], 4 => { 7 => 'ok' }));
finds('a session that lost its connection for its statement',
    [ 'wrong kill: server A thread 11 was running c1 n1, no plan named it' ],
    with('clients', 0 => { 7 => 'lost' }));
finds('a user that is protected',
    [ 'protected: record 3 names keep', 'protected: server A thread 11: c1 n1 of keep was hit' ],
    with('clients', 0 => { 3 => 'keep' }), with('journal', 2 => { user => 'keep' }),
    with('victims', 0 => [ @{ $victims[0] }, 'keep' ]));
finds('a protected user behind the id of a victim',
    [ 'protected: server A thread 11: c1 n1 of keep was hit',
        'wrong kill: server A thread 11 was running c1 n1, the plan said c1 n1 of app1, not keep' ],
    with('clients', 0 => { 3 => 'keep' }));

# --- another server -------------------------------------------------------------------------------
finds('the twin on another server, and the journal says the planned one',
    [ 'no intent: server B: KILL QUERY ID 101 has no intent',
        'wrong kill: server B thread 11 was running c1 n1, the plan was made for server A' ],
    clients_b => [ $good{clients}[0] ], general_b => [ @{ $good{general} }[ 0, 5 ] ]);
finds('the twin on another server, and the journal says so',
    [ 'not the plan: record 3: server B thread 11 running c1 n1 (query id 101) as app1, '
        . 'the plan said server A thread 11 running c1 n1 (query id 101) as app1',
        'wrong kill: server B thread 11 was running c1 n1, the plan was made for server A' ],
    with('journal', 2 => { server => $identity{B} }), with('clients', 0 => undef, 1 => undef, 2 => undef),
    with('general', 0 => undef, 5 => undef, 9 => undef),
    clients_b => [ $good{clients}[0] ], general_b => [ @{ $good{general} }[ 0, 5 ] ]);
finds('a server that nobody knows',
    [ 'not the plan: record 3: server ? thread 11 running c1 n1 (query id 101) as app1, '
        . 'the plan said server A thread 11 running c1 n1 (query id 101) as app1',
        'journal: record 3: unknown server', 'no intent: server A: KILL QUERY ID 101 has no intent',
        'wrong kill: server A thread 11 was running c1 n1, no plan named it' ],
    with('journal', 2 => { server => 'elsewhere' }));

# --- what is written down, and when ----------------------------------------------------------------
finds('an intent that says something else than its plan',
    [ 'not the plan: record 3: server A thread 11 running c1 n9 (query id 101) as app1, '
        . 'the plan said server A thread 11 running c1 n1 (query id 101) as app1' ],
    with('journal', 2 => { sql_info => 'SELECT SLEEP(5) /* c1 n9 */' }));
finds('an intent for nobody in the plan',
    [ 'not the plan: record 3: thread 11 is not in its plan' ], with('victims', 0 => undef));
finds('a kill without an intent',
    [ 'no intent: server A: KILL QUERY ID 108 has no intent' ],
    with('general', 11 => [ 90, 'KILL QUERY ID 108' ]));
finds('a kill of a connection where only the statement was meant',
    [ 'no intent: server A: KILL QUERY ID 101; KILL CONNECTION 11 has no intent' ],
    with('general', 5 => [ 90, 'KILL QUERY ID 101; KILL CONNECTION 11' ]));
finds('a kill of a connection alone that was not meant',
    [ 'no intent: server A: KILL CONNECTION 11 has no intent' ], with('general', 11 => [ 90, 'KILL CONNECTION 11' ]));
finds('a kill by thread id that was not meant',
    [ 'no intent: server A: KILL QUERY 12 has no intent' ], with('general', 11 => [ 90, 'KILL QUERY 12' ]));
finds('a kill after a look at somebody else',
    [ 'no intent: server A was told something unknown: KILL of connection 11 after query id 102' ],
    with('general', 11 => [ 90, compound(11, 102, 12) ]));
finds('a kill after a look at another statement',
    [ 'no intent: server A: KILL of connection 12 after query id 109 has no intent' ],
    with('general', 11 => [ 90, compound(12, 109) ]));
finds('a kill of everything that a user has',
    [ 'no intent: server A was told something unknown: KILL USER app1' ],
    with('general', 11 => [ 90, 'KILL USER app1' ]));
finds('an intent that came after the client had lost its statement',
    [ 'late intent: server A thread 11 lost c1 n1 at ' . ($T * 1000 + 150) . ' ms, its intent is of ' . ($T * 1000 + 151) . ' ms' ],
    with('journal', 2 => { time_ms => $T * 1000 + 151 }));
finds('intents of a later second than the kills',
    [ map { "late intent: server A: $_ was sent in second " . ($T - 1) . ', its intent is of ' . ($T * 1000 + 140) . ' ms' }
        'KILL QUERY ID 101', 'KILL QUERY ID 102; KILL CONNECTION 12', 'KILL of connection 13 after query id 103', 'KILL QUERY ID 105' ],
    offset => -1);
finds('one kill more than intents',
    [ 'twice: server A: KILL QUERY ID 101 was sent 2 times for 1 intents' ], with('general', 11 => [ 90, 'KILL QUERY ID 101' ]));
finds('one plan applied twice', [ 'twice: plan aaaaaaaaaaaa was applied twice: records 2 and 10' ],
    journal => [ @{ $good{journal} }, $good{journal}[1] ]);
finds('one victim of a plan twice', [ 'twice: records 3 and 10: the same victim of one plan, thread 11' ],
    journal => [ @{ $good{journal} }, $good{journal}[2] ], limits => {});

# --- how many ----------------------------------------------------------------------------------------
my $at = $T * 1000;
finds('more within the window than allowed',
    [ 'limit: instance orders had 4 kills within 100 ms (up to record 6), at most 3' ],
    limits => { run => 4, instance => 3, window_ms => 100 });
finds('but as many are allowed when one has left the window', [], limits => { run => 4, instance => 3, window_ms => 100 },
    with('journal', 2 => { time_ms => $at + 40 }));
finds('one ms before that it has not',
    [ 'limit: instance orders had 4 kills within 100 ms (up to record 6), at most 3' ],
    limits => { run => 4, instance => 3, window_ms => 100 }, with('journal', 2 => { time_ms => $at + 41 }));
finds('another instance has a count of its own', [], limits => { run => 4, instance => 3, window_ms => 100 },
    with('journal', 2 => { instance => 'others' }));
finds('more than a run may', [ 'limit: run r1 killed 4, at most 3' ], limits => { run => 3 });
finds('two runs have counts of their own', [], limits => { run => 3 }, with('journal', 2 => { run => 'r2' }));

# --- what was said of the outcome -------------------------------------------------------------------
finds('a connection called killed that goes on',
    [ 'outcome: record 4 is "killed", but server A thread 12 went on with c2 n2' ],
    with('clients', 4 => { 7 => 'ok' }, 10 => [ 160, 170, 12, 'app1', 'short', 'c2 n2', 0, 'ok' ]));
finds('an error that no kill makes', [ 'outcome: server A thread 11: c1 n1 ended with error 1064' ],
    with('clients', 0 => { 7 => 'error 1064' }));
finds('an outcome of nothing', [ 'journal: record 7: an outcome of no intent' ], with('journal', 6 => outcome(99, 'killed', 155)));
finds('two outcomes of one intent', [ 'journal: record 8: an outcome of an intent that has one' ],
    with('journal', 7 => outcome(3, 'killed', 155)));

# --- the chain ------------------------------------------------------------------------------------------
{
    my @lines = chain(@{ $good{journal} });
    my @cut = @lines;
    $cut[6] =~ s/"killed"/"failed"/;
    finds('a record that was changed', [ 'journal: record 8: prev is not the hash of record 7' ], lines => \@cut);
    finds('a record that was left out',
        [ 'journal: record 8 follows record 6', 'journal: record 8: prev is not the hash of record 6' ],
        lines => [ @lines[ 0 .. 5, 7, 8 ] ]);
    finds('something else in between', [ 'journal: after record 6: a line that is no record' ],
        lines => [ @lines[0 .. 5], 'what', @lines[6 .. 8] ]);
}

done_testing;
