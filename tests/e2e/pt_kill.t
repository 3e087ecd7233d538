#!/usr/bin/perl
# pt_kill.t - policies by das import-pt-kill choose what the real pt-kill chooses, in its order. Random
# process lists and options: SEED=N repeats a run, COMBINATIONS=N changes their number.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use Das;
use PtKill;

plan skip_all => 'pt-kill is not installed (percona-toolkit)' unless pt_kill_there();

my $seed = $ENV{SEED} // 20261124;
my $combinations = $ENV{COMBINATIONS} // 200;
srand $seed;
diag("SEED=$seed") if $ENV{SEED};

# --- random lists and options -----------------------------------------------------------------------
my ($same, $kills, $empty, @wrong) = (0, 0, 0);
my %kind = (plain => 0, odd => 0, design => 0);
my @lists;

# Several lists at once: a pt-kill takes longer to start than to read.
sub fresh_lists {
    my ($kind) = @_;
    return map {
        my @rows = random_list(first => $_ * 1000000, rows => 20 + int rand 200, plain => $kind ne 'odd',
            design => $kind eq 'design');
        { all => write_list(@rows), pt => write_list(das_by_design(@rows)) }
    } 1 .. 3;
}

for my $n (1 .. $combinations) {
    my $kind = (qw(plain odd design))[ $n % 3 ];
    $lists[ $n % 3 ] = [ fresh_lists($kind) ] if $n % 12 <= 2 || !$lists[ $n % 3 ];
    my @lists = @{ $lists[ $n % 3 ] };
    my @options = typed(random_options(plain => $kind ne 'odd'));
    my $what = "combination $n ($kind): @{[ map { qq{'$_'} } @options ]}";
    my ($policy, $said) = das_policy(@options, '--print', (('--kill', '--kill-query')[ $n % 4 ] // ()));
    if (!$policy) { push @wrong, "$what: $said"; next }
    my $pt = pt_victims([ map { $_->{pt} } @lists ], @options);
    if (!$pt) { push @wrong, "$what: pt-kill failed"; next }
    my @classes;
    for my $list (@lists) {
        my ($victims, $why) = das_victims($policy, $list->{all});
        push @wrong, "$what: $why" unless $victims;
        push @classes, @{ $victims || [] };
    }
    my $difference = in_order($pt, \@classes);
    push @wrong, "$what: $difference" if $difference;
    $same++ unless $difference;
    $kills += @$pt;
    $kind{$kind} += @$pt;
    $empty += !@$pt;
}
is(scalar @wrong, 0, "$combinations combinations of options choose the same, in the same order")
  or diag("SEED=$seed\n", join "\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ]);
diag("$kills kills, $empty combinations without one; @{[ %kind ]}") if $ENV{SEED};
SKIP: {
    skip 'too few to judge how many there were', 5 if $combinations < 100;
    cmp_ok($kills, '>', 10 * $combinations, 'and there were kills to compare');
    cmp_ok($empty, '<', $combinations / 2, 'by most of them');
    cmp_ok($kind{$_}, '>', $combinations, "also in lists of the kind $_") for sort keys %kind;
}
my @policies = policies();
my $checked = das('check', @policies);
is($checked->{exit}, 0, 'das check finds nothing in any of the policies') or diag(substr $checked->{out}, 0, 1000);
cmp_ok(scalar @policies, '>=', $combinations, 'as many as there were combinations');

# --- what one would not expect, the same in both -------------------------------------------------------
# id, user, host, db, command, time, state, info
my @list = (
    [ 1, 'app', 'h:1', 'shop', 'Query', 114, undef, 'select 1' ],
    [ 2, 'app', 'h:1', 'shop', 'Query', 113, undef, 'select 2' ],
    [ 3, 'app', 'h:1', undef, 'Execute', 1, undef, 'select /* keep */ 3' ],
    [ 4, 'app', 'h:1', '', 'Sleep', 300, '', undef ],
    [ 5, 'root', 'h:1', 'shop', 'Query', 114, 'Locked', 'update t set a = 5' ],
    [ 6, 'root', 'h:1', 'shop', 'Query', 114, 'x', 'update t set a = 6' ],
);

sub both {
    my ($what, $want, $options, @rows) = @_;
    my $path = write_list(@rows ? @rows : @list);
    my ($policy, $said) = das_policy(@$options, '--print');
    my ($victims, $why) = $policy ? das_victims($policy, $path) : ();
    is(join(' ', @{ pt_victims([$path], @$options) || ['failed'] }), $want, "$what: pt-kill");
    is(join(' ', map { "@$_" } @{ $victims || [] }), $want, "$what: das") or diag($said, $why // '');
}

my @all = ('--victims', 'all');
both('--busy-time says at least', '6 1', [ qw(--busy-time 114), @all ]);
both('--each-busy-time says more than', '', [ qw(--busy-time 114 --each-busy-time 114), @all ]);
both('--any-busy-time, too', '', [ qw(--busy-time 113 --any-busy-time 114), @all ]);
both('of equal times the last is the oldest', '6', [qw(--busy-time 114)]);
both('and the others are left', '1 2', [qw(--busy-time 1 --victims all-but-oldest)]);
both('--busy-time says nothing of an Execute', '6 1 3', [ qw(--busy-time 114 --match-command Query|Execute), @all ]);
both('unless --kill-busy-commands names it', '6 1', [ qw(--busy-time 114 --kill-busy-commands), 'Query,Execute', @all ]);
both('which is a comma list', '', [ qw(--busy-time 1 --kill-busy-commands Query|Execute), @all ]);
my @sleep_is_busy = ('--kill-busy-commands', 'Sleep,Query', @all);
both('two times for Sleep: both hold', '', [ qw(--busy-time 200 --idle-time 301), @sleep_is_busy ]);
both('also the other one', '', [ qw(--busy-time 301 --idle-time 200), @sleep_is_busy ]);
both('and then it goes', '4', [ qw(--busy-time 200 --idle-time 300), @sleep_is_busy ]);
both('match options are ANDed', '6', [ qw(--match-user root --match-info update), @all ]);
both('ignore beats match', '1 2 3', [ '--match-db', 'shop|^$', qw(--match-all --ignore-user root --ignore-command Sleep), @all ],
    map { [ @$_[ 0 .. 2 ], 'shop', @$_[ 4 .. 7 ] ] } @list);
both('NULL matches nothing', '4', [ qw(--match-db ^$), @all ]);
both('and is not ignored', '4 6 1 2 3', [ qw(--match-all --ignore-db NULL), @all ]);
both('Locked is ignored unless one says otherwise', '4 6 5 1 2 3', [ qw(--match-all --ignore-state NONE), @all ]);
both('--query-count counts what matched', '', [ qw(--match-info update --query-count 2), @all ]);
both('a comment is there', '3', [ qw(--match-info keep), @all ]);
both('until one groups', '', [ qw(--match-info keep --group-by user), @all ]);
both('or says no', '3', [ qw(--match-info keep --group-by user --nostrip-comments), @all ]);
both('NULL and "" are one class', '2', [qw(--match-all --group-by db)],
    [ 1, 'app', 'h:1', undef, 'Query', 5, undef, 'select 1' ], [ 2, 'app', 'h:1', '', 'Query', 6, undef, 'select 1' ]);
both('a column that is not there makes one class', '4', [qw(--match-all --group-by nosuch)]);
both('a zero switches off', '', [ qw(--busy-time 0), @all ]);
both('no option, no kill', '', [@all]);

# --- what das does otherwise, on purpose ----------------------------------------------------------------
sub each_its_own {
    my ($what, $pt, $das, $options, @rows) = @_;
    my $path = write_list(@rows);
    my ($policy, $said) = das_policy(@$options, '--print');
    my ($victims, $why) = $policy ? das_victims($policy, $path) : ();
    is(join(' ', @{ pt_victims([$path], @$options) || ['fails'] }), $pt, "$what: pt-kill") if defined $pt;
    is(join(' | ', sort map { "@$_" } @{ $victims || [] }), $das, "$what: das") or diag($said, $why // '');
}

my @plain = (9, 'app', 'h:1', 'shop', 'Query', 50, undef, 'select 9');
each_its_own("$_->[4] of $_->[1]", '8', '9', [qw(--match-all)], $_, \@plain) for
  [ 8, 'repl', 'h:2', undef, 'Binlog Dump GTID', 9000, undef, undef ],
  [ 8, 'app', 'h:2', 'shop', 'Killed', 9000, undef, 'select 8' ],
  [ 8, 'event_scheduler', 'localhost', undef, 'Daemon', 9000, undef, undef ],
  [ 8, 'rdsadmin', 'localhost', undef, 'Sleep', 9000, undef, undef ],
  [ 8, 'app', 'h:2', 'shop', 'Query', 4294967295, undef, 'select 8' ];
each_its_own('Time NULL', 'fails', '9', [ qw(--match-all), @all ],
    [ 8, 'unauthenticated user', 'h:2', undef, 'Connect', undef, 'login', undef ], \@plain);
each_its_own('--replication-threads', '8', '9', [qw(--match-all --replication-threads)],
    [ 8, 'system user', '', undef, 'Connect', 9000, undef, undef ], \@plain);
my @noted = map { [ $_, 'app', 'h:1', 'shop', 'Query', $_, undef, $_ > 5 ? "select $_ -- note" : "select $_" ] } 5 .. 8;
my $path = write_list(@noted);
my @by_fingerprint = (qw(--match-all --group-by fingerprint), @all);
is(join(' ', sort @{ pt_victims([$path], @by_fingerprint, qw(--query-count 4)) }), '', 'a comment at the end: pt-kill sees two classes');
each_its_own('a comment at the end', undef, '8 7 6 5', [ @by_fingerprint, qw(--query-count 4) ], @noted);
my @zero = ([ 1, 'app', 'h:1', '0', 'Query', 5, undef, 'select 1' ], [ 2, 'app', 'h:1', undef, 'Query', 4, undef, 'select 1' ]);
each_its_own('a database named 0 is one with NULL', '1', '1 | 2', [qw(--match-all --group-by db)], @zero);

# --- every option is known, and described ------------------------------------------------------------------
my @names = `pt-kill --help` =~ /^  --(?:\[no\])?([a-z-]+)/mg;
my %names = map { $_ => 1 } @names;
delete @names{qw(help version)};
cmp_ok(scalar keys %names, '>', 50, 'pt-kill tells its options');
open my $in, '<', 'docs/from-pt-kill.md' or die;
my $page = do { local $/; <$in> };
is_deeply([ grep { $page !~ /`--$_(?:[ `])/ } sort keys %names ], [], 'docs/from-pt-kill.md has each of them');
is_deeply([ grep { das('import-pt-kill', '--', '--print', "--$_")->{err} =~ /has no option/ } sort keys %names ], [],
    'das import-pt-kill knows each of them');

# --- command lines: both take them, or both refuse ----------------------------------------------------------
my $conf = write_list();
sub config { open my $out, '>', $conf or die; print $out @_; close $out; return $conf }
for (
    [ 1, qw(--busy-time 5 --print) ], [ 1, qw(--busy 5 --print) ], [ 1, qw(--busy-time=1m --print --vict all) ],
    [ 0, '--match-user=', '--print' ], [ 0, qw(--m app --print) ], [ 0, qw(--i 5 --print --match-all) ], [ 1, qw(--inter 5 --print --match-all) ],
    [ 0, qw(--nosuch --print) ], [ 0, qw(--PRINT --match-all) ], [ 0, qw(-busy-time 5 --print) ],
    [ 0, qw(--print=1 --match-all) ], [ 0, qw(--no-print --match-all --print) ], [ 0, qw(--match-user --print) ],
    [ 0, qw(--print --match-user) ], [ 1, qw(--no-strip-comments --print --match-all) ],
    [ 1, qw(--nostrip --print --match-all) ], [ 1, qw(--no-ignore-se --print --match-all) ],
    [ 0, qw(--no --print --match-all) ], [ 0, qw(--victims some --print --match-all) ],
    [ 1, qw(--victims ALL --print --match-all) ], [ 0, qw(--kill --kill-query --match-all) ],
    [ 0, qw(--any-busy-time 5 --each-busy-time 5 --print --match-all) ], [ 0, qw(--match-all) ],
    [ 0, qw(--daemonize --print --match-all) ], [ 0, qw(--query-count x --print --match-all) ],
    [ 0, qw(--query-count 2.5 --print --match-all) ], [ 1, qw(--query-count -1 --print --match-all) ],
    [ 0, qw(--busy-time 5x --print) ], [ 0, qw(--busy-time abc --print) ], [ 0, qw(--busy-time 5M --print) ],
    [ 0, '--print', '--match-user', '(' ], [ 1, qw(--print --match-user -5) ], [ 1, qw(--print --match-all -vh localhost) ],
    [ 1, qw(--print --match-all -hlocalhost) ], [ 0, qw(--print --match-all -x) ], [ 0, qw(--print --match-all -Pfoo) ],
    [ 1, '--print', '--match-all', 'h=localhost,P=3306' ], [ 1, qw(--match-all --print --) ],
    [ 0, qw(--print --config x --match-all) ], [ 0, '--config', '/no/such/file', qw(--print --match-all) ],
    [ 1, '--config', config("# mine\nmatch-all\n victims = all # yes\n"), '--print' ],
) {
    my ($takes, @args) = @$_;
    my $pt = pt_kill_takes(@args);
    my ($policy, $said) = das_policy(@args, $args[0] eq '--daemonize' ? qw(--test-matching f) : ());
    is($pt eq '' ? 1 : 0, $takes, "@args: pt-kill " . ($takes ? 'takes it' : 'refuses')) or diag($pt);
    is($policy ? 1 : 0, $takes, "@args: das, too") or diag($said);
    like($said, qr/^exit 2: das import-pt-kill: /, 'as a mistake in the options') unless $takes;
}

done_testing();
