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
    my @options = PtKill::typed(random_options(plain => $kind ne 'odd'));
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
cmp_ok($kills, '>', 10 * $combinations, 'and there were kills to compare');
cmp_ok($empty, '<', $combinations / 2, 'by most of them');
cmp_ok($kind{$_}, '>', $combinations, "also in lists of the kind $_") for sort keys %kind;

done_testing();
